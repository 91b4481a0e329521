//! The token for PlanetScale's management API.

use secrecy::SecretString;
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
}
