//! The branch on which the migrations are applied.

use std::time::Duration;

use planetscale::Progress;

use crate::{
    failure::StepError,
    production::Production,
    state::{Outcome, State},
};

/// PlanetScale's own command line waits for ten minutes (planetscale/cli, branch create).
const LIMIT: Duration = Duration::from_secs(15 * 60);

/// Makes the branch from production, or finds it. Finds too that the plan was deployed, or is
/// being so.
pub async fn create(mut state: State, production: &Production) -> Result<State, StepError> {
    for request in production.deploy_requests(Some(&state.branch)).await? {
        let outcome = match request.deployment_state.progress() {
            Progress::Done => Outcome::Deployed,
            Progress::Under => Outcome::Deploying,
            Progress::Before | Progress::NoChanges | Progress::Failed => continue,
        };
        return Ok(state.with(&request).then(outcome));
    }
    if production.find_branch(&state.branch).await?.is_none() {
        let made = production
            .api()
            .create_branch(&state.branch, production.branch())
            .await;
        // Another run may have been faster, which the API has several words for.
        if let Err(error) = made
            && production.find_branch(&state.branch).await?.is_none()
        {
            return Err(error.into());
        }
        state.branches += 1;
    }
    Ok(state.then(Outcome::Done))
}

/// Waits until the branch can be connected to.
pub async fn wait(state: State, production: &Production) -> Result<State, StepError> {
    match production.find_branch(&state.branch).await? {
        Some(branch) if branch.ready => Ok(state.then(Outcome::Done)),
        Some(_) => state.wait("the branch", LIMIT),
        None => state.recreate(StepError::Branch("was deleted while it was in use")),
    }
}
