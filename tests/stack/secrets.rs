//! The stack's Secrets Manager, which is moto.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use anyhow::anyhow;
use aws_sdk_secretsmanager::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_secretsmanager::error::DisplayErrorContext;
use aws_sdk_secretsmanager::{Client, Config};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

use crate::stack::access::{REGION, TEST_CREDENTIAL};
use crate::stack::process::{ProcessError, Processes, Program, command, free_port};
use crate::stand_ins::step_functions;

/// Starts moto's server and returns its URL. Its Step Functions call the functions at `lambda_port`.
pub async fn start(
    moto_server: &Path,
    lambda_port: Option<u16>,
    processes: &Processes,
) -> Result<(Program, String), ProcessError> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
    let mut moto = command(moto_server);
    moto.args(["--host", "127.0.0.1", "--port", &address.port().to_string()]);
    if let Some(port) = lambda_port {
        moto.env(step_functions::LAMBDA_PORT, port.to_string());
    }
    let process = processes.start("secrets-manager", moto)?;
    process.listens(address).await?;
    Ok((process, format!("http://{address}")))
}

/// A client of the Secrets Manager.
#[derive(Debug, Clone)]
pub struct Secrets {
    client: Client,
}

impl Secrets {
    /// The Secrets Manager at `url`.
    pub fn at(url: &str) -> Self {
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .build_https();
        let credentials =
            Credentials::new(TEST_CREDENTIAL, TEST_CREDENTIAL, None, None, "local stack");
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .credentials_provider(credentials)
            .endpoint_url(url)
            .http_client(http)
            .region(Region::new(REGION))
            .build();
        Self {
            client: Client::from_conf(config),
        }
    }

    /// Stores a new secret.
    pub async fn create(&self, name: &str, value: &str) -> anyhow::Result<()> {
        self.client
            .create_secret()
            .name(name)
            .secret_string(value)
            .send()
            .await
            .map_err(refused)?;
        Ok(())
    }

    /// Gives a secret a new current version.
    pub async fn change(&self, id: &str, value: &str) -> anyhow::Result<()> {
        self.client
            .put_secret_value()
            .secret_id(id)
            .secret_string(value)
            .send()
            .await
            .map_err(refused)?;
        Ok(())
    }
}

fn refused(error: impl std::error::Error) -> anyhow::Error {
    anyhow!("the Secrets Manager: {}", DisplayErrorContext(error))
}
