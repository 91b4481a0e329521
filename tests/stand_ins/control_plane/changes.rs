//! The statements that turn one schema into another.

use serde::{Deserialize, Serialize};

use super::branch_schema::{BranchSchema, Definition, Table, quoted};
use super::constraint_names::original_name;

/// What a statement does to its table or view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Create,
    Alter,
    Drop,
}

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub kind: Kind,
    /// The table or view.
    pub table: String,
    pub statement: String,
    /// The columns that it drops from a table that stays.
    pub dropped_columns: Vec<String>,
    pub removed_foreign_keys: Vec<String>,
    is_view: bool,
}

/// When two constraints are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConstraintNames {
    /// If their names are equal.
    Exact,
    /// If their names are equal without the suffixes that deployments add.
    Original,
}

impl Change {
    /// Whether rows or values can be lost.
    pub fn can_drop_data(&self) -> bool {
        !self.dropped_columns.is_empty() || self.drops_table()
    }

    /// Whether it drops a table, and not a view.
    pub fn drops_table(&self) -> bool {
        self.kind == Kind::Drop && !self.is_view
    }

    /// Whether there is a table with this change in it afterwards.
    pub fn leaves_table(&self) -> bool {
        self.kind != Kind::Drop && !self.is_view
    }

    /// Whether it changes a table that is there.
    pub fn alters_table(&self) -> bool {
        self.kind == Kind::Alter && !self.is_view
    }

    fn new(kind: Kind, table: &str, statement: String) -> Self {
        Self {
            kind,
            table: table.to_owned(),
            statement,
            dropped_columns: Vec::new(),
            removed_foreign_keys: Vec::new(),
            is_view: false,
        }
    }

    fn of_view(kind: Kind, name: &str, statement: String) -> Self {
        Self {
            is_view: true,
            ..Self::new(kind, name, statement)
        }
    }
}

/// The statements that make `to` of `from`, in an order in which they can run: views are dropped
/// first and created last, and tables are dropped after the others have changed.
pub fn changes(from: &BranchSchema, to: &BranchSchema, names: ConstraintNames) -> Vec<Change> {
    let mut changes = Vec::new();
    for name in from.views.keys() {
        if !to.views.contains_key(name) {
            let statement = format!("DROP VIEW {}", quoted(name));
            changes.push(Change::of_view(Kind::Drop, name, statement));
        }
    }
    for (name, table) in &to.tables {
        if !from.tables.contains_key(name) {
            changes.push(Change::new(Kind::Create, name, table.create.clone()));
        }
    }
    for (name, new) in &to.tables {
        if let Some(old) = from.tables.get(name) {
            alter(name, old, new, names, &mut changes);
        }
    }
    for name in from.tables.keys() {
        if !to.tables.contains_key(name) {
            let statement = format!("DROP TABLE {}", quoted(name));
            changes.push(Change::new(Kind::Drop, name, statement));
        }
    }
    for (name, create) in &to.views {
        let replaced = create.replacen("CREATE VIEW", "CREATE OR REPLACE VIEW", 1);
        match from.views.get(name) {
            None => changes.push(Change::of_view(Kind::Create, name, create.clone())),
            Some(old) if old != create => {
                changes.push(Change::of_view(Kind::Alter, name, replaced));
            }
            Some(_) => {}
        }
    }
    changes
}

fn alter(name: &str, old: &Table, new: &Table, names: ConstraintNames, changes: &mut Vec<Change>) {
    let same_constraint = |one: &Definition, other: &Definition| match names {
        ConstraintNames::Exact => one == other,
        ConstraintNames::Original => {
            original_name(name, &one.name) == original_name(name, &other.name)
                && one.condition() == other.condition()
        }
    };
    let missing = |constraints: &[Definition], wanted: &Definition| {
        !constraints.iter().any(|one| same_constraint(one, wanted))
    };
    let mut clauses = Vec::new();
    let mut removed_foreign_keys = Vec::new();
    for constraint in &old.constraints {
        if missing(&new.constraints, constraint) {
            clauses.push(constraint.drop_constraint());
            if constraint.is_foreign_key() {
                removed_foreign_keys.push(constraint.name.clone());
            }
        }
    }
    for key in &old.keys {
        if !new.keys.contains(key) {
            clauses.push(match key.name.as_str() {
                "PRIMARY" => "DROP PRIMARY KEY".to_owned(),
                name => format!("DROP KEY {}", quoted(name)),
            });
        }
    }
    let columns = old.columns.iter().map(|column| &column.name);
    let dropped = columns.filter(|column| new.column(column).is_none());
    let dropped_columns: Vec<String> = dropped.cloned().collect();
    for column in &dropped_columns {
        clauses.push(format!("DROP COLUMN {}", quoted(column)));
    }
    change_columns(old, new, &mut clauses);
    for key in &new.keys {
        if !old.keys.contains(key) {
            clauses.push(format!("ADD {}", key.text));
        }
    }
    for constraint in &new.constraints {
        if missing(&old.constraints, constraint) {
            clauses.push(format!("ADD {}", constraint.text));
        }
    }
    if old.options != new.options {
        clauses.push(changed_options(&old.options, &new.options));
    }
    if !clauses.is_empty() {
        let statement = format!("ALTER TABLE {} {}", quoted(name), clauses.join(", "));
        changes.push(Change {
            dropped_columns,
            removed_foreign_keys,
            ..Change::new(Kind::Alter, name, statement)
        });
    }
    if old.partitioning != new.partitioning {
        let partitioning = match new.partitioning.as_str() {
            "" => "REMOVE PARTITIONING",
            partitioning => partitioning,
        };
        let statement = format!("ALTER TABLE {} {partitioning}", quoted(name));
        changes.push(Change::new(Kind::Alter, name, statement));
    }
}

/// Adds, changes and moves columns, from left to right.
fn change_columns(old: &Table, new: &Table, clauses: &mut Vec<String>) {
    let names = old.columns.iter().map(|column| column.name.as_str());
    let mut order: Vec<&str> = names.filter(|name| new.column(name).is_some()).collect();
    // A column does not name the character set of its table, and would keep the old one.
    let charset_changes = charset(&old.options) != charset(&new.options);
    let mut before: Option<&Definition> = None;
    for (at, column) in new.columns.iter().enumerate() {
        let place = match before {
            Some(before) => format!(" AFTER {}", quoted(&before.name)),
            None => " FIRST".to_owned(),
        };
        before = Some(column);
        let found = order.iter().position(|name| *name == column.name);
        match (found, old.column(&column.name)) {
            (Some(found), Some(was)) => {
                if found != at {
                    clauses.push(format!("MODIFY COLUMN {}{place}", column.text));
                    order.remove(found);
                    order.insert(at, &column.name);
                } else if was.text != column.text || charset_changes {
                    clauses.push(format!("MODIFY COLUMN {}", column.text));
                }
            }
            _ => {
                let place = if at == order.len() { "" } else { &place };
                clauses.push(format!("ADD COLUMN {}{place}", column.text));
                order.insert(at, &column.name);
            }
        }
    }
}

fn charset(options: &str) -> Vec<&str> {
    let words = options.split(' ');
    words
        .filter(|word| word.starts_with("CHARSET=") || word.starts_with("COLLATE="))
        .collect()
}

/// The new options, and the default of old ones that are gone.
fn changed_options(old: &str, new: &str) -> String {
    let mut options = new.to_owned();
    for (name, default) in [
        ("COMMENT=", " COMMENT=''"),
        ("ROW_FORMAT=", " ROW_FORMAT=DEFAULT"),
    ] {
        if old.contains(name) && !new.contains(name) {
            options.push_str(default);
        }
    }
    options
}
