//! Advances deployments: comparison, queue, change of the target, and revert.

use mysql_async::{Error, ServerError};

use super::branch_schema::{BranchSchema, quoted};
use super::branches;
use super::call::{Call, Refusal};
use super::changes::{Change, ConstraintNames, changes};
use super::constraint_names::{new_name, with_new_names};
use super::deploy_requests::DeployRequest;
use super::deployment::{Deployment, Operation, Stage};
use super::schema_lint;
use super::server::Server;

/// Advances a deployment by one state, unless it has to wait.
pub async fn advance(call: &mut Call<'_>, number: u64) -> Result<(), Refusal> {
    let Some(request) = call.records.deploy_request(number) else {
        return Ok(());
    };
    let Deployment {
        stage,
        auto_cutover,
        instant_ddl,
        fails_at,
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
        Stage::InProgress if fails_at.is_some() => return fail(call, number),
        Stage::InProgress if auto_cutover || instant_ddl => Stage::InProgressCutover,
        Stage::InProgress => Stage::PendingCutover,
        // It was enabled while the deployment waited.
        Stage::PendingCutover if auto_cutover => Stage::InProgressCutover,
        Stage::InProgressCutover => return cut_over(call, number).await,
        Stage::InProgressCancel => Stage::CompleteCancel,
        Stage::InProgressRevert => return revert(call, number).await,
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
    let check_error = call.shared.faults.deploy_check_error();

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

/// Makes all changes of the target, or none.
async fn cut_over(call: &mut Call<'_>, number: u64) -> Result<(), Refusal> {
    let (target, into_branch) = target(call, number)?;
    let kept = kept_schema(call, number);
    let before = deployment(call, number)?.before.clone().unwrap_or_default();
    let wanted = wanted(call, number, &before).await?;
    let Deployment { instant_ddl, .. } = *deployment(call, number)?;
    let changes: Vec<Change> = deployment(call, number)?.changes().cloned().collect();
    if call.server.exists(&kept).await? {
        // An earlier attempt was interrupted.
        change_back(call.server, &target, &kept, &before).await?;
        call.server.drop_schema(&kept).await?;
    }
    call.server.create_schema(&kept, &target).await?;
    let mut failed = None;
    for (at, change) in changes.iter().enumerate() {
        let online = !instant_ddl && change.leaves_table();
        if let Err(error) = change_target(call.server, &target, &kept, change, online).await {
            failed = Some((at, error));
            break;
        }
    }
    if let Some((at, error)) = failed {
        let deployment = deployment(call, number)?;
        if let Some(operation) = deployment.operations.get_mut(at) {
            operation.error = Some(match error {
                // As Vitess passes on what MySQL says.
                Error::Server(ServerError {
                    code,
                    message,
                    state,
                }) => format!("{message} (errno {code}) (sqlstate {state})"),
                other => other.to_string(),
            });
        }
        deployment.enter(Stage::CompleteError);
        // If this fails, the rows are still kept.
        change_back(call.server, &target, &kept, &before).await?;
        return Ok(call.server.drop_schema(&kept).await?);
    }
    if let Some(wanted) = wanted {
        settle(call.server, &target, &wanted, ConstraintNames::Original).await?;
    }
    if let Some(branch) = call.records.branch_mut(&into_branch) {
        branch.schema_changed();
    }
    let request = deploy_request(call, number)?;
    request.deployment.enter(Stage::CompletePendingRevert);
    request.deployed();
    match instant_ddl {
        // An instant change cannot be reverted.
        true => complete(call, number).await,
        false => Ok(()),
    }
}

/// The schema that the target should have: the branch's, if that has not changed since.
async fn wanted(
    call: &mut Call<'_>,
    number: u64,
    before: &BranchSchema,
) -> Result<Option<BranchSchema>, Refusal> {
    let (_, wanted) = target_and_branch(call, number).await?;
    let changes = changes(before, &wanted, ConstraintNames::Original);
    let same = deployment(call, number)?.changes().eq(&changes);
    Ok(same.then_some(wanted))
}

/// Changes what the statements have left different: MySQL itself renames the index of a foreign key.
async fn settle(
    server: &mut Server,
    target: &str,
    wanted: &BranchSchema,
    names: ConstraintNames,
) -> Result<(), mysql_async::Error> {
    let rest = changes(&server.read(target).await?, wanted, names);
    let rest: Vec<String> = rest.into_iter().map(|change| change.statement).collect();
    server.run(target, &rest).await
}

/// Makes one change, and keeps the rows and values that the target loses by it. If the change is
/// made online, all constraints of the table get new names.
async fn change_target(
    server: &mut Server,
    target: &str,
    kept: &str,
    change: &Change,
    online: bool,
) -> Result<(), mysql_async::Error> {
    let table = quoted(&change.table);
    let (from, into) = (quoted(target), quoted(kept));
    if change.drops_table() {
        let keep = format!("RENAME TABLE {from}.{table} TO {into}.{table}");
        return server.run(target, &[keep]).await;
    }
    if !change.dropped_columns.is_empty() {
        let mut columns = server.row_identity(target, &change.table).await?;
        let dropped = change.dropped_columns.iter();
        let dropped: Vec<_> = dropped.filter(|name| !columns.contains(name)).collect();
        columns.extend(dropped.into_iter().cloned());
        let columns: Vec<String> = columns.iter().map(|name| quoted(name)).collect();
        let columns = columns.join(", ");
        let keep = format!("CREATE TABLE {into}.{table} AS SELECT {columns} FROM {from}.{table}");
        server.run(target, &[keep]).await?;
    }
    if !online {
        return server.run(target, &[&change.statement]).await;
    }
    let before = server.read(target).await?;
    let statement = with_new_names(&change.table, &change.statement);
    server.run(target, &[statement]).await?;
    let after = server.read(target).await?;
    let (before, after) = (
        before.tables.get(&change.table),
        after.tables.get(&change.table),
    );
    let mut renames = Vec::new();
    for constraint in after.iter().flat_map(|table| &table.constraints) {
        if before.is_some_and(|before| before.constraints.contains(constraint)) {
            let name = quoted(&new_name(&change.table, &constraint.name));
            renames.push(constraint.drop_constraint());
            renames.push(format!("ADD CONSTRAINT {name} {}", constraint.condition()));
        }
    }
    if renames.is_empty() {
        return Ok(());
    }
    let rename = format!("ALTER TABLE {table} {}", renames.join(", "));
    server.run(target, &[rename]).await
}

/// Makes the target what it was, with the rows and values that were kept.
async fn change_back(
    server: &mut Server,
    target: &str,
    kept: &str,
    before: &BranchSchema,
) -> Result<(), mysql_async::Error> {
    let now = server.read(target).await?;
    let keepings = server.read(kept).await?;
    let (into, from) = (quoted(target), quoted(kept));
    for name in keepings.tables.keys() {
        if !now.tables.contains_key(name) {
            let table = quoted(name);
            let bring = format!("RENAME TABLE {from}.{table} TO {into}.{table}");
            server.run(target, &[bring]).await?;
        }
    }
    for _ in 0..2 {
        settle(server, target, before, ConstraintNames::Exact).await?;
    }
    for (name, keeping) in &keepings.tables {
        let identity = server.row_identity(target, name).await?;
        if identity.is_empty() || !now.tables.contains_key(name) {
            continue;
        }
        let table = quoted(name);
        let columns = keeping.columns.iter().map(|column| &column.name);
        let values: Vec<String> = columns
            .filter(|column| !identity.contains(column))
            .map(|column| quoted(column))
            .map(|column| format!("{into}.{table}.{column} = {from}.{table}.{column}"))
            .collect();
        let using: Vec<String> = identity.iter().map(|column| quoted(column)).collect();
        let restore = format!(
            "UPDATE {into}.{table} JOIN {from}.{table} USING ({}) SET {}",
            using.join(", "),
            values.join(", ")
        );
        if !values.is_empty() {
            server.run(target, &[restore]).await?;
        }
    }
    Ok(())
}

/// Fails while tables are copied: before the target has changed.
fn fail(call: &mut Call<'_>, number: u64) -> Result<(), Refusal> {
    let deployment = deployment(call, number)?;
    let at = deployment.fails_at.take().unwrap_or_default();
    let last = deployment.operations.len().saturating_sub(1);
    if let Some(operation) = deployment.operations.get_mut(at.min(last)) {
        operation.error = Some("vreplication: the copy of the table has failed".to_owned());
    }
    deployment.enter(Stage::CompleteError);
    Ok(())
}

async fn revert(call: &mut Call<'_>, number: u64) -> Result<(), Refusal> {
    let (target, into_branch) = target(call, number)?;
    let kept = kept_schema(call, number);
    let before = deployment(call, number)?.before.clone().unwrap_or_default();
    let reverted = change_back(call.server, &target, &kept, &before).await;
    if let Some(branch) = call.records.branch_mut(&into_branch) {
        branch.schema_changed();
    }
    if reverted.is_err() {
        // If this fails, the rows are still kept.
        deployment(call, number)?.enter(Stage::CompleteRevertError);
        return Ok(());
    }
    deploy_request(call, number)?.end(Stage::CompleteRevert);
    Ok(call.server.drop_schema(&kept).await?)
}

/// Ends the time in which it can be reverted, and deletes the branch if that was requested.
pub async fn complete(call: &mut Call<'_>, number: u64) -> Result<(), Refusal> {
    let kept = kept_schema(call, number);
    call.server.drop_schema(&kept).await?;
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

/// The schema with the rows and values that a deployment has dropped, for a revert.
fn kept_schema(call: &Call<'_>, number: u64) -> String {
    format!("{}_before_{number}", call.shared.production)
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
