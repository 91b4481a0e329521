//! Service tokens, as clients hold them and as tests give and take them.

use serde::{Deserialize, Serialize};

use super::ControlPlane;
use super::records::new_id;
use crate::stack::access::random_password;

/// A service token as clients send it: `Authorization: ID:TOKEN`.
#[derive(Clone, Serialize, Deserialize)]
pub struct ServiceToken {
    /// Its id (`PLANETSCALE_SERVICE_TOKEN_ID`).
    pub id: String,
    /// Its secret (`PLANETSCALE_SERVICE_TOKEN`).
    pub token: String,
}

impl ServiceToken {
    pub(super) fn new() -> Self {
        Self {
            id: new_id(),
            token: format!("pscale_tkn_{}", random_password()),
        }
    }

    /// The content of the secret that the functions read.
    #[must_use]
    pub fn secret(&self) -> String {
        serde_json::json!({"id": self.id, "token": self.token}).to_string()
    }
}

impl ControlPlane {
    /// The first service token, which has every access.
    pub async fn token(&self) -> ServiceToken {
        let exclusive = self.shared.exclusive.lock().await;
        let first = exclusive.records.tokens.first().cloned();
        first.unwrap_or_else(ServiceToken::new)
    }

    /// Creates another service token with every access, for another person.
    pub async fn new_token(&self) -> ServiceToken {
        let token = ServiceToken::new();
        self.change(|records| records.tokens.push(token.clone()))
            .await;
        token
    }

    /// Deletes a token.
    pub async fn forget(&self, token: &ServiceToken) {
        self.change(|records| records.tokens.retain(|known| known.id != token.id))
            .await;
    }

    /// Takes an access, such as `create_branch`, from a token.
    pub async fn revoke(&self, token: &ServiceToken, grant: &str) {
        let access = (token.id.clone(), grant.to_owned());
        self.change(|records| {
            records.revoked.insert(access);
        })
        .await;
    }
}
