//! How functions call AWS.
//!
//! Lambda puts the region and the credentials into the environment, and nothing else is read here.
//! The SDK's own loader of the configuration and its own HTTP client would be a fifth of a function's
//! program: they bring profiles, the metadata service, AWS STS and HTTP/2.

use std::{env, fmt, time::Duration};

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_runtime_api::client::{
    behavior_version::BehaviorVersion,
    connection::{CaptureSmithyConnection, ConnectionMetadata},
    http::{
        HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
    },
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
};
use aws_smithy_types::{body::SdkBody, timeout::TimeoutConfig};
use aws_types::{
    SdkConfig,
    region::Region,
    service_config::{LoadServiceConfig, ServiceConfigKey},
};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{
        Client,
        connect::{HttpConnector as TcpConnector, capture_connection},
    },
    rt::TokioExecutor,
};
use rustls::ClientConfig;

use crate::tls;

/// The time for one attempt. The SDK repeats transient failures, within the caller's limit.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(1000);

/// The configuration for a client of AWS's SDK, from the environment that Lambda sets. Of the SDK's
/// other variables, it takes the endpoints (`AWS_ENDPOINT_URL`, and one for each service),
/// `AWS_USE_FIPS_ENDPOINT` and `AWS_USE_DUALSTACK_ENDPOINT`.
///
/// Call it inside the runtime that drives the client.
pub fn config() -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .build();
    let is_true = |name| variable(name).map(|value| value.eq_ignore_ascii_case("true"));
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(variable("AWS_REGION").map(Region::new))
        .service_config(EndpointUrls)
        .http_client(http_client())
        .timeout_config(timeouts);
    config
        .set_credentials_provider(credentials())
        .set_use_fips(is_true("AWS_USE_FIPS_ENDPOINT"))
        .set_use_dual_stack(is_true("AWS_USE_DUALSTACK_ENDPOINT"));
    config.build()
}

/// The HTTP client for AWS's SDK. It trusts Amazon's roots alone.
pub fn http_client() -> SharedHttpClient {
    let tls = ClientConfig::builder()
        .with_root_certificates(tls::amazon_roots())
        .with_no_client_auth();
    let mut tcp = TcpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp);
    let http = Http(Client::builder(TokioExecutor::new()).build(connector));
    let http = SharedHttpConnector::new(http);
    http_client_fn(move |_, _| http.clone())
}

struct Http(Client<HttpsConnector<TcpConnector>, SdkBody>);

impl HttpConnector for Http {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.0.clone();
        HttpConnectorFuture::new(async move {
            let request = request.try_into_http1x();
            let mut request = request.map_err(|error| ConnectorError::user(error.into()))?;
            // With this, the SDK closes the connection after a failure.
            let used = capture_connection(&mut request);
            if let Some(capture) = request.extensions().get::<CaptureSmithyConnection>() {
                capture.set_connection_retriever(move || {
                    used.connection_metadata().as_ref()?;
                    let used = used.clone();
                    let close = move || {
                        if let Some(connected) = used.connection_metadata().as_ref() {
                            connected.poison();
                        }
                    };
                    let metadata = ConnectionMetadata::builder().proxied(false);
                    Some(metadata.poison_fn(close).build())
                });
            }
            let response = client.request(request).await;
            // The SDK may repeat what failed on the way.
            let response = response.map_err(|error| ConnectorError::io(error.into()))?;
            HttpResponse::try_from(response.map(SdkBody::from_body_1_x))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").finish_non_exhaustive()
    }
}

/// The endpoints that the environment names, as `AWS_ENDPOINT_URL_SECRETS_MANAGER`.
#[derive(Debug)]
struct EndpointUrls;

impl LoadServiceConfig for EndpointUrls {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let service = key.service_id().to_uppercase().replace(' ', "_");
        variable(&format!("{}_{service}", key.env())).or_else(|| variable(key.env()))
    }
}

fn credentials() -> Option<SharedCredentialsProvider> {
    let credentials = Credentials::new(
        variable("AWS_ACCESS_KEY_ID")?,
        variable("AWS_SECRET_ACCESS_KEY")?,
        variable("AWS_SESSION_TOKEN"),
        None,
        "the environment",
    );
    Some(SharedCredentialsProvider::new(credentials))
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}
