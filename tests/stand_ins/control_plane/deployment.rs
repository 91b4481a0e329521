//! A deployment: the operations on the target and their state (PlanetScale's docs, Deploy requests).
//!
//! Each read advances it by one state, so a client that polls sees every state in PlanetScale's
//! order.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::DATABASE;
use super::branch_schema::BranchSchema;
use super::call::actor;
use super::changes::{Change, Kind};
use super::constants::with_constants;
use super::records::{Time, new_id};

/// How long a deployment can be reverted.
pub const REVERT_WINDOW: Duration = Duration::from_secs(30 * 60);

/// The states of a deployment. Those of the VSchema are missing, because nothing is sharded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    Pending,
    Ready,
    NoChanges,
    Error,
    Queued,
    Submitting,
    InProgress,
    PendingCutover,
    InProgressCutover,
    InProgressCancel,
    CompletePendingRevert,
    InProgressRevert,
    Complete,
    CompleteCancel,
    CompleteError,
    CompleteRevert,
    CompleteRevertError,
    Cancelled,
}

impl Stage {
    /// Not queued yet. Each read compares the branch with its target.
    pub fn is_before_deploying(self) -> bool {
        matches!(
            self,
            Self::Pending | Self::Ready | Self::NoChanges | Self::Error
        )
    }

    /// Queued but not finished. It is not finished while it can be reverted.
    pub fn is_deploying(self) -> bool {
        matches!(
            self,
            Self::Queued
                | Self::Submitting
                | Self::InProgress
                | Self::PendingCutover
                | Self::InProgressCutover
                | Self::InProgressCancel
                | Self::CompletePendingRevert
                | Self::InProgressRevert
        )
    }

    /// Whether the next in the queue must wait. After a failure, until somebody completes it.
    pub fn holds_queue(self) -> bool {
        self.is_deploying() || matches!(self, Self::CompleteError | Self::CompleteRevertError)
    }

    fn operation_state(self) -> &'static str {
        match self {
            Self::Queued | Self::Submitting => "queued",
            Self::InProgress
            | Self::PendingCutover
            | Self::InProgressCutover
            | Self::InProgressCancel => "in_progress",
            Self::CompletePendingRevert
            | Self::Complete
            | Self::InProgressRevert
            | Self::CompleteRevert
            | Self::CompleteRevertError => "complete",
            Self::Cancelled | Self::CompleteCancel => "cancelled",
            _ => "pending",
        }
    }
}

#[derive(Clone, Serialize, Deserialize)]
pub struct Deployment {
    pub id: String,
    pub stage: Stage,
    pub auto_cutover: bool,
    pub auto_delete_branch: bool,
    created_at: Time,
    updated_at: Time,
    pub queued_at: Option<Time>,
    submitted_at: Option<Time>,
    started_at: Option<Time>,
    ready_to_cutover_at: Option<Time>,
    cutover_at: Option<Time>,
    pub finished_at: Option<Time>,
    pub actor: Option<String>,
    pub cutover_actor: Option<String>,
    pub cancelled_actor: Option<String>,
    pub operations: Vec<Operation>,
    /// The same for people.
    pub diff: Value,
    pub lint_errors: Vec<Value>,
    /// Why the checks failed, besides the lint errors.
    pub check_error: Option<String>,
    /// The target as it was when the deployment began.
    pub before: Option<BranchSchema>,
    /// Until when it can be reverted.
    pub revert_until: Option<Time>,
    /// The operation at which it is to fail, counted from 0.
    pub fails_at: Option<usize>,
    /// Whether somebody has completed it after a failure.
    pub completed: bool,
}

/// One statement and its progress.
#[derive(Clone, Serialize, Deserialize)]
pub struct Operation {
    id: String,
    pub change: Change,
    created_at: Time,
    pub error: Option<String>,
    /// The id of the migration that a real Vitess makes of it, and of the one that reverts it.
    pub migration: Option<String>,
    pub reverting_migration: Option<String>,
}

impl Operation {
    pub fn new(change: Change) -> Self {
        Self {
            id: new_id(),
            change,
            created_at: Time::now(),
            error: None,
            migration: None,
            reverting_migration: None,
        }
    }

    fn state(&self, stage: Stage) -> &'static str {
        match &self.error {
            Some(_) => "error",
            None => stage.operation_state(),
        }
    }

    /// The API's name for the kind, which the document does not list.
    fn name(&self) -> &'static str {
        match self.change.kind {
            Kind::Create => "CREATE",
            Kind::Alter => "ALTER",
            Kind::Drop => "DROP",
        }
    }

    fn progress(&self, stage: Stage) -> u8 {
        match self.state(stage) {
            "complete" => 100,
            "in_progress" => 50,
            _ => 0,
        }
    }

    pub fn view(&self, deployment: &Deployment) -> Value {
        let own = json!({
            "id": self.id,
            "state": self.state(deployment.stage),
            "keyspace_name": DATABASE,
            "table_name": self.change.table,
            "operation_name": self.name(),
            "progress_percentage": self.progress(deployment.stage),
            "ddl_statement": self.change.statement,
            "syntax_highlighted_ddl": super::html(&self.change.statement),
            "created_at": self.created_at,
            "updated_at": deployment.updated_at,
            "can_drop_data": self.change.can_drop_data(),
            "removed_foreign_key_names": self.change.removed_foreign_keys,
            "deploy_errors": self.error,
        });
        with_constants("Operation", own)
    }
}

impl Deployment {
    pub fn new(auto_cutover: bool, auto_delete_branch: bool) -> Self {
        let now = Time::now();
        Self {
            id: new_id(),
            stage: Stage::Pending,
            auto_cutover,
            auto_delete_branch,
            created_at: now,
            updated_at: now,
            queued_at: None,
            submitted_at: None,
            started_at: None,
            ready_to_cutover_at: None,
            cutover_at: None,
            finished_at: None,
            actor: None,
            cutover_actor: None,
            cancelled_actor: None,
            operations: Vec::new(),
            diff: json!({"data": []}),
            lint_errors: Vec::new(),
            check_error: None,
            before: None,
            revert_until: None,
            fails_at: None,
            completed: false,
        }
    }

    /// Enters another state and notes the time.
    pub fn enter(&mut self, stage: Stage) {
        let now = Time::now();
        self.updated_at = now;
        match stage {
            Stage::Queued => self.queued_at = Some(now),
            Stage::Submitting => self.submitted_at = Some(now),
            Stage::InProgress => self.started_at = Some(now),
            Stage::PendingCutover => self.ready_to_cutover_at = Some(now),
            Stage::InProgressCutover => {
                self.ready_to_cutover_at.get_or_insert(now);
                self.cutover_at = Some(now);
            }
            Stage::CompletePendingRevert => {
                self.finished_at = Some(now);
                self.revert_until = Some(now.after(REVERT_WINDOW));
            }
            Stage::Complete
            | Stage::CompleteCancel
            | Stage::CompleteError
            | Stage::CompleteRevert
            | Stage::CompleteRevertError
            | Stage::Cancelled => {
                self.finished_at.get_or_insert(now);
            }
            _ => {}
        }
        self.stage = stage;
    }

    /// Whether it can be deployed, or is deployed.
    pub fn is_deployable(&self) -> bool {
        !matches!(self.stage, Stage::Pending | Stage::NoChanges | Stage::Error)
    }

    /// Its changes, without their progress.
    pub fn changes(&self) -> impl Iterator<Item = &Change> {
        self.operations.iter().map(|operation| &operation.change)
    }

    /// The JSON for others in the queue, with the members that the Go library reads
    /// (planetscale-go, deploy_requests.go, `QueuedDeployment`). The document does not list them.
    pub fn reference(&self, number: u64, into_branch: &str) -> Value {
        json!({
            "id": self.id,
            "state": self.stage,
            "deploy_request_number": number,
            "into_branch": into_branch,
            "actor": self.actor.as_deref().map(actor),
            "created_at": self.created_at,
            "updated_at": self.updated_at,
            "queued_at": self.queued_at,
            "started_at": self.started_at,
            "finished_at": self.finished_at,
        })
    }

    pub fn view(&self, number: u64, into_branch: &str, preceding: &[Value]) -> Value {
        let who = |token: &Option<String>| token.as_deref().map(actor);
        let operations = self.operations.iter();
        let operations = operations.map(|operation| operation.view(self));
        let own = json!({
            "id": self.id,
            "auto_cutover": self.auto_cutover,
            "auto_delete_branch": self.auto_delete_branch,
            "created_at": self.created_at,
            "cutover_at": self.cutover_at,
            "deploy_check_errors": self.check_error,
            "finished_at": self.finished_at,
            "queued_at": self.queued_at,
            "ready_to_cutover_at": self.ready_to_cutover_at,
            "started_at": self.started_at,
            "state": self.stage,
            "submitted_at": self.submitted_at,
            "updated_at": self.updated_at,
            "into_branch": into_branch,
            "deploy_request_number": number,
            "deployable": self.is_deployable(),
            "preceding_deployments": preceding,
            "deploy_operations": operations.collect::<Vec<_>>(),
            "lint_errors": self.lint_errors,
            "actor": who(&self.actor),
            "cutover_actor": who(&self.cutover_actor),
            "cancelled_actor": who(&self.cancelled_actor),
        });
        with_constants("Deployment", own)
    }
}
