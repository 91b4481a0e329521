//! What differs between two snapshots of a schema.

use std::collections::BTreeMap;

use crate::snapshot::{Kind, Part, Snapshot, Subject, Tables};

/// One difference: what was there before, and what is there after.
#[derive(Debug)]
pub(crate) struct Difference<'s> {
    pub(crate) subject: &'s Subject,
    pub(crate) old: Option<&'s Part>,
    pub(crate) new: Option<&'s Part>,
}

/// The differences, in the order of the tables' names.
pub(crate) fn differences<'s>(old: &'s Tables, new: &'s Tables) -> Vec<Difference<'s>> {
    let mut found = Vec::new();
    for (_, (before, after)) in pairs(old, new).filter(|(_, (before, after))| before != after) {
        let nothing = const { &BTreeMap::new() };
        let [before, after] = [before, after].map(|table| table.map_or(nothing, |of| &of.parts));
        for (_, (old, new)) in pairs(before, after) {
            let Some(Part { subject, .. }) = new.or(old) else {
                continue;
            };
            // The parts of a table go with it.
            let goes_with_table = after.is_empty() && !subject.is_whole();
            if old.map(|part| &part.rows) != new.map(|part| &part.rows) && !goes_with_table {
                found.push(Difference { subject, old, new });
            }
        }
    }
    found
}

/// What each map has for a key, for the keys of both.
fn pairs<'m, T>(
    one: &'m BTreeMap<String, T>,
    other: &'m BTreeMap<String, T>,
) -> impl Iterator<Item = (&'m String, (Option<&'m T>, Option<&'m T>))> {
    let mut pairs: BTreeMap<_, _> = one
        .iter()
        .map(|(key, of)| (key, (Some(of), None)))
        .collect();
    for (key, of) in other {
        pairs.entry(key).or_insert((None, None)).1 = Some(of);
    }
    pairs.into_iter()
}

impl Snapshot {
    /// How this schema differs from the one that was expected, in plain words: one phrase for each
    /// difference, such as "the column `note` of `orders` is missing". The names of CHECKs and
    /// foreign keys make no difference.
    pub fn differences_from(&self, expected: &Snapshot) -> Vec<String> {
        let mut told = Vec::new();
        for Difference { subject, old, new } in differences(&self.tables, &expected.tables) {
            // The parts of a table that is missing are missing with it.
            if !subject.is_whole() && !self.tables.contains_key(&subject.table) {
                continue;
            }
            told.push(match (old, new) {
                (None, _) => format!("{subject} is missing"),
                (_, None) => format!("{subject} should not be there"),
                (Some(is), Some(should))
                    if subject.kind == Kind::Column
                        && is.text("data_type") != should.text("data_type") =>
                {
                    let (is, should) = (is.text("data_type"), should.text("data_type"));
                    format!("{subject} is {is} and should be {should}")
                }
                _ => format!("{subject} is defined in another way than expected"),
            });
        }
        if told.is_empty() && self.fingerprint() != expected.fingerprint() {
            told.push("columns are in another order".to_owned());
        }
        told
    }
}
