//! Why a review was not finished.

use database::{DatabaseError, DefinitionError};
use lambda::operation::Failure;
use planetscale::ApiError;

#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    #[error(transparent)]
    Api(#[from] ApiError),
    #[error("the production database: {0}")]
    Database(#[from] DatabaseError),
    /// The server does not say how it would carry out a statement.
    #[error("EXPLAIN of {statement}: {error}")]
    Explain {
        statement: &'static str,
        error: DefinitionError,
    },
    /// SNS refused, with this error code, or could not be reached.
    #[error("SNS did not take the report ({0})")]
    NotPublished(String),
}

impl ReviewError {
    fn name(&self) -> &'static str {
        let database = match self {
            Self::Api(error) => return error.failure_name(),
            Self::NotPublished(_) => return "NotPublished",
            Self::Explain {
                error: DefinitionError::Refused { .. },
                ..
            } => return "DatabaseRefused",
            Self::Database(error)
            | Self::Explain {
                error: DefinitionError::Database(error),
                ..
            } => error,
        };
        match database {
            DatabaseError::Unavailable | DatabaseError::OutOfTime => Failure::TRANSIENT,
            _ => "DatabaseRefused",
        }
    }
}

impl From<ReviewError> for Failure {
    fn from(error: ReviewError) -> Self {
        Self::new(error.name(), error.to_string())
    }
}
