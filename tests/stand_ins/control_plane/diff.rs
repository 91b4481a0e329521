//! Differences for people: the CREATE statements of what changes, with `+` and `-` before the lines.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use similar::{ChangeTag, TextDiff};

use super::branch_schema::BranchSchema;
use super::changes::{ConstraintNames, changes};

/// `{"data": [{"name", "raw", "html"}]}`, as in both diffs of the API.
pub fn view(from: &BranchSchema, to: &BranchSchema) -> Value {
    let create = |schema: &BranchSchema, name: &str| {
        let mut creates = schema.creates();
        let found = creates.find(|(other, _)| *other == name);
        found
            .map(|(_, create)| format!("{create};\n"))
            .unwrap_or_default()
    };
    let changes = changes(from, to, ConstraintNames::Original);
    let names: BTreeSet<&str> = changes.iter().map(|change| change.table.as_str()).collect();
    let mut data = Vec::new();
    for name in names {
        let raw = lines(&create(from, name), &create(to, name));
        data.push(json!({"name": name, "raw": raw, "html": super::html(&raw)}));
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
