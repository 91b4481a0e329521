//! Why a step did not succeed, and what to do about it.

use database::{DatabaseError, DefinitionError};
use lambda::{
    metrics::{Metric, add},
    operation::Failure,
};
use planetscale::ApiError;
use secrets::{SecretError, versions::VersionError};

/// What a step, or a part of it, comes to.
pub type Result<T, E = RotationError> = std::result::Result<T, E>;

/// Takes the stage AWSPENDING from the version whose id follows.
const TAKE_AWAY: &str = "aws secretsmanager update-secret-version-stage --secret-id SECRET --version-stage AWSPENDING --remove-from-version-id";

/// Why a step did not succeed, for the person who reads the function's log.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// Nobody has enabled the rotation.
    #[error(
        "the rotation of this secret is not enabled: if AWSPENDING is on another version than AWSCURRENT, take it away (`{TAKE_AWAY} VERSION`); then enable the rotation with `aws secretsmanager rotate-secret --secret-id SECRET`",
        TAKE_AWAY = TAKE_AWAY
    )]
    NotEnabled,
    /// The version is not the one that a rotation makes.
    #[error(
        "version {0} of the secret is not AWSPENDING, because its rotation was cancelled or is over: if no other is under way and AWSPENDING is on another version than AWSCURRENT, take it away (`{TAKE_AWAY} VERSION`); then start another with `aws secretsmanager rotate-secret --secret-id SECRET`",
        TAKE_AWAY = TAKE_AWAY
    )]
    NotPending(String),
    /// A step came before createSecret.
    #[error("the version AWSPENDING of the secret is empty: createSecret has to come first")]
    NotCreated,
    /// The secret is not a login that can be rotated.
    #[error("the secret's version {stage} cannot be rotated: {reason}")]
    Secret { stage: &'static str, reason: String },
    /// The secret of the administrator cannot be read.
    #[error("the administrator's secret, which the field `masterarn` names: {0}")]
    Administrator(SecretError),
    /// The present password is not one of the branch.
    #[error(
        "branch `{branch}` has no password with the username that AWSCURRENT has: store the login of one of this branch's passwords in the secret"
    )]
    PasswordUnknown { branch: String },
    /// The new password was deleted before it was used.
    #[error(
        "the password that AWSPENDING has is not on the branch any more: take the stage AWSPENDING from the version (`{TAKE_AWAY} {0}`) and start another rotation",
        TAKE_AWAY = TAKE_AWAY
    )]
    PasswordGone(String),
    /// Somebody has stored another current version since createSecret.
    #[error(
        "AWSCURRENT and AWSPENDING differ in more than the user and its password, because the secret was changed during the rotation: take the stage AWSPENDING from the version (`{TAKE_AWAY} {0}`) and start another rotation",
        TAKE_AWAY = TAKE_AWAY
    )]
    SecretChanged(String),
    /// A login does not work.
    #[error("the {0} login does not work: the log line before this one says why")]
    Login(&'static str),
    /// A login may do less or more than it should.
    #[error("the new login has other rights than the present one: {0}")]
    Rights(String),
    #[error("the database refuses {doing}: {words}")]
    Statement { doing: &'static str, words: String },
    #[error("the database: {0}")]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    Versions(#[from] VersionError),
    #[error(transparent)]
    Api(#[from] ApiError),
    #[error("PlanetScale's answer has no password in it")]
    NoPassword,
    #[error("{0}")]
    Settings(String),
    #[error("the system has no random numbers")]
    NoRandom,
}

impl RotationError {
    /// The error for a secret that cannot be read.
    pub fn of_secret(stage: &'static str) -> impl Fn(SecretError) -> Self {
        move |error| Self::Secret {
            stage,
            reason: error.to_string(),
        }
    }

    /// The error for a statement that was sent as text. It may hold a password, so the server's
    /// words about its syntax, which repeat it, are left out.
    pub fn of_statement(doing: &'static str) -> impl Fn(DefinitionError) -> Self {
        const SYNTAX: u16 = 1064;
        move |error| match error {
            DefinitionError::Database(error) => Self::Database(error),
            DefinitionError::Refused { code, words } => Self::Statement {
                doing,
                words: match code {
                    SYNTAX => "its syntax is wrong".to_owned(),
                    _ => words,
                },
            },
        }
    }

    /// The name that the alarm and the log show. `Transient` passes by itself.
    fn name(&self) -> &'static str {
        match self {
            Self::Api(error) => error.failure_name(),
            Self::Versions(VersionError::Unavailable { .. })
            | Self::Database(
                DatabaseError::Unavailable
                | DatabaseError::OutOfTime
                | DatabaseError::OutcomeUnknown,
            ) => Failure::TRANSIENT,
            Self::NotEnabled => "RotationNotEnabled",
            Self::NotPending(_) => "NotPending",
            Self::NotCreated => "OutOfOrder",
            Self::Secret { .. } | Self::Versions(VersionError::Unreadable(_)) => "SecretUnfit",
            Self::Administrator(_) => "AdministratorUnknown",
            Self::PasswordUnknown { .. } => "PasswordUnknown",
            Self::PasswordGone(_) => "PasswordGone",
            Self::SecretChanged(_) => "SecretChanged",
            Self::Login(_) => "LoginFails",
            Self::Rights(_) => "RightsDiffer",
            Self::Versions(VersionError::Refused { .. }) => "SecretsManagerRefused",
            Self::Statement { .. } | Self::Database(_) => "DatabaseRefused",
            Self::NoPassword => "PlanetScaleRefused",
            Self::Settings(_) => "WrongSettings",
            Self::NoRandom => "NoRandomNumbers",
        }
    }
}

impl From<RotationError> for Failure {
    /// Ends the step, and counts it.
    fn from(error: RotationError) -> Self {
        add(Metric::RotationFailed, 1);
        Self::new(error.name(), error.to_string())
    }
}
