//! The way of a real Vitess: online DDL (vitess.io, Managed, online schema changes). All migrations of
//! a deployment are made ready, then completed. Vitess carries them out, and is asked how far it is.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, Row};

use super::Progress;
use crate::stand_ins::control_plane::deployment::{Deployment, Operation, Stage};

/// Several changes are made ready beside each other, and completed in their order.
const STRATEGY: &str = "vitess --postpone-completion --allow-concurrent --in-order-completion";
/// A revert makes one migration after the other, so each is completed as soon as it is ready.
const AT_ONCE: &str = "vitess";

/// A migration as Vitess tells of it.
struct Migration {
    status: String,
    is_ready: bool,
    message: String,
}

/// Lets Vitess do the work of a state, and reads how far it is.
pub(super) async fn advance(
    vtgate: &mut Conn,
    deployment: &mut Deployment,
    stage: Stage,
) -> Result<Progress, Error> {
    // Migrations do not run after one in the same context that has failed.
    let context = format!("SET @@migration_context = 'deployment:{}'", deployment.id);
    vtgate.query_drop(context).await?;
    let operations = &mut deployment.operations;
    if stage == Stage::InProgressRevert {
        return revert(vtgate, operations).await;
    }
    let mut progress = Progress::Done;
    for (at, operation) in operations.iter_mut().enumerate() {
        let id = match &operation.migration {
            Some(id) => id.clone(),
            None if stage == Stage::InProgressCancel => continue,
            None => {
                let id = submit(vtgate, STRATEGY, &operation.change.statement).await?;
                operation.migration.insert(id).clone()
            }
        };
        let migration = read(vtgate, &id).await?;
        match (migration.status.as_str(), stage) {
            ("complete", _) | ("failed" | "cancelled", Stage::InProgressCancel) => continue,
            ("failed" | "cancelled", _) => {
                // Those that are done are reverted by hand, as on PlanetScale.
                vtgate
                    .query_drop("ALTER VITESS_MIGRATION CANCEL ALL")
                    .await?;
                let reason = migration.message;
                return Ok(Progress::Failed { at, reason });
            }
            (_, Stage::InProgress) if migration.is_ready => continue,
            (_, Stage::InProgressCutover) => alter(vtgate, &id, "COMPLETE").await?,
            (_, Stage::InProgressCancel) => alter(vtgate, &id, "CANCEL").await?,
            _ => {}
        }
        progress = Progress::UnderWay;
    }
    Ok(progress)
}

/// Reverts the migrations one after the other, from the last one on.
async fn revert(vtgate: &mut Conn, operations: &mut [Operation]) -> Result<Progress, Error> {
    for (at, operation) in operations.iter_mut().enumerate().rev() {
        let Some(id) = &operation.migration else {
            continue;
        };
        let id = match &operation.reverting_migration {
            Some(id) => id.clone(),
            None => {
                let revert = format!("REVERT VITESS_MIGRATION '{id}'");
                let id = submit(vtgate, AT_ONCE, &revert).await?;
                operation.reverting_migration.insert(id).clone()
            }
        };
        let migration = read(vtgate, &id).await?;
        match migration.status.as_str() {
            "complete" => {}
            "failed" | "cancelled" => {
                let reason = migration.message;
                return Ok(Progress::Failed { at, reason });
            }
            _ => return Ok(Progress::UnderWay),
        }
    }
    Ok(Progress::Done)
}

/// Has Vitess begin a migration, and returns its id.
async fn submit(vtgate: &mut Conn, strategy: &str, statement: &str) -> Result<String, Error> {
    let set = format!("SET @@ddl_strategy = '{strategy}'");
    vtgate.query_drop(set).await?;
    let id: Option<String> = vtgate.query_first(statement).await?;
    id.ok_or_else(|| Error::Other("Vitess names no migration".into()))
}

async fn alter(vtgate: &mut Conn, id: &str, what: &str) -> Result<(), Error> {
    let alter = format!("ALTER VITESS_MIGRATION '{id}' {what}");
    vtgate.query_drop(alter).await
}

async fn read(vtgate: &mut Conn, id: &str) -> Result<Migration, Error> {
    let show = format!("SHOW VITESS_MIGRATIONS LIKE '{id}'");
    let row: Option<Row> = vtgate.query_first(show).await?;
    let column = |name: &str| {
        let value = row.as_ref().and_then(|row| row.get_opt::<String, _>(name));
        value.and_then(Result::ok).unwrap_or_default()
    };
    Ok(Migration {
        status: column("migration_status"),
        is_ready: column("ready_to_complete") == "1",
        message: column("message"),
    })
}
