//! What tells one schema from another.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use crate::{
    files::checksum,
    snapshot::{Snapshot, Table},
};

/// SHA-256 of a schema, shown in lowercase hex digits. Two schemas with the same fingerprint serve
/// the same statements in the same way.
///
/// It covers tables with their columns, keys, CHECKs, foreign keys, partitions, engine, collation,
/// options and comment, and views. The order of columns counts, because `SELECT *` and an INSERT
/// without names depend on it. Defaults and expressions count as the server spells them, so only
/// fingerprints from servers of the same make and version compare.
///
/// What a deployment changes by itself does not count: the names of CHECKs and foreign keys, to
/// which PlanetScale appends a generated suffix each time (its documentation, "constraint not
/// found"), and the next AUTO_INCREMENT value. Nor do the order of keys, who defined a view, and
/// with whose rights it reads: on Vitess every login is the same user of MySQL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Fingerprint {
    /// None where the text is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let is_one = text.len() == 64 && text.bytes().all(is_digit);
        is_one.then(|| Self(text.to_owned()))
    }
}

impl Snapshot {
    /// What tells this schema from another.
    pub fn fingerprint(&self) -> Fingerprint {
        let tables = self
            .tables
            .iter()
            .map(|(name, table)| (name, table.as_ref()));
        let tables: BTreeMap<&String, &Table> = tables.collect();
        // It has a JSON: every key of a map in it is a text.
        let json = serde_json::to_string(&tables).unwrap_or_default();
        Fingerprint(checksum(&json))
    }
}
