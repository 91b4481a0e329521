//! What a deployment is to do: which migrations, to which tables, and which data may go.

mod changes;
mod check;
mod shape;
mod table;

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::{Ledger, LedgerError, Migration, Migrations, files::checksum, ledger, statement};

pub use changes::Changes;
pub use check::Deviation;
pub use shape::Shape;

/// The pending migrations. It has no SQL in it, so that it can be handed on: who carries it out
/// reads the files again, and finds out whether they are the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Whether the database lacks the ledger, so that its table is created too.
    pub creates_ledger: bool,
    /// The pending migrations, in order.
    pub migrations: Vec<PlannedMigration>,
}

/// A pending migration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedMigration {
    /// Its number.
    pub version: u32,
    /// Its name.
    pub name: String,
    /// SHA-256 of its text, in hex.
    pub checksum: String,
}

/// A statement to run on the branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// `file:line`, to be shown; the table's name for the ledger's own.
    pub place: String,
    /// The statement.
    pub sql: String,
}

/// Why the files are not those of the plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("migration {version:04} is not what was planned: its file was changed since; plan again")]
pub struct Outdated {
    /// The first one that differs.
    pub version: u32,
}

impl Plan {
    /// Plans what the database lacks.
    ///
    /// # Errors
    ///
    /// As [`Ledger::pending`].
    pub fn new(migrations: &Migrations, ledger: &Ledger) -> Result<Self, LedgerError> {
        Ok(Self::of(&ledger.pending(migrations)?, ledger))
    }

    /// Plans these migrations alone, in their order, for the database with this ledger.
    pub fn of(migrations: &[&Migration], ledger: &Ledger) -> Self {
        let planned = migrations.iter().map(|migration| PlannedMigration {
            version: migration.version(),
            name: migration.name().to_owned(),
            checksum: migration.checksum(),
        });
        Self {
            creates_ledger: !ledger.exists(),
            migrations: planned.collect(),
        }
    }

    /// Whether no migration is pending.
    pub fn is_empty(&self) -> bool {
        self.migrations.is_empty()
    }

    /// SHA-256 of the migrations' numbers and texts, in 64 lowercase hex digits.
    pub fn checksum(&self) -> String {
        let mut text = String::new();
        for PlannedMigration {
            version, checksum, ..
        } in &self.migrations
        {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{version} {checksum}");
        }
        checksum(&text)
    }

    /// The planned migrations among these, in order.
    ///
    /// # Errors
    ///
    /// [`Outdated`] when one is not there or has another text.
    pub fn migrations<'m>(
        &self,
        migrations: &'m Migrations,
    ) -> Result<Vec<&'m Migration>, Outdated> {
        let planned = self.migrations.iter();
        planned
            .map(|planned| {
                migrations
                    .get(planned.version)
                    .filter(|migration| migration.checksum() == planned.checksum)
                    .ok_or(Outdated {
                        version: planned.version,
                    })
            })
            .collect()
    }

    /// What it does to the tables.
    ///
    /// # Errors
    ///
    /// As [`Plan::migrations`].
    pub fn changes(&self, migrations: &Migrations) -> Result<Changes, Outdated> {
        let migrations = self.migrations(migrations)?;
        let statements: Vec<_> = migrations
            .into_iter()
            .flat_map(|migration| migration.old().0)
            .collect();
        let ledger = match self.creates_ledger {
            true => statement::split(ledger::CREATE),
            false => Vec::new(),
        };
        Ok(Changes::of(ledger.iter().chain(&statements)))
    }

    /// The statements to run, in order: the ledger's own first, where it is missing.
    ///
    /// # Errors
    ///
    /// As [`Plan::migrations`].
    pub fn steps(&self, migrations: &Migrations) -> Result<Vec<Step>, Outdated> {
        let mut steps = Vec::new();
        if self.creates_ledger {
            steps.push(Step {
                place: ledger::TABLE.to_owned(),
                sql: ledger::CREATE.to_owned(),
            });
        }
        for migration in self.migrations(migrations)? {
            for statement in migration.statements() {
                steps.push(Step {
                    place: format!("{}:{}", migration.file(), statement.line()),
                    sql: statement.text().to_owned(),
                });
            }
        }
        Ok(steps)
    }
}

#[cfg(test)]
mod tests;
