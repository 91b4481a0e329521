//! Deploy requests: proposals to bring a branch's schema to another branch.

mod record;

use serde::Deserialize;
use serde_json::json;

use super::branches::{self, Branch};
use super::call::{Answer, Call, Refusal, Total, created, ok};
use super::deploying::{self, advance};
use super::deployment::{Deployment, Stage};
use super::records::{Time, new_id};

pub use record::DeployRequest;

pub fn list(call: &Call<'_>) -> Result<Answer, Refusal> {
    let (branch, into) = (call.parameter("branch"), call.parameter("into_branch"));
    let in_state: fn(&DeployRequest) -> bool = match call.parameter("state") {
        None => |_| true,
        Some("open") => |request| request.is_open(),
        Some("closed") => |request| !request.is_open(),
        Some("deployed") => |request| request.deployed_at.is_some(),
        Some(_) => {
            return Err(Refusal::unprocessable("State is not included in the list"));
        }
    };
    let requests = call.records.deploy_requests.iter().rev().filter(|request| {
        in_state(request)
            && branch.is_none_or(|branch| branch == request.branch)
            && into.is_none_or(|into| into == request.into_branch)
    });
    let views = requests.map(|request| request.view(call)).collect();
    call.page(views, Total::Told)
}

#[derive(Deserialize)]
struct NewDeployRequest {
    branch: String,
    into_branch: Option<String>,
    notes: Option<String>,
    auto_cutover: Option<bool>,
    auto_delete_branch: Option<bool>,
}

pub fn create(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let input: NewDeployRequest = call.input()?;
    let branch = branches::find(call, &input.branch)?.clone();
    let into = input.into_branch.filter(|name| !name.is_empty());
    let into = branches::find(call, into.as_deref().unwrap_or(branch.base()))?.clone();
    let itself = "A branch cannot be deployed into itself";
    Refusal::when(branch.id == into.id, itself)?;
    check_target(&into)?;
    let mut others = call.records.deploy_requests.iter();
    let proposed = others.any(|other| other.is_open() && other.branch == branch.name);
    let twice = format!("Branch {} already has an open deploy request", branch.name);
    Refusal::when(proposed, twice)?;
    let last = call.records.deploy_requests.last();
    let auto_cutover = input
        .auto_cutover
        .unwrap_or_else(|| last.is_none_or(|last| last.deployment.auto_cutover));
    let now = Time::now();
    let request = DeployRequest {
        id: new_id(),
        number: last.map_or(1, |last| last.number + 1),
        branch: branch.name,
        branch_id: branch.id,
        branch_deleted_at: None,
        branch_deleted_by: None,
        into_branch: into.name,
        actor: call.actor.clone(),
        notes: input.notes.unwrap_or_default(),
        created_at: now,
        updated_at: now,
        closed_at: None,
        closed_by: None,
        deployed_at: None,
        reviews: Vec::new(),
        deployment: Deployment::new(auto_cutover, input.auto_delete_branch.unwrap_or_default()),
    };
    let view = request.view(call);
    call.records.deploy_requests.push(request);
    Ok(created(view))
}

fn check_target(into: &Branch) -> Result<(), Refusal> {
    let Branch { name, .. } = into;
    let unsafe_target = format!("Into branch {name} must be a branch with safe migrations enabled");
    Refusal::when(!into.safe_migrations, unsafe_target)
}

/// Reads the deploy request. Each read advances the deployment.
pub async fn get(call: &mut Call<'_>, number: u64) -> Result<Answer, Refusal> {
    let view = find(call, number)?.view(call);
    advance(call, number).await?;
    Ok(ok(view))
}

/// Reads the deployment. Each read advances it.
pub async fn deployment(call: &mut Call<'_>, number: u64) -> Result<Answer, Refusal> {
    let view = find(call, number)?.deployment_view(call);
    advance(call, number).await?;
    Ok(ok(view))
}

pub fn operations(call: &Call<'_>, number: u64) -> Result<Answer, Refusal> {
    let deployment = &find(call, number)?.deployment;
    let operations = deployment.operations.iter();
    let views = operations
        .map(|operation| operation.view(deployment))
        .collect();
    call.page(views, Total::Untold)
}

/// The difference that it deploys or has deployed.
pub async fn diff(call: &mut Call<'_>, number: u64) -> Result<Answer, Refusal> {
    let request = find(call, number)?;
    if request.is_open() && request.deployment.stage.is_before_deploying() {
        let (from, to) = deploying::target_and_branch(call, number).await?;
        return Ok(ok(super::diff::view(&from, &to)));
    }
    Ok(ok(request.deployment.diff.clone()))
}

#[derive(Deserialize)]
struct Closing {
    state: Option<String>,
}

pub fn close(call: &mut Call<'_>, number: u64) -> Result<Answer, Refusal> {
    let input: Closing = call.input()?;
    let closes = input.state.as_deref() == Some("closed");
    Refusal::when(!closes, "State can only be closed")?;
    change(call, number, |request, actor| {
        if request.is_deploying() {
            return Err("A deploy request cannot be closed while it is being deployed");
        }
        if request.is_open() {
            request.close(actor);
        }
        Ok(())
    })
}

#[derive(Deserialize)]
struct Deploying {
    #[serde(default)]
    instant_ddl: bool,
}

pub fn deploy(call: &mut Call<'_>, number: u64) -> Result<Answer, Refusal> {
    let input: Deploying = call.input()?;
    let request = find(call, number)?;
    if request.is_open() {
        check_target(branches::find(call, &request.into_branch)?)?;
    }
    let needs_approval = call.records.settings.require_approval_for_deploy;
    let shared = call.shared;
    change(call, number, |request, actor| {
        if !request.is_open() {
            return Err("Deploy request is closed");
        }
        match request.deployment.stage {
            Stage::Ready => {}
            Stage::Pending => {
                return Err(
                    "We're currently validating that these changes are safe to deploy. Please try again in a few moments.",
                );
            }
            Stage::NoChanges => return Err("There are no changes to deploy"),
            Stage::Error => return Err("The changes are not safe to deploy"),
            _ => return Err("Deploy request has been deployed already"),
        }
        if needs_approval && !request.is_approved() {
            return Err("Deploy request must be approved before it can be deployed");
        }
        if input.instant_ddl {
            return Err("The changes are not eligible for instant DDL");
        }
        request.deployment.fails_at = shared.faults.lock().deployment.take();
        request.deployment.actor = Some(actor.to_owned());
        request.deployment.enter(Stage::Queued);
        Ok(())
    })
}

/// Starts the cutover of a gated deployment, cancels a deployment, removes a failed one from the
/// queue, or starts a revert.
pub fn act(call: &mut Call<'_>, number: u64, action: &str) -> Result<Answer, Refusal> {
    change(call, number, |request, actor| {
        let deployment = &mut request.deployment;
        match (action, deployment.stage) {
            ("apply-deploy", Stage::PendingCutover) => {
                deployment.cutover_actor = Some(actor.to_owned());
                deployment.enter(Stage::InProgressCutover);
            }
            ("cancel", Stage::Queued) => {
                deployment.cancelled_actor = Some(actor.to_owned());
                deployment.enter(Stage::Cancelled);
            }
            ("cancel", Stage::Submitting | Stage::InProgress | Stage::PendingCutover) => {
                deployment.cancelled_actor = Some(actor.to_owned());
                deployment.enter(Stage::InProgressCancel);
            }
            ("complete-deploy", Stage::CompleteError | Stage::CompleteRevertError) => {
                deployment.completed = true;
            }
            ("revert", Stage::CompletePendingRevert) => deployment.enter(Stage::InProgressRevert),
            _ => return Err("The state of the deployment does not allow this"),
        }
        Ok(())
    })
}

pub async fn skip_revert(call: &mut Call<'_>, number: u64) -> Result<Answer, Refusal> {
    let stage = find(call, number)?.deployment.stage;
    let revertible = stage == Stage::CompletePendingRevert;
    Refusal::when(!revertible, "Deployment has no revert to skip")?;
    deploying::complete(call, number).await?;
    Ok(ok(find(call, number)?.view(call)))
}

#[derive(Deserialize)]
struct Switch {
    enable: bool,
}

/// Sets whether the cutover starts by itself.
pub fn auto_apply(call: &mut Call<'_>, number: u64) -> Result<Answer, Refusal> {
    let Switch { enable } = call.input()?;
    change(call, number, |request, _| {
        request.deployment.auto_cutover = enable;
        Ok(())
    })
}

/// Sets whether the branch is deleted at the end.
pub fn auto_delete_branch(call: &mut Call<'_>, number: u64) -> Result<Answer, Refusal> {
    let Switch { enable } = call.input()?;
    change(call, number, |request, _| {
        request.deployment.auto_delete_branch = enable;
        Ok(())
    })
}

/// The running and the waiting deployments, in order.
pub fn queue(call: &Call<'_>) -> Result<Answer, Refusal> {
    let requests = call.records.deploy_requests.iter();
    let mut queued: Vec<_> = requests.filter(|request| request.holds_queue()).collect();
    queued.sort_by_key(|request| request.deployment.queued_at);
    let views = queued.iter().map(|request| request.deployment_view(call));
    call.page(views.collect(), Total::Untold)
}

pub fn storage_check(call: &Call<'_>, number: u64) -> Result<Answer, Refusal> {
    find(call, number)?;
    Ok(ok(json!({
        "enough_storage": true,
        "upgradeable": true,
        "storage_bytes_needed": 0,
        "storage_report": {},
    })))
}

pub fn find<'c>(call: &'c Call<'_>, number: u64) -> Result<&'c DeployRequest, Refusal> {
    call.records.deploy_request(number).ok_or(Refusal::NotFound)
}

/// Changes a deploy request, or refuses, and answers with the changed one.
pub fn change(
    call: &mut Call<'_>,
    number: u64,
    change: impl FnOnce(&mut DeployRequest, &str) -> Result<(), &'static str>,
) -> Result<Answer, Refusal> {
    let actor = call.actor.clone();
    let request = call.records.deploy_request_mut(number);
    let request = request.ok_or(Refusal::NotFound)?;
    change(request, &actor).map_err(Refusal::unprocessable)?;
    request.updated_at = Time::now();
    Ok(ok(find(call, number)?.view(call)))
}
