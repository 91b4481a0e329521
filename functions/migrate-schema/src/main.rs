//! One step of a schema change.
//!
//! The state machine in `state_machine.asl.json` says which step follows. The function's `README.md`
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
mod step;

use std::process::ExitCode;

use database::Database;
use lambda::operation::{self, Failure, Invocation};
use planetscale::PlanetScale;
use serde::Deserialize;
use serde_json::Value;

use error::StepError;
use production::Production;
use schema_change::SchemaChange;
use step::Step;

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

async fn migrate_schema(
    Invocation { input, deadline }: Invocation<Call>,
    (database, planetscale): (&'static Database, &'static PlanetScale),
) -> Result<SchemaChange, Failure> {
    let production = &Production::new(database, planetscale, deadline)?;
    let Call { step, state } = input;
    let of_another = "another version of the function began the execution";
    let state = SchemaChange::deserialize(state);
    let mut state = state.map_err(|_| StepError::out_of_order(of_another))?;
    let outcome = step.carry_out(&mut state, production).await?;
    state.end_step(outcome);
    tracing::info!(?step, branch = state.branch, ?outcome, "carried out a step");
    Ok(state)
}
