//! A secret of AWS Secrets Manager.

use aws_sdk_secretsmanager::{Client, error::ProvideErrorMetadata};
use lambda::aws;
use tokio::sync::OnceCell;

use super::{Fields, SecretError};

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
            .get_or_init(async || Client::new(&aws::config().await))
            .await
    }
}
