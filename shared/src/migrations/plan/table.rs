//! What the migrations do to one table.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::migrations::{
    Statement, allowance,
    ddl::{Change, Definition, Key, KeyKind, KeyPart},
    lint::Rule,
};

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
    /// The keys that are dropped, in lower case.
    #[serde(default)]
    pub drops_keys: BTreeSet<String>,
    /// The columns that are defined anew, in lower case.
    #[serde(default)]
    pub redefines: BTreeSet<String>,
    /// All columns may be defined anew, for the character set is another.
    #[serde(default)]
    pub redefines_all: bool,
    /// Columns go to other places, for which those around them may be defined anew as they are.
    #[serde(default)]
    pub moves_columns: bool,
    /// A statement on it is not understood, so that any column and key may change.
    #[serde(default)]
    pub doubtful: bool,
    /// Whether the columns that are added and dropped are there in the end; names in lower case.
    #[serde(default)]
    pub columns: BTreeMap<String, bool>,
    /// The same of the keys that have a name.
    #[serde(default)]
    pub keys: BTreeMap<String, bool>,
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

/// The name that the server gives the primary key, in lower case.
pub(super) const PRIMARY: &str = "primary";

/// What a key is known by, where the statement says it.
pub(super) fn key_name(key: &Key) -> Option<String> {
    match key.kind {
        KeyKind::Primary => Some(PRIMARY.to_owned()),
        _ => key.name.as_ref().map(|name| name.to_lowercase()),
    }
}

impl PlannedTable {
    pub(super) fn new(change: TableChange) -> Self {
        Self {
            change,
            may_lose_rows: false,
            may_lose_partitions: false,
            may_lose_columns: BTreeSet::new(),
            drops_keys: BTreeSet::new(),
            redefines: BTreeSet::new(),
            redefines_all: false,
            moves_columns: false,
            doubtful: false,
            columns: BTreeMap::new(),
            keys: BTreeMap::new(),
        }
    }

    pub(super) fn drop(&mut self, allowed: bool) {
        self.change = TableChange::Dropped;
        self.may_lose_rows |= allowed;
        self.columns.clear();
        self.keys.clear();
    }

    pub(super) fn alter(&mut self, statement: &Statement, change: Change) {
        let allowed = |rule: Rule| allowance::has(statement, rule.code());
        match change {
            Change::Define(definition) => {
                self.redefines_all |= definition.options.charset.is_some();
                self.define(&definition);
            }
            Change::Redefine { old, new, moves } => {
                self.redefines.insert(old.to_lowercase());
                self.moves_columns |= moves;
                self.add_keys(&new.keys);
            }
            Change::TouchColumn(column) => {
                self.redefines.insert(column.to_lowercase());
            }
            Change::DropColumn(column) => {
                let column = column.to_lowercase();
                self.columns.insert(column.clone(), false);
                // A key goes with the last of its columns.
                self.keys.retain(|_, stays| !*stays);
                if allowed(Rule::DropColumn) {
                    self.may_lose_columns.insert(column);
                }
            }
            Change::DropKey(key) => self.drop_key(&key),
            Change::DropPrimaryKey => self.drop_key(PRIMARY),
            // A key may have this name, and be none of a constraint.
            Change::DropConstraint(name) => {
                self.drop_key(&name);
                self.keys.remove(&name.to_lowercase());
            }
            Change::RenameKey { old, new } => {
                self.drop_key(&old);
                self.keys.insert(new.to_lowercase(), true);
            }
            Change::DropPartitions => self.may_lose_partitions |= allowed(Rule::DropPartition),
            Change::Unread(_) => self.doubtful = true,
            Change::RenameColumn { .. }
            | Change::RenameTable(_)
            | Change::TouchKey(_)
            | Change::Partition(_)
            | Change::HowToApply
            | Change::Other => {}
        }
    }

    /// Adds the columns and the keys.
    pub(super) fn define(&mut self, definition: &Definition) {
        for column in &definition.columns {
            let name = column.name.to_lowercase();
            // Dropped and added, it is another one, which stands elsewhere.
            if self.columns.insert(name.clone(), true) == Some(false) {
                self.redefines.insert(name);
                self.moves_columns = true;
            }
        }
        self.add_keys(&definition.keys);
    }

    fn add_keys(&mut self, keys: &[Key]) {
        for key in keys {
            if let Some(name) = key_name(key) {
                self.keys.insert(name, true);
            }
            // A primary key makes its columns NOT NULL.
            if key.kind == KeyKind::Primary {
                self.redefines
                    .extend(key.parts.iter().filter_map(|part| match part {
                        KeyPart::Column(name) | KeyPart::Prefix(name) => Some(name.to_lowercase()),
                        KeyPart::Expression => None,
                    }));
            }
        }
    }

    fn drop_key(&mut self, name: &str) {
        let name = name.to_lowercase();
        self.keys.insert(name.clone(), false);
        self.drops_keys.insert(name);
    }

    pub(super) fn may_lose_anything(&self) -> bool {
        self.may_lose_rows || self.may_lose_partitions || !self.may_lose_columns.is_empty()
    }

    /// A table that was dropped and created anew may have lost any.
    pub(super) fn may_lose(&self, column: &str) -> bool {
        self.may_lose_rows || self.may_lose_columns.contains(&column.to_lowercase())
    }

    pub(super) fn may_drop_key(&self, name: &str) -> bool {
        self.may_lose_rows || self.doubtful || self.drops_keys.contains(&name.to_lowercase())
    }

    pub(super) fn may_redefine(&self, column: &str) -> bool {
        self.may_lose_rows
            || self.doubtful
            || self.redefines_all
            || self.redefines.contains(&column.to_lowercase())
    }
}
