//! The database's login.

use std::net::IpAddr;

use secrecy::SecretString;
use secrets::{Fields, SecretError, SecretValue};

/// What the process needs to log in. `Debug` shows no password. The default is no login: it stands in
/// for one that could not be read.
#[derive(Debug, Clone, Default)]
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
    use secrecy::ExposeSecret;

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
    fn the_port_may_be_left_out_and_the_database_have_another_name() {
        assert_eq!(read(&secret("port", "null")).unwrap().port, 3306);
        let database = read(&secret("dbname", "null, \"database\": \"other\""));
        assert_eq!(database.unwrap().database, "other");
        for field in ["host", "username", "password", "dbname"] {
            let error = read(&secret(field, "null")).unwrap_err();
            assert_eq!(error, SecretError::Field(field));
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
}
