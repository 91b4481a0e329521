//! Why a step did not succeed, and under which name the state machine knows it.

use database::DatabaseError;
use lambda::operation::Failure;
use planetscale::ApiError;
use schema::{Deviation, FilesError, LedgerError, Outdated};

/// The name of [`StepError::AnotherAtWork`], after which nothing is cleaned up.
pub const ANOTHER_AT_WORK: &str = "AnotherAtWork";

/// The name of [`StepError::Difference`].
pub const DIFFERENCE_REFUSED: &str = "DifferenceRefused";

/// Why a step did not succeed. Each is for the person who reads why the execution failed.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// The execution was started with what this does not know.
    #[error("{0}")]
    Input(String),
    /// A step was called before the one it follows: the definition is not this program's.
    #[error("the state machine is not the one of this function: {0}")]
    OutOfOrder(&'static str),
    /// Another schema change is under way.
    #[error("{0}")]
    AnotherAtWork(String),
    #[error(transparent)]
    Files(#[from] FilesError),
    #[error(transparent)]
    Ledger(LedgerError),
    #[error(transparent)]
    Outdated(#[from] Outdated),
    /// The linter refuses migrations.
    #[error("the migrations are refused:\n{0}")]
    Lint(String),
    /// The branch's server refuses a statement.
    #[error("{place}: the branch refuses the statement; the function's log says why")]
    Statement { place: String },
    /// A new branch has not production's schema.
    #[error(
        "the branch has not production's schema: {tables} differ; when PlanetScale has caught up, start again"
    )]
    StaleBranch { tables: String },
    /// The branch is gone, or only half of the migrations are on it.
    #[error("the branch {0}")]
    Branch(&'static str),
    /// PlanetScale's checks refuse the deploy request.
    #[error("PlanetScale refuses the deploy request: {0}")]
    Checks(String),
    /// The deploy request does what the migrations do not say.
    #[error("deploy request {number} is not what the migrations say: {reason}")]
    Difference { number: u64, reason: String },
    /// Somebody closed the deploy request.
    #[error("deploy request {0} was closed before it was deployed")]
    Closed(u64),
    /// The deployment ended otherwise than it should.
    #[error("the deployment of deploy request {number} ended as `{state}`{reason}")]
    Deployment {
        number: u64,
        state: String,
        reason: String,
    },
    /// A step waits for too long.
    #[error("it took too long to wait for {what}")]
    TooLong { what: &'static str },
    #[error(transparent)]
    Api(#[from] ApiError),
    #[error("the {of} database: {error}")]
    Database {
        of: &'static str,
        error: DatabaseError,
    },
    #[error("PlanetScale gives a password that can't be used: {0}")]
    Password(&'static str),
}

impl StepError {
    /// Whether the state machine tries the step again.
    pub fn may_pass(&self) -> bool {
        self.name() == Failure::TRANSIENT
    }

    /// What the state machine knows it by. `Transient` is tried again.
    fn name(&self) -> &'static str {
        match self {
            Self::Api(error) if error.may_pass() => Failure::TRANSIENT,
            Self::Database {
                error:
                    DatabaseError::Unavailable
                    | DatabaseError::OutOfTime
                    | DatabaseError::OutcomeUnknown,
                ..
            } => Failure::TRANSIENT,
            Self::Api(ApiError::NotAllowed { .. } | ApiError::NotFound { .. }) => "NotAllowed",
            Self::Api(_) | Self::Password(_) => "PlanetScaleRefused",
            Self::Database { .. } => "DatabaseRefused",
            Self::Input(_) => "WrongInput",
            Self::OutOfOrder(_) => "OutOfOrder",
            Self::AnotherAtWork(_) => ANOTHER_AT_WORK,
            Self::Files(_) | Self::Lint(_) => "MigrationsRefused",
            Self::Ledger(_) | Self::Outdated(_) => "LedgerDiffers",
            Self::Statement { .. } => "StatementRefused",
            Self::StaleBranch { .. } | Self::Branch(_) => "BranchUnfit",
            Self::Checks(_) => "DeployRequestRefused",
            Self::Difference { .. } => DIFFERENCE_REFUSED,
            Self::Closed(_) => "DeployRequestClosed",
            Self::Deployment { .. } => "DeploymentFailed",
            Self::TooLong { .. } => "TookTooLong",
        }
    }

    pub fn difference(number: u64, deviation: &Deviation) -> Self {
        Self::Difference {
            number,
            reason: deviation.to_string(),
        }
    }
}

impl From<LedgerError> for StepError {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Database(error) => Self::Database {
                of: "production",
                error,
            },
            error => Self::Ledger(error),
        }
    }
}

impl From<StepError> for Failure {
    fn from(error: StepError) -> Self {
        Self::new(error.name(), error.to_string())
    }
}
