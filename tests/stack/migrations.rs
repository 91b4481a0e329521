//! Applies the pending migrations to a local schema directly, without branches and deploy requests.

use std::path::Path;

use anyhow::anyhow;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use schema::{Ledger, MigrationId, Migrations, ledger};

/// Applies the pending files to the connection's schema, and returns how many there were.
pub async fn apply(connection: &mut Conn, folder: &Path) -> anyhow::Result<usize> {
    let migrations = Migrations::read(folder)?;
    let recorded = read(connection).await?;
    let pending = recorded
        .pending(&migrations)
        .map_err(|error| anyhow!("{error}; or delete the data folder and start again"))?;
    if !recorded.exists() {
        connection.query_drop(ledger::CREATE).await?;
    }
    for migration in &pending {
        for statement in &migration.statements {
            let ran = connection.query_drop(&statement.text).await;
            // What came before it stays: DDL is not rolled back.
            ran.map_err(|error| anyhow!("{}:{}: {error}", migration.file, statement.line))?;
        }
        let MigrationId {
            version,
            name,
            checksum,
        } = &migration.id;
        let row = (version, name, checksum);
        connection.exec_drop(ledger::RECORD.sql(), row).await?;
    }
    Ok(pending.len())
}

async fn read(connection: &mut Conn) -> anyhow::Result<Ledger> {
    let tables: Option<u64> = connection.query_first(ledger::EXISTS.sql()).await?;
    if tables.unwrap_or_default() == 0 {
        return Ok(Ledger::absent());
    }
    let rows = connection.query(ledger::READ.sql()).await;
    let rows = rows
        .map_err(|error| anyhow!("the table schema_migrations is not this project's: {error}"))?;
    Ok(Ledger::new(rows))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;
    use std::time::Duration;

    use database::Database;
    use database::settings::Settings;
    use lambda::Deadline;
    use lambda::clock::SystemClock;
    use schema::LedgerError;

    use super::*;
    use crate::stack::{FreshDatabase, Stack};

    /// A schema in which the project's migrations are applied, and a connection to it that may
    /// change it.
    async fn migrated() -> (FreshDatabase, Conn) {
        let stack = Stack::from_env().unwrap();
        let database = stack.fresh_database().await.unwrap();
        let mut connection = stack.admin().await.unwrap();
        let name = database.name();
        connection
            .query_drop(format!("USE `{name}`"))
            .await
            .unwrap();
        (database, connection)
    }

    async fn apply_files(
        database: &FreshDatabase,
        connection: &mut Conn,
        files: &[(&str, &str)],
    ) -> anyhow::Result<usize> {
        let folder = std::env::temp_dir().join(database.name());
        let own = crate::root().join("shared/migrations/0001_orders.sql");
        fs::create_dir_all(&folder).unwrap();
        fs::copy(own, folder.join("0001_orders.sql")).unwrap();
        for (name, sql) in files {
            fs::write(folder.join(name), sql).unwrap();
        }
        let applied = apply(connection, &folder).await;
        fs::remove_dir_all(folder).unwrap();
        applied
    }

    #[tokio::test]
    async fn a_refused_statement_is_named_and_the_files_before_it_are_recorded() {
        let (database, mut connection) = migrated().await;
        let files = [
            ("0002_next.sql", "CREATE TABLE a (id INT PRIMARY KEY);"),
            (
                "0003_wrong.sql",
                "-- about\nALTER TABLE a\n  DROP COLUMN b;",
            ),
        ];
        let error = apply_files(&database, &mut connection, &files).await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains("0003_wrong.sql:2: "), "{error}");
        let applied = apply_files(&database, &mut connection, &files[..1]).await;
        assert_eq!(applied.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_function_does_not_record_a_migration_that_has_another_text_in_the_ledger() {
        let (database, mut connection) = migrated().await;
        let other = "UPDATE schema_migrations SET checksum = REVERSE(checksum)";
        connection.query_drop(other).await.unwrap();

        let environment = database.environment("health").unwrap();
        let settings = Settings::read(|name| environment.get(name).cloned());
        let pool = Database::new(settings.unwrap(), Arc::new(SystemClock));
        let deadline = Deadline::after(Duration::from_secs(30));
        let mut session = pool.session(deadline).await.unwrap();
        let migrations = Migrations::built_in().unwrap();
        let recorded = ledger::record(&mut session, migrations.get(1).unwrap()).await;
        assert!(
            matches!(recorded, Err(LedgerError::Changed { .. })),
            "{recorded:?}"
        );
    }
}
