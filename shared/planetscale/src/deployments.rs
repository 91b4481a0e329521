//! Deployments: what a deploy request does to its target, and the states it goes through.

use serde::{Deserialize, Deserializer};

use super::{LintError, open_enum::open_enum, transport::or_default};

open_enum! {
    /// The state of a deployment.
    DeploymentState in "snake_case" {
        /// PlanetScale computes and checks the changes.
        Pending,
        /// It can be deployed.
        Ready,
        /// Both branches have the same schema.
        NoChanges,
        /// It waits for earlier deployments.
        Queued,
        /// PlanetScale is about to start it.
        Submitting,
        /// Tables are copied in the background.
        InProgress,
        /// Everything is copied. Somebody must start the cutover.
        PendingCutover,
        /// The VSchema is changed.
        InProgressVschema,
        /// It is cancelled, but has not stopped yet.
        InProgressCancel,
        /// The new tables replace the old ones.
        InProgressCutover,
        /// Done. It can no longer be reverted.
        Complete,
        /// Cancelled while it was running.
        CompleteCancel,
        /// It failed while it was running.
        CompleteError,
        /// Done. It can still be reverted.
        CompletePendingRevert,
        /// It is reverted, but not finished yet.
        InProgressRevert,
        /// It is reverted, and the VSchema is changed.
        InProgressRevertVschema,
        /// It was reverted.
        CompleteRevert,
        /// Reverting it failed.
        CompleteRevertError,
        /// Cancelled before it started.
        Cancelled,
        /// The checks before the deployment failed.
        Error,
    }
}

/// What a deployment's state means to a caller that waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It has not started: it is checked, or could be deployed.
    Before,
    /// It is running. Unknown states count as running until the caller gives up.
    Under,
    /// The target has the changes.
    Done,
    /// There is nothing to do.
    NoChanges,
    /// It ended without the changes.
    Failed,
}

impl DeploymentState {
    /// Whether nobody has deployed it yet, whatever the checks say.
    pub fn is_proposed(&self) -> bool {
        matches!(
            self,
            Self::Pending | Self::Ready | Self::NoChanges | Self::Error
        )
    }

    /// Whether somebody has cancelled it.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled | Self::CompleteCancel)
    }

    /// Whether it failed and blocks the queue until somebody ends it.
    pub fn blocks_queue(&self) -> bool {
        matches!(self, Self::CompleteError | Self::CompleteRevertError)
    }

    /// What the state means to a caller that waits.
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
    /// Whether the checks allow the deployment. Still true while it is running.
    #[serde(default, deserialize_with = "or_default")]
    pub deployable: bool,
    /// The faults that PlanetScale finds in the schema.
    #[serde(default, deserialize_with = "or_default")]
    pub lint_errors: Vec<LintError>,
    /// What else the checks found, in words.
    #[serde(default, deserialize_with = "non_empty")]
    pub deploy_check_errors: Option<String>,
}

/// What a deployment does to one table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Operation {
    /// The table.
    pub table_name: String,
    /// Why it failed.
    #[serde(default)]
    pub deploy_errors: Option<String>,
}

/// Reads an empty text as none.
fn non_empty<'de, D>(deserializer: D) -> Result<Option<String>, D::Error>
where
    D: Deserializer<'de>,
{
    let text: Option<String> = Option::deserialize(deserializer)?;
    Ok(text.filter(|text| !text.is_empty()))
}
