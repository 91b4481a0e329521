//! A version of the database's secret.

use database::Login;
use secrecy::{ExposeSecret, SecretString};
use secrets::{Fields, SecretError, SecretValue};

/// The login in a version, with everything else that the secret has.
pub struct Version {
    fields: Fields,
    pub login: Login,
}

impl Version {
    pub fn parse(text: &SecretString) -> Result<Self, SecretError> {
        let fields = Fields::parse(text.expose_secret())?;
        let login = Login::read(&fields)?;
        Ok(Self { fields, login })
    }

    /// The secret's text with another user. All else stays, the host too: it may be a private one
    /// that PlanetScale's API does not name.
    pub fn with_login(&self, username: &str, password: &SecretString) -> SecretString {
        let fields = self.fields.clone();
        let fields = fields.with("username", username);
        fields.with("password", password.expose_secret()).to_text()
    }

    /// Whether another version has the same fields with the same values, but for the user.
    pub fn is_like(&self, other: &Self) -> bool {
        let rest = |version: &Self| {
            let fields = version.fields.clone();
            fields.with("username", "").with("password", "")
        };
        rest(self) == rest(other)
    }

    /// The ARN of an administrator's secret, in the field that AWS's own rotation functions read.
    pub fn administrators_secret(&self) -> Result<&str, SecretError> {
        self.fields.required("masterarn")
    }
}

/// An administrator of the server. The secret that RDS keeps of one has no more than this.
pub struct Administrator {
    pub username: String,
    pub password: SecretString,
}

impl SecretValue for Administrator {
    fn read(fields: &Fields) -> Result<Self, SecretError> {
        Ok(Self {
            username: fields.required("username")?.to_owned(),
            password: fields.required("password")?.into(),
        })
    }
}
