//! What a deployment is to do: which migrations, to which tables, and which data may go.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use serde::{Deserialize, Serialize};

use super::{
    Ledger, LedgerError, Migration, Migrations, Statement, allowance,
    ddl::{Change, Ddl},
    files::checksum,
    ledger,
    lint::Rule,
    statement,
};

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

/// What becomes of a table or a view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedTable {
    /// From before the first of the migrations to after the last.
    pub change: TableChange,
    /// All of its rows may go: it is dropped, and a migration allows it.
    #[serde(default)]
    pub may_lose_rows: bool,
    /// The rows of some partitions may go, in the same way.
    #[serde(default)]
    pub may_lose_partitions: bool,
    /// The columns that are dropped, in lower case, for which a migration allows it.
    #[serde(default)]
    pub may_lose_columns: BTreeSet<String>,
}

/// Whether a table is new, changed or gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum TableChange {
    Created,
    Altered,
    Dropped,
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

/// What a deploy request would do and the plan does not say. It must not be deployed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Deviation {
    /// A table that no pending migration names.
    #[error(
        "it changes the table `{table}`, which no pending migration does: the branch has an older schema than production, or another change is on it"
    )]
    Table {
        /// The table.
        table: String,
    },
    /// A table is dropped that is to stay.
    #[error("it drops the table `{table}`, for which no pending migration has an allowance")]
    DroppedTable {
        /// The table.
        table: String,
    },
    /// A column is dropped that is to stay.
    #[error(
        "it drops the column `{column}` of `{table}`, for which no pending migration has an allowance"
    )]
    DroppedColumn {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// Data may go, and it is not known which.
    #[error("it may drop data of `{table}`, for which no pending migration has an allowance")]
    DroppedData {
        /// The table.
        table: String,
    },
}

impl Plan {
    /// Plans what the database lacks.
    ///
    /// # Errors
    ///
    /// As [`Ledger::pending`].
    pub fn new(migrations: &Migrations, ledger: &Ledger) -> Result<Self, LedgerError> {
        let pending = ledger.pending(migrations)?;
        let mut plan = Self {
            creates_ledger: !ledger.exists(),
            migrations: Vec::new(),
            tables: BTreeMap::new(),
        };
        for migration in pending {
            for statement in migration.statements() {
                plan.add(statement);
            }
            plan.migrations.push(PlannedMigration {
                version: migration.version(),
                name: migration.name().to_owned(),
                checksum: migration.checksum(),
            });
        }
        Ok(plan)
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

    /// Holds one operation of a deploy request against the plan: its table, its statement, and
    /// whether PlanetScale says that it can drop data.
    ///
    /// # Errors
    ///
    /// [`Deviation`] when the plan has no such change.
    pub fn check(
        &self,
        table: &str,
        ddl_statement: &str,
        can_drop_data: bool,
    ) -> Result<(), Deviation> {
        let of_ledger = PlannedTable::new(TableChange::Created);
        let planned = match self.tables.get(table) {
            Some(planned) => planned,
            None if table == ledger::TABLE && self.creates_ledger => &of_ledger,
            None => {
                return Err(Deviation::Table {
                    table: table.to_owned(),
                });
            }
        };
        let table = table.to_owned();
        for statement in statement::split(ddl_statement) {
            match Ddl::read(&statement) {
                Ddl::DropTables { .. } | Ddl::DropViews { .. }
                    if planned.change != TableChange::Dropped =>
                {
                    return Err(Deviation::DroppedTable { table });
                }
                Ddl::DropTables { .. } if !planned.may_lose_rows => {
                    return Err(Deviation::DroppedTable { table });
                }
                Ddl::AlterTable { clauses, .. } => {
                    for clause in clauses {
                        match clause.change {
                            Change::DropColumn(column) if !planned.may_lose(&column) => {
                                return Err(Deviation::DroppedColumn { table, column });
                            }
                            Change::DropPartitions if !planned.may_lose_partitions => {
                                return Err(Deviation::DroppedData { table });
                            }
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        if can_drop_data && !planned.may_lose_anything() {
            return Err(Deviation::DroppedData { table });
        }
        Ok(())
    }

    fn add(&mut self, statement: &Statement) {
        match Ddl::read(statement) {
            Ddl::CreateTable(new) => self.create(new.name.name),
            Ddl::CreateView(view) if view.replaces => {
                self.table(view.name.name);
            }
            Ddl::CreateView(view) => self.create(view.name.name),
            Ddl::AlterTable { table, clauses } => {
                for clause in clauses {
                    self.alter(statement, &table.name, clause.change);
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
            } => {
                self.table(table.name);
            }
            Ddl::Unread { table: None, .. } | Ddl::Alien(_) | Ddl::NoSql(_) => {}
        }
    }

    fn alter(&mut self, statement: &Statement, table: &str, change: Change) {
        let planned = self.table(table.to_owned());
        match change {
            Change::DropColumn(column) if allowance::has(statement, Rule::DropColumn.code()) => {
                planned.may_lose_columns.insert(column.to_lowercase());
            }
            Change::DropPartitions if allowance::has(statement, Rule::DropPartition.code()) => {
                planned.may_lose_partitions = true;
            }
            Change::RenameTable(new) => {
                self.drop(table.to_owned(), false);
                self.create(new.name);
            }
            _ => {}
        }
    }

    /// The table, which is altered if nothing was said about it before.
    fn table(&mut self, name: String) -> &mut PlannedTable {
        let altered = PlannedTable::new(TableChange::Altered);
        self.tables.entry(name).or_insert(altered)
    }

    fn create(&mut self, name: String) {
        let new = PlannedTable::new(TableChange::Created);
        let planned = self.tables.entry(name).or_insert(new);
        // It was dropped before: what is left is a difference between two tables.
        if planned.change == TableChange::Dropped {
            planned.change = TableChange::Altered;
        }
    }

    fn drop(&mut self, name: String, allowed: bool) {
        let is_new = |planned: &PlannedTable| planned.change == TableChange::Created;
        if self.tables.get(&name).is_some_and(is_new) {
            self.tables.remove(&name);
            return;
        }
        let planned = self.table(name);
        planned.change = TableChange::Dropped;
        planned.may_lose_rows |= allowed;
    }
}

impl PlannedTable {
    fn new(change: TableChange) -> Self {
        Self {
            change,
            may_lose_rows: false,
            may_lose_partitions: false,
            may_lose_columns: BTreeSet::new(),
        }
    }

    fn may_lose_anything(&self) -> bool {
        self.may_lose_rows || self.may_lose_partitions || !self.may_lose_columns.is_empty()
    }

    /// A table that was dropped and created anew may have lost any.
    fn may_lose(&self, column: &str) -> bool {
        self.may_lose_rows || self.may_lose_columns.contains(&column.to_lowercase())
    }
}

#[cfg(test)]
mod tests;
