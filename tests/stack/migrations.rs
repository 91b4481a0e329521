//! Brings a schema to the state of `shared/migrations`: each file is applied once, in the order
//! of the numbers, and recorded in the table `schema_migrations`.

use std::collections::BTreeMap;
use std::path::Path;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::file::{self, FileError};

const LEDGER: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (
    version INT UNSIGNED NOT NULL PRIMARY KEY,
    name VARCHAR(255) NOT NULL,
    applied_at DATETIME(6) NOT NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4";

/// A file of `shared/migrations`, `NNNN_name.sql`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Migration {
    version: u32,
    name: String,
    sql: String,
}

/// The schema could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// The folder or a file can't be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file's name is not `NNNN_name.sql`.
    #[error("shared/migrations: {0} is not named like 0001_what_it_does.sql")]
    Name(String),
    /// Two files have the same number.
    #[error("shared/migrations: two files have the number {0:04}")]
    Twice(u32),
    /// The schema has what no file has made.
    #[error(
        "the schema has migration {version:04} ({name}), which shared/migrations does not have: another checkout made it; delete the data folder and start again"
    )]
    Unknown {
        /// Its number.
        version: u32,
        /// Its name.
        name: String,
    },
    /// The server refused a file. What came before in it stays: DDL is not rolled back.
    #[error("migration {version:04} ({name}) failed: {source}")]
    Refused {
        /// The file's number.
        version: u32,
        /// The file's name.
        name: String,
        /// What the server said.
        source: mysql_async::Error,
    },
    /// The ledger can't be read or written.
    #[error("the table schema_migrations: {0}")]
    Ledger(#[from] mysql_async::Error),
}

/// Applies to the connection's schema what it lacks, and says how many files that were.
pub async fn apply(connection: &mut Conn, folder: &Path) -> Result<usize, MigrationError> {
    let pending = pending(read(folder)?, applied(connection).await?)?;
    for Migration { version, name, sql } in &pending {
        connection
            .query_drop(sql)
            .await
            .map_err(|source| MigrationError::Refused {
                version: *version,
                name: name.clone(),
                source,
            })?;
        let record = "INSERT INTO schema_migrations (version, name, applied_at) VALUES (?, ?, UTC_TIMESTAMP(6))";
        connection.exec_drop(record, (version, name)).await?;
    }
    Ok(pending.len())
}

async fn applied(connection: &mut Conn) -> Result<BTreeMap<u32, String>, MigrationError> {
    connection.query_drop(LEDGER).await?;
    let rows: Vec<(u32, String)> = connection
        .query("SELECT version, name FROM schema_migrations")
        .await?;
    Ok(rows.into_iter().collect())
}

fn read(folder: &Path) -> Result<Vec<Migration>, MigrationError> {
    let mut migrations: Vec<Migration> = Vec::new();
    for path in file::list(folder)? {
        let file_name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let (version, name) =
            parse_name(&file_name).ok_or_else(|| MigrationError::Name(file_name.clone()))?;
        if migrations
            .last()
            .is_some_and(|last| last.version == version)
        {
            return Err(MigrationError::Twice(version));
        }
        migrations.push(Migration {
            version,
            name,
            sql: file::read(&path)?,
        });
    }
    Ok(migrations)
}

/// Four digits, so that the order of the names is that of the numbers.
fn parse_name(file_name: &str) -> Option<(u32, String)> {
    let (number, name) = file_name.strip_suffix(".sql")?.split_once('_')?;
    let digits = number.len() == 4 && number.bytes().all(|byte| byte.is_ascii_digit());
    (digits && !name.is_empty()).then(|| Some((number.parse().ok()?, name.to_owned())))?
}

fn pending(
    files: Vec<Migration>,
    mut applied: BTreeMap<u32, String>,
) -> Result<Vec<Migration>, MigrationError> {
    let pending = files
        .into_iter()
        .filter(|file| applied.remove(&file.version).is_none())
        .collect();
    match applied.pop_last() {
        Some((version, name)) => Err(MigrationError::Unknown { version, name }),
        None => Ok(pending),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn migration(version: u32) -> Migration {
        Migration {
            version,
            name: "x".to_owned(),
            sql: String::new(),
        }
    }

    #[test]
    fn names_have_four_digits() {
        assert_eq!(
            parse_name("0001_orders.sql"),
            Some((1, "orders".to_owned()))
        );
        assert_eq!(
            parse_name("0120_add_a_b.sql"),
            Some((120, "add_a_b".to_owned()))
        );
        for wrong in [
            "1_orders.sql",
            "0001.sql",
            "0001_.sql",
            "0001_orders.txt",
            "+001_a.sql",
            ".keep",
        ] {
            assert_eq!(parse_name(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn each_file_is_applied_once() {
        let applied = BTreeMap::from([(1, "x".to_owned())]);
        let todo = pending(vec![migration(1), migration(2), migration(3)], applied).unwrap();
        assert_eq!(todo, [migration(2), migration(3)]);
    }

    #[test]
    fn what_only_the_schema_knows_is_named() {
        let applied = BTreeMap::from([(1, "x".to_owned()), (2, "later".to_owned())]);
        let error = pending(vec![migration(1)], applied).unwrap_err();
        assert!(error.to_string().contains("0002 (later)"), "{error}");
    }

    #[test]
    fn a_folder_with_the_same_number_twice_is_refused() {
        let folder = std::env::temp_dir().join(format!("migrations-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        for name in ["0001_a.sql", "0001_b.sql"] {
            std::fs::write(folder.join(name), "").unwrap();
        }
        assert!(matches!(read(&folder), Err(MigrationError::Twice(1))));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
