//! Service tokens, as clients hold them and as tests give and take them.

use super::ControlPlane;
use super::records::Token;

/// A service token as clients send it: `Authorization: ID:TOKEN`.
#[derive(Clone)]
pub struct ServiceToken {
    /// Its id (`PLANETSCALE_SERVICE_TOKEN_ID`).
    pub id: String,
    /// Its secret (`PLANETSCALE_SERVICE_TOKEN`).
    pub token: String,
}

impl ServiceToken {
    /// The content of the secret that the functions read.
    #[must_use]
    pub fn secret(&self) -> String {
        serde_json::json!({"id": self.id, "token": self.token}).to_string()
    }
}

impl From<&Token> for ServiceToken {
    fn from(token: &Token) -> Self {
        Self {
            id: token.id.clone(),
            token: token.secret.clone(),
        }
    }
}

impl ControlPlane {
    /// The first service token, which has every access.
    pub async fn token(&self) -> ServiceToken {
        let exclusive = self.shared.exclusive.lock().await;
        let first = exclusive.records.tokens.first();
        first.map_or_else(|| ServiceToken::from(&Token::new()), ServiceToken::from)
    }

    /// Creates another service token with every access, for another person.
    pub async fn new_token(&self) -> ServiceToken {
        let token = Token::new();
        let created = ServiceToken::from(&token);
        self.change(|records| records.tokens.push(token)).await;
        created
    }

    /// Deletes a token.
    pub async fn forget(&self, token: &ServiceToken) {
        self.change(|records| records.tokens.retain(|known| known.id != token.id))
            .await;
    }

    /// Takes an access, such as `create_branch`, from a token.
    pub async fn revoke(&self, token: &ServiceToken, grant: &str) {
        self.change(|records| {
            for known in records
                .tokens
                .iter_mut()
                .filter(|known| known.id == token.id)
            {
                known.without.insert(grant.to_owned());
            }
        })
        .await;
    }
}
