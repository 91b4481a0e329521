//! Holds a deploy request against what the migrations do.

use crate::{
    ddl::{Change, Clause, Column, Ddl, Definition, Given, Key, KeyPart},
    statement,
    statement::Statement as OldStatement,
};

use super::{
    Changes,
    shape::{Names, Shape, definition},
    table::{Fate, PRIMARY, TableChanges, key_name},
};

/// What a deploy request would do and the migrations do not. It must not be deployed.
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
    /// A column is added that no pending migration adds.
    #[error(
        "it adds the column `{column}` to `{table}`, which no pending migration does: the branch was changed, or production has dropped it since"
    )]
    AddedColumn {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// A key is added that no pending migration adds.
    #[error(
        "it adds the key `{key}` to `{table}`, which no pending migration does: the branch was changed, or production has dropped it since"
    )]
    AddedKey {
        /// The table.
        table: String,
        /// The key.
        key: String,
    },
    /// CHECKs, foreign keys or partitions become others than they are.
    #[error(
        "it changes the {what} of `{table}`, which no pending migration does: production's are others since, or the branch's"
    )]
    Beside {
        /// The table.
        table: String,
        /// What changes.
        what: &'static str,
    },
    /// A key is dropped that is to stay.
    #[error(
        "it drops the key `{key}` of `{table}`, which no pending migration does: production has it since, or it goes with a column, and then a migration has to drop it too"
    )]
    DroppedKey {
        /// The table.
        table: String,
        /// The key.
        key: String,
    },
    /// A column becomes another one than it is.
    #[error(
        "it defines the column `{column}` of `{table}` anew, which no pending migration does: production's is another since, or the branch's"
    )]
    RedefinedColumn {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// What the migrations do would not be done.
    #[error("production would lack what the pending migrations do: {what}")]
    Undone {
        /// What is missing, or still there.
        what: String,
    },
    /// Data may go, and it is not known which.
    #[error("it may drop data of `{table}`, for which no pending migration has an allowance")]
    DroppedData {
        /// The table.
        table: String,
    },
}

impl Changes {
    /// Holds one operation of a deploy request against the migrations: its table, its statement, and
    /// whether PlanetScale says that it can drop data. `before` is the statement that creates the
    /// table as production has it. What is not understood of the statement is let pass, unless it
    /// can drop data.
    ///
    /// # Errors
    ///
    /// [`Deviation`] when the migrations have no such change.
    pub fn check(
        &self,
        table: &str,
        ddl_statement: &str,
        can_drop_data: bool,
        before: Option<&str>,
    ) -> Result<(), Deviation> {
        let Some(changes) = self.tables.get(table) else {
            return Err(Deviation::Table {
                table: table.to_owned(),
            });
        };
        let before = before.and_then(definition).unwrap_or_default();
        for statement in statement::split(ddl_statement) {
            changes.check(table, &statement, &before)?;
        }
        if can_drop_data && !changes.may_lose_anything() {
            let table = table.to_owned();
            return Err(Deviation::DroppedData { table });
        }
        Ok(())
    }

    /// Holds what production has, or will have, against the migrations, so that nothing is taken for
    /// deployed that is not. `after` gives the table or view of a name as it is then, if it is
    /// there.
    ///
    /// # Errors
    ///
    /// [`Deviation::Undone`].
    pub fn check_outcome(&self, after: impl Fn(&str) -> Option<Shape>) -> Result<(), Deviation> {
        let undone = |what| Err(Deviation::Undone { what });
        for (table, changes) in &self.tables {
            match (changes.fate, after(table)) {
                (Fate::Dropped, None) => {}
                (Fate::Dropped, Some(_)) => {
                    return undone(format!("`{table}` is still there"));
                }
                (_, None) => return undone(format!("`{table}` is not there")),
                (_, Some(Shape(names))) => {
                    let lacking = names.and_then(|names| changes.lacking(&names));
                    if let Some(what) = lacking {
                        return undone(format!("`{table}` {what}"));
                    }
                }
            }
        }
        Ok(())
    }
}

impl TableChanges {
    fn check(
        &self,
        table: &str,
        statement: &OldStatement,
        before: &Definition,
    ) -> Result<(), Deviation> {
        let table = || table.to_owned();
        let is_dropped = self.fate == Fate::Dropped;
        match Ddl::read(statement) {
            Ddl::DropTables { .. } if !(is_dropped && self.may_lose_rows) => {
                Err(Deviation::DroppedTable { table: table() })
            }
            Ddl::DropViews { .. } | Ddl::RenameTables(_) if !is_dropped => {
                Err(Deviation::DroppedTable { table: table() })
            }
            Ddl::CreateTable(new) => {
                if new.partitions.is_some() {
                    self.check_beside(table(), PARTITIONS, self.changes_partitions)?;
                }
                self.check_added(&table(), &new.definition, |_| false)
            }
            Ddl::AlterTable { clauses, .. } => {
                for Clause { change, .. } in &clauses {
                    self.check_change(&table(), change, &clauses, before)?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Holds one clause of ALTER TABLE against the migrations, knowing the others.
    fn check_change(
        &self,
        table: &str,
        change: &Change,
        clauses: &[Clause],
        before: &Definition,
    ) -> Result<(), Deviation> {
        if let Some(key) = dropped_key(change, before)
            && !self.may_drop_key(key)
            && !goes_with_columns(clauses, key, before)
            && !(replaces(clauses, key) && self.touches(key, before))
        {
            let (table, key) = (table.to_owned(), key.to_owned());
            return Err(Deviation::DroppedKey { table, key });
        }
        let table = || table.to_owned();
        match change {
            Change::Define(new) => {
                // What takes a dropped key's place was looked at there.
                self.check_added(&table(), new, |key| drops(clauses, key, before))
            }
            Change::DropColumn(column) if !self.may_lose(column) => {
                let column = column.clone();
                Err(Deviation::DroppedColumn {
                    table: table(),
                    column,
                })
            }
            Change::Redefine { old: column, .. }
            | Change::TouchColumn(column)
            | Change::RenameColumn { old: column, .. }
                if !(self.may_redefine(column) || self.moves_columns && stays(change, before)) =>
            {
                let column = column.clone();
                Err(Deviation::RedefinedColumn {
                    table: table(),
                    column,
                })
            }
            Change::RenameKey { new: key, .. } if !self.may_add_key(key) => {
                let key = key.clone();
                Err(Deviation::AddedKey {
                    table: table(),
                    key,
                })
            }
            Change::RenameTable(_) if self.fate != Fate::Dropped => {
                Err(Deviation::DroppedTable { table: table() })
            }
            Change::DropPartitions if !self.may_lose_partitions => {
                Err(Deviation::DroppedData { table: table() })
            }
            Change::Partition(_) | Change::TouchPartitions => {
                self.check_beside(table(), PARTITIONS, self.changes_partitions)
            }
            Change::DropForeignKey => {
                self.check_beside(table(), FOREIGN_KEYS, self.changes_foreign_keys)
            }
            Change::DropCheck | Change::TouchCheck => {
                self.check_beside(table(), CHECKS, self.changes_checks)
            }
            Change::DropConstraint(name) if named(&before.keys, name).is_none() => {
                let allowed = self.changes_checks || self.changes_foreign_keys;
                self.check_beside(table(), "CHECKs or foreign keys", allowed)
            }
            _ => Ok(()),
        }
    }

    /// Holds what is added, but for the keys that `replaced` knows, against the migrations.
    fn check_added(
        &self,
        table: &str,
        new: &Definition,
        replaced: impl Fn(&str) -> bool,
    ) -> Result<(), Deviation> {
        let table = || table.to_owned();
        let mut columns = new.columns.iter().map(|column| &column.name);
        if let Some(column) = columns.find(|name| !self.may_add_column(name)) {
            let column = column.clone();
            return Err(Deviation::AddedColumn {
                table: table(),
                column,
            });
        }
        let mut keys = new.keys.iter().filter_map(key_name);
        if let Some(key) = keys.find(|key| !self.may_add_key(key) && !replaced(key)) {
            return Err(Deviation::AddedKey {
                table: table(),
                key,
            });
        }
        if !new.foreign_keys.is_empty() {
            self.check_beside(table(), FOREIGN_KEYS, self.changes_foreign_keys)?;
        }
        if new.checks {
            self.check_beside(table(), CHECKS, self.changes_checks)?;
        }
        Ok(())
    }

    fn check_beside(
        &self,
        table: String,
        what: &'static str,
        allowed: bool,
    ) -> Result<(), Deviation> {
        match allowed || self.doubtful {
            true => Ok(()),
            false => Err(Deviation::Beside { table, what }),
        }
    }

    /// Whether a column of the key is dropped or defined anew, which may make another key of it.
    fn touches(&self, key: &str, before: &Definition) -> bool {
        let touched = |part: &KeyPart| match part {
            KeyPart::Column(name) | KeyPart::Prefix(name) => {
                self.columns.get(&name.to_lowercase()) == Some(&false) || self.may_redefine(name)
            }
            KeyPart::Expression => false,
        };
        named(&before.keys, key).is_some_and(|key| key.parts.iter().any(touched))
    }

    /// What the table has not of what the migrations do.
    fn lacking(&self, after: &Names) -> Option<String> {
        let columns = self.columns.iter().map(|(name, wanted)| {
            let fulfilled = after.columns.contains(name) == *wanted;
            ("column", name, *wanted, fulfilled)
        });
        let keys = self.keys.iter().map(|(name, wanted)| {
            let fulfilled = after.keys.contains(name) == *wanted;
            ("key", name, *wanted, fulfilled)
        });
        let mut all = columns.chain(keys);
        let (kind, name, wanted, _) = all.find(|(.., fulfilled)| !fulfilled)?;
        Some(if wanted {
            format!("has no {kind} `{name}`")
        } else {
            format!("still has the {kind} `{name}`")
        })
    }
}

/// What [`Deviation::Beside`] is about.
const CHECKS: &str = "CHECKs";
const FOREIGN_KEYS: &str = "foreign keys";
const PARTITIONS: &str = "partitions";

fn named<'k>(keys: &'k [Key], name: &str) -> Option<&'k Key> {
    let name = name.to_lowercase();
    keys.iter()
        .find(|key| key_name(key).as_ref() == Some(&name))
}

/// The key that the clause drops.
fn dropped_key<'c>(change: &'c Change, before: &Definition) -> Option<&'c str> {
    match change {
        Change::DropKey(name) | Change::RenameKey { old: name, .. } => Some(name),
        Change::DropPrimaryKey => Some(PRIMARY),
        // Most constraints are no keys.
        Change::DropConstraint(name) => named(&before.keys, name).map(|_| name.as_str()),
        _ => None,
    }
}

/// Whether a key of this name is dropped.
fn drops(clauses: &[Clause], key: &str, before: &Definition) -> bool {
    let mut dropped = clauses
        .iter()
        .filter_map(|clause| dropped_key(&clause.change, before));
    dropped.any(|dropped| dropped.to_lowercase() == key)
}

/// Whether a key of this name is added again.
fn replaces(clauses: &[Clause], key: &str) -> bool {
    clauses.iter().any(|clause| match &clause.change {
        Change::Define(definition) => named(&definition.keys, key).is_some(),
        _ => false,
    })
}

/// Whether the key has no column left, which drops it without a word.
fn goes_with_columns(clauses: &[Clause], key: &str, before: &Definition) -> bool {
    let dropped = |part: &KeyPart| {
        let (KeyPart::Column(name) | KeyPart::Prefix(name)) = part else {
            return false;
        };
        clauses.iter().any(|clause| match &clause.change {
            Change::DropColumn(column) => column.to_lowercase() == name.to_lowercase(),
            _ => false,
        })
    };
    named(&before.keys, key).is_some_and(|key| key.parts.iter().all(dropped))
}

/// Whether the column becomes what it is already, as far as that is known.
fn stays(change: &Change, before: &Definition) -> bool {
    let Change::Redefine { old, new, .. } = change else {
        return false;
    };
    // Wherever it stands, in quotes or not, and with the DEFAULT NULL that may be left out or not.
    let plain = |column: &Column| {
        let is_null = column.default == Some(Given::Null);
        Column {
            line: 0,
            bare: false,
            has_default: column.has_default && !is_null,
            default: column.default.filter(|_| !is_null),
            ..column.clone()
        }
    };
    let known = before.columns.iter().find(|column| column.name == *old);
    known.map(plain) == new.columns.first().map(plain)
}
