//! The deployment: begun once, watched to its end.

use std::time::Duration;

use database::vitess::without_values;
use planetscale::{DeployRequest, Progress};

use crate::{
    deploy_request::{current, findings, hold_against_plan, is_refused, needs_approval},
    failure::StepError,
    production::Production,
    state::{Outcome, State},
};

/// Large tables take hours, and others may be before it in the queue.
const LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

/// Begins the deployment, if it is not under way. What it would do is held against the plan once
/// more, for an approval may have taken days; one that was taken back is waited for again.
pub async fn deploy(state: State, production: &Production) -> Result<State, StepError> {
    let request = current(&state, production).await?;
    if request.deployment_state.progress() == Progress::Before {
        if !request.approved && needs_approval(&state, production).await? {
            return Ok(state.then(Outcome::Approve));
        }
        hold_against_plan(&state, production).await?;
        if let Err(error) = production.api().deploy(request.number).await {
            // Another run may have been faster.
            let now = current(&state, production).await?;
            let begun = now.deployment_state.progress() != Progress::Before;
            if !(begun && is_refused(&error)) {
                return Err(error.into());
            }
        }
    }
    Ok(state.then(Outcome::Done))
}

/// Waits until the deployment has ended. A state that is not known is taken for one under way.
pub async fn wait(state: State, production: &Production) -> Result<State, StepError> {
    let request = current(&state, production).await?;
    match request.deployment_state.progress() {
        Progress::Done | Progress::NoChanges => Ok(state.then(Outcome::Done)),
        Progress::Failed => Err(failed(&request, production).await),
        Progress::Before | Progress::Under => state.wait("the deployment", LIMIT),
    }
}

async fn failed(request: &DeployRequest, production: &Production) -> StepError {
    let mut reasons = Vec::new();
    if let Ok(operations) = production.api().operations(request.number).await {
        for operation in operations {
            if let Some(errors) = operation.deploy_errors.filter(|text| !text.is_empty()) {
                let errors = without_values(&errors);
                reasons.push(format!("`{}`: {errors}", operation.table_name));
            }
        }
    }
    if reasons.is_empty() {
        reasons.push(findings(request.deployment.as_ref()));
    }
    StepError::Deployment {
        number: request.number,
        state: request.deployment_state.to_string(),
        reason: format!(": {}", reasons.join("; ")),
    }
}
