//! The login as a secret of AWS Secrets Manager.

use std::time::Duration;

use aws_config::{BehaviorVersion, timeout::TimeoutConfig};
use aws_sdk_secretsmanager::{Client, error::ProvideErrorMetadata};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use secrecy::SecretString;
use serde_json::{Map, Value};
use tokio::sync::OnceCell;

use super::{CredentialsError, Login};

/// Per attempt; the SDK repeats what failed in passing, and the caller's limit cuts the whole.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(1000);

/// The roots of Amazon Trust Services, to which the certificates of AWS's endpoints chain (AWS
/// asks its customers to trust all five). The system's store would be read and parsed in whole,
/// some 140 certificates, at each cold start.
const ROOTS: &str = include_str!("amazon_roots.pem");

pub(super) struct SecretsManager {
    secret_id: String,
    /// Made on first use, inside the runtime that will drive it.
    client: OnceCell<Client>,
}

impl SecretsManager {
    pub(super) fn new(secret_id: String) -> Self {
        Self {
            secret_id,
            client: OnceCell::new(),
        }
    }

    /// The current version of the secret.
    pub(super) async fn fetch(&self) -> Result<Login, CredentialsError> {
        let answer = self
            .client()
            .await
            .get_secret_value()
            .secret_id(&self.secret_id)
            .send()
            .await
            .map_err(|error| {
                let code = error.code().unwrap_or("not reachable");
                CredentialsError::NotGiven(code.to_owned())
            })?;
        let text = answer.secret_string().ok_or(CredentialsError::NotJson)?;
        parse(text)
    }

    async fn client(&self) -> &Client {
        self.client
            .get_or_init(|| async {
                let http = Builder::new()
                    .tls_provider(Provider::Rustls(CryptoMode::Ring))
                    .tls_context(trusting_amazon())
                    .build_https();
                let timeouts = TimeoutConfig::builder()
                    .operation_attempt_timeout(ATTEMPT_TIMEOUT)
                    .build();
                let config = aws_config::defaults(BehaviorVersion::latest())
                    .http_client(http)
                    .timeout_config(timeouts)
                    .load()
                    .await;
                Client::new(&config)
            })
            .await
    }
}

#[expect(
    clippy::expect_used,
    reason = "building fails only for server names, of which none are given"
)]
fn trusting_amazon() -> TlsContext {
    let roots = TrustStore::empty().with_pem_certificate(ROOTS);
    TlsContext::builder()
        .with_trust_store(roots)
        .build()
        .expect("no server name is given")
}

/// Reads the JSON that Secrets Manager's own rotation templates use, where the port may be a
/// number or a text and the database is `dbname`; `database` is accepted too.
fn parse(text: &str) -> Result<Login, CredentialsError> {
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

#[cfg(test)]
mod tests {
    use rustls::pki_types::{CertificateDer, pem::PemObject};
    use secrecy::ExposeSecret;

    use super::*;

    #[tokio::test]
    async fn every_root_is_one_and_the_client_takes_them() {
        let roots: Vec<_> = CertificateDer::pem_slice_iter(ROOTS.as_bytes())
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!(roots.len(), 5);
        SecretsManager::new("a-secret".to_owned()).client().await;
    }

    #[test]
    fn the_usual_secret_is_read() {
        let login = parse(
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
        let login = parse(r#"{"host": "h", "username": "u", "password": "p"}"#).unwrap();
        assert_eq!((login.port, login.database), (3306, None));
        let login = parse(
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
            let found = parse(secret).unwrap_err();
            assert_eq!(found, error);
            assert!(!found.to_string().contains("hunter2"));
        }
    }
}
