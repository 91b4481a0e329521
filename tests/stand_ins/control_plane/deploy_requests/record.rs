//! The record of a deploy request and its JSON.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::stand_ins::control_plane::call::{Call, actor};
use crate::stand_ins::control_plane::constants::with_constants;
use crate::stand_ins::control_plane::deploying::preceding;
use crate::stand_ins::control_plane::deployment::{Deployment, Stage};
use crate::stand_ins::control_plane::records::Time;
use crate::stand_ins::control_plane::reviews::Review;
use crate::stand_ins::control_plane::{database, html};

/// A proposal to bring a branch's schema to another branch.
#[derive(Clone, Serialize, Deserialize)]
pub struct DeployRequest {
    pub(super) id: String,
    pub number: u64,
    pub branch: String,
    pub(super) branch_id: String,
    pub(super) branch_deleted_at: Option<Time>,
    pub(super) branch_deleted_by: Option<String>,
    pub into_branch: String,
    pub actor: String,
    pub(super) notes: String,
    pub(super) created_at: Time,
    pub(super) updated_at: Time,
    pub(super) closed_at: Option<Time>,
    pub(super) closed_by: Option<String>,
    pub(super) deployed_at: Option<Time>,
    pub reviews: Vec<Review>,
    pub deployment: Deployment,
}

impl DeployRequest {
    pub fn is_open(&self) -> bool {
        self.closed_at.is_none()
    }

    pub fn is_deploying(&self) -> bool {
        self.deployment.stage.is_deploying()
    }

    /// Whether it advances by itself.
    pub fn is_moving(&self) -> bool {
        let stage = self.deployment.stage;
        self.is_open() && stage == Stage::Pending || stage.holds_queue()
    }

    /// Whether the next in the queue must wait for it.
    pub fn holds_queue(&self) -> bool {
        self.deployment.stage.holds_queue() && !self.deployment.completed
    }

    pub fn concerns(&self, branch: &str) -> bool {
        self.branch == branch || self.into_branch == branch
    }

    /// Notes that a branch is deleted, and closes the deploy request.
    pub fn lose_branch(&mut self, branch: &str, actor: &str) {
        if self.branch == branch && self.branch_deleted_at.is_none() {
            self.branch_deleted_at = Some(Time::now());
            self.branch_deleted_by = Some(actor.to_owned());
        }
        if self.concerns(branch) && self.is_open() {
            self.close(actor);
        }
    }

    pub fn close(&mut self, actor: &str) {
        let now = Time::now();
        self.closed_at = Some(now);
        self.closed_by = Some(actor.to_owned());
        self.updated_at = now;
    }

    /// Notes that the target has changed.
    pub fn deployed(&mut self) {
        let now = Time::now();
        self.deployed_at = Some(now);
        self.updated_at = now;
    }

    /// Ends the deployment and closes the deploy request, which is open while it can be reverted
    /// (PlanetScale's docs, Webhook events).
    pub fn end(&mut self, stage: Stage) {
        self.deployment.enter(stage);
        if self.is_open() {
            let actor = self.deployment.actor.clone();
            self.close(&actor.unwrap_or_default());
        }
    }

    pub(super) fn is_approved(&self) -> bool {
        self.reviews.iter().any(|review| review.approves())
    }

    pub fn dismiss_approvals(&mut self) {
        for review in &mut self.reviews {
            review.dismiss();
        }
    }

    pub fn view(&self, call: &Call<'_>) -> Value {
        let who = |token: &Option<String>| token.as_deref().map(actor);
        let own = json!({
            "id": self.id,
            "number": self.number,
            "actor": actor(&self.actor),
            "closed_by": who(&self.closed_by),
            "branch": self.branch,
            "branch_id": self.branch_id,
            "branch_deleted": self.branch_deleted_at.is_some(),
            "branch_deleted_by": who(&self.branch_deleted_by),
            "branch_deleted_at": self.branch_deleted_at,
            "into_branch": self.into_branch,
            "approved": self.is_approved(),
            "state": if self.is_open() { "open" } else { "closed" },
            "deployment_state": self.deployment.stage,
            "deployment": self.deployment_view(call),
            "num_comments": self.reviews.len(),
            "html_url": database::page(&format!("deploy-requests/{}", self.number)),
            "notes": self.notes,
            "html_body": html(&self.notes),
            "created_at": self.created_at,
            "updated_at": self.updated_at,
            "closed_at": self.closed_at,
            "deployed_at": self.deployed_at,
        });
        with_constants("DeployRequest", own)
    }

    pub(super) fn deployment_view(&self, call: &Call<'_>) -> Value {
        let ahead = preceding(call, self.number);
        let ahead: Vec<Value> = ahead
            .map(|other| other.deployment.reference(other.number, &other.into_branch))
            .collect();
        self.deployment.view(self.number, &self.into_branch, &ahead)
    }
}
