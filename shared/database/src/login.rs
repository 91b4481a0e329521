//! The database's login.

use std::net::IpAddr;

use secrecy::{ExposeSecret, SecretString};
use secrets::{Fields, SecretError, SecretValue};

/// What the process needs to log in. `Debug` shows no password.
#[derive(Debug, Clone)]
pub struct Login {
    /// The host's name or address. The server's certificate must be valid for it.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// User name.
    pub username: String,
    /// Password.
    pub password: SecretString,
    /// The database to use. In Vitess, it is the keyspace.
    pub database: String,
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
            database: String::new(),
        }
    }
}

impl SecretValue for Login {
    /// Reads the JSON of Secrets Manager's own rotation templates, in which the port may be a number or
    /// a text, and the database is `dbname`. `database` is accepted too. One of them must be there,
    /// because no statement works without a database.
    fn read(fields: &Fields) -> Result<Self, SecretError> {
        let database = match fields.text("dbname")? {
            Some(name) => Some(name),
            None => fields.text("database")?,
        };
        Ok(Login {
            host: Some(fields.required("host")?)
                .filter(|host| is_host(host))
                .ok_or(SecretError::Field("host"))?
                .to_owned(),
            port: fields.port("port")?.unwrap_or(Login::DEFAULT_PORT),
            username: fields.required("username")?.to_owned(),
            password: SecretString::from(fields.required("password")?),
            database: database
                .filter(|name| is_name(name))
                .ok_or(SecretError::Field("dbname"))?
                .to_owned(),
        })
    }

    fn is_same(&self, other: &Self) -> bool {
        self.host == other.host
            && self.port == other.port
            && self.username == other.username
            && self.password.expose_secret() == other.password.expose_secret()
            && self.database == other.database
    }
}

/// Whether this can be a host name or an address, without a port and without a scheme.
pub(crate) fn is_host(host: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    host.parse::<IpAddr>().is_ok() || (!host.is_empty() && host.chars().all(fits))
}

/// Whether this can be the name of a database. Vitess also takes `orders@primary` and `orders/-80`. A
/// slash at the end is left over from a URL.
pub(crate) fn is_name(name: &str) -> bool {
    !name.ends_with('/') && !name.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(secret: &str) -> Result<Login, SecretError> {
        Login::read(&Fields::parse(secret).unwrap())
    }

    /// A login's secret, with one field in place of another.
    fn secret(field: &str, value: &str) -> String {
        let mut fields = vec![
            ("host", "\"db.example\""),
            ("username", "\"app\""),
            ("password", "\"hunter2\""),
            ("dbname", "\"orders\""),
        ];
        fields.retain(|(name, _)| *name != field);
        fields.push((field, value));
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| format!("\"{name}\": {value}"))
            .collect();
        format!("{{{}}}", fields.join(", "))
    }

    #[test]
    fn a_secret_of_the_rotation_templates_is_read() {
        let login = read(
            r#"{"engine": "mysql", "host": "db.example", "port": "3307",
                "username": " app ", "password": "p\n", "dbname": "orders"}"#,
        )
        .unwrap();
        assert_eq!((login.host.as_str(), login.port), ("db.example", 3307));
        assert_eq!(login.username, "app");
        assert_eq!(login.password.expose_secret(), "p");
        assert_eq!(login.database, "orders");
    }

    #[test]
    fn what_is_null_or_empty_counts_as_absent() {
        for (field, value) in [("port", "null"), ("port", "\"\""), ("engine", "7")] {
            assert_eq!(read(&secret(field, value)).unwrap().port, 3306, "{value}");
        }
        for dbname in ["null", "\"\"", "\" \""] {
            let other = format!("{dbname}, \"database\": \"other\"");
            let login = read(&secret("dbname", &other)).unwrap();
            assert_eq!(login.database, "other", "{dbname}");
        }
        for field in ["host", "username", "password", "dbname"] {
            for value in ["null", "\"\"", "\" \"", "7"] {
                let error = read(&secret(field, value)).unwrap_err();
                assert_eq!(error, SecretError::Field(field), "{value}");
            }
        }
    }

    #[test]
    fn a_host_is_a_name_or_an_address_and_nothing_more() {
        for host in ["db.example", "10.0.0.1", "::1", "aws.connect.psdb.cloud."] {
            let login = read(&secret("host", &format!("\"{host}\"")));
            assert_eq!(login.unwrap().host, host);
        }
        for host in [
            "db.example:3306",
            "mysql://db.example",
            "db.example/orders",
            "app@db.example",
            "[::1]:3306",
            "db example",
        ] {
            let error = read(&secret("host", &format!("\"{host}\""))).unwrap_err();
            assert_eq!(error, SecretError::Field("host"), "{host}");
        }
    }

    #[test]
    fn a_database_left_over_from_a_url_is_refused() {
        let error = read(&secret("dbname", "\"orders/\"")).unwrap_err();
        assert_eq!(error, SecretError::Field("dbname"));
    }

    #[test]
    fn nothing_of_the_secret_is_told() {
        for field in ["host", "username", "password", "dbname", "port"] {
            let error = read(&secret(field, "[\"hunter2\"]")).unwrap_err();
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
        let login = read(&secret("port", "1")).unwrap();
        assert!(!format!("{login:?}").contains("hunter2"));
    }
}
