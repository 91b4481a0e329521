//! The versions of a secret.

use std::{collections::HashMap, sync::OnceLock};

use aws_sdk_secretsmanager::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::get_secret_value::GetSecretValueOutput,
};
use lambda::aws;
use secrecy::{ExposeSecret, SecretString};

use super::{Fields, SecretError};

/// The stage of the version that everybody uses.
pub const CURRENT: &str = "AWSCURRENT";

/// The stage of the version that was current before.
pub const PREVIOUS: &str = "AWSPREVIOUS";

/// The stage of the version that a rotation makes.
pub const PENDING: &str = "AWSPENDING";

/// Why Secrets Manager did not do something. No message contains any part of the secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// It was not reached, or failed. A change may have been made.
    #[error("{doing}: Secrets Manager is not available")]
    Unavailable {
        /// What the call was made for.
        doing: &'static str,
    },
    /// It refused, and changed nothing.
    #[error("{doing}: Secrets Manager refuses it ({code})")]
    Refused {
        /// What the call was made for.
        doing: &'static str,
        /// The code of its error.
        code: String,
    },
    /// A version cannot be read as text.
    #[error(transparent)]
    Unreadable(#[from] SecretError),
}

/// What Secrets Manager says about a secret.
#[derive(Debug)]
pub struct Description {
    /// The secret's ARN.
    pub arn: String,
    /// Whether a function rotates it.
    pub rotation_enabled: bool,
    stages: HashMap<String, Vec<String>>,
}

impl Description {
    /// Whether a version has a stage.
    pub fn is_at(&self, version: &str, stage: &str) -> bool {
        let stages = self.stages.get(version).into_iter().flatten();
        stages.into_iter().any(|its| its == stage)
    }

    /// The id of the version with a stage.
    pub fn version_at(&self, stage: &str) -> Option<&str> {
        let mut versions = self.stages.keys().map(String::as_str);
        versions.find(|version| self.is_at(version, stage))
    }
}

/// A secret with its versions.
pub struct SecretVersions {
    id: String,
    /// Created on first use, inside the runtime that drives it.
    client: OnceLock<Client>,
}

impl SecretVersions {
    /// The secret with this name or ARN.
    pub fn of(id: String) -> Self {
        Self {
            id,
            client: OnceLock::new(),
        }
    }

    fn client(&self) -> &Client {
        self.client.get_or_init(|| Client::new(&aws::config()))
    }

    /// Reads the current version: its id and its fields.
    pub(crate) async fn current(&self) -> Result<(String, Fields), SecretError> {
        let read = self.client().get_secret_value().secret_id(&self.id);
        let answer = read.version_stage(CURRENT).send().await;
        let answer = answer.map_err(|error| {
            let code = error.code().unwrap_or("not reachable");
            SecretError::NotGiven(code.to_owned())
        })?;
        let fields = Fields::parse(text(&answer)?)?;
        Ok((answer.version_id.unwrap_or_default(), fields))
    }

    /// Asks which versions there are.
    ///
    /// # Errors
    ///
    /// [`VersionError`].
    pub async fn describe(&self) -> Result<Description, VersionError> {
        let describe = self.client().describe_secret().secret_id(&self.id).send();
        let answer = describe
            .await
            .map_err(|e| error("describing a secret", e))?;
        Ok(Description {
            arn: answer.arn.unwrap_or_default(),
            rotation_enabled: answer.rotation_enabled.unwrap_or_default(),
            stages: answer.version_ids_to_stages.unwrap_or_default(),
        })
    }

    /// Reads a version. There is nothing in the pending version of a rotation that has just begun.
    ///
    /// # Errors
    ///
    /// [`VersionError`].
    pub async fn read(&self, version: &str) -> Result<Option<SecretString>, VersionError> {
        let read = self.client().get_secret_value().secret_id(&self.id);
        match read.version_id(version).send().await {
            Ok(answer) => Ok(Some(text(&answer)?.into())),
            Err(e) if e.code() == Some("ResourceNotFoundException") => Ok(None),
            Err(e) => Err(error("reading a version of a secret", e)),
        }
    }

    /// Stores the pending version. The same text can be stored twice, another one cannot.
    /// `rotation_token` is the one that Secrets Manager has given to the function, if it has.
    ///
    /// # Errors
    ///
    /// [`VersionError`].
    pub async fn store_pending(
        &self,
        version: &str,
        text: &SecretString,
        rotation_token: Option<&SecretString>,
    ) -> Result<(), VersionError> {
        let put = self.client().put_secret_value().secret_id(&self.id);
        let put = put
            .client_request_token(version)
            .secret_string(text.expose_secret())
            .version_stages(PENDING)
            .set_rotation_token(rotation_token.map(|token| token.expose_secret().to_owned()));
        let stored = put.send().await.map(drop);
        stored.map_err(|e| error("storing a version of a secret", e))
    }

    /// Makes a version current in place of the one that is.
    ///
    /// # Errors
    ///
    /// [`VersionError`].
    pub async fn make_current(&self, version: &str, current: &str) -> Result<(), VersionError> {
        let update = self
            .client()
            .update_secret_version_stage()
            .secret_id(&self.id);
        let update = update
            .version_stage(CURRENT)
            .move_to_version_id(version)
            .remove_from_version_id(current);
        let made = update.send().await.map(drop);
        made.map_err(|e| error("making a version of a secret current", e))
    }
}

/// The text of a version. AWS keeps it as a string, or as binary after the CLI's
/// `--secret-binary fileb://login.json`.
fn text(answer: &GetSecretValueOutput) -> Result<&str, SecretError> {
    match (answer.secret_string(), answer.secret_binary()) {
        (Some(text), _) => Ok(text),
        (None, Some(bytes)) => {
            std::str::from_utf8(bytes.as_ref()).map_err(|_| SecretError::NotText)
        }
        (None, None) => Ok(""),
    }
}

/// Only an answer that says what was wrong with the call means that nothing was changed.
fn error<E: ProvideErrorMetadata>(doing: &'static str, error: SdkError<E>) -> VersionError {
    let refused = error
        .raw_response()
        .is_some_and(|raw| raw.status().is_client_error());
    match error.code() {
        Some(code) if refused && code != "ThrottlingException" => VersionError::Refused {
            doing,
            code: code.to_owned(),
        },
        _ => VersionError::Unavailable { doing },
    }
}
