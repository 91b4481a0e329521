//! The table `schema_migrations`: which migrations a database has.
//!
//! It is a table like any other. A branch on PlanetScale has the table and none of its rows, as
//! a deployment carries schemas and not rows, so it is read and written on the production branch
//! alone. What a migration is recorded with is its text's checksum: an applied file is never
//! changed.

use std::collections::BTreeMap;

use database::{DatabaseError, Session, Statement};

use crate::files::{Migration, MigrationId, Migrations};

/// The table's name.
pub const TABLE: &str = "schema_migrations";

/// The statement that creates it.
pub const CREATE: &str = "\
CREATE TABLE schema_migrations (
  version INT UNSIGNED NOT NULL,
  name VARCHAR(255) NOT NULL,
  -- SHA-256 of the file.
  checksum CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- UTC.
  applied_at DATETIME(6) NOT NULL,
  PRIMARY KEY (version)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4";

/// One row: how many tables of its name the schema has.
pub const EXISTS: Statement = Statement::read(
    "LEDGER_EXISTS",
    "SELECT COUNT(*) FROM information_schema.tables \
     WHERE table_schema = DATABASE() AND table_name = 'schema_migrations'",
    "",
);

/// The rows for [`Ledger::new`].
pub const READ: Statement = Statement::read(
    "READ_LEDGER",
    "SELECT version, name, checksum FROM schema_migrations ORDER BY version",
    "PRIMARY",
);

/// Records a migration by version, name and checksum; one that is recorded stays as it is. On many
/// shards the version says which shard has the row, so Vitess lets nothing be assigned to it.
pub const RECORD: Statement = Statement::idempotent_write(
    "RECORD_MIGRATION",
    "INSERT INTO schema_migrations (version, name, checksum, applied_at) \
     VALUES (?, ?, ?, UTC_TIMESTAMP(6)) ON DUPLICATE KEY UPDATE name = name",
);

/// How the files contradict the ledger or the plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// This file is not what was applied.
    #[error(
        "{0} was changed after it was applied: restore it, and write what should change into a new file"
    )]
    Changed(String),
    /// An applied migration with this number and name has no file.
    #[error(
        "migration {0:04} ({1}) was applied, but there is no file with its number: restore the file, or use the checkout that has it"
    )]
    Missing(u32, String),
    /// A pending file has a number below one that was applied: another database, which gets all
    /// files at once, would get them in another order.
    #[error("{0} is new, but migration {1:04} was applied already: give it a higher number")]
    Late(String, u32),
    /// A file is not what was planned.
    #[error("migration {0:04} is not what was planned: its file was changed since; plan again")]
    Outdated(u32),
    /// The table can't be read or written.
    #[error("the table schema_migrations: {0}")]
    Database(#[from] DatabaseError),
}

/// What the table holds, if there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ledger(Option<BTreeMap<u32, MigrationId>>);

impl Ledger {
    /// That of a database which lacks the table.
    pub fn absent() -> Self {
        Self(None)
    }

    /// From rows of version, name and checksum, as [`READ`] returns them.
    pub fn new(rows: Vec<(u32, String, String)>) -> Self {
        let rows = rows.into_iter().map(|(version, name, checksum)| {
            let id = MigrationId {
                version,
                name,
                checksum,
            };
            (version, id)
        });
        Self(Some(rows.collect()))
    }

    /// Reads it from the session's database.
    ///
    /// # Errors
    ///
    /// See [`DatabaseError`].
    pub async fn read(session: &mut Session<'_>) -> Result<Self, DatabaseError> {
        let tables: Option<u64> = session.row(&EXISTS, ()).await?;
        if tables.unwrap_or_default() == 0 {
            return Ok(Self::absent());
        }
        Ok(Self::new(session.rows(&READ, ()).await?))
    }

    /// Whether the database has the table.
    pub fn exists(&self) -> bool {
        self.0.is_some()
    }

    /// The row with this number.
    pub fn row(&self, version: u32) -> Option<&MigrationId> {
        self.0.as_ref()?.get(&version)
    }

    /// Whether this migration, with this text, is recorded.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Changed`] when it is recorded with another text.
    pub fn has(&self, migration: &Migration) -> Result<bool, LedgerError> {
        match self.row(migration.id.version) {
            Some(row) if row.checksum != migration.id.checksum => {
                Err(LedgerError::Changed(migration.file.clone()))
            }
            row => Ok(row.is_some()),
        }
    }

    /// The migrations that are to be applied, in order.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Changed`], [`LedgerError::Missing`] or [`LedgerError::Late`].
    pub fn pending<'m>(
        &self,
        migrations: &'m Migrations,
    ) -> Result<Vec<&'m Migration>, LedgerError> {
        let mut last = 0;
        for row in self.0.iter().flat_map(BTreeMap::values) {
            last = row.version;
            if migrations.get(last).is_none() {
                return Err(LedgerError::Missing(last, row.name.clone()));
            }
        }
        let mut pending = Vec::new();
        for migration in migrations.iter() {
            if self.has(migration)? {
                continue;
            }
            if migration.id.version < last {
                return Err(LedgerError::Late(migration.file.clone(), last));
            }
            pending.push(migration);
        }
        Ok(pending)
    }
}

/// Records a migration. Doing so again, or while another does it, changes nothing.
///
/// # Errors
///
/// [`LedgerError::Changed`] when it is recorded with another text; [`LedgerError::Database`].
pub async fn record(session: &mut Session<'_>, migration: &Migration) -> Result<(), LedgerError> {
    let id = &migration.id;
    let row = (id.version, &id.name, &id.checksum);
    session.execute(&RECORD, row).await?;
    Ledger::read(session).await?.has(migration).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn migrations(files: &[(&str, &str)]) -> Migrations {
        Migrations::parse("", files.iter().copied()).unwrap()
    }

    fn ledger(migrations: &Migrations) -> Ledger {
        let rows = migrations
            .iter()
            .map(|Migration { id, .. }| (id.version, id.clone()));
        Ledger(Some(rows.collect()))
    }

    #[test]
    fn a_renamed_file_is_the_same_migration() {
        let before = ledger(&migrations(&[("0001_a.sql", "a")]));
        let after = migrations(&[("0001_better.sql", "a")]);
        assert!(before.pending(&after).unwrap().is_empty());
    }

    #[test]
    fn files_that_contradict_the_ledger_are_refused() {
        let (first, second) = (("0001_a.sql", "a"), ("0002_later.sql", "b"));
        for (recorded, files, message) in [
            (
                &[first][..],
                &[("0001_a.sql", "b")][..],
                "0001_a.sql was changed after it was applied",
            ),
            (
                &[first, second],
                &[first],
                "migration 0002 (later) was applied",
            ),
            (&[second], &[first, second], "0001_a.sql is new"),
        ] {
            let recorded = ledger(&migrations(recorded));
            let error = recorded
                .pending(&migrations(files))
                .unwrap_err()
                .to_string();
            assert!(error.starts_with(message), "{error}");
        }
    }
}
