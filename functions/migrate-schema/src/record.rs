//! What was deployed is recorded in production's ledger.

use planetscale::{ApiError, DeployRequest, DeploymentState, Openness, Progress, Refusal};
use schema::{Fingerprint, Ledger, Migration};

use crate::{
    branch, branch_login,
    deployment::not_deployed,
    error::{ErrorName, Result, listed},
    fingerprints::Notes,
    production::Production,
    schema_change::{Outcome, SchemaChange, Status},
};

/// Ends a change whose deploy request is deployed, or that needed none.
pub async fn finish(change: &mut SchemaChange, production: &Production) -> Result<Outcome> {
    let fingerprints = change.fingerprints()?.clone();
    let mut request = None;
    if let Some(opened) = &change.deploy_request {
        let opened = production.api().deploy_request(opened.number).await?;
        check_standing(&opened)?;
        request = Some(opened);
    }
    let migrations = change.plan.migrations(&production.migrations)?;
    // What an earlier attempt has recorded may have been followed by another change.
    if !is_recorded(change, production).await? {
        let number = request.as_ref().map(|request| request.number);
        check_production(&fingerprints.after, number, &change.branch, production).await?;
    }
    if fingerprints.are_equal() {
        let nothing = "the migrations change nothing in the schema, so nothing was deployed";
        change.warnings.push(nothing.to_owned());
    }
    match &request {
        Some(request) => settle(request, &migrations, production).await?,
        None => {
            production.record(&migrations).await?;
            branch::remove(&change.branch, production).await?;
        }
    }
    Ok(change.end(Status::Deployed))
}

/// Records what a run that died has deployed and not recorded.
pub async fn record_deployed(ledger: &Ledger, production: &Production) -> Result<()> {
    let requests = production.deploy_requests(None).await?;
    for request in requests.iter().rev() {
        let deployed = request.progress() == Progress::Done;
        if !deployed || !branch::is_own(&request.branch) {
            continue;
        }
        let Some(notes) = Notes::of(request, &production.migrations) else {
            continue;
        };
        let unrecorded = unrecorded(&notes.migrations, ledger)?;
        if !unrecorded.is_empty() {
            let (number, after) = (request.number, &notes.fingerprints.after);
            check_production(after, Some(number), &request.branch, production).await?;
            tracing::warn!(
                number,
                "recording a deploy request that was deployed before"
            );
            settle(request, &unrecorded, production).await?;
        }
    }
    Ok(())
}

/// Whether all of its migrations are recorded, with these texts.
pub async fn is_recorded(change: &SchemaChange, production: &Production) -> Result<bool> {
    let Ok(migrations) = change.plan.migrations(&production.migrations) else {
        return Ok(false);
    };
    Ok(unrecorded(&migrations, &production.ledger().await?)?.is_empty())
}

fn unrecorded<'m>(migrations: &[&'m Migration], ledger: &Ledger) -> Result<Vec<&'m Migration>> {
    let mut unrecorded = Vec::new();
    for migration in migrations {
        if !ledger.has(migration)? {
            unrecorded.push(*migration);
        }
    }
    Ok(unrecorded)
}

/// Ends the time in which the deployment could be reverted, records the migrations, and deletes the
/// branch. It may be repeated. Recording does not come before that time has ended, because somebody
/// may revert the deployment, and comes at once then, because another deployment may follow.
async fn settle(
    request: &DeployRequest,
    migrations: &[&Migration],
    production: &Production,
) -> Result<()> {
    let api = production.api();
    if request.deployment_state == DeploymentState::CompletePendingRevert {
        skip_revert(request.number, production).await?;
    }
    let now = api.deploy_request(request.number).await?;
    check_standing(&now)?;
    production.record(migrations).await?;
    if now.state == Openness::Open && now.progress() != Progress::Done {
        api.close_deploy_request(now.number).await?;
    }
    branch::remove(&request.branch, production).await
}

async fn skip_revert(number: u64, production: &Production) -> Result<()> {
    let api = production.api();
    let Err(error) = api.skip_revert(number).await else {
        return Ok(());
    };
    // Another run may have done so, or the time may be over.
    let refused = matches!(
        error,
        ApiError::Refused {
            refusal: Refusal::Final,
            ..
        }
    );
    let pending = DeploymentState::CompletePendingRevert;
    match refused && api.deploy_request(number).await?.deployment_state != pending {
        true => Ok(()),
        false => Err(error.into()),
    }
}

/// Refuses a deploy request that is being deployed, has failed, or was reverted.
fn check_standing(request: &DeployRequest) -> Result<()> {
    match request.progress() {
        Progress::Done | Progress::NoChanges | Progress::Before => Ok(()),
        Progress::Under | Progress::Failed => {
            let reason = "production does not keep its changes, so it is not recorded";
            Err(not_deployed(request, reason))
        }
    }
}

/// Refuses to record anything while production does not have the schema that the branch had after
/// the migrations.
async fn check_production(
    after: &Fingerprint,
    number: Option<u64>,
    branch: &str,
    production: &Production,
) -> Result<()> {
    let now = production.snapshot().await?;
    if now.fingerprint() == *after {
        return Ok(());
    }
    let what = match number {
        Some(number) => format!("deploy request {number} is deployed and not recorded"),
        None => "the migrations are not recorded".to_owned(),
    };
    // The branch may be gone, or somebody may have changed it and deployed that.
    let differences = match branch_login::snapshot(branch, production).await {
        Ok(expected) if expected.fingerprint() == *after => {
            listed(&now.differences_from(&expected))
        }
        Ok(_) => "the branch was changed after the migrations had been applied to it".to_owned(),
        Err(_) => "somebody has changed production, or the branch before that".to_owned(),
    };
    Err(ErrorName::DifferenceRefused.because(format!(
        "{what}, because production does not have the schema that the migrations lead to: {differences}. If it has their part of it, insert their rows into schema_migrations"
    )))
}
