//! The steps of a schema change, each with the code that carries it out.

use serde::Deserialize;

use crate::{
    apply, branch, clean_up, deploy_request, deployment,
    error::Result,
    plan,
    production::Production,
    record,
    schema_change::{Outcome, SchemaChange},
};

/// The steps, as the state machine calls them.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    Plan,
    CreateBranch,
    AwaitBranch,
    ApplyMigrations,
    OpenDeployRequest,
    AwaitChecks,
    CheckDifference,
    AwaitApproval,
    Deploy,
    AwaitDeployment,
    Finish,
    CleanUp,
}

impl Step {
    pub async fn carry_out(
        self,
        change: &mut SchemaChange,
        production: &Production,
    ) -> Result<Outcome> {
        match self {
            Self::Plan => plan::plan(change, production).await,
            Self::CreateBranch => branch::create(change, production).await,
            Self::AwaitBranch => branch::wait(change, production).await,
            Self::ApplyMigrations => apply::apply(change, production).await,
            Self::OpenDeployRequest => deploy_request::open(change, production).await,
            Self::AwaitChecks => deploy_request::await_checks(change, production).await,
            Self::CheckDifference => deploy_request::check(change, production).await,
            Self::AwaitApproval => deploy_request::await_approval(change, production).await,
            Self::Deploy => deployment::begin(change, production).await,
            Self::AwaitDeployment => deployment::wait(change, production).await,
            Self::Finish => record::finish(change, production).await,
            Self::CleanUp => clean_up::clean_up(change, production).await,
        }
    }
}
