//! What a deploy request does to its target, and how far it is.

use serde::{Deserialize, Deserializer};

use super::{LintError, open_enum::open_enum, transport::or_default};

open_enum! {
    /// How far a deployment is.
    DeploymentState {
        /// The changes are being computed and checked.
        Pending = "pending",
        /// It can be deployed.
        Ready = "ready",
        /// Both branches have the same schema.
        NoChanges = "no_changes",
        /// It waits for those before it.
        Queued = "queued",
        /// It is being handed over.
        Submitting = "submitting",
        /// Tables are being copied in the background.
        InProgress = "in_progress",
        /// All is copied, and somebody must say that the tables are to be exchanged.
        PendingCutover = "pending_cutover",
        /// The VSchema is being changed.
        InProgressVschema = "in_progress_vschema",
        /// It is being cancelled.
        InProgressCancel = "in_progress_cancel",
        /// The tables are being exchanged.
        InProgressCutover = "in_progress_cutover",
        /// Done, and past being reverted.
        Complete = "complete",
        /// Cancelled while it was under way.
        CompleteCancel = "complete_cancel",
        /// It failed while it was under way.
        CompleteError = "complete_error",
        /// Done, and can still be reverted.
        CompletePendingRevert = "complete_pending_revert",
        /// It is being reverted.
        InProgressRevert = "in_progress_revert",
        /// It is being reverted, and the VSchema is being changed.
        InProgressRevertVschema = "in_progress_revert_vschema",
        /// It was reverted.
        CompleteRevert = "complete_revert",
        /// Reverting it failed.
        CompleteRevertError = "complete_revert_error",
        /// Cancelled before it began.
        Cancelled = "cancelled",
        /// The checks before it failed.
        Error = "error",
    }
}

/// What a deployment's state means to who waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Not begun: it is being checked, or may begin.
    Before,
    /// Under way. States that are not known are, until the deadline of who waits.
    Under,
    /// The target has the changes.
    Done,
    /// There is nothing to do.
    NoChanges,
    /// It ended otherwise.
    Failed,
}

impl DeploymentState {
    /// Whether nobody has ordered it to be deployed, whatever the checks say of it.
    pub fn is_proposed(&self) -> bool {
        matches!(
            self,
            Self::Pending | Self::Ready | Self::NoChanges | Self::Error
        )
    }

    /// Whether the queue waits behind it, until somebody has said that it is dealt with.
    pub fn blocks_queue(&self) -> bool {
        matches!(self, Self::CompleteError | Self::CompleteRevertError)
    }

    /// What it means to who waits.
    pub fn progress(&self) -> Progress {
        match self {
            Self::Pending | Self::Ready => Progress::Before,
            Self::Complete | Self::CompletePendingRevert => Progress::Done,
            Self::NoChanges => Progress::NoChanges,
            Self::Error
            | Self::CompleteError
            | Self::Cancelled
            | Self::CompleteCancel
            | Self::CompleteRevert
            | Self::CompleteRevertError => Progress::Failed,
            Self::Queued
            | Self::Submitting
            | Self::InProgress
            | Self::PendingCutover
            | Self::InProgressVschema
            | Self::InProgressCancel
            | Self::InProgressCutover
            | Self::InProgressRevert
            | Self::InProgressRevertVschema
            | Self::Other(_) => Progress::Under,
        }
    }
}

/// The deployment of a deploy request.
#[derive(Debug, Clone, Deserialize)]
pub struct Deployment {
    /// How far it is.
    pub state: DeploymentState,
    /// Whether the checks let it be deployed. It stays so while it is.
    #[serde(default, deserialize_with = "or_default")]
    pub deployable: bool,
    /// What PlanetScale finds wrong with the schema.
    #[serde(default, deserialize_with = "or_default")]
    pub lint_errors: Vec<LintError>,
    /// What else the checks found.
    #[serde(default, deserialize_with = "non_empty")]
    pub deploy_check_errors: Option<String>,
    /// Whether the tables are exchanged without being asked for.
    #[serde(default, deserialize_with = "or_default")]
    pub auto_cutover: bool,
}

/// What a deployment does to one table.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Operation {
    /// The table.
    pub table_name: String,
    /// CREATE, ALTER or DROP.
    pub operation_name: String,
    /// The statement that does it.
    pub ddl_statement: String,
    /// Whether rows or values may be lost.
    pub can_drop_data: bool,
    /// How much is done, in percent.
    #[serde(default)]
    pub progress_percentage: Option<f64>,
    /// What went wrong with it.
    #[serde(default)]
    pub deploy_errors: Option<String>,
}

/// Takes an empty text for none.
fn non_empty<'de, D>(deserializer: D) -> Result<Option<String>, D::Error>
where
    D: Deserializer<'de>,
{
    let text: Option<String> = Option::deserialize(deserializer)?;
    Ok(text.filter(|text| !text.is_empty()))
}
