//! The rules on keys and foreign keys.

use super::Judge;
use crate::{
    rule::Rule,
    snapshot::{Kind, Part, Row, Table, quoted},
};

const PRIMARY: &str = "PRIMARY";

impl Judge<'_> {
    pub(super) fn added_key(&mut self, new: &Part) {
        if new.rows.iter().any(|part| part.text("type") == "HASH") {
            self.report(Rule::OnlyMariaDb, "{} is over more bytes than MySQL allows");
        }
        let name = |key: &Part| key.subject.name.clone();
        let is_older = |other: &Part| {
            let old = self.old.and_then(|old| old.part(Kind::Index, &name(other)));
            old.is_some() || name(other) < name(new)
        };
        let mut others = self
            .new
            .all(Kind::Index)
            .filter(|other| name(other) != name(new));
        let twin = others.find(|other| {
            let serves = match new.is("unique") == other.is("unique") {
                true => is_older(other),
                false => other.is("unique"),
            };
            serves && over(other) == over(new)
        });
        if let Some(twin) = twin {
            let what = format!("{{}} is over the same columns as `{}`", name(twin));
            self.report(Rule::DuplicateIndex, &what);
        }
        if new.is("unique") {
            self.unique(new);
        }
    }

    pub(super) fn dropped_key(&mut self, old: &Part) {
        let remains = |part: &Row| {
            part.get("column")
                .is_none_or(|name| self.new.column(name).is_some())
        };
        if old.rows.iter().any(remains) {
            self.report(Rule::DropIndex, "drops {}");
        }
    }

    pub(super) fn changed_key(&mut self, old: &Part, new: &Part) {
        let is_other = over(old) != over(new);
        if new.is("unique") && (!old.is("unique") || is_other) {
            self.unique(new);
        }
        if old.is("unique") && !new.is("unique") {
            self.report(Rule::DropIndex, "{} is not unique any more");
        } else if old.is("visible") && !new.is("visible") {
            self.report(Rule::DropIndex, "{} becomes invisible");
        } else if is_other {
            self.report(
                Rule::DropIndex,
                "{} is over other columns, or over the same in another way",
            );
        }
    }

    /// A unique key that may meet rows which are there.
    fn unique(&mut self, key: &Part) {
        let Some(old) = self.old else {
            return;
        };
        let has = |part: &Row| {
            let whole = |part: &Row| whole_column(part).map(str::to_lowercase);
            whole(part).is_some() && key.rows.iter().any(|of| whole(of) == whole(part))
        };
        let mut known = old.all(Kind::Index).filter(|known| known.is("unique"));
        if known.any(|known| known.rows.iter().all(has)) {
            return;
        }
        let is_new = |part: &Row| {
            let name = part.get("column")?;
            old.column(name).is_none().then(|| self.new.column(name))?
        };
        let new: Vec<&Part> = key.rows.iter().filter_map(is_new).collect();
        // Each row that is there gets NULL or a value of its own, which meets no other.
        let differs = |column: &&Part| {
            let has_default = column.get("default").is_some() || column.is_generated();
            let is_null = column.is("nullable") && !has_default;
            is_null || column.is_auto_increment() || column.default_per_row()
        };
        if new.iter().any(differs) {
            return;
        }
        if new.len() == key.rows.len() && !new.iter().any(|column| column.is_generated()) {
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
    pub(super) fn duplicates(&self, key: &Part) -> Option<String> {
        let (mut columns, mut set) = (Vec::new(), Vec::new());
        for part in &key.rows {
            let name = part.get("column")?;
            let new = self.new.column(name)?;
            let Some(old) = self.old?.column(name) else {
                // Every row gets the same value in a new column.
                (!new.is_generated()).then_some(())?;
                continue;
            };
            let column = quoted(&old.subject.name);
            if old.is("nullable") {
                set.push(format!("{column} IS NOT NULL"));
            }
            let mut compared = match part.number("length") {
                Some(length) => format!("LEFT({column}, {length})"),
                None => column,
            };
            if let (Some(charset), Some(collation)) = (new.get("charset"), new.get("collation"))
                && old.get("collation") != Some(collation)
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
        let is_wrong = |part: &Row| {
            let column = whole_column(part).and_then(|name| new.column(name));
            column.is_none_or(|column| column.is_long())
        };
        let primary = new.part(Kind::Index, PRIMARY);
        if primary.is_some_and(|primary| primary.rows.iter().any(is_wrong)) {
            let what = "the primary key of {} is over TEXT, BLOB or a part of a column";
            self.report(Rule::PrimaryKeyPart, what);
        } else if row_keys(new).next().is_none() {
            self.report(
                Rule::NoKey,
                "{} has no key by which its rows are told apart",
            );
        } else if let Some(old) = self.old {
            let lasts = |of: &Table, other: &Table| {
                row_keys(of).any(|key| {
                    key.rows
                        .iter()
                        .all(|part| other.column(part.text("column")).is_some())
                })
            };
            if row_keys(old).next().is_some() && !(lasts(old, new) && lasts(new, old)) {
                let what = "no unique key of {} is over columns that are there before and after";
                self.report(Rule::KeyReplaced, what);
            }
        }
    }

    pub(super) fn added_foreign_key(&mut self, key: &Part) {
        let parent = key.text("parent");
        if key.get("other_schema").is_some() {
            self.report(Rule::OtherDatabase, "{} leads to another database");
        }
        if !self.options.foreign_keys {
            self.report(Rule::ForeignKey, &format!("{{}} leads to `{parent}`"));
        } else if let Some(old) = self.old {
            let columns = || key.rows.iter().map(|part| part.text("column"));
            let set = columns().map(|name| format!("c.{} IS NOT NULL", quoted(name)));
            let equal = key.rows.iter().map(|part| {
                let (of_parent, own) = (part.text("parent_column"), part.text("column"));
                format!("p.{} = c.{}", quoted(of_parent), quoted(own))
            });
            let query = format!(
                "SELECT c.* FROM {} c LEFT JOIN {} p ON {} WHERE {} AND p.{} IS NULL LIMIT 10",
                quoted(&self.subject.table),
                quoted(parent),
                equal.collect::<Vec<_>>().join(" AND "),
                set.collect::<Vec<_>>().join(" AND "),
                quoted(key.text("parent_column")),
            );
            let is_known = columns().all(|name| old.column(name).is_some());
            self.report_rows(
                Rule::ForeignKeyOnRows,
                "{} is new",
                is_known.then_some(query),
            );
        }
    }
}

/// The column, where the part of a key is over the whole of it.
fn whole_column(part: &Row) -> Option<&str> {
    part.get("column")
        .filter(|_| part.number("length").is_none())
}

/// What a key is over, and for which queries, whether it is unique or not.
fn over(key: &Part) -> Vec<impl PartialEq> {
    let fields = ["column", "expression", "order", "type"];
    let over = |part: &Row| {
        (
            fields.map(|field| part.text(field).to_owned()),
            part.number("length"),
        )
    };
    key.rows.iter().map(over).collect()
}

/// The unique keys that tell rows apart: over whole columns, each NOT NULL, none of them TEXT or
/// BLOB (PlanetScale's documentation, "Schema lint errors").
fn row_keys(table: &Table) -> impl Iterator<Item = &Part> {
    let tells = |part: &Row| {
        let column = whole_column(part).and_then(|name| table.column(name));
        column.is_some_and(|column| !column.is("nullable") && !column.is_long())
    };
    let keys = table.all(Kind::Index).filter(|key| key.is("unique"));
    keys.filter(move |key| key.rows.iter().all(tells))
}
