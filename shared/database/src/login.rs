//! The database's login.

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use secrets::{CredentialsError, Secret};

/// What it takes to log in. `Debug` shows no password.
#[derive(Debug, Clone)]
pub struct Login {
    /// Host name or address; the server's certificate must be valid for it.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// User name.
    pub username: String,
    /// Password.
    pub password: SecretString,
    /// The database to use, in Vitess the keyspace; the server's default where not given.
    pub database: Option<String>,
}

impl Login {
    /// MySQL's port.
    pub const DEFAULT_PORT: u16 = 3306;
}

impl Default for Login {
    fn default() -> Self {
        Self {
            host: "localhost".to_owned(),
            port: Self::DEFAULT_PORT,
            username: String::new(),
            password: SecretString::default(),
            database: None,
        }
    }
}

impl Secret for Login {
    /// Reads the JSON that Secrets Manager's own rotation templates use, where the port may be a
    /// number or a text and the database is `dbname`; `database` is accepted too.
    fn parse(text: &str) -> Result<Self, CredentialsError> {
        let fields: Map<String, Value> =
            serde_json::from_str(text).map_err(|_| CredentialsError::NotJson)?;
        let required = |name: &'static str| {
            fields
                .get(name)
                .and_then(Value::as_str)
                .filter(|text| !text.is_empty())
                .ok_or(CredentialsError::Field(name))
        };
        let port = match fields.get("port") {
            None | Some(Value::Null) => Some(Login::DEFAULT_PORT),
            Some(Value::String(text)) => text.parse().ok(),
            Some(value) => value.as_u64().and_then(|port| u16::try_from(port).ok()),
        };
        let database = match fields.get("dbname").or_else(|| fields.get("database")) {
            None | Some(Value::Null) => None,
            Some(Value::String(name)) if !name.is_empty() => Some(name.clone()),
            Some(_) => return Err(CredentialsError::Field("dbname")),
        };
        Ok(Login {
            host: required("host")?.to_owned(),
            port: port
                .filter(|port| *port != 0)
                .ok_or(CredentialsError::Field("port"))?,
            username: required("username")?.to_owned(),
            password: SecretString::from(required("password")?),
            database,
        })
    }

    fn is_same(&self, other: &Self) -> bool {
        (&self.host, self.port, &self.username, &self.database)
            == (&other.host, other.port, &other.username, &other.database)
            && self.password.expose_secret() == other.password.expose_secret()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_secret_is_read() {
        let login = Login::parse(
            r#"{"engine": "mysql", "host": "db.example", "port": "3307",
                "username": "app", "password": "p", "dbname": "orders"}"#,
        )
        .unwrap();
        assert_eq!((login.host.as_str(), login.port), ("db.example", 3307));
        assert_eq!(login.username, "app");
        assert_eq!(login.password.expose_secret(), "p");
        assert_eq!(login.database.as_deref(), Some("orders"));
    }

    #[test]
    fn port_and_database_may_be_left_out_or_named_otherwise() {
        let login = Login::parse(r#"{"host": "h", "username": "u", "password": "p"}"#).unwrap();
        assert_eq!((login.port, login.database), (3306, None));
        let login = Login::parse(
            r#"{"host": "h", "username": "u", "password": "p", "port": 4000, "database": "d"}"#,
        )
        .unwrap();
        assert_eq!((login.port, login.database.as_deref()), (4000, Some("d")));
    }

    #[test]
    fn what_is_wrong_is_named_and_nothing_of_the_secret_is_told() {
        for (secret, error) in [
            ("hunter2", CredentialsError::NotJson),
            (r#"["hunter2"]"#, CredentialsError::NotJson),
            (
                r#"{"host": "h", "username": "u"}"#,
                CredentialsError::Field("password"),
            ),
            (
                r#"{"host": "h", "username": "u", "password": ""}"#,
                CredentialsError::Field("password"),
            ),
            (
                r#"{"host": "h", "username": ["hunter2"], "password": "hunter2"}"#,
                CredentialsError::Field("username"),
            ),
            (
                r#"{"host": "h", "username": "u", "password": "p", "port": 99999}"#,
                CredentialsError::Field("port"),
            ),
            (
                r#"{"host": "h", "username": "u", "password": "p", "dbname": 7}"#,
                CredentialsError::Field("dbname"),
            ),
        ] {
            let found = Login::parse(secret).unwrap_err();
            assert_eq!(found, error);
            assert!(!found.to_string().contains("hunter2"));
        }
    }
}
