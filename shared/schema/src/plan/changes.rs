//! What migrations do to the tables, statement by statement.

use std::collections::BTreeMap;

use crate::{
    ddl::{Change, Clause, Ddl},
    lint::Rule,
    old_allowance,
    statement::Statement,
};

use super::table::{Fate, TableChanges};

/// What statements do, one after the other, to each table and view that they create, alter or drop.
#[derive(Debug)]
pub struct Changes {
    pub(super) tables: BTreeMap<String, TableChanges>,
}

impl Changes {
    pub(super) fn of<'s>(statements: impl Iterator<Item = &'s Statement>) -> Self {
        let mut changes = Self {
            tables: BTreeMap::new(),
        };
        for statement in statements {
            changes.add(statement);
        }
        changes
    }

    /// The names of the tables and views.
    pub fn tables(&self) -> impl Iterator<Item = &str> {
        self.tables.keys().map(String::as_str)
    }

    fn add(&mut self, statement: &Statement) {
        match Ddl::read(statement) {
            Ddl::CreateTable(new) => self.create(new.name.name.clone()).define_all(&new),
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
                let allowed = old_allowance::has(statement, Rule::DropTable.code());
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
    fn table(&mut self, name: String) -> &mut TableChanges {
        let altered = TableChanges::new(Fate::Altered);
        self.tables.entry(name).or_insert(altered)
    }

    fn create(&mut self, name: String) -> &mut TableChanges {
        let new = TableChanges::new(Fate::Created);
        let table = self.tables.entry(name).or_insert(new);
        // It was dropped before: what is left is a difference between two tables.
        if table.fate == Fate::Dropped {
            table.fate = Fate::Altered;
        }
        table
    }

    fn drop(&mut self, name: String, allowed: bool) {
        let is_new = |table: &TableChanges| table.fate == Fate::Created;
        if self.tables.get(&name).is_some_and(is_new) {
            self.tables.remove(&name);
            return;
        }
        self.table(name).drop(allowed);
    }
}
