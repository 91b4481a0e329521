//! What a deployment is to do: which migrations, to which tables, and which data may go.

mod check;
mod table;

use std::{collections::BTreeMap, fmt::Write as _};

use serde::{Deserialize, Serialize};

use super::{
    Ledger, LedgerError, Migration, Migrations, Statement, allowance,
    ddl::{Change, Clause, Ddl},
    files::checksum,
    ledger,
    lint::Rule,
};

pub use check::Deviation;
pub use table::{PlannedTable, TableChange};

/// The pending migrations and what they do to the tables. It has no SQL in it, so that it can be
/// handed on: who carries it out reads the files again, and finds out whether they are the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Whether the database lacks the ledger, so that its table is created too.
    pub creates_ledger: bool,
    /// The pending migrations, in order.
    pub migrations: Vec<PlannedMigration>,
    /// The tables and views that they create, alter or drop, by name.
    pub tables: BTreeMap<String, PlannedTable>,
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
        let mut plan = Self {
            creates_ledger: !ledger.exists(),
            migrations: Vec::new(),
            tables: BTreeMap::new(),
        };
        for migration in migrations {
            for statement in migration.statements() {
                plan.add(statement);
            }
            plan.migrations.push(PlannedMigration {
                version: migration.version(),
                name: migration.name().to_owned(),
                checksum: migration.checksum(),
            });
        }
        plan
    }

    /// Whether no migration is pending.
    pub fn is_empty(&self) -> bool {
        self.migrations.is_empty()
    }

    /// What tells this plan from one with other migrations or other texts of them: 64 lowercase
    /// hex digits.
    pub fn fingerprint(&self) -> String {
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

    fn add(&mut self, statement: &Statement) {
        match Ddl::read(statement) {
            Ddl::CreateTable(new) => self.create(new.name.name).define(&new.definition),
            Ddl::CreateView(view) if view.replaces || view.conditional => {
                self.table(view.name.name);
            }
            Ddl::CreateView(view) => {
                self.create(view.name.name);
            }
            Ddl::AlterTable { table, clauses } => {
                // The server takes them together: what is dropped makes room for what is added.
                let (drops, others): (Vec<_>, Vec<_>) =
                    clauses.into_iter().partition(Clause::is_drop);
                for clause in drops.into_iter().chain(others) {
                    match clause.change {
                        Change::RenameTable(new) => {
                            self.drop(table.name.clone(), false);
                            self.create(new.name);
                        }
                        change => self.table(table.name.clone()).alter(statement, change),
                    }
                }
            }
            Ddl::DropTables { tables, .. } => {
                let allowed = allowance::has(statement, Rule::DropTable.code());
                for table in tables {
                    self.drop(table.name, allowed);
                }
            }
            // A view has no rows of its own.
            Ddl::DropViews { views, .. } => {
                for view in views {
                    self.drop(view.name, true);
                }
            }
            Ddl::RenameTables(renamed) => {
                for (old, new) in renamed {
                    self.drop(old.name, false);
                    self.create(new.name);
                }
            }
            Ddl::Unread {
                table: Some(table), ..
            } => self.table(table.name).doubtful = true,
            Ddl::Unread { table: None, .. } | Ddl::Alien(_) | Ddl::NoSql(_) => {}
        }
    }

    /// The table, which is altered if nothing was said about it before.
    fn table(&mut self, name: String) -> &mut PlannedTable {
        let altered = PlannedTable::new(TableChange::Altered);
        self.tables.entry(name).or_insert(altered)
    }

    fn create(&mut self, name: String) -> &mut PlannedTable {
        let new = PlannedTable::new(TableChange::Created);
        let planned = self.tables.entry(name).or_insert(new);
        // It was dropped before: what is left is a difference between two tables.
        if planned.change == TableChange::Dropped {
            planned.change = TableChange::Altered;
        }
        planned
    }

    fn drop(&mut self, name: String, allowed: bool) {
        let is_new = |planned: &PlannedTable| planned.change == TableChange::Created;
        if self.tables.get(&name).is_some_and(is_new) {
            self.tables.remove(&name);
            return;
        }
        self.table(name).drop(allowed);
    }
}

#[cfg(test)]
mod tests;
