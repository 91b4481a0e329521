//! Holds a deploy request against the plan.

use crate::migrations::{
    Statement,
    ddl::{Change, Clause, Column, Ddl, Definition, Key, KeyPart},
    ledger, statement,
};

use super::{
    Plan,
    table::{PRIMARY, PlannedTable, TableChange, key_name},
};

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

impl Plan {
    /// Holds one operation of a deploy request against the plan: its table, its statement, and
    /// whether PlanetScale says that it can drop data. `before` is the statement that creates the
    /// table as production has it.
    ///
    /// # Errors
    ///
    /// [`Deviation`] when the plan has no such change.
    pub fn check(
        &self,
        table: &str,
        ddl_statement: &str,
        can_drop_data: bool,
        before: Option<&str>,
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
        let before = before.and_then(definition).unwrap_or_default();
        for statement in statement::split(ddl_statement) {
            planned.check(table, &statement, &before)?;
        }
        if can_drop_data && !planned.may_lose_anything() {
            let table = table.to_owned();
            return Err(Deviation::DroppedData { table });
        }
        Ok(())
    }

    /// Holds what production will have against the plan, so that nothing is taken for deployed
    /// that is not. `after` gives the statement that creates a table or a view then, if it is there.
    ///
    /// # Errors
    ///
    /// [`Deviation::Undone`].
    pub fn check_outcome<'a>(
        &self,
        after: impl Fn(&str) -> Option<&'a str>,
    ) -> Result<(), Deviation> {
        let undone = |what| Err(Deviation::Undone { what });
        let ledger = self.creates_ledger.then_some(ledger::TABLE);
        if let Some(table) = ledger
            && after(table).is_none()
        {
            return undone(format!("`{table}` is not there"));
        }
        for (table, planned) in &self.tables {
            let there = after(table);
            match (planned.change, there) {
                (TableChange::Dropped, None) => {}
                (TableChange::Dropped, Some(_)) => {
                    return undone(format!("`{table}` is still there"));
                }
                (_, None) => return undone(format!("`{table}` is not there")),
                (_, Some(sql)) => {
                    let lacking = definition(sql).and_then(|after| planned.lacking(&after));
                    if let Some(what) = lacking {
                        return undone(format!("`{table}` {what}"));
                    }
                }
            }
        }
        Ok(())
    }
}

/// What a statement that creates a table says, where it is understood.
fn definition(sql: &str) -> Option<Definition> {
    match Ddl::read(statement::split(sql).first()?) {
        Ddl::CreateTable(table) if table.copied.is_none() => Some(table.definition),
        _ => None,
    }
}

impl PlannedTable {
    fn check(
        &self,
        table: &str,
        statement: &Statement,
        before: &Definition,
    ) -> Result<(), Deviation> {
        let table = table.to_owned();
        match Ddl::read(statement) {
            Ddl::DropTables { .. } | Ddl::DropViews { .. }
                if self.change != TableChange::Dropped =>
            {
                Err(Deviation::DroppedTable { table })
            }
            Ddl::DropTables { .. } if !self.may_lose_rows => Err(Deviation::DroppedTable { table }),
            Ddl::AlterTable { clauses, .. } => {
                for Clause { change, .. } in &clauses {
                    match change {
                        Change::DropColumn(column) if !self.may_lose(column) => {
                            let column = column.clone();
                            return Err(Deviation::DroppedColumn { table, column });
                        }
                        Change::DropPartitions if !self.may_lose_partitions => {
                            return Err(Deviation::DroppedData { table });
                        }
                        Change::Redefine { old: column, .. } | Change::TouchColumn(column)
                            if !(self.may_redefine(column)
                                || self.moves_columns && stays(change, before)) =>
                        {
                            let column = column.clone();
                            return Err(Deviation::RedefinedColumn { table, column });
                        }
                        _ => {}
                    }
                    if let Some(key) = dropped_key(change, before)
                        && !self.may_drop_key(key)
                        && !replaces(&clauses, key)
                        && !goes_with_columns(&clauses, key, before)
                    {
                        let key = key.to_owned();
                        return Err(Deviation::DroppedKey { table, key });
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// What the table has not of what the migrations do.
    fn lacking(&self, after: &Definition) -> Option<String> {
        let has_column = |name: &str| {
            let mut columns = after.columns.iter();
            columns.any(|column| column.name.to_lowercase() == name)
        };
        let has_key = |name: &str| named(&after.keys, name).is_some();
        let columns = self.columns.iter().map(|(name, wanted)| {
            let fulfilled = has_column(name) == *wanted;
            ("column", name, *wanted, fulfilled)
        });
        let keys = self.keys.iter().map(|(name, wanted)| {
            let fulfilled = has_key(name) == *wanted;
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
    let placeless = |column: &Column| Column {
        line: 0,
        ..column.clone()
    };
    let known = before.columns.iter().find(|column| column.name == *old);
    known.map(placeless) == new.columns.first().map(placeless)
}
