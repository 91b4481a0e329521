//! The tables as the migrations so far leave them.

use std::collections::BTreeMap;

use crate::ddl::{Column, Key, KeyKind, KeyPart};

#[derive(Debug, Default)]
pub(super) struct Schema {
    tables: BTreeMap<String, Table>,
    /// The tables and views that each reads.
    views: BTreeMap<String, Vec<String>>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    /// The migration that created it.
    pub(super) since: u32,
    /// A statement on it was not understood, so that nothing is known to be missing in it.
    pub(super) doubtful: bool,
    columns: Vec<Column>,
    keys: Vec<NamedKey>,
}

/// A key with the name that the server gives it when the statement gives none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NamedKey {
    pub(super) name: String,
    pub(super) kind: KeyKind,
    pub(super) parts: Vec<KeyPart>,
}

impl Schema {
    pub(super) fn table(&self, name: &str) -> Option<&Table> {
        self.tables.get(name)
    }

    /// Whether there is a table or a view of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.tables.contains_key(name) || self.views.contains_key(name)
    }

    pub(super) fn put_table(&mut self, name: String, table: Table) {
        self.tables.insert(name, table);
    }

    /// From here on the table may be anything.
    pub(super) fn doubt(&mut self, name: String, version: u32) {
        let table = self.tables.entry(name);
        table.or_insert_with(|| Table::new(version)).doubtful = true;
    }

    /// Whether there was one.
    pub(super) fn drop_table(&mut self, name: &str) -> bool {
        self.tables.remove(name).is_some()
    }

    /// Whether there was one.
    pub(super) fn rename_table(&mut self, old: &str, new: &str) -> bool {
        let table = self.tables.remove(old);
        table.is_some_and(|table| {
            self.tables.insert(new.to_owned(), table);
            true
        })
    }

    pub(super) fn put_view(&mut self, name: String, reads: Vec<String>) {
        self.views.insert(name, reads);
    }

    /// Whether there was one.
    pub(super) fn drop_view(&mut self, name: &str) -> bool {
        self.views.remove(name).is_some()
    }

    /// The views that read the table or view.
    pub(super) fn views_of(&self, name: &str) -> Vec<String> {
        let views = self.views.iter();
        views
            .filter(|(_, reads)| reads.iter().any(|read| read == name))
            .map(|(view, _)| view.clone())
            .collect()
    }
}

impl Table {
    pub(super) fn new(since: u32) -> Self {
        Self {
            since,
            ..Self::default()
        }
    }

    /// Names of columns and keys differ in more than the case of their letters.
    pub(super) fn column(&self, name: &str) -> Option<&Column> {
        let mut columns = self.columns.iter();
        columns.find(|column| same(&column.name, name))
    }

    /// Adds it, or replaces the one of the same name. One of the primary key is NOT NULL, whether it
    /// says so or not.
    pub(super) fn put_column(&mut self, mut column: Column) {
        let keys = self.keys.iter().filter(|key| key.kind == KeyKind::Primary);
        column.not_null |= keys
            .flat_map(|key| key.parts.iter().filter_map(part_column))
            .any(|name| same(name, &column.name));
        let mut columns = self.columns.iter_mut();
        match columns.find(|known| same(&known.name, &column.name)) {
            Some(known) => *known = column,
            None => self.columns.push(column),
        }
    }

    /// Takes it out of the keys too, and drops those that are left without a column.
    pub(super) fn drop_column(&mut self, name: &str) {
        self.columns.retain(|column| !same(&column.name, name));
        for key in &mut self.keys {
            key.parts
                .retain(|part| part_column(part).is_none_or(|column| !same(column, name)));
        }
        self.keys.retain(|key| !key.parts.is_empty());
    }

    /// Gives it another name, in the keys too.
    pub(super) fn rename_column(&mut self, old: &str, new: &str) {
        let columns = self.columns.iter_mut();
        for column in columns.filter(|column| same(&column.name, old)) {
            new.clone_into(&mut column.name);
        }
        let parts = self.keys.iter_mut().flat_map(|key| key.parts.iter_mut());
        for part in parts {
            if let KeyPart::Column(name) | KeyPart::Prefix(name) = part
                && same(name, old)
            {
                new.clone_into(name);
            }
        }
    }

    pub(super) fn key(&self, name: &str) -> Option<&NamedKey> {
        self.keys.iter().find(|key| same(&key.name, name))
    }

    pub(super) fn keys(&self) -> &[NamedKey] {
        &self.keys
    }

    /// Adds it. A primary key makes its columns NOT NULL.
    pub(super) fn add_key(&mut self, name: String, key: Key) {
        if key.kind == KeyKind::Primary {
            let columns: Vec<_> = key.parts.iter().filter_map(part_column).collect();
            for column in &mut self.columns {
                column.not_null |= columns.iter().any(|name| same(name, &column.name));
            }
        }
        self.keys.push(NamedKey {
            name,
            kind: key.kind,
            parts: key.parts,
        });
    }

    pub(super) fn drop_key(&mut self, name: &str) {
        self.keys.retain(|key| !same(&key.name, name));
    }

    /// Drops the key that is a constraint of this name, if one is.
    pub(super) fn drop_constraint(&mut self, name: &str) {
        self.keys.retain(|key| {
            let constrains = matches!(key.kind, KeyKind::Primary | KeyKind::Unique);
            !(constrains && same(&key.name, name))
        });
    }

    pub(super) fn rename_key(&mut self, old: &str, new: &str) {
        let keys = self.keys.iter_mut();
        for key in keys.filter(|key| same(&key.name, old)) {
            new.clone_into(&mut key.name);
        }
    }

    /// The columns of each key that tells every row from every other: unique, over whole columns
    /// that are NOT NULL and neither TEXT nor BLOB.
    pub(super) fn row_keys(&self) -> Vec<Vec<&str>> {
        let unique = |key: &&NamedKey| matches!(key.kind, KeyKind::Primary | KeyKind::Unique);
        self.keys
            .iter()
            .filter(unique)
            .filter_map(|key| {
                key.parts
                    .iter()
                    .map(|part| match part {
                        KeyPart::Column(name) => self
                            .column(name)
                            .filter(|column| column.not_null && !column.long)
                            .map(|column| column.name.as_str()),
                        KeyPart::Prefix(_) | KeyPart::Expression => None,
                    })
                    .collect()
            })
            .collect()
    }
}

/// The column that a part of a key is about.
pub(super) fn part_column(part: &KeyPart) -> Option<&str> {
    match part {
        KeyPart::Column(name) | KeyPart::Prefix(name) => Some(name),
        KeyPart::Expression => None,
    }
}

pub(super) fn same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}
