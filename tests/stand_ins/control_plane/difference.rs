//! The way from one schema to another, as statements.

use serde::{Deserialize, Serialize};

use super::schema::{Definition, Schema, Table, quoted};

/// What a statement does to its table or view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Create,
    Alter,
    Drop,
}

/// One statement of the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub kind: Kind,
    /// The table or view.
    pub table: String,
    pub statement: String,
    /// The columns that go; all of them go with the table.
    pub dropped_columns: Vec<String>,
    pub removed_foreign_keys: Vec<String>,
    is_view: bool,
}

impl Change {
    /// Whether rows or values may be lost.
    pub fn can_drop_data(&self) -> bool {
        !self.dropped_columns.is_empty() || self.drops_table()
    }

    /// Whether it drops a table, which a view is not.
    pub fn drops_table(&self) -> bool {
        self.kind == Kind::Drop && !self.is_view
    }

    /// Whether it only adds columns behind the others, which InnoDB does without a copy.
    pub fn is_instant(&self) -> bool {
        let alterations = self.statement.split_once(&quoted(&self.table));
        let (_, alterations) = alterations.unwrap_or_default();
        self.kind == Kind::Alter
            && !self.is_view
            && alterations
                .split(", ")
                .all(|part| part.trim_start().starts_with("ADD COLUMN "))
    }

    fn new(kind: Kind, table: &str, statement: String, is_view: bool) -> Self {
        Self {
            kind,
            table: table.to_owned(),
            statement,
            dropped_columns: Vec::new(),
            removed_foreign_keys: Vec::new(),
            is_view,
        }
    }
}

/// The statements that make `to` of `from`, in an order in which they can run: views go first and
/// come last, and nothing is dropped before the rest is there.
pub fn difference(from: &Schema, to: &Schema) -> Vec<Change> {
    let mut changes = Vec::new();
    for name in from
        .views
        .keys()
        .filter(|name| !to.views.contains_key(*name))
    {
        let statement = format!("DROP VIEW {}", quoted(name));
        changes.push(Change::new(Kind::Drop, name, statement, true));
    }
    for (name, table) in &to.tables {
        if !from.tables.contains_key(name) {
            let statement = table.create().to_owned();
            changes.push(Change::new(Kind::Create, name, statement, false));
        }
    }
    for (name, new) in &to.tables {
        if let Some(old) = from.tables.get(name) {
            alter(name, old, new, &mut changes);
        }
    }
    for name in from
        .tables
        .keys()
        .filter(|name| !to.tables.contains_key(*name))
    {
        let statement = format!("DROP TABLE {}", quoted(name));
        changes.push(Change::new(Kind::Drop, name, statement, false));
    }
    for (name, create) in &to.views {
        let replaced = create.replacen("CREATE VIEW", "CREATE OR REPLACE VIEW", 1);
        match from.views.get(name) {
            None => changes.push(Change::new(Kind::Create, name, create.clone(), true)),
            Some(old) if old != create => {
                changes.push(Change::new(Kind::Alter, name, replaced, true));
            }
            Some(_) => {}
        }
    }
    changes
}

fn alter(name: &str, old: &Table, new: &Table, changes: &mut Vec<Change>) {
    let mut parts = Vec::new();
    let removed_foreign_keys = drop_keys(old, new, &mut parts);
    let dropped = old
        .columns
        .iter()
        .filter(|column| new.column(&column.name).is_none());
    let dropped_columns: Vec<String> = dropped.map(|column| column.name.clone()).collect();
    for column in &dropped_columns {
        parts.push(format!("DROP COLUMN {}", quoted(column)));
    }
    change_columns(old, new, &mut parts);
    for key in &new.keys {
        if old.counterpart(key) != Some(key) {
            parts.push(format!("ADD {}", key.text));
        }
    }
    if old.options != new.options {
        parts.push(changed_options(&old.options, &new.options));
    }
    if !parts.is_empty() {
        let statement = format!("ALTER TABLE {} {}", quoted(name), parts.join(", "));
        changes.push(Change {
            dropped_columns,
            removed_foreign_keys,
            ..Change::new(Kind::Alter, name, statement, false)
        });
    }
    if old.partitioning != new.partitioning {
        let partitioning = match new.partitioning.trim() {
            "" => "REMOVE PARTITIONING",
            partitioning => partitioning,
        };
        let statement = format!("ALTER TABLE {} {partitioning}", quoted(name));
        changes.push(Change::new(Kind::Alter, name, statement, false));
    }
}

/// Drops the keys that are gone or changed, and returns the names of the foreign keys among them.
fn drop_keys(old: &Table, new: &Table, parts: &mut Vec<String>) -> Vec<String> {
    let mut foreign_keys = Vec::new();
    for key in old
        .keys
        .iter()
        .filter(|key| new.counterpart(key) != Some(*key))
    {
        let name = quoted(&key.name);
        parts.push(if key.is_foreign_key() {
            foreign_keys.push(key.name.clone());
            format!("DROP FOREIGN KEY {name}")
        } else if key.is_constraint() {
            format!("DROP CONSTRAINT {name}")
        } else if key.name == "PRIMARY" {
            "DROP PRIMARY KEY".to_owned()
        } else {
            format!("DROP KEY {name}")
        });
    }
    foreign_keys
}

/// Adds, changes and moves columns, one after the other from the left.
fn change_columns(old: &Table, new: &Table, parts: &mut Vec<String>) {
    let kept = old
        .columns
        .iter()
        .filter(|column| new.column(&column.name).is_some());
    let mut order: Vec<&str> = kept.map(|column| column.name.as_str()).collect();
    // Texts are shown without the character set of their table: another one changes them too.
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
                let converted = charset_changes && column.is_text();
                if found != at {
                    parts.push(format!("MODIFY COLUMN {}{place}", column.text));
                    order.remove(found);
                    order.insert(at, &column.name);
                } else if was.text != column.text || converted {
                    parts.push(format!("MODIFY COLUMN {}", column.text));
                }
            }
            _ => {
                let place = if at == order.len() { "" } else { &place };
                parts.push(format!("ADD COLUMN {}{place}", column.text));
                order.insert(at, &column.name);
            }
        }
    }
}

fn charset(options: &str) -> Vec<&str> {
    let parts = options.split(' ');
    parts
        .filter(|part| part.starts_with("CHARSET=") || part.starts_with("COLLATE="))
        .collect()
}

/// The new options, and the end of old ones that nothing replaces.
fn changed_options(old: &str, new: &str) -> String {
    let mut options = new.to_owned();
    for (name, none) in [
        ("COMMENT=", "COMMENT=''"),
        ("ROW_FORMAT=", "ROW_FORMAT=DEFAULT"),
    ] {
        if old.contains(name) && !new.contains(name) {
            options.push(' ');
            options.push_str(none);
        }
    }
    options
}
