//! A secret of AWS Secrets Manager.

use std::sync::OnceLock;

use aws_sdk_secretsmanager::{
    Client, error::ProvideErrorMetadata, operation::get_secret_value::GetSecretValueOutput,
};
use lambda::aws;

use super::{Fields, SecretError, versions::CURRENT};

pub(super) struct SecretsManager {
    secret_id: String,
    /// Created on first use, inside the runtime that drives it.
    client: OnceLock<Client>,
}

impl SecretsManager {
    pub(super) fn new(secret_id: String) -> Self {
        Self {
            secret_id,
            client: OnceLock::new(),
        }
    }

    /// Fetches the current version of the secret and passes its fields to `read`.
    pub(super) async fn read<S>(
        &self,
        read: fn(&Fields) -> Result<S, SecretError>,
    ) -> Result<S, SecretError> {
        let answer = self
            .client()
            .get_secret_value()
            .secret_id(&self.secret_id)
            .version_stage(CURRENT)
            .send()
            .await
            .map_err(|error| {
                let code = error.code().unwrap_or("not reachable");
                SecretError::NotGiven(code.to_owned())
            })?;
        read(&Fields::parse(Self::text(&answer)?)?)
    }

    /// The text of a version. AWS keeps it as a string, or as binary after the CLI's
    /// `--secret-binary fileb://login.json`.
    pub(super) fn text(answer: &GetSecretValueOutput) -> Result<&str, SecretError> {
        match (answer.secret_string(), answer.secret_binary()) {
            (Some(text), _) => Ok(text),
            (None, Some(bytes)) => {
                std::str::from_utf8(bytes.as_ref()).map_err(|_| SecretError::NotText)
            }
            (None, None) => Ok(""),
        }
    }

    pub(super) fn id(&self) -> &str {
        &self.secret_id
    }

    pub(super) fn client(&self) -> &Client {
        self.client.get_or_init(|| Client::new(&aws::config()))
    }
}
