//! The deployment: begun once, watched to its end.

use std::time::Duration;

use database::without_values;
use planetscale::{ApiError, DeployRequest, Progress};

use crate::{
    deploy_request::{compare, current, findings, needs_approval},
    error::{ErrorName, Result, StepError, listed},
    production::Production,
    schema_change::{Outcome, SchemaChange},
};

/// Large tables take hours, and other deployments may come first in the queue.
const LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

/// Begins the deployment, if nobody has. The schemas are compared once more, because an approval
/// may have taken days. An approval that was taken back is waited for again.
pub async fn begin(change: &mut SchemaChange, production: &Production) -> Result<Outcome> {
    let request = current(change, production).await?;
    if request.progress() != Progress::Before {
        return Ok(Outcome::Done);
    }
    if !request.approved && needs_approval(change, production).await? {
        return Ok(Outcome::Approve);
    }
    let outcome = compare(change, production).await?;
    if outcome == Outcome::Done
        && let Err(error) = production.api().deploy(request.number).await
    {
        // Another run may have been faster.
        let begun = current(change, production).await?.progress() != Progress::Before;
        let refused = matches!(error, ApiError::Refused { .. }) && !error.may_pass();
        if !(begun && refused) {
            return Err(error.into());
        }
    }
    Ok(outcome)
}

/// Waits until the deployment has ended. A state that is not known counts as under way.
pub async fn wait(change: &mut SchemaChange, production: &Production) -> Result<Outcome> {
    let request = current(change, production).await?;
    match request.progress() {
        Progress::Done | Progress::NoChanges => Ok(Outcome::Done),
        Progress::Failed => Err(failed(&request, production).await),
        Progress::Before | Progress::Under => change.wait("the deployment", LIMIT),
    }
}

/// Why it failed, as PlanetScale says of each table.
pub async fn failed(request: &DeployRequest, production: &Production) -> StepError {
    let operations = production.api().operations(request.number).await;
    let reasons = operations
        .unwrap_or_default()
        .into_iter()
        .filter_map(|operation| {
            let errors = operation.deploy_errors.filter(|text| !text.is_empty())?;
            let errors = without_values(&errors);
            Some(format!("`{}`: {errors}", operation.table_name))
        });
    let reasons: Vec<_> = reasons.collect();
    let reason = match reasons.is_empty() {
        true => findings(request),
        false => listed(&reasons),
    };
    not_deployed(request, &reason)
}

/// The deployment did not succeed, or was reverted.
pub fn not_deployed(request: &DeployRequest, reason: &str) -> StepError {
    let (number, state) = (request.number, &request.deployment_state);
    let message = format!("the deployment of deploy request {number} is `{state}`: {reason}");
    ErrorName::DeploymentFailed.because(message)
}
