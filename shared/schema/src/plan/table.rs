//! What the migrations do to one table.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    ddl::{Change, Definition, ForeignKey, Key, KeyKind, KeyPart, NewTable},
    lint::Rule,
    old_allowance,
    statement::Statement,
};

/// What becomes of a table or a view, from before the first of the migrations to after the last.
/// Names are in lower case.
#[derive(Debug)]
pub(super) struct TableChanges {
    pub(super) fate: Fate,
    /// All of its rows may go: it is dropped, and a migration allows it.
    pub(super) may_lose_rows: bool,
    /// The rows of some partitions may go, in the same way.
    pub(super) may_lose_partitions: bool,
    /// The columns that are dropped for which a migration allows it.
    may_lose_columns: BTreeSet<String>,
    /// The keys that are dropped.
    drops_keys: BTreeSet<String>,
    /// The columns that are defined anew.
    redefines: BTreeSet<String>,
    /// All columns may be defined anew, for the character set is another.
    redefines_all: bool,
    /// Columns go to other places, for which those around them may be defined anew as they are.
    pub(super) moves_columns: bool,
    /// A statement on it is not understood, so that any column and key may change.
    pub(super) doubtful: bool,
    /// Whether the columns that are added and dropped are there in the end.
    pub(super) columns: BTreeMap<String, bool>,
    /// The same of the keys that have a name.
    pub(super) keys: BTreeMap<String, bool>,
    /// What the server makes the names of added keys from that have none, those that foreign keys
    /// need too.
    unnamed_keys: BTreeSet<String>,
    /// Foreign keys are added or dropped.
    pub(super) changes_foreign_keys: bool,
    /// CHECKs are added or dropped, or columns dropped, with which CHECKs go.
    pub(super) changes_checks: bool,
    /// It is partitioned, or otherwise than before.
    pub(super) changes_partitions: bool,
}

/// Whether a table is new, changed or gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
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

/// What the server begins the name of a key with that has none: its first column, or this word where
/// an expression is in it (MySQL, `CREATE TABLE` and `add_functional_index_to_create_list`).
fn unnamed(key: &Key) -> String {
    match key.parts.first() {
        Some(KeyPart::Column(name) | KeyPart::Prefix(name))
            if !key.parts.contains(&KeyPart::Expression) =>
        {
            name.to_lowercase()
        }
        _ => "functional_index".to_owned(),
    }
}

impl TableChanges {
    pub(super) fn new(fate: Fate) -> Self {
        Self {
            fate,
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
            unnamed_keys: BTreeSet::new(),
            changes_foreign_keys: false,
            changes_checks: false,
            changes_partitions: false,
        }
    }

    pub(super) fn drop(&mut self, allowed: bool) {
        self.fate = Fate::Dropped;
        self.may_lose_rows |= allowed;
        self.columns.clear();
        self.keys.clear();
    }

    pub(super) fn alter(&mut self, statement: &Statement, change: Change) {
        let allowed = |rule: Rule| old_allowance::has(statement, rule.code());
        match change {
            Change::Define(definition) => {
                self.redefines_all |= definition.options.charset.is_some();
                self.define(&definition);
            }
            Change::Redefine { old, new, moves } => {
                self.redefines.insert(old.to_lowercase());
                self.moves_columns |= moves;
                self.add_constraints(&new);
            }
            Change::TouchColumn(column) => {
                self.redefines.insert(column.to_lowercase());
            }
            Change::DropColumn(column) => {
                let column = column.to_lowercase();
                self.columns.insert(column.clone(), false);
                self.changes_checks = true;
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
                self.changes_foreign_keys = true;
                self.changes_checks = true;
            }
            Change::DropForeignKey => self.changes_foreign_keys = true,
            Change::DropCheck | Change::TouchCheck => self.changes_checks = true,
            Change::RenameKey { old, new } => {
                self.drop_key(&old);
                self.keys.insert(new.to_lowercase(), true);
            }
            Change::DropPartitions => {
                self.may_lose_partitions |= allowed(Rule::DropPartition);
                self.changes_partitions = true;
            }
            Change::Partition(_) | Change::TouchPartitions => self.changes_partitions = true,
            Change::Unread(_) => self.doubtful = true,
            Change::RenameColumn { .. }
            | Change::RenameTable(_)
            | Change::TouchKey(_)
            | Change::After(_)
            | Change::HowToApply
            | Change::Other => {}
        }
    }

    /// Takes a new table for what it is, as far as that is said.
    pub(super) fn define_all(&mut self, table: &NewTable) {
        self.define(&table.definition);
        self.changes_partitions |= table.partitions.is_some();
        self.doubtful |= table.copied.is_some();
    }

    /// Adds the columns, the keys and the other constraints.
    pub(super) fn define(&mut self, definition: &Definition) {
        for column in &definition.columns {
            let name = column.name.to_lowercase();
            // Dropped and added, it is another one, which stands elsewhere.
            if self.columns.insert(name.clone(), true) == Some(false) {
                self.redefines.insert(name);
                self.moves_columns = true;
            }
        }
        self.add_constraints(definition);
    }

    fn add_constraints(&mut self, definition: &Definition) {
        self.changes_checks |= definition.checks;
        for ForeignKey { name, columns, .. } in &definition.foreign_keys {
            self.changes_foreign_keys = true;
            let base = name.as_ref().or(columns.first());
            self.unnamed_keys
                .extend(base.map(|name| name.to_lowercase()));
        }
        for key in &definition.keys {
            match key_name(key) {
                Some(name) => {
                    self.keys.insert(name, true);
                }
                None => {
                    self.unnamed_keys.insert(unnamed(key));
                }
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

    pub(super) fn may_add_column(&self, name: &str) -> bool {
        self.doubtful || self.columns.get(&name.to_lowercase()) == Some(&true)
    }

    pub(super) fn may_add_key(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        let is_numbered = |base: &String| {
            let rest = name.strip_prefix(base.as_str());
            let number = rest.and_then(|rest| rest.strip_prefix('_'));
            name == *base || number.is_some_and(|number| number.parse::<u32>().is_ok())
        };
        self.doubtful
            || self.keys.get(&name) == Some(&true)
            || self.unnamed_keys.iter().any(is_numbered)
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
