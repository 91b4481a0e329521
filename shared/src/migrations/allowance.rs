//! `-- allow CODE: reason` on a line of its own before a statement.

use super::Statement;

/// What a comment allows the statement after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Allowance {
    pub(super) line: usize,
    /// The code of a rule, if it is one.
    pub(super) code: String,
    /// Empty when there is none, which allows nothing.
    pub(super) reason: String,
}

/// The statement's allowances, also those that are wrong.
pub(super) fn of(statement: &Statement) -> Vec<Allowance> {
    let comments = statement.comments().iter();
    comments
        .filter_map(|comment| {
            let rest = comment.text.strip_prefix("allow")?;
            if !rest.starts_with([' ', ':']) {
                return None;
            }
            let (code, reason) = rest.split_once(':').unwrap_or((rest, ""));
            Some(Allowance {
                line: comment.line,
                code: code.trim().to_owned(),
                reason: reason.trim().to_owned(),
            })
        })
        .collect()
}

/// Whether the statement has an allowance with this code and a reason.
pub(super) fn has(statement: &Statement, code: &str) -> bool {
    of(statement)
        .iter()
        .any(|allowance| allowance.code == code && !allowance.reason.is_empty())
}
