//! How functions call AWS.

use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig, timeout::TimeoutConfig};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};

use crate::tls;

/// The time for one attempt. The SDK repeats transient failures, within the caller's limit.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(1000);

/// The configuration for a client of AWS's SDK: with ring, and trusting Amazon's roots alone.
///
/// Call it inside the runtime that drives the client.
pub async fn config() -> SdkConfig {
    let http = Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(amazon_tls_context())
        .build_https();
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .build();
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(http)
        .timeout_config(timeouts)
        .load()
        .await
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
    use rustls::pki_types::{CertificateDer, pem::PemObject};

    use super::*;

    #[tokio::test]
    async fn the_client_takes_every_root_of_amazon() {
        let roots: Vec<_> = CertificateDer::pem_slice_iter(tls::AMAZON_ROOTS.as_bytes())
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!(roots.len(), 5);
        config().await;
    }
}
