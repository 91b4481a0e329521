//! One step of a schema change.
//!
//! The state machine in `state_machine.asl.json` says which step follows. `README.md` beside it
//! describes the steps, the errors and what to do about them. A step may be repeated, and continues
//! what a run that died has left.

mod apply;
mod branch;
mod branch_login;
mod clean_up;
mod deploy_request;
mod deployment;
mod error;
mod fingerprints;
mod plan;
mod production;
mod record;
mod schema_change;

use std::process::ExitCode;

use database::Database;
use lambda::operation::{self, Failure, Invocation};
use planetscale::PlanetScale;
use serde::Deserialize;
use serde_json::Value;

use error::StepError;
use production::Production;
use schema_change::SchemaChange;

fn main() -> ExitCode {
    operation::serve(migrate_schema)
}

/// A step, with what the step before it has answered.
#[derive(Debug, Deserialize)]
struct Call {
    step: Step,
    /// A [`SchemaChange`].
    state: Value,
}

/// The steps, as the state machine calls them.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Step {
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

async fn migrate_schema(
    Invocation { input, deadline }: Invocation<Call>,
    (database, planetscale): (&'static Database, &'static PlanetScale),
) -> Result<SchemaChange, Failure> {
    let production = &Production::new(database, planetscale, deadline)?;
    let Call { step, state } = input;
    let of_another = "another version of the function began the execution";
    let state = SchemaChange::deserialize(state);
    let mut state = state.map_err(|_| StepError::out_of_order(of_another))?;
    let change = &mut state;
    let outcome = match step {
        Step::Plan => plan::plan(change, production).await,
        Step::CreateBranch => branch::create(change, production).await,
        Step::AwaitBranch => branch::wait(change, production).await,
        Step::ApplyMigrations => apply::apply(change, production).await,
        Step::OpenDeployRequest => deploy_request::open(change, production).await,
        Step::AwaitChecks => deploy_request::await_checks(change, production).await,
        Step::CheckDifference => deploy_request::check(change, production).await,
        Step::AwaitApproval => deploy_request::await_approval(change, production).await,
        Step::Deploy => deployment::begin(change, production).await,
        Step::AwaitDeployment => deployment::wait(change, production).await,
        Step::Finish => record::finish(change, production).await,
        Step::CleanUp => clean_up::clean_up(change, production).await,
    }?;
    change.end_step(outcome);
    tracing::info!(
        ?step,
        branch = change.branch,
        ?outcome,
        "carried out a step"
    );
    Ok(state)
}
