//! The quick way: the target is changed at once, at the cutover. Before that, the rows of each table
//! that changes are copied into one with the change, as Vitess does, so that rows which do not fit
//! fail in the same state and with the same words.
//!
//! Rows that break a new CHECK fail too. Vitess tries those again and again, until the deployment is
//! cancelled (Vitess, `vreplication/utils.go`, has no such error among those that end a migration).

use mysql_async::prelude::Queryable;
use mysql_async::{Error, ServerError};

use super::{Progress, deployment, target, target_and_branch};
use crate::stand_ins::control_plane::branch_schema::{BranchSchema, quoted, quoted_list};
use crate::stand_ins::control_plane::call::{Call, Refusal};
use crate::stand_ins::control_plane::changes::{Change, ConstraintNames, changes};
use crate::stand_ins::control_plane::constraint_names::{new_name, with_new_names};
use crate::stand_ins::control_plane::deployment::Stage;
use crate::stand_ins::control_plane::server::Server;

/// Does all the work of a state at once.
pub(super) async fn advance(
    call: &mut Call<'_>,
    number: u64,
    stage: Stage,
) -> Result<Progress, Refusal> {
    match stage {
        Stage::InProgress => copy_rows(call, number).await,
        Stage::InProgressCutover => cut_over(call, number).await,
        Stage::InProgressRevert => revert(call, number).await,
        _ => Ok(Progress::Done),
    }
}

/// Copies the rows of the tables that change, unless it was asked to fail.
async fn copy_rows(call: &mut Call<'_>, number: u64) -> Result<Progress, Refusal> {
    let (target, _) = target(call, number)?;
    let deployment = deployment(call, number)?;
    if let Some(at) = deployment.fails_at.take() {
        let last = deployment.operations.len().saturating_sub(1);
        return Ok(Progress::Failed {
            at: at.min(last),
            reason: "vreplication: the copy of the table has failed".to_owned(),
        });
    }
    let changes: Vec<Change> = deployment.changes().cloned().collect();
    let copies = format!("{}_copies_{number}", call.shared.production);
    call.server.drop_schema(&copies).await?;
    call.server.create_schema(&copies, &target).await?;
    let mut progress = Progress::Done;
    for (at, change) in changes.iter().enumerate() {
        if change.alters_table()
            && let Err(reason) = copy_table(call.server, &target, &copies, change).await
        {
            progress = Progress::Failed { at, reason };
            break;
        }
    }
    call.server.drop_schema(&copies).await?;
    Ok(progress)
}

/// Makes a changed copy of a table with its rows, under a name as Vitess gives it. Or says why that
/// fails, as Vitess does.
async fn copy_table(
    server: &mut Server,
    target: &str,
    copies: &str,
    change: &Change,
) -> Result<(), String> {
    let table = quoted(&change.table);
    let id = uuid::Uuid::new_v4().simple();
    let name = format!("_vt_vrp_{id}_20260101000000_");
    let copy = quoted(&name);
    let schema = server.read(target).await.map_err(words)?;
    let source = format!("{}.{table}", quoted(target));
    let connection = server.connection().await.map_err(words)?;
    let row: Result<Option<u8>, _> = connection
        .query_first(format!("SELECT 1 FROM {source} LIMIT 1"))
        .await;
    let (Some(original), Some(_)) = (schema.tables.get(&change.table), row.map_err(words)?) else {
        return Ok(());
    };
    let statement = with_new_names(&change.table, &change.statement);
    let statements = [&original.create, &statement].map(|text| text.replacen(&table, &copy, 1));
    server.run(copies, &statements).await.map_err(words)?;
    let before = server.stored_columns(target, &change.table).await;
    let before = before.map_err(words)?;
    let mut columns = server.stored_columns(copies, &name).await.map_err(words)?;
    columns.retain(|column| before.contains(column));
    // From column to column, the server copies with other words of its own than for values.
    let values = columns
        .iter()
        .map(|name| format!("COALESCE({})", quoted(name)));
    let values = values.collect::<Vec<_>>().join(", ");
    let columns = quoted_list(&columns);
    let fill = format!("INSERT INTO {copy} ({columns}) SELECT {values} FROM {source}");
    server.run(copies, &[fill]).await.map_err(|error| {
        let words = words(error);
        format!("vreplication: terminal error: task error: failed inserting rows: {words}")
    })
}

/// An error of the server as Vitess passes it on.
fn words(error: Error) -> String {
    match error {
        Error::Server(ServerError {
            code,
            message,
            state,
        }) => format!("{message} (errno {code}) (sqlstate {state})"),
        other => other.to_string(),
    }
}

/// Makes all changes of the target, or none.
async fn cut_over(call: &mut Call<'_>, number: u64) -> Result<Progress, Refusal> {
    let (target, _) = target(call, number)?;
    let kept = kept_schema(call, number);
    let before = deployment(call, number)?.before.clone().unwrap_or_default();
    let wanted = wanted(call, number, &before).await?;
    let changes: Vec<Change> = deployment(call, number)?.changes().cloned().collect();
    if call.server.exists(&kept).await? {
        // An earlier attempt was interrupted.
        change_back(call.server, &target, &kept, &before).await?;
        call.server.drop_schema(&kept).await?;
    }
    call.server.create_schema(&kept, &target).await?;
    for (at, change) in changes.iter().enumerate() {
        if let Err(error) = change_target(call.server, &target, &kept, change).await {
            // If this fails, the rows are still kept.
            change_back(call.server, &target, &kept, &before).await?;
            call.server.drop_schema(&kept).await?;
            let reason = words(error);
            return Ok(Progress::Failed { at, reason });
        }
    }
    if let Some(wanted) = wanted {
        settle(call.server, &target, &wanted, ConstraintNames::Original).await?;
    }
    Ok(Progress::Done)
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
) -> Result<(), Error> {
    let rest = changes(&server.read(target).await?, wanted, names);
    let rest: Vec<String> = rest.into_iter().map(|change| change.statement).collect();
    server.run(target, &rest).await
}

/// Makes one change, and keeps the rows and values that the target loses by it. All constraints of a
/// table that it leaves get new names.
async fn change_target(
    server: &mut Server,
    target: &str,
    kept: &str,
    change: &Change,
) -> Result<(), Error> {
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
        let columns = quoted_list(&columns);
        let keep = format!("CREATE TABLE {into}.{table} AS SELECT {columns} FROM {from}.{table}");
        server.run(target, &[keep]).await?;
    }
    if !change.leaves_table() {
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
) -> Result<(), Error> {
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
        let restore = format!(
            "UPDATE {into}.{table} JOIN {from}.{table} USING ({}) SET {}",
            quoted_list(&identity),
            values.join(", ")
        );
        if !values.is_empty() {
            server.run(target, &[restore]).await?;
        }
    }
    Ok(())
}

async fn revert(call: &mut Call<'_>, number: u64) -> Result<Progress, Refusal> {
    let (target, _) = target(call, number)?;
    let kept = kept_schema(call, number);
    let before = deployment(call, number)?.before.clone().unwrap_or_default();
    let reverted = change_back(call.server, &target, &kept, &before).await;
    Ok(reverted.map_or_else(
        |error| Progress::Failed {
            at: 0,
            reason: words(error),
        },
        |()| Progress::Done,
    ))
}

/// Forgets the rows and values that were kept for a revert.
pub(super) async fn forget(call: &mut Call<'_>, number: u64) -> Result<(), Error> {
    let kept = kept_schema(call, number);
    call.server.drop_schema(&kept).await
}

/// The schema with the rows and values that a deployment has dropped, for a revert.
fn kept_schema(call: &Call<'_>, number: u64) -> String {
    format!("{}_before_{number}", call.shared.production)
}
