//! Branches and their schemas.

use serde::Deserialize;
use serde_json::json;
use time::{OffsetDateTime, serde::rfc3339};

use super::{
    ApiError, Calls, Refusal,
    transport::{ApiRequest, Grants, or_default},
};

const READ: Grants = Grants("read_branch");
const CREATE: Grants = Grants("create_branch");
const DELETE: Grants = Grants("delete_branch");

/// How many times a creation is attempted when its answer is lost.
pub(super) const CREATE_ATTEMPTS: u32 = 3;

/// A branch of the database.
#[derive(Debug, Clone, Deserialize)]
pub struct Branch {
    /// Its name.
    pub name: String,
    /// Whether it accepts connections. A new branch does not at first.
    pub ready: bool,
    /// When it was created.
    #[serde(with = "rfc3339")]
    pub created_at: OffsetDateTime,
}

/// A fault that PlanetScale finds in a schema.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct LintError {
    /// The code, such as `NO_UNIQUE_KEY`.
    #[serde(default, deserialize_with = "or_default")]
    pub lint_error: String,
    /// The table at fault. Empty if the error is about no single table.
    #[serde(default, deserialize_with = "or_default")]
    pub table_name: String,
    /// What is wrong, in words.
    #[serde(default, deserialize_with = "or_default")]
    pub error_description: String,
}

impl Calls<'_> {
    /// Reads the branch of this name.
    ///
    /// # Errors
    ///
    /// [`ApiError`].
    pub async fn branch(&self, name: &str) -> Result<Branch, ApiError> {
        let path = ["branches", name];
        self.get(ApiRequest::get("reading a branch", &path, READ))
            .await
    }

    /// Creates a branch with the schema of `parent`, without its rows. The branch is not ready
    /// at once. If the answer is lost, the branch is looked up by its name.
    ///
    /// # Errors
    ///
    /// [`ApiError`]; [`Refusal::Exists`] if the branch existed before.
    pub async fn create_branch(&self, name: &str, parent: &str) -> Result<Branch, ApiError> {
        let request = ApiRequest::post("creating a branch", &["branches"], CREATE)
            .body(json!({ "name": name, "parent_branch": parent }));
        let mut attempts = 1;
        loop {
            let error = match self.get(request.clone()).await {
                Err(ApiError::Refused {
                    refusal: Refusal::Exists,
                    ..
                }) if attempts > 1 => return self.branch(name).await,
                Err(error @ ApiError::OutcomeUnknown { .. }) => error,
                outcome => return outcome,
            };
            match self.branch(name).await {
                Err(ApiError::NotFound { .. }) if attempts == CREATE_ATTEMPTS => return Err(error),
                Err(ApiError::NotFound { .. }) => attempts += 1,
                found => return found,
            }
        }
    }

    /// Deletes a branch and its passwords.
    ///
    /// # Errors
    ///
    /// [`ApiError`]; [`Refusal::NotYet`] while a deployment from the branch is running.
    pub async fn delete_branch(&self, name: &str) -> Result<(), ApiError> {
        let path = ["branches", name];
        self.done(ApiRequest::delete("deleting a branch", &path, DELETE))
            .await
    }

    /// Asks what is wrong with a branch's schema.
    ///
    /// # Errors
    ///
    /// [`ApiError`].
    pub async fn lint(&self, branch: &str) -> Result<Vec<LintError>, ApiError> {
        let path = ["branches", branch, "schema", "lint"];
        self.list(ApiRequest::get("linting a branch's schema", &path, READ))
            .await
    }
}
