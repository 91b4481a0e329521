//! What differs between two snapshots of a schema.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use crate::snapshot::{Check, Column, ForeignKey, Key, Partitioning, Snapshot, Table, View, same};

/// What became of something from one snapshot to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate<T> {
    Added(T),
    Dropped(T),
    Changed(T, T),
}

impl<T: PartialEq + Copy> Fate<T> {
    fn of(old: Option<T>, new: Option<T>) -> Option<Self> {
        match (old, new) {
            (None, Some(new)) => Some(Self::Added(new)),
            (Some(old), None) => Some(Self::Dropped(old)),
            (Some(old), Some(new)) if old != new => Some(Self::Changed(old, new)),
            _ => None,
        }
    }
}

/// One difference. CHECKs and foreign keys are told apart by what they say, because a deployment
/// changes their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Difference<'s> {
    Table(Fate<&'s Table>),
    View(Fate<&'s View>),
    Column(Fate<&'s Column>),
    /// The columns are the same in another order.
    ColumnOrder,
    Key(&'s str, Fate<&'s Key>),
    Check(&'s str, Fate<&'s Check>),
    ForeignKey(&'s str, Fate<&'s ForeignKey>),
    Partitioning(Fate<&'s Partitioning>),
    Engine(&'s str),
    Collation(&'s str),
    Options,
    Comment,
}

/// The differences by the name of the table or view, in the order of the names.
pub(crate) fn differences<'s>(
    old: &'s Snapshot,
    new: &'s Snapshot,
) -> Vec<(&'s str, Difference<'s>)> {
    let mut found = Vec::new();
    for name in names(&old.tables, &new.tables) {
        match Fate::of(table(old, name), table(new, name)) {
            Some(Fate::Changed(old, new)) => {
                let in_table = of_table(old, new).into_iter();
                found.extend(in_table.map(|difference| (name, difference)));
            }
            Some(fate) => found.push((name, Difference::Table(fate))),
            None => {}
        }
    }
    for name in names(&old.views, &new.views) {
        let fate = Fate::of(view(old, name), view(new, name));
        found.extend(fate.map(|fate| (name, Difference::View(fate))));
    }
    found
}

fn table<'s>(snapshot: &'s Snapshot, name: &str) -> Option<&'s Table> {
    snapshot.tables.get(name).map(Arc::as_ref)
}

fn view<'s>(snapshot: &'s Snapshot, name: &str) -> Option<&'s View> {
    snapshot.views.get(name).map(Arc::as_ref)
}

fn names<'s, T>(old: &'s BTreeMap<String, T>, new: &'s BTreeMap<String, T>) -> BTreeSet<&'s str> {
    old.keys().chain(new.keys()).map(String::as_str).collect()
}

fn of_table<'s>(old: &'s Table, new: &'s Table) -> Vec<Difference<'s>> {
    let mut found = Vec::new();
    let gone = old
        .columns
        .iter()
        .filter(|old| new.column(&old.name).is_none());
    found.extend(gone.map(|old| Difference::Column(Fate::Dropped(old))));
    for column in &new.columns {
        let fate = Fate::of(old.column(&column.name), Some(column));
        found.extend(fate.map(Difference::Column));
    }
    let order = |of: &'s Table, other: &Table| -> Vec<&'s str> {
        let columns = of.columns.iter().map(|column| column.name.as_str());
        columns
            .filter(|name| other.column(name).is_some())
            .collect()
    };
    let (old_order, new_order) = (order(old, new), order(new, old));
    if !old_order
        .iter()
        .zip(&new_order)
        .all(|(old, new)| same(old, new))
    {
        found.push(Difference::ColumnOrder);
    }
    for name in names(&old.keys, &new.keys) {
        let fate = Fate::of(old.keys.get(name), new.keys.get(name));
        found.extend(fate.map(|fate| Difference::Key(name, fate)));
    }
    let checks = by_content(&old.checks, &new.checks);
    found.extend(checks.map(|(name, fate)| Difference::Check(name, fate)));
    let foreign_keys = by_content(&old.foreign_keys, &new.foreign_keys);
    found.extend(foreign_keys.map(|(name, fate)| Difference::ForeignKey(name, fate)));
    let partitioning = Fate::of(old.partitioning.as_ref(), new.partitioning.as_ref());
    found.extend(partitioning.map(Difference::Partitioning));
    if old.engine != new.engine || old.kind != new.kind {
        found.push(Difference::Engine(&new.engine));
    }
    if old.collation != new.collation {
        found.push(Difference::Collation(&new.collation));
    }
    if old.options != new.options {
        found.push(Difference::Options);
    }
    if old.comment != new.comment {
        found.push(Difference::Comment);
    }
    found
}

/// What only one of the maps has, whatever its name.
fn by_content<'s, T: PartialEq>(
    old: &'s BTreeMap<String, T>,
    new: &'s BTreeMap<String, T>,
) -> impl Iterator<Item = (&'s str, Fate<&'s T>)> {
    let mut added: Vec<_> = new.iter().collect();
    let mut dropped = Vec::new();
    for (name, content) in old {
        match added.iter().position(|(_, new)| *new == content) {
            Some(place) => _ = added.remove(place),
            None => dropped.push((name.as_str(), Fate::Dropped(content))),
        }
    }
    let added = added.into_iter();
    dropped
        .into_iter()
        .chain(added.map(|(name, content)| (name.as_str(), Fate::Added(content))))
}

impl Snapshot {
    /// How this schema differs from the one that was expected, in plain words: one phrase for each
    /// difference that the fingerprints see, as "the table `orders` lacks the column `note`".
    pub fn differences_from(&self, expected: &Snapshot) -> Vec<String> {
        differences(self, expected)
            .into_iter()
            .filter_map(|(name, difference)| explain(name, difference))
            .collect()
    }
}

/// In a schema that should be as the new one is.
fn explain(name: &str, difference: Difference) -> Option<String> {
    let lacks_or_has = |what: &str, fate: Fate<()>, differs: &str| match fate {
        Fate::Added(()) => format!("the table `{name}` lacks the {what}"),
        Fate::Dropped(()) => format!("the table `{name}` has the unexpected {what}"),
        Fate::Changed((), ()) => format!("the {what} of `{name}` {differs}"),
    };
    Some(match difference {
        Difference::Table(Fate::Added(_)) => format!("the table `{name}` is missing"),
        Difference::Table(_) => format!("there is an unexpected table `{name}`"),
        Difference::View(Fate::Added(_)) => format!("the view `{name}` is missing"),
        Difference::View(Fate::Dropped(_)) => format!("there is an unexpected view `{name}`"),
        Difference::View(Fate::Changed(old, new)) => {
            let defined = |view: &View| View {
                security: String::new(),
                valid: true,
                columns: Vec::new(),
                ..view.clone()
            };
            if defined(old) == defined(new) {
                return None;
            }
            format!("the view `{name}` is defined in another way")
        }
        Difference::Column(fate) => match fate {
            Fate::Added(column) | Fate::Dropped(column) => {
                lacks_or_has(&format!("column `{}`", column.name), fate.kind(), "")
            }
            Fate::Changed(old, new) => {
                let column = &new.name;
                format!("the column `{column}` of `{name}` is {old} instead of {new}")
            }
        },
        Difference::ColumnOrder => format!("the columns of `{name}` are in another order"),
        Difference::Key(key, fate) => {
            lacks_or_has(&format!("index `{key}`"), fate.kind(), "is another one")
        }
        Difference::Check(_, fate) => {
            let (Fate::Added(check) | Fate::Dropped(check) | Fate::Changed(_, check)) = fate;
            lacks_or_has(&format!("CHECK {}", check.clause), fate.kind(), "")
        }
        Difference::ForeignKey(_, fate) => {
            let (Fate::Added(key) | Fate::Dropped(key) | Fate::Changed(_, key)) = fate;
            let (columns, referenced) = (key.columns.join("`, `"), &key.referenced_table);
            let what = format!("foreign key from `{columns}` to `{referenced}`");
            lacks_or_has(&what, fate.kind(), "")
        }
        Difference::Partitioning(_) => format!("the table `{name}` has other partitions"),
        Difference::Engine(_) => format!("the table `{name}` has another engine"),
        Difference::Collation(_) => format!("the table `{name}` has another collation"),
        Difference::Options => format!("the table `{name}` has other options"),
        Difference::Comment => format!("the table `{name}` has another comment"),
    })
}

impl<T> Fate<T> {
    fn kind(&self) -> Fate<()> {
        match self {
            Self::Added(_) => Fate::Added(()),
            Self::Dropped(_) => Fate::Dropped(()),
            Self::Changed(..) => Fate::Changed((), ()),
        }
    }
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.data_type)?;
        if let Some(collation) = &self.collation {
            write!(f, " COLLATE {collation}")?;
        }
        if let Some(expression) = &self.expression {
            write!(f, " AS ({expression})")?;
        }
        f.write_str(if self.nullable { " NULL" } else { " NOT NULL" })?;
        if let Some(default) = &self.default {
            write!(f, " DEFAULT {default}")?;
        }
        if !self.extra.is_empty() {
            write!(f, " {}", self.extra)?;
        }
        if !self.comment.is_empty() {
            write!(f, " COMMENT '{}'", self.comment)?;
        }
        Ok(())
    }
}
