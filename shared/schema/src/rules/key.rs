//! The rules on keys and foreign keys.

use super::Judge;
use crate::{
    rule::Rule,
    snapshot::{Column, ForeignKeyPart, KeyPart, Table, quoted, same},
};

const PRIMARY: &str = "PRIMARY";

impl Judge<'_> {
    pub(super) fn added_key(&mut self, new: &[KeyPart]) {
        if new.iter().any(|part| part.kind == "HASH") {
            self.report(Rule::OnlyMariaDb, "{} is over more bytes than MySQL allows");
        }
        let name = self.subject.name.clone();
        let is_unique = is_unique_key(new);
        let is_older = |other: &str| {
            other < name.as_str() || self.old.is_some_and(|old| old.keys.contains_key(other))
        };
        let mut others = self.new.keys.iter().filter(|(other, _)| **other != name);
        let twin = others.find(|(other, parts)| {
            let serves = match is_unique == is_unique_key(parts) {
                true => is_older(other),
                false => !is_unique,
            };
            serves && same_parts(parts, new)
        });
        if let Some((other, _)) = twin {
            let what = format!("{{}} is over the same columns as `{other}`");
            self.report(Rule::DuplicateIndex, &what);
        }
        if is_unique {
            self.unique(new);
        }
    }

    pub(super) fn dropped_key(&mut self, old: &[KeyPart]) {
        let remains = |part: &KeyPart| {
            part.column
                .as_deref()
                .is_none_or(|column| self.new.column(column).is_some())
        };
        if self.subject.name != PRIMARY && old.iter().any(remains) {
            self.report(Rule::DropIndex, "drops {}");
        }
    }

    pub(super) fn changed_key(&mut self, old: &[KeyPart], new: &[KeyPart]) {
        let visible = |parts: &[KeyPart]| parts.iter().all(|part| part.visible);
        let is_other = !same_parts(old, new);
        if is_unique_key(new) && (!is_unique_key(old) || is_other) {
            self.unique(new);
        }
        if is_unique_key(old) && !is_unique_key(new) {
            self.report(Rule::DropIndex, "{} is not unique any more");
        } else if visible(old) && !visible(new) {
            self.report(Rule::DropIndex, "{} becomes invisible");
        } else if is_other && self.subject.name != PRIMARY {
            self.report(Rule::DropIndex, "{} is over other columns");
        }
    }

    /// A unique key that may meet rows which are there.
    fn unique(&mut self, key: &[KeyPart]) {
        let Some(old) = self.old else {
            return;
        };
        let has = |part: &KeyPart| {
            part.whole_column().is_some_and(|column| {
                key.iter()
                    .any(|of| of.whole_column().is_some_and(|name| same(name, column)))
            })
        };
        if old
            .keys
            .values()
            .any(|known| is_unique_key(known) && known.iter().all(has))
        {
            return;
        }
        let is_new = |part: &KeyPart| {
            let column = self.new.column(part.column.as_deref()?)?;
            old.column(&column.name).is_none().then_some(column)
        };
        let new: Vec<&Column> = key.iter().filter_map(is_new).collect();
        // Each row that is there gets NULL or a value of its own, which meets no other.
        let differs = |column: &&Column| {
            let is_null = column.nullable && column.default.is_none() && !column.is_generated();
            is_null || column.is_auto_increment() || column.default_per_row()
        };
        if new.iter().any(differs) {
            return;
        }
        if new.len() == key.len() && !new.iter().any(|column| column.is_generated()) {
            self.report(Rule::UniqueDefault, "{} is new and over new columns alone");
            return;
        }
        let query = self.duplicates(key);
        self.report_rows(
            Rule::UniqueOnRows,
            "{} is new, or over other columns",
            query,
        );
    }

    /// The query of values that rows share in what the key is over. None where that is computed.
    pub(super) fn duplicates(&self, key: &[KeyPart]) -> Option<String> {
        let (mut columns, mut set) = (Vec::new(), Vec::new());
        for part in key {
            let new = self.new.column(part.column.as_deref()?)?;
            let Some(old) = self.old?.column(&new.name) else {
                // Every row gets the same value in a new column.
                (!new.is_generated()).then_some(())?;
                continue;
            };
            let column = quoted(&old.name);
            if old.nullable {
                set.push(format!("{column} IS NOT NULL"));
            }
            let mut compared = match part.length {
                Some(length) => format!("LEFT({column}, {length})"),
                None => column,
            };
            if let (Some(charset), Some(collation)) = (&new.charset, &new.collation)
                && old.collation != new.collation
            {
                compared = format!("CONVERT({compared} USING {charset}) COLLATE {collation}");
            }
            columns.push(compared);
        }
        let places: Vec<_> = (1..=columns.len()).map(|place| place.to_string()).collect();
        let (selected, places) = (columns.join(", "), places.join(", "));
        let table = quoted(&self.subject.table);
        let set = match set.is_empty() {
            true => String::new(),
            false => format!(" WHERE {}", set.join(" AND ")),
        };
        // By their places, because MariaDB does not group by an expression that it selects.
        Some(format!(
            "SELECT {selected}, COUNT(*) FROM {table}{set} GROUP BY {places} HAVING COUNT(*) > 1 LIMIT 10"
        ))
    }

    /// A table needs a key by which its rows are told apart, before and after.
    pub(super) fn row_keys(&mut self) {
        let new = self.new;
        let is_wrong = |part: &KeyPart| {
            let column = part.whole_column().and_then(|column| new.column(column));
            column.is_none_or(Column::is_long)
        };
        if new
            .keys
            .get(PRIMARY)
            .is_some_and(|parts| parts.iter().any(is_wrong))
        {
            let what = "the primary key of {} is over TEXT, BLOB or a part of a column";
            self.report(Rule::PrimaryKeyPart, what);
        } else if new.row_keys().next().is_none() {
            self.report(
                Rule::NoKey,
                "{} has no key by which its rows are told apart",
            );
        } else if let Some(old) = self.old {
            let lasts = |of: &Table, other: &Table| {
                let has = |column: &&Column| other.column(&column.name).is_some();
                of.row_keys().any(|key| key.iter().all(has))
            };
            if old.row_keys().next().is_some() && !(lasts(old, new) && lasts(new, old)) {
                let what = "no unique key of {} is over columns that are there before and after";
                self.report(Rule::KeyReplaced, what);
            }
        }
    }

    pub(super) fn added_foreign_key(&mut self, key: &[ForeignKeyPart]) {
        let Some(first) = key.first() else {
            return;
        };
        if first.other_schema.is_some() {
            self.report(Rule::OtherDatabase, "{} leads to another database");
        }
        if !self.options.foreign_keys {
            self.report(
                Rule::ForeignKey,
                &format!("{{}} leads to `{}`", first.parent),
            );
        } else if let Some(old) = self.old {
            let set = key
                .iter()
                .map(|part| format!("c.{} IS NOT NULL", quoted(&part.column)));
            let equal = key.iter().map(|part| {
                format!(
                    "p.{} = c.{}",
                    quoted(&part.parent_column),
                    quoted(&part.column)
                )
            });
            let query = format!(
                "SELECT c.* FROM {} c LEFT JOIN {} p ON {} WHERE {} AND p.{} IS NULL LIMIT 10",
                quoted(&self.subject.table),
                quoted(&first.parent),
                equal.collect::<Vec<_>>().join(" AND "),
                set.collect::<Vec<_>>().join(" AND "),
                quoted(&first.parent_column),
            );
            let is_known = key.iter().all(|part| old.column(&part.column).is_some());
            self.report_rows(
                Rule::ForeignKeyOnRows,
                "{} is new",
                is_known.then_some(query),
            );
        }
    }
}

fn is_unique_key(key: &[KeyPart]) -> bool {
    key.iter().all(|part| part.unique)
}

/// Whether both are over the same, whether they are unique or not.
fn same_parts(one: &[KeyPart], other: &[KeyPart]) -> bool {
    one.iter()
        .map(KeyPart::over)
        .eq(other.iter().map(KeyPart::over))
}
