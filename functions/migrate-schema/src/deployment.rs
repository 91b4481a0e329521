//! The deployment: begun once, watched to its end.

use std::time::Duration;

use database::without_values;
use planetscale::{ApiError, DeployRequest, Progress};

use crate::{
    deploy_request::{compare, current, findings, needs_approval},
    error::{Result, StepError, listed},
    production::Production,
    schema_change::{Outcome, SchemaChange},
};

/// Large tables take hours, and other deployments may come first in the queue.
const LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

/// Begins the deployment, if nobody has. The schemas are compared once more, because an approval
/// may have taken days. An approval that was taken back is waited for again.
pub async fn begin(change: SchemaChange, production: &Production) -> Result<SchemaChange> {
    let request = current(&change, production).await?;
    if request.deployment_state.progress() != Progress::Before {
        return Ok(change.then(Outcome::Done));
    }
    if !request.approved && needs_approval(&change, production).await? {
        return Ok(change.then(Outcome::Approve));
    }
    let outcome = compare(&change, production).await?;
    if outcome == Outcome::Done
        && let Err(error) = production.api().deploy(request.number).await
    {
        // Another run may have been faster.
        let now = current(&change, production).await?;
        let begun = now.deployment_state.progress() != Progress::Before;
        let refused = matches!(error, ApiError::Refused { .. }) && !error.may_pass();
        if !(begun && refused) {
            return Err(error.into());
        }
    }
    Ok(change.then(outcome))
}

/// Waits until the deployment has ended. A state that is not known counts as under way.
pub async fn wait(change: SchemaChange, production: &Production) -> Result<SchemaChange> {
    let request = current(&change, production).await?;
    match request.deployment_state.progress() {
        Progress::Done | Progress::NoChanges => Ok(change.then(Outcome::Done)),
        Progress::Failed => Err(failed(&request, production).await),
        Progress::Before | Progress::Under => change.wait("the deployment", LIMIT),
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
    StepError::Deployment {
        number: request.number,
        state: request.deployment_state.to_string(),
        reason: match reasons.is_empty() {
            true => findings(request),
            false => listed(&reasons),
        },
    }
}
