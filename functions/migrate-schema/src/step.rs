//! The steps, as the state machine calls them.

use serde::{Deserialize, Serialize};

use crate::schema_change::{CleanedUp, Failed, SchemaChange, Start};

/// A step, with what it starts from.
#[derive(Debug, Deserialize)]
#[serde(tag = "step", content = "state", rename_all = "snake_case")]
pub enum Step {
    Plan(Start),
    CreateBranch(SchemaChange),
    AwaitBranch(SchemaChange),
    ApplyMigrations(SchemaChange),
    OpenDeployRequest(SchemaChange),
    AwaitChecks(SchemaChange),
    CheckDifference(SchemaChange),
    AwaitApproval(SchemaChange),
    Deploy(SchemaChange),
    AwaitDeployment(SchemaChange),
    Finish(SchemaChange),
    CleanUp(Failed),
}

/// What a step ends with.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Done {
    Step(Box<SchemaChange>),
    CleanUp(CleanedUp),
}

impl Step {
    /// Its name in the state machine, for the log.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Plan(_) => "Plan",
            Self::CreateBranch(_) => "CreateBranch",
            Self::AwaitBranch(_) => "AwaitBranch",
            Self::ApplyMigrations(_) => "ApplyMigrations",
            Self::OpenDeployRequest(_) => "OpenDeployRequest",
            Self::AwaitChecks(_) => "AwaitChecks",
            Self::CheckDifference(_) => "CheckDifference",
            Self::AwaitApproval(_) => "AwaitApproval",
            Self::Deploy(_) => "Deploy",
            Self::AwaitDeployment(_) => "AwaitDeployment",
            Self::Finish(_) => "Finish",
            Self::CleanUp(_) => "CleanUp",
        }
    }
}
