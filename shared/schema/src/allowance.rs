//! `-- allow CODE: reason` on a line of its own before a statement.

use crate::{rule::Rule, split::Comment};

/// What a comment is to allow the statement after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Allowance {
    pub(crate) line: usize,
    /// The code of a rule, if it is one.
    pub(crate) code: String,
    /// Empty where there is none, which allows nothing.
    reason: String,
}

/// The allowances among comments, also those that are wrong. A comment is one when it says `allow`
/// and the code of a rule, or `allow` and another word with a colon.
pub(crate) fn of(comments: &[Comment]) -> impl Iterator<Item = Allowance> {
    comments.iter().filter_map(|comment| {
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
}

impl Allowance {
    /// The rule that it allows, or what is wrong with it.
    pub(crate) fn rule(&self) -> Result<Rule, String> {
        let code = &self.code;
        match Rule::ALL.iter().find(|rule| rule.code() == code) {
            None => Err(format!("no rule has the code `{code}`")),
            Some(rule) if !rule.is_allowable() => Err(format!("no comment can allow `{code}`")),
            Some(_) if self.reason.is_empty() => {
                Err(format!("the allowance of `{code}` has no reason"))
            }
            Some(rule) => Ok(*rule),
        }
    }
}
