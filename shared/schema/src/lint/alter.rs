//! The rules on changes of a table.

use super::{
    Linter, Rule,
    key::{PRIMARY, index_foreign_keys},
    narrow,
    schema::{Table, part_column, same},
};
use crate::ddl::{Change, Clause, Column, Definition, KeyKind, Name};

impl Linter<'_> {
    pub(super) fn alter_table(&mut self, name: &Name, clauses: Vec<Clause>) {
        self.name(name);
        let name = name.name.as_str();
        let old = match self.schema.table(name) {
            Some(table) => table.clone(),
            None => {
                self.no_such_table("table", name);
                // The other rules hold for it all the same, and once is enough to say so.
                let mut table = Table::new(self.version);
                table.doubtful = true;
                table
            }
        };
        let mut new = old.clone();
        let mut renamed = None;
        // The server takes the clauses together: what is dropped makes room for what is added,
        // and an index may be over a column that a later clause adds.
        let mut keys = Vec::new();
        let primary = primary_columns(&clauses);
        let (drops, others): (Vec<_>, Vec<_>) = clauses.into_iter().partition(Clause::is_drop);
        for Clause { line, change } in drops.into_iter().chain(others) {
            match change {
                Change::Define(definition) => {
                    keys.extend(self.add_columns(&mut new, name, definition, &primary));
                }
                Change::RenameTable(to) => renamed = Some((line, to)),
                change => keys.extend(self.change(&mut new, name, line, change)),
            }
        }
        for definition in keys {
            for key in definition.keys {
                self.add_key(&mut new, name, key);
            }
            index_foreign_keys(&mut new, definition.foreign_keys);
        }
        self.has_row_key(&new, name);
        if old.since != self.version {
            self.shares_row_key(&old, &new, name);
        }
        self.schema.put_table(name.to_owned(), new);
        if let Some((line, to)) = renamed {
            let from = Name {
                database: None,
                name: name.to_owned(),
                bare: false,
            };
            self.rename_table(line, &from, &to);
        }
    }

    /// Adds the columns, of which some will be in a primary key; the keys are for later.
    fn add_columns(
        &mut self,
        table: &mut Table,
        name: &str,
        mut definition: Definition,
        primary: &[String],
    ) -> Option<Definition> {
        self.table_wide(&definition);
        for column in std::mem::take(&mut definition.columns) {
            let is_primary = primary.iter().any(|name| same(name, &column.name));
            if (column.not_null || is_primary) && !column.has_default && table.since != self.version
            {
                let what = format!(
                    "the new column `{}` of `{name}` is NOT NULL and has no default",
                    column.name
                );
                self.report(column.line, Rule::NotNullWithoutDefault, what);
            }
            self.add_column(table, name, column);
        }
        Some(definition)
    }

    /// Any other clause; returns the keys in it.
    fn change(
        &mut self,
        table: &mut Table,
        name: &str,
        line: usize,
        change: Change,
    ) -> Option<Definition> {
        match change {
            Change::Redefine { old, new, .. } => {
                return self.redefine(table, name, &old, new, line);
            }
            Change::DropColumn(column) => {
                let what = format!("drops the column `{column}` of `{name}` and what is in it");
                self.report(line, Rule::DropColumn, what);
                self.needs_column(table, name, &column, line);
                table.drop_column(&column);
            }
            Change::RenameColumn { old, new } => {
                self.rename_column(table, name, &old, &new, line);
            }
            Change::TouchColumn(column) | Change::After(column) => {
                self.needs_column(table, name, &column, line);
            }
            Change::DropKey(key) => {
                self.needs_key(table, name, &key, line);
                table.drop_key(&key);
            }
            Change::DropPrimaryKey => {
                self.needs_key(table, name, PRIMARY, line);
                table.drop_key(PRIMARY);
            }
            Change::DropConstraint(name) => table.drop_constraint(&name),
            Change::RenameKey { old, new } => {
                self.needs_key(table, name, &old, line);
                if table.key(&new).is_some() {
                    let what = format!("`{name}` has an index `{new}` already");
                    self.report(line, Rule::IndexExists, what);
                }
                table.rename_key(&old, &new);
            }
            Change::TouchKey(key) => self.needs_key(table, name, &key, line),
            Change::Partition(partitions) => self.partitions(&partitions),
            Change::DropPartitions => {
                let what = format!("drops partitions of `{name}` and their rows");
                self.report(line, Rule::DropPartition, what);
            }
            Change::HowToApply => {
                self.report(
                    line,
                    Rule::HowToApply,
                    "says how the change is to be applied",
                );
            }
            Change::Unread(fault) => {
                self.not_understood(line, fault);
                table.doubtful = true;
            }
            Change::Define(_)
            | Change::RenameTable(_)
            | Change::DropForeignKey
            | Change::DropCheck
            | Change::TouchCheck
            | Change::TouchPartitions
            | Change::Other => {}
        }
        None
    }

    fn redefine(
        &mut self,
        table: &mut Table,
        name: &str,
        old: &str,
        mut new: Definition,
        line: usize,
    ) -> Option<Definition> {
        self.table_wide(&new);
        let column: Column = new.columns.pop()?;
        self.column(&column);
        self.needs_column(table, name, old, line);
        let was_null = table.column(old).is_some_and(|column| !column.not_null);
        if was_null && column.not_null && table.since != self.version {
            let what = format!("the column `{}` of `{name}` becomes NOT NULL", column.name);
            self.report(column.line, Rule::BecomesNotNull, what);
        }
        let lost = table
            .column(old)
            .and_then(|known| narrow::lost(known, &column));
        if let Some(lost) = lost
            && table.since != self.version
        {
            let what = format!(
                "the column `{}` of `{name}` has no room for {lost}",
                column.name
            );
            self.report(column.line, Rule::NarrowerColumn, what);
        }
        if !same(old, &column.name) {
            self.rename_column(table, name, old, &column.name, line);
        }
        let (line, column_name) = (column.line, column.name.clone());
        table.put_column(column);
        for key in table.keys() {
            let mut columns = key.parts.iter().filter_map(part_column);
            if columns.any(|column| same(column, &column_name)) {
                self.key_parts(table, line, key.kind, &key.parts);
            }
        }
        Some(new)
    }

    fn rename_column(&mut self, table: &mut Table, name: &str, old: &str, new: &str, line: usize) {
        let what = format!("renames the column `{old}` of `{name}` to `{new}`");
        self.report(line, Rule::RenameColumn, what);
        self.needs_column(table, name, old, line);
        if table.column(new).is_some() {
            let what = format!("`{name}` has a column `{new}` already");
            self.report(line, Rule::ColumnExists, what);
        }
        table.rename_column(old, new);
    }

    fn needs_column(&mut self, table: &Table, name: &str, column: &str, line: usize) {
        if table.column(column).is_none() && !table.doubtful {
            let what = format!("`{name}` has no column `{column}`");
            self.report(line, Rule::NoSuchColumn, what);
        }
    }

    fn needs_key(&mut self, table: &Table, name: &str, key: &str, line: usize) {
        if table.key(key).is_none() && !table.doubtful {
            let what = format!("`{name}` has no index `{key}`");
            self.report(line, Rule::NoSuchIndex, what);
        }
    }
}

/// The columns of a primary key that is added, which makes them NOT NULL.
fn primary_columns(clauses: &[Clause]) -> Vec<String> {
    let keys = clauses.iter().flat_map(|clause| match &clause.change {
        Change::Define(definition) => definition.keys.as_slice(),
        _ => &[],
    });
    keys.filter(|key| key.kind == KeyKind::Primary)
        .flat_map(|key| key.parts.iter().filter_map(part_column))
        .map(str::to_owned)
        .collect()
}
