//! What differs between two snapshots of a schema.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;

use crate::snapshot::{
    Check, Column, ForeignKeyPart, KeyPart, Options, Partition, Snapshot, Table, View,
};

/// Something that is in a schema or is not: a table, a view, or a part of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum Part<'s> {
    Table(&'s Options),
    View(&'s View),
    Column(&'s Column),
    Key(&'s [KeyPart]),
    Check(&'s Check),
    ForeignKey(&'s [ForeignKeyPart]),
    Partitions(&'s [Partition]),
}

/// What a message calls it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Subject {
    pub(crate) table: String,
    /// `column`, `index` and so on; empty for the table itself.
    kind: &'static str,
    /// Empty for the table itself.
    pub(crate) name: String,
}

/// One difference: what was there before, and what is there after.
#[derive(Debug, Clone)]
pub(crate) struct Difference<'s> {
    pub(crate) subject: Subject,
    pub(crate) old: Option<Part<'s>>,
    pub(crate) new: Option<Part<'s>>,
}

impl Subject {
    pub(crate) fn of(table: &str, part: &Part, name: &str) -> Self {
        let kind = match part {
            Part::Table(_) => "table",
            Part::View(_) => "view",
            Part::Column(_) => "column",
            Part::Key(_) => "index",
            Part::Check(_) => "CHECK",
            Part::ForeignKey(_) => "foreign key",
            Part::Partitions(_) => "partitioning",
        };
        Self {
            table: table.to_owned(),
            kind,
            name: name.to_owned(),
        }
    }

    /// Whether it is a whole table or view.
    pub(crate) fn is_whole(&self) -> bool {
        matches!(self.kind, "table" | "view")
    }

    pub(crate) fn is_column(&self) -> bool {
        self.kind == "column"
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, kind, name } = self;
        match (*kind, name.as_str()) {
            ("partitioning", _) => write!(f, "the partitioning of `{table}`"),
            (kind, "") => write!(f, "the {kind} `{table}`"),
            (kind, name) => write!(f, "the {kind} `{name}` of `{table}`"),
        }
    }
}

/// The parts of a table by what tells one from another. That is the name, but what they say for
/// CHECKs and foreign keys, because a deployment changes their names.
pub(crate) fn parts(table: &Table) -> BTreeMap<String, (&str, Part<'_>)> {
    let mut parts = BTreeMap::new();
    parts.insert(String::new(), ("", Part::Table(&table.options)));
    for column in &table.columns {
        let name = column.name.as_str();
        parts.insert(
            format!("a {}", name.to_lowercase()),
            (name, Part::Column(column)),
        );
    }
    for (name, key) in &table.keys {
        parts.insert(format!("b {name}"), (name, Part::Key(key)));
    }
    let of_content = table
        .checks
        .iter()
        .map(|(name, check)| (name, Part::Check(check)));
    let foreign_keys = table.foreign_keys.iter();
    let foreign_keys = foreign_keys.map(|(name, key)| (name, Part::ForeignKey(key)));
    for (name, part) in of_content.chain(foreign_keys) {
        let mut content = format!("c {part:?}");
        while parts.contains_key(&content) {
            content.push('+');
        }
        parts.insert(content, (name.as_str(), part));
    }
    if !table.partitions.is_empty() {
        parts.insert("d".to_owned(), ("", Part::Partitions(&table.partitions)));
    }
    parts
}

/// The differences, in the order of the tables' names.
pub(crate) fn differences<'s>(old: &'s Snapshot, new: &'s Snapshot) -> Vec<Difference<'s>> {
    let mut found = Vec::new();
    let nothing = BTreeMap::new;
    for name in keys(&old.tables, &new.tables) {
        let (before, after) = (old.tables.get(name), new.tables.get(name));
        if before != after {
            let (before, after) = (
                before.map(|table| parts(table)),
                after.map(|table| parts(table)),
            );
            let gone = after.is_none();
            let (before, after) = (
                before.unwrap_or_else(nothing),
                after.unwrap_or_else(nothing),
            );
            for key in keys(&before, &after) {
                let (before, after) = (before.get(key), after.get(key));
                // The parts of a table go with it.
                if gone && !key.is_empty() || before.map(|of| of.1) == after.map(|of| of.1) {
                    continue;
                }
                found.extend(Difference::of(name, before.copied(), after.copied()));
            }
        }
    }
    for name in keys(&old.views, &new.views) {
        let view = |of: &'s Snapshot| of.views.get(name).map(|view| ("", Part::View(view)));
        let (before, after) = (view(old), view(new));
        if before != after {
            found.extend(Difference::of(name, before, after));
        }
    }
    found
}

/// The keys of both maps, in their order.
fn keys<'m, T>(
    one: &'m BTreeMap<String, T>,
    other: &'m BTreeMap<String, T>,
) -> impl Iterator<Item = &'m String> {
    let names: std::collections::BTreeSet<_> = one.keys().chain(other.keys()).collect();
    names.into_iter()
}

impl<'s> Difference<'s> {
    fn of(
        table: &str,
        old: Option<(&str, Part<'s>)>,
        new: Option<(&str, Part<'s>)>,
    ) -> Option<Self> {
        let (name, part) = new.or(old)?;
        Some(Self {
            subject: Subject::of(table, &part, name),
            old: old.map(|(_, part)| part),
            new: new.map(|(_, part)| part),
        })
    }
}

impl Snapshot {
    /// How this schema differs from the one that was expected, in plain words: one phrase for each
    /// difference, such as "the column `note` of `orders` is missing". The names of CHECKs and
    /// foreign keys make no difference.
    pub fn differences_from(&self, expected: &Snapshot) -> Vec<String> {
        let all = differences(self, expected).into_iter();
        let is_told = |Subject { table, name, .. }: &Subject| {
            name.is_empty() || self.tables.contains_key(table)
        };
        let told: Vec<_> = all
            .filter(|difference| is_told(&difference.subject))
            .map(|Difference { subject, old, new }| match (old, new) {
                (None, _) => format!("{subject} is missing"),
                (_, None) => format!("{subject} should not be there"),
                (Some(Part::Column(is)), Some(Part::Column(should)))
                    if is.data_type != should.data_type =>
                {
                    format!(
                        "{subject} is {} and should be {}",
                        is.data_type, should.data_type
                    )
                }
                _ => format!("{subject} is defined in another way than expected"),
            })
            .collect();
        match told.is_empty() && self.fingerprint() != expected.fingerprint() {
            true => vec!["columns are in another order".to_owned()],
            false => told,
        }
    }
}
