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
mod step;

use std::process::ExitCode;

use database::Database;
use lambda::operation::{self, Failure, Invocation};
use planetscale::PlanetScale;

use production::Production;
use step::{Done, Step};

fn main() -> ExitCode {
    operation::serve(migrate_schema)
}

async fn migrate_schema(
    Invocation { input, deadline }: Invocation<Step>,
    (database, planetscale): (&'static Database, &'static PlanetScale),
) -> Result<Done, Failure> {
    let production = Production::new(database, planetscale, deadline)?;
    let step = input.name();
    let change = match input {
        Step::Plan(start) => plan::plan(start, &production).await,
        Step::CreateBranch(change) => branch::create(change, &production).await,
        Step::AwaitBranch(change) => branch::wait(change, &production).await,
        Step::ApplyMigrations(change) => apply::apply(change, &production).await,
        Step::OpenDeployRequest(change) => deploy_request::open(change, &production).await,
        Step::AwaitChecks(change) => deploy_request::await_checks(change, &production).await,
        Step::CheckDifference(change) => deploy_request::check(change, &production).await,
        Step::AwaitApproval(change) => deploy_request::await_approval(change, &production).await,
        Step::Deploy(change) => deployment::begin(change, &production).await,
        Step::AwaitDeployment(change) => deployment::wait(change, &production).await,
        Step::Finish(change) => record::finish(change, &production).await,
        Step::CleanUp(failed) => {
            let cleaned_up = clean_up::clean_up(failed, &production).await?;
            return Ok(Done::CleanUp(cleaned_up));
        }
    }?;
    let (branch, outcome) = (&change.branch, change.outcome);
    tracing::info!(step, branch, ?outcome, "carried out a step");
    Ok(Done::Step(Box::new(change)))
}
