//! The stack's Secrets Manager, which is moto.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use anyhow::{anyhow, bail};
use aws_sdk_secretsmanager::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_secretsmanager::error::{DisplayErrorContext, ProvideErrorMetadata as _};
use aws_sdk_secretsmanager::types::RotationRulesType;
use aws_sdk_secretsmanager::{Client, Config};
use uuid::Uuid;

use crate::stack::access::{REGION, TEST_CREDENTIAL};
use crate::stack::process::{Processes, Program, command, free_port};
use crate::stand_ins::step_functions;

/// Starts moto's server and returns its URL. Its Step Functions call the functions at `lambda_port`.
pub async fn start(
    moto_server: &Path,
    lambda_port: Option<u16>,
    processes: &Processes,
) -> anyhow::Result<(Program, String)> {
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
        let credentials =
            Credentials::new(TEST_CREDENTIAL, TEST_CREDENTIAL, None, None, "local stack");
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .credentials_provider(credentials)
            .endpoint_url(url)
            .http_client(lambda::aws::http_client())
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

    /// Takes the stage AWSPENDING away, as a person does after a rotation that was cancelled.
    pub async fn take_pending_away(&self, id: &str) -> anyhow::Result<()> {
        if let Some((version, _)) = self.version(id, "AWSPENDING").await? {
            let update = self.client.update_secret_version_stage().secret_id(id);
            let update = update.version_stage("AWSPENDING");
            let update = update.remove_from_version_id(version);
            update.send().await.map_err(refused)?;
        }
        Ok(())
    }

    /// Begins a rotation as Secrets Manager does before it calls the function: with an empty version
    /// that has the stage AWSPENDING. Returns the version's id, the function's `ClientRequestToken`.
    /// It is refused while another version than the current one has the stage.
    pub async fn begin_rotation(&self, id: &str) -> anyhow::Result<String> {
        // Moto does the opposite: it refuses where a rotation is over, and not where one is under way.
        let pending = self.version(id, "AWSPENDING").await?;
        if pending.is_some() && pending != self.version(id, "AWSCURRENT").await? {
            bail!("A previous rotation isn't complete. That rotation will be reattempted.");
        }
        self.take_pending_away(id).await?;
        let version = Uuid::new_v4().to_string();
        let daily = RotationRulesType::builder().automatically_after_days(1);
        let rotate = self.client.rotate_secret().secret_id(id);
        let rotate = rotate
            .client_request_token(&version)
            .rotation_lambda_arn("arn:aws:lambda:us-east-1:123456789012:function:none")
            .rotation_rules(daily.build());
        // Moto begins, and then finds no function to call.
        match rotate.send().await {
            Err(error) if error.code() == Some("ResourceNotFoundException") => Ok(version),
            Err(error) => Err(refused(error)),
            Ok(_) => bail!("the Secrets Manager has carried out a rotation by itself"),
        }
    }

    /// The id and the text of the version at a stage. An empty version has an empty text.
    pub async fn version(&self, id: &str, stage: &str) -> anyhow::Result<Option<(String, String)>> {
        let described = self.client.describe_secret().secret_id(id).send().await;
        let stages = described.map_err(refused)?.version_ids_to_stages;
        let mut stages = stages.unwrap_or_default().into_iter();
        let Some((version, _)) = stages.find(|(_, has)| has.iter().any(|one| one == stage)) else {
            return Ok(None);
        };
        let read = self.client.get_secret_value().secret_id(id);
        match read.version_id(&version).send().await {
            Ok(read) => Ok(Some((version, read.secret_string.unwrap_or_default()))),
            Err(error) if error.code() == Some("ResourceNotFoundException") => {
                Ok(Some((version, String::new())))
            }
            Err(error) => Err(refused(error)),
        }
    }
}

fn refused(error: impl std::error::Error) -> anyhow::Error {
    anyhow!("the Secrets Manager: {}", DisplayErrorContext(error))
}
