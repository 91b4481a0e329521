//! A secret of AWS Secrets Manager.

use std::time::Duration;

use aws_config::{BehaviorVersion, timeout::TimeoutConfig};
use aws_sdk_secretsmanager::{Client, error::ProvideErrorMetadata};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use lambda::tls;
use tokio::sync::OnceCell;

use super::{Fields, SecretError};

/// The time for one attempt. The SDK repeats transient failures, within the caller's limit.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(1000);

pub(super) struct SecretsManager {
    secret_id: String,
    /// Created on first use, inside the runtime that drives it.
    client: OnceCell<Client>,
}

impl SecretsManager {
    pub(super) fn new(secret_id: String) -> Self {
        Self {
            secret_id,
            client: OnceCell::new(),
        }
    }

    /// Fetches the current version of the secret and passes its fields to `read`. AWS keeps the
    /// text as a string, or as binary after the CLI's `--secret-binary fileb://login.json`.
    pub(super) async fn read<S>(
        &self,
        read: fn(&Fields) -> Result<S, SecretError>,
    ) -> Result<S, SecretError> {
        let answer = self
            .client()
            .await
            .get_secret_value()
            .secret_id(&self.secret_id)
            .send()
            .await
            .map_err(|error| {
                let code = error.code().unwrap_or("not reachable");
                SecretError::NotGiven(code.to_owned())
            })?;
        let text = match (answer.secret_string(), answer.secret_binary()) {
            (Some(text), _) => text,
            (None, Some(bytes)) => {
                std::str::from_utf8(bytes.as_ref()).map_err(|_| SecretError::NotText)?
            }
            (None, None) => "",
        };
        read(&Fields::parse(text)?)
    }

    async fn client(&self) -> &Client {
        self.client
            .get_or_init(|| async {
                let http = Builder::new()
                    .tls_provider(Provider::Rustls(CryptoMode::Ring))
                    .tls_context(amazon_tls_context())
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
    reason = "building fails only for server names, and there are none"
)]
fn amazon_tls_context() -> TlsContext {
    let roots = TrustStore::empty().with_pem_certificate(tls::AMAZON_ROOTS);
    TlsContext::builder()
        .with_trust_store(roots)
        .build()
        .expect("there are no server names")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::{CertificateDer, pem::PemObject};

    #[tokio::test]
    async fn the_client_takes_every_root_of_amazon() {
        let roots: Vec<_> = CertificateDer::pem_slice_iter(tls::AMAZON_ROOTS.as_bytes())
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!(roots.len(), 5);
        SecretsManager::new("a-secret".to_owned()).client().await;
    }
}
