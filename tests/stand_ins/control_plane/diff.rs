//! Differences as people read them: of each table that changes, its statement with `+` and `-`
//! before the lines.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use similar::{ChangeTag, TextDiff};

use super::schema::Schema;

/// `{"data": [{"name", "raw", "html"}]}` as both diffs of the API are.
pub fn view(from: &Schema, to: &Schema) -> Value {
    let find = |schema: &Schema, name: &str| {
        let mut creates = schema.creates();
        let found = creates.find(|(other, _)| *other == name);
        found
            .map(|(_, create)| format!("{create};\n"))
            .unwrap_or_default()
    };
    let names: BTreeSet<&str> = from
        .creates()
        .chain(to.creates())
        .map(|(name, _)| name)
        .collect();
    let mut data = Vec::new();
    for name in names {
        let (old, new) = (find(from, name), find(to, name));
        if old != new {
            let raw = lines(&old, &new);
            data.push(json!({"name": name, "raw": raw, "html": super::html(&raw)}));
        }
    }
    json!({"data": data})
}

fn lines(old: &str, new: &str) -> String {
    let diff = TextDiff::from_lines(old, new);
    let mut text = String::new();
    for change in diff.iter_all_changes() {
        text.push(match change.tag() {
            ChangeTag::Equal => ' ',
            ChangeTag::Delete => '-',
            ChangeTag::Insert => '+',
        });
        text.push_str(change.value());
    }
    text
}
