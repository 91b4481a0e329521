//! `-- allow CODE: reason` on a line of its own before a statement.

use crate::{rule::Rule, split::Comment};

/// What a comment is to allow the statement after it.
pub(crate) struct Allowance<'c> {
    pub(crate) line: usize,
    pub(crate) code: &'c str,
    /// The rule that it allows, or what is wrong with it.
    pub(crate) rule: Result<Rule, String>,
}

/// The allowances among comments, also those that are wrong. A comment is one when it says `allow`
/// and the code of a rule, or `allow` and another word with a colon.
pub(crate) fn allowances(comments: &[Comment]) -> impl Iterator<Item = Allowance<'_>> {
    comments.iter().filter_map(|Comment { text, line }| {
        let (allow, rest) = text.split_once(char::is_whitespace)?;
        let (code, reason) = rest.split_once(':').unwrap_or((rest, ""));
        let code = code.trim();
        let known = Rule::ALL.iter().find(|rule| rule.code() == code);
        let is_one = known.is_some() || rest.contains(':') && !code.contains(char::is_whitespace);
        let rule = match known {
            None => Err(format!("no rule has the code `{code}`")),
            Some(rule) if !rule.is_allowable() => Err(format!("no comment can allow `{code}`")),
            Some(_) if reason.trim().is_empty() => {
                Err(format!("the allowance of `{code}` has no reason"))
            }
            Some(rule) => Ok(*rule),
        };
        let line = *line;
        (is_one && allow.eq_ignore_ascii_case("allow")).then_some(Allowance { line, code, rule })
    })
}
