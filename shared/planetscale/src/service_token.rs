//! The token for PlanetScale's management API.

use secrecy::{ExposeSecret, SecretString};
use secrets::{Fields, SecretError, SecretValue};

/// A service token of PlanetScale. `Debug` does not show the token.
#[derive(Debug, Clone)]
pub struct ServiceToken {
    /// Its id, which is not secret.
    pub id: String,
    /// The token itself.
    pub token: SecretString,
}

impl SecretValue for ServiceToken {
    /// Reads `{"id": "…", "token": "…"}`.
    fn read(fields: &Fields) -> Result<Self, SecretError> {
        Ok(Self {
            id: fields.required("id")?.to_owned(),
            token: SecretString::from(fields.required("token")?),
        })
    }

    fn is_same(&self, other: &Self) -> bool {
        self.id == other.id && self.token.expose_secret() == other.token.expose_secret()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ServiceToken, SecretError> {
        ServiceToken::read(&Fields::parse(text).unwrap())
    }

    #[test]
    fn id_and_token_are_read_and_debug_hides_the_token() {
        let token = read(r#"{"id": "abc", "token": "hunter2"}"#).unwrap();
        assert_eq!(token.id, "abc");
        assert_eq!(token.token.expose_secret(), "hunter2");
        assert!(!format!("{token:?}").contains("hunter2"));
    }

    #[test]
    fn a_missing_field_is_named() {
        let id = read(r#"{"token": "t"}"#).unwrap_err();
        assert_eq!(id, SecretError::Field("id"));
        let token = read(r#"{"id": "i", "token": ""}"#).unwrap_err();
        assert_eq!(token, SecretError::Field("token"));
    }
}
