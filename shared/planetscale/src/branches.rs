//! Branches and their schemas.

use serde::Deserialize;
use serde_json::json;

use super::{
    ApiError, Calls, Refusal,
    transport::{Grants, Request, or_default},
};

const READ: Grants = Grants("read_branch");
const CREATE: Grants = Grants("create_branch");
const DELETE: Grants = Grants("delete_branch");
/// The document names no access for it.
const PROTECT: Grants = Grants("create_branch");

/// How often a branch or a deploy request is asked for whose creation had no answer.
pub(super) const ATTEMPTS: u32 = 3;

/// A branch of the database.
#[derive(Debug, Clone, Deserialize)]
pub struct Branch {
    /// Its name.
    pub name: String,
    /// The branch that it was made from; none for the first.
    #[serde(default)]
    pub parent_branch: Option<String>,
    /// Whether it can be connected to. A new branch is not ready at first.
    pub ready: bool,
    /// Whether it is a production branch.
    #[serde(default, deserialize_with = "or_default")]
    pub production: bool,
    /// Whether its schema changes by deploy requests only.
    #[serde(default, deserialize_with = "or_default")]
    pub safe_migrations: bool,
}

/// The schema of one table, as `CREATE TABLE` writes it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TableSchema {
    /// The table's name.
    pub name: String,
    /// The statement.
    pub raw: String,
}

/// What PlanetScale finds wrong with a schema.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct LintError {
    /// The code, such as `NO_UNIQUE_KEY`.
    #[serde(default, deserialize_with = "or_default")]
    pub lint_error: String,
    /// The table that it is about, empty where it is about none.
    #[serde(default, deserialize_with = "or_default")]
    pub table_name: String,
    /// What is wrong, in words.
    #[serde(default, deserialize_with = "or_default")]
    pub error_description: String,
    /// A page that says more.
    #[serde(default, deserialize_with = "or_default")]
    pub docs_url: String,
}

impl Calls<'_> {
    /// All branches of the database.
    ///
    /// # Errors
    ///
    /// [`ApiError`].
    pub async fn branches(&self) -> Result<Vec<Branch>, ApiError> {
        self.list(Request::get("listing the branches", &["branches"], READ))
            .await
    }

    /// The branch of this name.
    ///
    /// # Errors
    ///
    /// [`ApiError`].
    pub async fn branch(&self, name: &str) -> Result<Branch, ApiError> {
        let path = ["branches", name];
        self.get(Request::get("reading a branch", &path, READ))
            .await
    }

    /// Makes a branch with the schema of `parent`, and without its rows. It is not ready at
    /// once. When it is not known whether a branch was made, it is looked up by its name.
    ///
    /// # Errors
    ///
    /// [`ApiError`]; [`Refusal::Exists`] when there was such a branch before.
    pub async fn create_branch(&self, name: &str, parent: &str) -> Result<Branch, ApiError> {
        let request = Request::post("creating a branch", &["branches"], CREATE)
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
                Err(ApiError::NotFound { .. }) if attempts == ATTEMPTS => return Err(error),
                Err(ApiError::NotFound { .. }) => attempts += 1,
                found => return found,
            }
        }
    }

    /// Deletes a branch with its passwords.
    ///
    /// # Errors
    ///
    /// [`ApiError`]; [`Refusal::NotYet`] while a deployment from it is under way.
    pub async fn delete_branch(&self, name: &str) -> Result<(), ApiError> {
        let path = ["branches", name];
        self.done(Request::delete("deleting a branch", &path, DELETE))
            .await
    }

    /// The schema of a branch, table by table.
    ///
    /// # Errors
    ///
    /// [`ApiError`].
    pub async fn schema(&self, branch: &str) -> Result<Vec<TableSchema>, ApiError> {
        #[derive(Deserialize)]
        struct Schema {
            data: Vec<TableSchema>,
        }
        let path = ["branches", branch, "schema"];
        let request = Request::get("reading a branch's schema", &path, READ);
        self.get(request).await.map(|Schema { data }| data)
    }

    /// What PlanetScale finds wrong with a branch's schema.
    ///
    /// # Errors
    ///
    /// [`ApiError`].
    pub async fn lint(&self, branch: &str) -> Result<Vec<LintError>, ApiError> {
        let path = ["branches", branch, "schema", "lint"];
        self.list(Request::get("linting a branch's schema", &path, READ))
            .await
    }

    /// Lets a branch's schema change by deploy requests only, which is what makes deploy requests
    /// into it possible, or not.
    ///
    /// # Errors
    ///
    /// [`ApiError`]; [`Refusal::Final`] when the schema breaks PlanetScale's rules ([`Self::lint`]).
    pub async fn set_safe_migrations(
        &self,
        branch: &str,
        enabled: bool,
    ) -> Result<Branch, ApiError> {
        let path = ["branches", branch, "safe-migrations"];
        if !enabled {
            let request = Request::delete("disabling safe migrations", &path, PROTECT);
            return self.get(request).await;
        }
        let request = Request::post("enabling safe migrations", &path, PROTECT);
        let mut outcome = self.get(request).await;
        // What the schema is refused for stays (planetscale/cli, branch safe-migrations enable, which
        // shows the lint errors then), though elsewhere this code is that of what passes.
        if let Err(ApiError::Refused { refusal, code, .. }) = &mut outcome
            && code == "unprocessable"
        {
            *refusal = Refusal::Final;
        }
        outcome
    }
}
