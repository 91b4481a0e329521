//! Why a step did not succeed, and under which name the state machine knows it.

use std::fmt;

use database::DatabaseError;
use lambda::{
    metrics::{Metric, add},
    operation::Failure,
};
use planetscale::ApiError;
use schema::{Finding, LedgerError, Rule};

/// What a step, or a part of it, comes to.
pub type Result<T, E = StepError> = std::result::Result<T, E>;

/// Why a step did not succeed, for the person who reads why the execution failed.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct StepError {
    pub name: ErrorName,
    message: String,
}

/// What the state machine knows an error by. `README.md` says what to do about each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorName {
    /// It may pass by itself: the state machine tries the step again.
    Transient,
    AnotherAtWork,
    BranchUnfit,
    DatabaseRefused,
    DeployRequestClosed,
    DeployRequestRefused,
    DeploymentFailed,
    DifferenceRefused,
    LedgerDiffers,
    MigrationsRefused,
    NotAllowed,
    OutOfOrder,
    PlanetScaleRefused,
    StatementRefused,
    TookTooLong,
    WrongInput,
}

impl ErrorName {
    /// An error with this name, and what happened as a sentence.
    pub fn because(self, message: impl fmt::Display) -> StepError {
        let message = message.to_string();
        StepError {
            name: self,
            message,
        }
    }
}

impl fmt::Display for ErrorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl StepError {
    /// A step was called before the one that it follows.
    pub fn out_of_order(why: &str) -> Self {
        let machine = "the state machine is not the one of this function";
        ErrorName::OutOfOrder.because(format!("{machine}: {why}"))
    }

    /// An error of the production branch's database.
    pub fn of_production(error: DatabaseError) -> Self {
        Self::of_database("production", &error)
    }

    /// An error of the database of the branch with the migrations.
    pub fn of_branch(error: DatabaseError) -> Self {
        Self::of_database("branch's", &error)
    }

    fn of_database(of: &str, error: &DatabaseError) -> Self {
        use DatabaseError::{OutOfTime, OutcomeUnknown, Unavailable};
        let name = match error {
            Unavailable | OutOfTime | OutcomeUnknown => ErrorName::Transient,
            _ => ErrorName::DatabaseRefused,
        };
        name.because(format!("the {of} database: {error}"))
    }
}

impl From<ApiError> for StepError {
    fn from(error: ApiError) -> Self {
        let name = match error {
            _ if error.may_pass() => ErrorName::Transient,
            ApiError::NotAllowed { .. } | ApiError::NotFound { .. } => ErrorName::NotAllowed,
            _ => ErrorName::PlanetScaleRefused,
        };
        name.because(error)
    }
}

impl From<LedgerError> for StepError {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Database(error) => Self::of_production(error),
            error => ErrorName::LedgerDiffers.because(error),
        }
    }
}

impl From<StepError> for Failure {
    /// Ends the step. It is counted unless the state machine tries it again.
    fn from(error: StepError) -> Self {
        if error.name != ErrorName::Transient {
            add(Metric::SchemaChangeFailed, 1);
        }
        Self::new(error.name.to_string(), error.message)
    }
}

/// Refuses migrations with errors, or returns the warnings. The queries for rows are left out, because
/// all of this comes into the execution's history.
pub fn refuse(mut findings: Vec<Finding>) -> Result<Vec<String>> {
    findings.iter_mut().for_each(|finding| finding.query = None);
    let (errors, warnings): (Vec<_>, Vec<_>) =
        findings.iter().partition(|finding| finding.is_error());
    let told =
        |findings: Vec<&Finding>| findings.iter().map(ToString::to_string).collect::<Vec<_>>();
    if errors.is_empty() {
        return Ok(told(warnings));
    }
    let (name, what) = match errors.iter().any(|finding| finding.rule == Rule::Refused) {
        true => (
            ErrorName::StatementRefused,
            "the branch's server refuses a statement",
        ),
        false => (ErrorName::MigrationsRefused, "the migrations are refused"),
    };
    Err(name.because(format!("{what}:\n{}", told(errors).join("\n"))))
}

/// The phrases in one sentence, the first of them where there are many.
pub fn listed(phrases: &[String]) -> String {
    const MOST: usize = 12;
    let (first, rest) = phrases.split_at(phrases.len().min(MOST));
    match rest.len() {
        0 => first.join("; "),
        more => format!("{}; and {more} more", first.join("; ")),
    }
}
