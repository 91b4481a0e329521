//! Deploy requests: proposals to bring one branch's schema to another.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    ApiError, Calls, Deployment, DeploymentState, Operation, Progress,
    branches::CREATE_ATTEMPTS,
    open_enum::open_enum,
    transport::{ApiRequest, Grants, or_default},
};

const READ: Grants = Grants("read_deploy_request");
const CHANGE: Grants = Grants("create_deploy_request");

open_enum! {
    /// Whether a deploy request is still open.
    Openness in "snake_case" {
        /// Open.
        Open,
        /// Closed, deployed or not.
        Closed,
    }
}

/// A deploy request to open.
#[derive(Debug, Clone)]
pub struct NewDeployRequest<'n> {
    /// The branch whose schema is proposed.
    pub branch: &'n str,
    /// The target, which must have safe migrations.
    pub into_branch: &'n str,
    /// What reviewers read.
    pub notes: &'n str,
}

/// A deploy request.
#[derive(Debug, Clone, Deserialize)]
pub struct DeployRequest {
    /// Its number, which identifies it.
    pub number: u64,
    /// The branch whose schema is proposed.
    pub branch: String,
    /// The target.
    pub into_branch: String,
    /// Whether it is still open.
    pub state: Openness,
    /// The state of its deployment.
    pub deployment_state: DeploymentState,
    /// The deployment, once there is one.
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

impl DeployRequest {
    /// What the state of its deployment means to a caller that waits.
    pub fn progress(&self) -> Progress {
        self.deployment_state.progress()
    }
}

impl Calls<'_> {
    /// Lists the deploy requests from a branch, or from all of them, into another.
    ///
    /// # Errors
    ///
    /// [`ApiError`].
    pub async fn deploy_requests(
        &self,
        branch: Option<&str>,
        into_branch: &str,
    ) -> Result<Vec<DeployRequest>, ApiError> {
        let request = ApiRequest::get("listing deploy requests", &["deploy-requests"], READ)
            .query("branch", branch)
            .query("into_branch", Some(into_branch));
        let mut requests: Vec<DeployRequest> = self.list(request).await?;
        // In case the API ignores the parameters.
        requests.retain(|request| {
            request.into_branch == into_branch
                && branch.is_none_or(|branch| request.branch == branch)
        });
        Ok(requests)
    }

    /// Reads the deploy request of this number.
    ///
    /// # Errors
    ///
    /// [`ApiError`].
    pub async fn deploy_request(&self, number: u64) -> Result<DeployRequest, ApiError> {
        let number = number.to_string();
        let path = ["deploy-requests", &number];
        self.get(ApiRequest::get("reading a deploy request", &path, READ))
            .await
    }

    /// Opens a deploy request. If the answer is lost, it is looked up among the open deploy
    /// requests of the two branches. One that is being deployed is not taken for it: a deployed
    /// request stays open while it can be reverted.
    ///
    /// # Errors
    ///
    /// [`ApiError`].
    pub async fn create_deploy_request(
        &self,
        new: &NewDeployRequest<'_>,
    ) -> Result<DeployRequest, ApiError> {
        let request = ApiRequest::post("opening a deploy request", &["deploy-requests"], CHANGE)
            .body(json!({
                "branch": new.branch,
                "into_branch": new.into_branch,
                "notes": new.notes,
                // Without it, PlanetScale uses the value of the previous deploy request (its docs,
                // CLI, deploy-request).
                "auto_cutover": true,
                "auto_delete_branch": false,
            }));
        let mut attempts = 1;
        loop {
            let error = match self.get(request.clone()).await {
                Err(error @ ApiError::OutcomeUnknown { .. }) => error,
                outcome => return outcome,
            };
            let requests = self.deploy_requests(Some(new.branch), new.into_branch);
            let found = requests.await?.into_iter().find(|request| {
                request.state == Openness::Open && request.deployment_state.is_proposed()
            });
            match found {
                Some(found) => return Ok(found),
                None if attempts == CREATE_ATTEMPTS => return Err(error),
                None => attempts += 1,
            }
        }
    }

    /// Adds a deploy request to the queue. Tables are always changed online and never with
    /// `ALGORITHM=INSTANT`, which can be neither held back nor reverted.
    ///
    /// # Errors
    ///
    /// [`ApiError`].
    pub async fn deploy(&self, number: u64) -> Result<DeployRequest, ApiError> {
        let body = json!({ "instant_ddl": false });
        self.act(number, "deploying a deploy request", "deploy", body)
            .await
    }

    /// Ends a failed deployment, which blocks the queue until then.
    ///
    /// # Errors
    ///
    /// [`ApiError`].
    pub async fn complete_failed_deploy(&self, number: u64) -> Result<DeployRequest, ApiError> {
        let doing = "ending a failed deployment";
        self.act(number, doing, "complete-deploy", json!({})).await
    }

    /// Ends the time in which a deployment can be reverted. The next one in the queue can start.
    ///
    /// # Errors
    ///
    /// [`ApiError`].
    pub async fn skip_revert(&self, number: u64) -> Result<DeployRequest, ApiError> {
        let doing = "ending a deployment's revert period";
        self.act(number, doing, "skip-revert", json!({})).await
    }

    /// Closes a deploy request that is not deployed.
    ///
    /// # Errors
    ///
    /// [`ApiError`].
    pub async fn close_deploy_request(&self, number: u64) -> Result<DeployRequest, ApiError> {
        let number = number.to_string();
        let path = ["deploy-requests", &number];
        let request = ApiRequest::patch("closing a deploy request", &path, CHANGE)
            .body(json!({ "state": Openness::Closed }));
        self.get(request).await
    }

    /// Lists what a deploy request does, table by table.
    ///
    /// # Errors
    ///
    /// [`ApiError`].
    pub async fn operations(&self, number: u64) -> Result<Vec<Operation>, ApiError> {
        let number = number.to_string();
        let path = ["deploy-requests", &number, "operations"];
        let doing = "reading a deployment's operations";
        self.list(ApiRequest::get(doing, &path, READ)).await
    }

    async fn act(
        &self,
        number: u64,
        doing: &'static str,
        action: &str,
        body: Value,
    ) -> Result<DeployRequest, ApiError> {
        let number = number.to_string();
        let path = ["deploy-requests", &number, action];
        self.get(ApiRequest::post(doing, &path, CHANGE).body(body))
            .await
    }
}
