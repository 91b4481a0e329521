//! One step of a schema change. The state machine beside it (`state_machine.asl.json`) says which
//! step follows; each step is harmless when it is repeated, and finds what one that died has left.

mod apply;
mod branch;
mod clean_up;
mod deploy;
mod deploy_request;
mod failure;
mod finish;
mod plan;
mod production;
mod schema;
mod state;
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
    let state = match input {
        Step::Plan(start) => plan::plan(start, &production).await,
        Step::CreateBranch(state) => branch::create(state, &production).await,
        Step::AwaitBranch(state) => branch::wait(state, &production).await,
        Step::ApplyMigrations(state) => apply::apply(state, &production).await,
        Step::OpenDeployRequest(state) => deploy_request::open(state, &production).await,
        Step::AwaitChecks(state) => deploy_request::wait_for_checks(state, &production).await,
        Step::CheckDifference(state) => deploy_request::check(state, &production).await,
        Step::AwaitApproval(state) => deploy_request::wait_for_approval(state, &production).await,
        Step::Deploy(state) => deploy::deploy(state, &production).await,
        Step::AwaitDeployment(state) => deploy::wait(state, &production).await,
        Step::Finish(state) => finish::finish(state, &production).await,
        Step::CleanUp(failed) => {
            let cleaned_up = clean_up::clean_up(failed, &production).await?;
            return Ok(Done::CleanUp(cleaned_up));
        }
    }?;
    let (branch, outcome) = (&state.branch, state.outcome);
    tracing::info!(step, branch, ?outcome, "carried out a step");
    Ok(Done::Step(Box::new(state)))
}
