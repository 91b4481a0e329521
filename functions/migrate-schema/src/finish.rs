//! The last step: production keeps the change, and remembers it.

use planetscale::{Openness, Progress};

use crate::{
    deploy_request::hold_deployed_against_plan,
    failure::StepError,
    production::{Production, check_standing},
    state::{State, Status},
};

/// Ends the time in which the deployment could be reverted, deletes the branch, records the
/// migrations in production's ledger.
pub async fn finish(state: State, production: &Production) -> Result<State, StepError> {
    let request = production.api().deploy_request(state.number()?).await?;
    check_standing(&request)?;
    hold_deployed_against_plan(request.number, &state.plan, production).await?;
    let nothing_to_deploy = request.deployment_state.progress() == Progress::NoChanges;
    if nothing_to_deploy && request.state == Openness::Open {
        production
            .api()
            .close_deploy_request(request.number)
            .await?;
    }
    let migrations = state.plan.migrations(&production.migrations)?;
    production.settle(&request, &migrations).await?;
    Ok(state.end(Status::Deployed))
}
