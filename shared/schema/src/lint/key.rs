//! The rules on keys.

use super::{
    Linter, Rule,
    schema::{NamedKey, Table, part_column, same},
};
use crate::ddl::{ForeignKey, Key, KeyKind, KeyPart};

/// The name that the server gives the primary key.
pub(super) const PRIMARY: &str = "PRIMARY";

impl Linter<'_> {
    /// Adds a key under the rules on its name and its parts.
    pub(super) fn add_key(&mut self, table: &mut Table, table_name: &str, key: Key) {
        for column in key.parts.iter().filter_map(part_column) {
            if table.column(column).is_none() && !table.doubtful {
                let what = format!("an index over `{column}`, which `{table_name}` does not have");
                self.report(key.line, Rule::NoSuchColumn, what);
            }
        }
        self.key_parts(table, key.line, key.kind, &key.parts);
        let name = key_name(table, &key);
        if table.key(&name).is_some() {
            let what = format!("`{table_name}` has an index `{name}` already");
            self.report(key.line, Rule::IndexExists, what);
            return;
        }
        // FULLTEXT and SPATIAL ones serve other queries, and a unique one does more than order.
        let like = |kind| match kind {
            KeyKind::Primary | KeyKind::Unique | KeyKind::Plain => KeyKind::Plain,
            other => other,
        };
        let mut known = table.keys().iter();
        let serves = known.find(|known| {
            like(known.kind) == like(key.kind)
                && (key.kind == KeyKind::Plain || known.kind == key.kind)
                && same_parts(&known.parts, &key.parts)
        });
        if let Some(known) = serves {
            let what = format!(
                "the index `{name}` of `{table_name}` is over the same columns as `{}`",
                known.name
            );
            self.report(key.line, Rule::DuplicateIndex, what);
        }
        table.add_key(name, key);
    }

    /// The rules on what a key may be over.
    pub(super) fn key_parts(
        &mut self,
        table: &Table,
        line: usize,
        kind: KeyKind,
        parts: &[KeyPart],
    ) {
        let rule = match kind {
            KeyKind::Primary => Rule::PrimaryKeyPart,
            KeyKind::Unique | KeyKind::Plain => Rule::KeyPart,
            KeyKind::FullText | KeyKind::Spatial => return,
        };
        let key = match kind {
            KeyKind::Primary => "the primary key",
            _ => "an index",
        };
        for part in parts {
            let Some(column) = part_column(part).and_then(|name| table.column(name)) else {
                continue;
            };
            let (name, data_type) = (&column.name, &column.data_type);
            let whole = matches!(part, KeyPart::Column(_));
            let what = if data_type == "JSON" || column.long && whole {
                format!("{key} is over `{name}`, which is {data_type}")
            } else if kind == KeyKind::Primary && !whole {
                format!("{key} is over the first characters of `{name}` only")
            } else {
                continue;
            };
            self.report(line, rule, what);
        }
    }

    /// A table needs a key by which its rows are told apart.
    pub(super) fn has_row_key(&mut self, table: &Table, name: &str) {
        if table.row_keys().is_empty() && !table.doubtful {
            let what = format!("`{name}` has no key by which its rows are told apart");
            self.report(self.line, Rule::NoKey, what);
        }
    }

    /// Rows of the old and the new table are told apart by columns that both have.
    pub(super) fn shares_row_key(&mut self, old: &Table, new: &Table, name: &str) {
        let (of_old, of_new) = (old.row_keys(), new.row_keys());
        if old.doubtful || new.doubtful || of_old.is_empty() || of_new.is_empty() {
            return;
        }
        let within = |keys: &[Vec<&str>], table: &Table| {
            keys.iter()
                .any(|key| key.iter().all(|column| table.column(column).is_some()))
        };
        if !within(&of_old, new) || !within(&of_new, old) {
            let what = format!(
                "no unique key of `{name}` is over columns that are there before and after"
            );
            self.report(self.line, Rule::KeyReplaced, what);
        }
    }
}

/// A foreign key gets an index, named like it, where none begins with its columns.
pub(super) fn index_foreign_keys(table: &mut Table, keys: Vec<ForeignKey>) {
    for ForeignKey {
        name,
        line,
        columns,
        ..
    } in keys
    {
        let parts: Vec<KeyPart> = columns.into_iter().map(KeyPart::Column).collect();
        let begins = |known: &NamedKey| {
            let first = known.parts.get(..parts.len());
            first.is_some_and(|first| same_parts(first, &parts))
        };
        if !table.keys().iter().any(begins) {
            let kind = KeyKind::Plain;
            let key = Key {
                name,
                line,
                kind,
                parts,
            };
            table.add_key(key_name(table, &key), key);
        }
    }
}

fn same_parts(one: &[KeyPart], other: &[KeyPart]) -> bool {
    one.len() == other.len()
        && one.iter().zip(other).all(|parts| match parts {
            (KeyPart::Column(one), KeyPart::Column(other)) => same(one, other),
            // How long prefixes are, and what expressions say, is not known here.
            _ => false,
        })
}

/// The name of a key without one is that of its first column, with a number where it is taken.
fn key_name(table: &Table, key: &Key) -> String {
    if key.kind == KeyKind::Primary {
        return PRIMARY.to_owned();
    }
    if let Some(name) = &key.name {
        return name.clone();
    }
    let column = key.parts.first().and_then(part_column);
    let column = column.unwrap_or("functional_index");
    let mut name = column.to_owned();
    let mut number = 2;
    while table.key(&name).is_some() {
        name = format!("{column}_{number}");
        number += 1;
    }
    name
}
