//! Deploy requests: proposals to give one branch the schema of another.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    ApiError, Calls, Deployment, DeploymentState, Operation, TableSchema,
    branches::ATTEMPTS,
    open_enum::open_enum,
    transport::{Grants, Request, or_default},
};

const READ: Grants = Grants("read_deploy_request");
const CHANGE: Grants = Grants("create_deploy_request");
const REVIEW: Grants = Grants("approve_deploy_request or review_deploy_request");

open_enum! {
    /// Whether a deploy request is still open.
    Openness {
        /// Open.
        Open = "open",
        /// Closed, deployed or not.
        Closed = "closed",
    }
}

open_enum! {
    /// What a review says.
    Verdict {
        /// Approved.
        Approved = "approved",
        /// A remark only.
        Commented = "commented",
    }
}

/// A deploy request to be made.
#[derive(Debug, Clone)]
pub struct NewDeployRequest<'n> {
    /// The branch whose schema is proposed.
    pub branch: &'n str,
    /// The branch that is to get it, which must have safe migrations.
    pub into_branch: &'n str,
    /// What reviewers read.
    pub notes: &'n str,
    /// Whether the tables are exchanged without being asked for. Always sent: where it is not,
    /// PlanetScale takes what the deploy request before had (its docs, CLI, deploy-request).
    pub auto_cutover: bool,
}

/// A deploy request.
#[derive(Debug, Clone, Deserialize)]
pub struct DeployRequest {
    /// Its number, by which it is known.
    pub number: u64,
    /// The branch whose schema is proposed.
    pub branch: String,
    /// The branch that is to get it.
    pub into_branch: String,
    /// Whether it is still open.
    pub state: Openness,
    /// How far its deployment is.
    pub deployment_state: DeploymentState,
    /// The deployment; none before there is any.
    #[serde(default)]
    pub deployment: Option<Deployment>,
    /// Whether it is approved.
    #[serde(default, deserialize_with = "or_default")]
    pub approved: bool,
    /// What reviewers read.
    #[serde(default)]
    pub notes: Option<String>,
    /// Its page.
    #[serde(default, deserialize_with = "or_default")]
    pub html_url: String,
}

/// A review of a deploy request.
#[derive(Debug, Clone, Deserialize)]
pub struct Review {
    /// What it says.
    pub state: Verdict,
}

/// Which deploy requests to list; all where nothing is said.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter<'f> {
    /// `open`, `closed` or `deployed`.
    pub state: Option<&'f str>,
    /// From this branch.
    pub branch: Option<&'f str>,
    /// Into this branch.
    pub into_branch: Option<&'f str>,
}

impl Calls<'_> {
    /// The deploy requests that fit the filter.
    ///
    /// # Errors
    ///
    /// [`ApiError`].
    pub async fn deploy_requests(
        &self,
        filter: Filter<'_>,
    ) -> Result<Vec<DeployRequest>, ApiError> {
        let request = Request::get("listing deploy requests", &["deploy-requests"], READ)
            .query("state", filter.state)
            .query("branch", filter.branch)
            .query("into_branch", filter.into_branch);
        self.list(request).await
    }

    /// The deploy request of this number.
    ///
    /// # Errors
    ///
    /// [`ApiError`].
    pub async fn deploy_request(&self, number: u64) -> Result<DeployRequest, ApiError> {
        let number = number.to_string();
        let path = ["deploy-requests", &number];
        self.get(Request::get("reading a deploy request", &path, READ))
            .await
    }

    /// Opens a deploy request. When it is not known whether one was opened, the open one of both
    /// branches is taken for it that nobody has begun to deploy: one that is deployed stays open
    /// while it can be reverted.
    ///
    /// # Errors
    ///
    /// [`ApiError`].
    pub async fn create_deploy_request(
        &self,
        new: &NewDeployRequest<'_>,
    ) -> Result<DeployRequest, ApiError> {
        let request =
            Request::post("opening a deploy request", &["deploy-requests"], CHANGE).body(json!({
                "branch": new.branch,
                "into_branch": new.into_branch,
                "notes": new.notes,
                "auto_cutover": new.auto_cutover,
                "auto_delete_branch": false,
            }));
        let opened = Filter {
            state: Some("open"),
            branch: Some(new.branch),
            into_branch: Some(new.into_branch),
        };
        let mut attempts = 1;
        loop {
            let error = match self.get(request.clone()).await {
                Err(error @ ApiError::OutcomeUnknown { .. }) => error,
                outcome => return outcome,
            };
            let found = self.deploy_requests(opened).await?.into_iter();
            // Held against the names too, should the API pass over the filter.
            let mut found = found.filter(|request| {
                request.state == Openness::Open
                    && request.deployment_state.is_proposed()
                    && request.branch == new.branch
                    && request.into_branch == new.into_branch
            });
            match found.next() {
                Some(found) => return Ok(found),
                None if attempts == ATTEMPTS => return Err(error),
                None => attempts += 1,
            }
        }
    }

    /// Deploys: puts it into the queue. Tables are changed online, never by `INSTANT`, which can
    /// be neither held back nor reverted.
    ///
    /// # Errors
    ///
    /// [`ApiError`].
    pub async fn deploy(&self, number: u64) -> Result<DeployRequest, ApiError> {
        let body = Some(json!({ "instant_ddl": false }));
        self.act(number, "deploying a deploy request", "deploy", body)
            .await
    }

    /// Lets the tables be exchanged, where that waits for a word.
    ///
    /// # Errors
    ///
    /// [`ApiError`].
    pub async fn apply_deploy(&self, number: u64) -> Result<DeployRequest, ApiError> {
        self.act(number, "applying a deployment", "apply-deploy", None)
            .await
    }

    /// Cancels a deployment that is under way.
    ///
    /// # Errors
    ///
    /// [`ApiError`].
    pub async fn cancel_deploy(&self, number: u64) -> Result<DeployRequest, ApiError> {
        self.act(number, "cancelling a deployment", "cancel", None)
            .await
    }

    /// Ends a deployment that has failed under way, behind which the queue waits.
    ///
    /// # Errors
    ///
    /// [`ApiError`].
    pub async fn complete_failed_deploy(&self, number: u64) -> Result<DeployRequest, ApiError> {
        self.act(
            number,
            "ending a failed deployment",
            "complete-deploy",
            None,
        )
        .await
    }

    /// Gives the target its former schema, with the rows written since.
    ///
    /// # Errors
    ///
    /// [`ApiError`].
    pub async fn revert(&self, number: u64) -> Result<DeployRequest, ApiError> {
        self.act(number, "reverting a deployment", "revert", None)
            .await
    }

    /// Ends the time in which a deployment can be reverted, which frees the queue.
    ///
    /// # Errors
    ///
    /// [`ApiError`].
    pub async fn skip_revert(&self, number: u64) -> Result<DeployRequest, ApiError> {
        self.act(
            number,
            "ending a deployment's revert period",
            "skip-revert",
            None,
        )
        .await
    }

    /// Closes a deploy request that is not deployed.
    ///
    /// # Errors
    ///
    /// [`ApiError`].
    pub async fn close_deploy_request(&self, number: u64) -> Result<DeployRequest, ApiError> {
        let number = number.to_string();
        let path = ["deploy-requests", &number];
        let request = Request::patch("closing a deploy request", &path, CHANGE)
            .body(json!({ "state": Openness::Closed }));
        self.get(request).await
    }

    /// Reviews a deploy request.
    ///
    /// # Errors
    ///
    /// [`ApiError`].
    pub async fn review(
        &self,
        number: u64,
        verdict: &Verdict,
        text: &str,
    ) -> Result<Review, ApiError> {
        let number = number.to_string();
        let path = ["deploy-requests", &number, "reviews"];
        let request = Request::post("reviewing a deploy request", &path, REVIEW)
            .body(json!({ "state": verdict, "body": text }));
        self.get(request).await
    }

    /// The deployment of a deploy request.
    ///
    /// # Errors
    ///
    /// [`ApiError`].
    pub async fn deployment(&self, number: u64) -> Result<Deployment, ApiError> {
        let number = number.to_string();
        let path = ["deploy-requests", &number, "deployment"];
        self.get(Request::get("reading a deployment", &path, READ))
            .await
    }

    /// What a deploy request does, table by table.
    ///
    /// # Errors
    ///
    /// [`ApiError`].
    pub async fn operations(&self, number: u64) -> Result<Vec<Operation>, ApiError> {
        let number = number.to_string();
        let path = ["deploy-requests", &number, "operations"];
        self.list(Request::get(
            "reading a deployment's operations",
            &path,
            READ,
        ))
        .await
    }

    /// The tables whose schema differs, each with the difference in lines that begin with `+`
    /// and `-` (planetscale-go, `Diff`).
    ///
    /// # Errors
    ///
    /// [`ApiError`].
    pub async fn diff(&self, number: u64) -> Result<Vec<TableSchema>, ApiError> {
        #[derive(Deserialize)]
        struct Diff {
            data: Vec<TableSchema>,
        }
        let number = number.to_string();
        let path = ["deploy-requests", &number, "diff"];
        let request = Request::get("reading a deploy request's difference", &path, READ);
        self.get(request).await.map(|Diff { data }| data)
    }

    async fn act(
        &self,
        number: u64,
        doing: &'static str,
        action: &str,
        body: Option<Value>,
    ) -> Result<DeployRequest, ApiError> {
        let number = number.to_string();
        let path = ["deploy-requests", &number, action];
        let request = Request::post(doing, &path, CHANGE);
        self.get(request.body(body.unwrap_or_else(|| json!({}))))
            .await
    }
}
