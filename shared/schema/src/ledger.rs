//! The table `schema_migrations`: which migrations a database has.
//!
//! It is a table like any other. A branch on PlanetScale has the table and none of its rows, as
//! a deployment carries schemas and not rows, so it is read and written on the production branch
//! alone. What a migration is recorded with is its text's checksum: an applied file is never
//! changed.

use std::collections::BTreeMap;

use super::files::{Migration, Migrations};
use database::{DatabaseError, Session, Statement};

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

/// How the files and the ledger contradict each other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// A file is not what was applied.
    #[error(
        "{file} was changed after it was applied: restore it, and write what should change into a new file"
    )]
    Changed {
        /// The file as it is now.
        file: String,
    },
    /// An applied migration has no file.
    #[error(
        "migration {version:04} ({name}) was applied, but there is no file with its number: restore the file, or use the checkout that has it"
    )]
    Missing {
        /// Its number.
        version: u32,
        /// Its name.
        name: String,
    },
    /// A pending file has a number below one that was applied: another database, which gets all
    /// files at once, would get them in another order.
    #[error("{file} is new, but migration {last:04} was applied already: give it a higher number")]
    Late {
        /// The pending file.
        file: String,
        /// The highest number that was applied.
        last: u32,
    },
    /// The table can't be read or written.
    #[error("the table schema_migrations: {0}")]
    Database(#[from] DatabaseError),
}

/// What the table holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ledger {
    exists: bool,
    rows: BTreeMap<u32, (String, String)>,
}

impl Ledger {
    /// That of a database which lacks the table.
    pub fn absent() -> Self {
        Self {
            exists: false,
            rows: BTreeMap::new(),
        }
    }

    /// From rows of version, name and checksum, as [`READ`] returns them.
    pub fn new(rows: Vec<(u32, String, String)>) -> Self {
        let rows = rows.into_iter();
        Self {
            exists: true,
            rows: rows
                .map(|(version, name, checksum)| (version, (name, checksum)))
                .collect(),
        }
    }

    /// Reads it from the session's database.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Database`].
    pub async fn read(session: &mut Session<'_>) -> Result<Self, LedgerError> {
        let tables: Option<u64> = session.row(&EXISTS, ()).await?;
        if tables.unwrap_or_default() == 0 {
            return Ok(Self::absent());
        }
        Ok(Self::new(session.rows(&READ, ()).await?))
    }

    /// Whether the database has the table.
    pub fn exists(&self) -> bool {
        self.exists
    }

    /// Whether this migration, with this text, is recorded.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Changed`] when it is recorded with another text.
    pub fn has(&self, migration: &Migration) -> Result<bool, LedgerError> {
        match self.rows.get(&migration.version()) {
            None => Ok(false),
            Some((_, checksum)) if *checksum == migration.checksum() => Ok(true),
            Some(_) => Err(LedgerError::Changed {
                file: migration.file().to_owned(),
            }),
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
        for (version, (name, _)) in &self.rows {
            if migrations.get(*version).is_none() {
                return Err(LedgerError::Missing {
                    version: *version,
                    name: name.clone(),
                });
            }
        }
        let last = self.rows.keys().next_back().copied().unwrap_or_default();
        let mut pending = Vec::new();
        for migration in migrations.iter() {
            if self.has(migration)? {
                continue;
            }
            if migration.version() < last {
                return Err(LedgerError::Late {
                    file: migration.file().to_owned(),
                    last,
                });
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
    let row = (migration.version(), migration.name(), migration.checksum());
    session.execute(&RECORD, row).await?;
    let rows: Vec<(u32, String, String)> = session.rows(&READ, ()).await?;
    Ledger::new(rows).has(migration).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn migrations(files: &[(&str, &str)]) -> Migrations {
        Migrations::parse("", files.iter().copied()).unwrap()
    }

    fn ledger(migrations: &Migrations) -> Ledger {
        let row = |migration: &Migration| {
            let name = migration.name().to_owned();
            (migration.version(), name, migration.checksum())
        };
        Ledger::new(migrations.iter().map(row).collect())
    }

    fn versions(pending: Vec<&Migration>) -> Vec<u32> {
        pending.into_iter().map(Migration::version).collect()
    }

    #[test]
    fn what_is_not_recorded_is_pending() {
        let files = migrations(&[
            ("0001_a.sql", "a"),
            ("0002_b.sql", "b"),
            ("0003_c.sql", "c"),
        ]);
        let of_first = ledger(&migrations(&[("0001_a.sql", "a")]));
        assert_eq!(versions(of_first.pending(&files).unwrap()), [2, 3]);
        let of_none = Ledger::absent();
        assert_eq!(versions(of_none.pending(&files).unwrap()), [1, 2, 3]);
        assert!(ledger(&files).pending(&files).unwrap().is_empty());
    }

    #[test]
    fn a_renamed_file_is_the_same_migration() {
        let before = ledger(&migrations(&[("0001_a.sql", "a")]));
        let after = migrations(&[("0001_better.sql", "a")]);
        assert!(before.pending(&after).unwrap().is_empty());
    }

    #[test]
    fn a_changed_file_is_refused() {
        let before = ledger(&migrations(&[("0001_a.sql", "a")]));
        let error = before
            .pending(&migrations(&[("0001_a.sql", "b")]))
            .unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("0001_a.sql was changed after it was applied")
        );
    }

    #[test]
    fn a_missing_file_is_refused() {
        let before = ledger(&migrations(&[("0001_a.sql", "a"), ("0002_later.sql", "b")]));
        let error = before
            .pending(&migrations(&[("0001_a.sql", "a")]))
            .unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("migration 0002 (later) was applied")
        );
    }

    #[test]
    fn a_new_file_with_an_old_number_is_refused() {
        let before = ledger(&migrations(&[("0002_b.sql", "b")]));
        let files = migrations(&[("0001_a.sql", "a"), ("0002_b.sql", "b")]);
        let error = before.pending(&files).unwrap_err();
        assert!(error.to_string().starts_with("0001_a.sql is new"));
    }
}
