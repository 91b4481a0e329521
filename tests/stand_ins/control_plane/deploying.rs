//! Advances deployments: comparison, queue, change of the target, and revert.
//!
//! The target is changed in one of two ways: `quick`, or `online` by a real Vitess.

mod online;
mod quick;

use super::branch_schema::BranchSchema;
use super::branches;
use super::call::{Call, Refusal};
use super::changes::{Change, ConstraintNames, changes};
use super::deploy_requests::DeployRequest;
use super::deployment::{Deployment, Operation, Stage};
use super::schema_lint;

/// How far a step of a deployment is.
enum Progress {
    UnderWay,
    Done,
    Failed {
        /// The operation.
        at: usize,
        reason: String,
    },
}

/// Advances a deployment by one state, unless it has to wait.
pub async fn advance(call: &mut Call<'_>, number: u64) -> Result<(), Refusal> {
    let Some(request) = call.records.deploy_request(number) else {
        return Ok(());
    };
    let Deployment {
        stage,
        auto_cutover,
        revert_until,
        ..
    } = request.deployment;
    let next = match stage {
        stage if stage.is_before_deploying() => {
            return match request.is_open() {
                true => compare(call, number).await,
                false => Ok(()),
            };
        }
        Stage::Queued if preceding(call, number).next().is_some() => return Ok(()),
        Stage::Queued => Stage::Submitting,
        Stage::Submitting => return start(call, number).await,
        // It was enabled while the deployment waited.
        Stage::PendingCutover if auto_cutover => Stage::InProgressCutover,
        Stage::InProgress
        | Stage::InProgressCutover
        | Stage::InProgressCancel
        | Stage::InProgressRevert => return proceed(call, number, stage).await,
        Stage::CompletePendingRevert if revert_until.is_some_and(|until| until.is_over()) => {
            return complete(call, number).await;
        }
        _ => return Ok(()),
    };
    deployment(call, number)?.enter(next);
    Ok(())
}

/// The unfinished deployments to the same target that were queued before.
pub fn preceding<'c>(
    call: &'c Call<'_>,
    number: u64,
) -> impl Iterator<Item = &'c DeployRequest> + use<'c> {
    let own = call.records.deploy_request(number);
    call.records.deploy_requests.iter().filter(move |other| {
        own.is_some_and(|own| {
            let before = match (other.deployment.queued_at, own.deployment.queued_at) {
                (Some(at), Some(own_at)) => (at, other.number) < (own_at, number),
                (at, _) => at.is_some(),
            };
            before
                && other.number != number
                && other.into_branch == own.into_branch
                && other.holds_queue()
        })
    })
}

/// The schemas that a deploy request compares.
pub async fn target_and_branch(
    call: &mut Call<'_>,
    number: u64,
) -> Result<(BranchSchema, BranchSchema), Refusal> {
    let request = deploy_request(call, number)?;
    let (target, branch) = (request.into_branch.clone(), request.branch.clone());
    let target = branches::find(call, &target)?.schema.clone();
    let branch = branches::find(call, &branch)?.schema.clone();
    Ok((
        call.server.read(&target).await?,
        call.server.read(&branch).await?,
    ))
}

/// Compares the branch with its target and checks the changes.
async fn compare(call: &mut Call<'_>, number: u64) -> Result<(), Refusal> {
    let (from, to) = target_and_branch(call, number).await?;
    let changes = changes(&from, &to, ConstraintNames::Original);
    let branch = deploy_request(call, number)?.branch.clone();
    let branch = branches::find(call, &branch)?.schema.clone();
    let lint_errors = schema_lint::lint(call, &branch).await?;
    let check_error = call.shared.faults.lock().check.clone();

    let request = deploy_request(call, number)?;
    let stage = if !lint_errors.is_empty() || check_error.is_some() {
        Stage::Error
    } else if changes.is_empty() {
        Stage::NoChanges
    } else {
        Stage::Ready
    };
    if !request.deployment.changes().eq(&changes) {
        // An approval is valid only for the changes that the reviewer has seen.
        if request.deployment.stage != Stage::Pending {
            request.dismiss_approvals();
        }
        let operations = changes.into_iter().map(Operation::new);
        request.deployment.operations = operations.collect();
    }
    request.deployment.diff = super::diff::view(&from, &to);
    request.deployment.lint_errors = lint_errors;
    request.deployment.check_error = check_error;
    if request.deployment.stage != stage {
        request.deployment.enter(stage);
    }
    Ok(())
}

/// Starts the deployment. If the target has changed so that there are other changes, it fails.
async fn start(call: &mut Call<'_>, number: u64) -> Result<(), Refusal> {
    let ordered: Vec<Change> = deployment(call, number)?.changes().cloned().collect();
    compare(call, number).await?;
    let (target, _) = target(call, number)?;
    let before = call.server.read(&target).await?;
    let deployment = deployment(call, number)?;
    if deployment.changes().any(|change| !ordered.contains(change)) {
        let reason = "The target's schema has changed since the deployment was queued";
        deployment.check_error = Some(reason.to_owned());
        deployment.enter(Stage::Error);
    } else if deployment.stage == Stage::Ready {
        deployment.before = Some(before);
        deployment.enter(Stage::InProgress);
    }
    Ok(())
}

/// Does the work of a state, or looks how far it is.
async fn proceed(call: &mut Call<'_>, number: u64, stage: Stage) -> Result<(), Refusal> {
    let progress = match &mut call.server.vtgate {
        Some(vtgate) => {
            let request = call.records.deploy_request_mut(number);
            let request = request.ok_or(Refusal::NotFound)?;
            online::advance(vtgate, &mut request.deployment, stage).await?
        }
        None => quick::advance(call, number, stage).await?,
    };
    match (progress, stage) {
        (Progress::UnderWay, _) => return Ok(()),
        (progress, Stage::InProgressRevert) => return reverted(call, number, progress).await,
        (Progress::Failed { at, reason }, _) => return fail(call, number, at, reason),
        (Progress::Done, Stage::InProgressCutover) => return deployed(call, number),
        (Progress::Done, _) => {}
    }
    let deployment = deployment(call, number)?;
    deployment.enter(match stage {
        Stage::InProgressCancel => Stage::CompleteCancel,
        _ if deployment.auto_cutover => Stage::InProgressCutover,
        _ => Stage::PendingCutover,
    });
    Ok(())
}

/// Notes that the target has changed.
fn deployed(call: &mut Call<'_>, number: u64) -> Result<(), Refusal> {
    let (_, into_branch) = target(call, number)?;
    if let Some(branch) = call.records.branch_mut(&into_branch) {
        branch.schema_changed();
    }
    let request = deploy_request(call, number)?;
    request.deployment.enter(Stage::CompletePendingRevert);
    request.deployed();
    Ok(())
}

/// Ends a deployment at an operation that has failed. The quick way has changed nothing then. Online, the
/// operations before it may be done.
fn fail(call: &mut Call<'_>, number: u64, at: usize, reason: String) -> Result<(), Refusal> {
    let deployment = deployment(call, number)?;
    if let Some(operation) = deployment.operations.get_mut(at) {
        operation.error = Some(reason);
    }
    deployment.enter(Stage::CompleteError);
    Ok(())
}

async fn reverted(call: &mut Call<'_>, number: u64, progress: Progress) -> Result<(), Refusal> {
    let (_, into_branch) = target(call, number)?;
    if let Some(branch) = call.records.branch_mut(&into_branch) {
        branch.schema_changed();
    }
    if let Progress::Failed { .. } = progress {
        // The quick way still has the rows that it kept.
        deployment(call, number)?.enter(Stage::CompleteRevertError);
        return Ok(());
    }
    deploy_request(call, number)?.end(Stage::CompleteRevert);
    Ok(quick::forget(call, number).await?)
}

/// Ends the time in which it can be reverted, and deletes the branch if that was requested.
pub async fn complete(call: &mut Call<'_>, number: u64) -> Result<(), Refusal> {
    quick::forget(call, number).await?;
    let request = deploy_request(call, number)?;
    request.deployment.before = None;
    request.end(Stage::Complete);
    let (name, deleted) = (
        request.branch.clone(),
        request.deployment.auto_delete_branch,
    );
    if deleted
        && let Ok(branch) = branches::find(call, &name).cloned()
        && branches::check_deletion(call, &branch).is_ok()
    {
        branches::remove(call, &branch).await?;
    }
    Ok(())
}

fn target(call: &mut Call<'_>, number: u64) -> Result<(String, String), Refusal> {
    let into_branch = deploy_request(call, number)?.into_branch.clone();
    let target = branches::find(call, &into_branch)?.schema.clone();
    Ok((target, into_branch))
}

fn deploy_request<'c>(
    call: &'c mut Call<'_>,
    number: u64,
) -> Result<&'c mut DeployRequest, Refusal> {
    let request = call.records.deploy_request_mut(number);
    request.ok_or(Refusal::NotFound)
}

fn deployment<'c>(call: &'c mut Call<'_>, number: u64) -> Result<&'c mut Deployment, Refusal> {
    Ok(&mut deploy_request(call, number)?.deployment)
}
