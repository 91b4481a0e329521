//! The token for PlanetScale's management API.

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use secrets::{CredentialsError, Secret};

/// A service token of PlanetScale. `Debug` does not show the token.
#[derive(Debug, Clone)]
pub struct ServiceToken {
    /// Its id, which is not secret.
    pub id: String,
    /// The token itself.
    pub token: SecretString,
}

impl Secret for ServiceToken {
    /// Reads `{"id": "…", "token": "…"}`.
    fn parse(text: &str) -> Result<Self, CredentialsError> {
        let fields: Map<String, Value> =
            serde_json::from_str(text).map_err(|_| CredentialsError::NotJson)?;
        let required = |name: &'static str| {
            fields
                .get(name)
                .and_then(Value::as_str)
                .map(str::trim)
                .filter(|text| !text.is_empty())
                .ok_or(CredentialsError::Field(name))
        };
        Ok(Self {
            id: required("id")?.to_owned(),
            token: SecretString::from(required("token")?),
        })
    }

    fn is_same(&self, other: &Self) -> bool {
        self.id == other.id && self.token.expose_secret() == other.token.expose_secret()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_and_the_token_are_read_and_debug_hides_the_token() {
        let token = ServiceToken::parse(r#"{"id": "abc", "token": "hunter2"}"#).unwrap();
        assert_eq!(token.id, "abc");
        assert_eq!(token.token.expose_secret(), "hunter2");
        assert!(!format!("{token:?}").contains("hunter2"));
    }

    #[test]
    fn a_wrong_secret_is_refused_with_the_name_of_the_field() {
        for (secret, error) in [
            ("hunter2", CredentialsError::NotJson),
            (r#"{"token": "t"}"#, CredentialsError::Field("id")),
            (
                r#"{"id": "i", "token": ""}"#,
                CredentialsError::Field("token"),
            ),
        ] {
            assert_eq!(ServiceToken::parse(secret).unwrap_err(), error);
        }
    }
}
