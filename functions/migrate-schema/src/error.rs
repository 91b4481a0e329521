//! Why a step did not succeed, and under which name the state machine knows it.

use database::DatabaseError;
use lambda::{
    metrics::{Metric, add},
    operation::Failure,
};
use planetscale::ApiError;
use schema::{FilesError, Finding, LedgerError, Outdated, Rule};

/// The name of [`StepError::AnotherAtWork`], after which nothing is cleaned up.
pub const ANOTHER_AT_WORK: &str = "AnotherAtWork";

/// The name of [`StepError::Difference`].
pub const DIFFERENCE_REFUSED: &str = "DifferenceRefused";

/// What a step, or a part of it, comes to.
pub type Result<T, E = StepError> = std::result::Result<T, E>;

/// Why a step did not succeed, for the person who reads why the execution failed.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// The execution was started with a wrong input.
    #[error("{0}")]
    Input(String),
    /// A step was called before the one that it follows.
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
    /// The rules refuse the migrations.
    #[error("the migrations are refused:\n{0}")]
    Rules(String),
    /// The branch's server refuses a statement, in its own words without values of rows.
    #[error("the branch's server refuses a statement:\n{0}")]
    Statement(String),
    /// The migrations cannot be applied to the branch.
    #[error("the branch: {0}")]
    Branch(String),
    /// PlanetScale's lint or its checks refuse what would be deployed.
    #[error("PlanetScale refuses {0}")]
    Checks(String),
    /// Production or the branch does not have the schema that it should have.
    #[error("{0}")]
    Difference(String),
    /// Somebody closed the deploy request.
    #[error("deploy request {0} was closed before it was deployed")]
    Closed(u64),
    /// The deployment did not succeed, or was reverted.
    #[error("the deployment of deploy request {number} is `{state}`: {reason}")]
    Deployment {
        number: u64,
        state: String,
        reason: String,
    },
    /// A step has waited for too long.
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
            Self::Api(error) => error.failure_name(),
            Self::Database {
                error:
                    DatabaseError::Unavailable
                    | DatabaseError::OutOfTime
                    | DatabaseError::OutcomeUnknown,
                ..
            } => Failure::TRANSIENT,
            Self::Password(_) => "PlanetScaleRefused",
            Self::Database { .. } => "DatabaseRefused",
            Self::Input(_) => "WrongInput",
            Self::OutOfOrder(_) => "OutOfOrder",
            Self::AnotherAtWork(_) => ANOTHER_AT_WORK,
            Self::Files(_) | Self::Rules(_) => "MigrationsRefused",
            Self::Ledger(_) | Self::Outdated(_) => "LedgerDiffers",
            Self::Statement(_) => "StatementRefused",
            Self::Branch(_) => "BranchUnfit",
            Self::Checks(_) => "DeployRequestRefused",
            Self::Difference(_) => DIFFERENCE_REFUSED,
            Self::Closed(_) => "DeployRequestClosed",
            Self::Deployment { .. } => "DeploymentFailed",
            Self::TooLong { .. } => "TookTooLong",
        }
    }

    /// An error of the production branch's database.
    pub fn of_production(error: DatabaseError) -> Self {
        let of = "production";
        Self::Database { of, error }
    }

    /// An error of the database of the branch with the migrations.
    pub fn of_branch(error: DatabaseError) -> Self {
        let of = "branch's";
        Self::Database { of, error }
    }
}

/// Refuses migrations with errors, or returns the warnings. The queries for rows are left out, because
/// all of this comes into the execution's history.
pub fn refuse(findings: Vec<Finding>) -> Result<Vec<String>> {
    let is_by_server = findings.iter().any(|finding| finding.rule == Rule::Refused);
    let (mut errors, mut warnings) = (Vec::new(), Vec::new());
    for mut finding in findings {
        finding.query = None;
        match finding.is_error() {
            true => errors.push(finding.to_string()),
            false => warnings.push(finding.to_string()),
        }
    }
    match errors.is_empty() {
        true => Ok(warnings),
        false if is_by_server => Err(StepError::Statement(errors.join("\n"))),
        false => Err(StepError::Rules(errors.join("\n"))),
    }
}

/// The phrases in one sentence, the first of them where there are many.
pub fn listed(phrases: &[String]) -> String {
    const MOST: usize = 12;
    let listed: Vec<&str> = phrases.iter().take(MOST).map(String::as_str).collect();
    let listed = listed.join("; ");
    match phrases.len().saturating_sub(MOST) {
        0 => listed,
        more => format!("{listed}; and {more} more"),
    }
}

impl From<LedgerError> for StepError {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Database(error) => Self::of_production(error),
            error => Self::Ledger(error),
        }
    }
}

impl From<StepError> for Failure {
    /// Ends the step. It is counted unless the state machine tries it again.
    fn from(error: StepError) -> Self {
        if !error.may_pass() {
            add(Metric::SchemaChangeFailed, 1);
        }
        Self::new(error.name(), error.to_string())
    }
}
