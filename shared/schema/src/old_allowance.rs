//! `-- allow CODE: reason` on a line of its own before a statement.

use super::{
    lint::Rule,
    statement::{Comment, Statement},
};

/// What a comment is to allow the statement after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Allowance {
    pub(super) line: usize,
    /// The code of a rule, if it is one.
    pub(super) code: String,
    /// Empty when there is none, which allows nothing.
    pub(super) reason: String,
}

/// The allowances among comments, also those that are wrong. A comment is one when it says `allow`
/// and the code of a rule, or `allow` and another word with a colon.
pub(super) fn of(comments: &[Comment]) -> Vec<Allowance> {
    comments
        .iter()
        .filter_map(|comment| {
            let (allow, rest) = comment.text.split_once(char::is_whitespace)?;
            let (code, reason) = match rest.split_once(':') {
                Some((code, reason)) => (code.trim(), Some(reason.trim())),
                None => (rest.trim(), None),
            };
            let known = Rule::ALL.iter().any(|rule| rule.code() == code);
            let meant = known || reason.is_some() && !code.contains(char::is_whitespace);
            let is_one = allow.eq_ignore_ascii_case("allow") && meant;
            is_one.then(|| Allowance {
                line: comment.line,
                code: code.to_owned(),
                reason: reason.unwrap_or_default().to_owned(),
            })
        })
        .collect()
}

/// Whether the statement has an allowance with this code and a reason.
pub(super) fn has(statement: &Statement, code: &str) -> bool {
    of(statement.comments())
        .iter()
        .any(|allowance| allowance.code == code && !allowance.reason.is_empty())
}
