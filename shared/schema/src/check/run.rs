//! One migration under the rules: what was found, at which statement and line.

use std::collections::BTreeSet;

use super::{Finding, Options};
use crate::{
    allowance,
    difference::{Difference, Subject, differences},
    files::Migration,
    rule::Rule,
    rules::{Judgement, judge},
    snapshot::{Make, Snapshot, Table, same},
    split::{Statement, Token},
};

/// What is found in a migration while it is run.
pub(super) struct Run<'m> {
    migration: &'m Migration,
    /// With the place of the statement in the migration.
    found: Vec<(usize, Finding)>,
    touched: Vec<Touched>,
}

/// What a statement has changed.
struct Touched {
    index: usize,
    subject: Subject,
    /// Whether it was there before, and after.
    there: (bool, bool),
}

impl<'m> Run<'m> {
    pub(super) fn new(migration: &'m Migration) -> Self {
        let (found, touched) = (Vec::new(), Vec::new());
        Self {
            migration,
            found,
            touched,
        }
    }

    pub(super) fn report(
        &mut self,
        index: usize,
        line: usize,
        rule: Rule,
        what: impl Into<String>,
    ) {
        let file = self.migration.file().to_owned();
        let (what, query) = (what.into(), None);
        self.found.push((
            index,
            Finding {
                file,
                line,
                rule,
                what,
                query,
            },
        ));
    }

    /// What its words refuse.
    pub(super) fn refuse(&mut self, index: usize, refused: Vec<(usize, Rule, String)>) {
        for (line, rule, what) in refused {
            self.report(index, line, rule, what);
        }
    }

    /// What the server refuses, in its words. What follows from another refusal is not said again.
    pub(super) fn refused(
        &mut self,
        index: usize,
        line: usize,
        words: &str,
        snapshot: &Snapshot,
        missing: &BTreeSet<String>,
    ) {
        let words = words.replace(&format!("{}.", snapshot.schema), "");
        let words = words.trim_end_matches('.');
        if missing
            .iter()
            .any(|name| words.contains(&format!("'{name}'")))
        {
            return;
        }
        let what = match snapshot.make {
            Make::MySql => format!("the server refuses this: {words}"),
            Make::MariaDb => format!("MariaDB refuses this, whatever MySQL says: {words}"),
        };
        self.report(index, line, Rule::Refused, what);
    }

    /// Notes what the statement has changed.
    pub(super) fn changed(&mut self, index: usize, before: &Snapshot, after: &Snapshot) {
        let touched = differences(before, after).into_iter();
        self.touched
            .extend(touched.map(|Difference { subject, old, new }| Touched {
                index,
                subject,
                there: (old.is_some(), new.is_some()),
            }));
    }

    /// Judges the end of the migration against its start.
    pub(super) fn judge(&mut self, start: &Snapshot, end: &Snapshot, options: &Options) {
        let mut judged = judge(start, end, options);
        // What is there at the end need not be what was there at the start.
        for Touched { subject, there, .. } in &self.touched {
            let is_there = |snapshot: &Snapshot| {
                let table = snapshot.tables.get(&subject.table);
                let is_column =
                    |table: &Table| subject.is_column() && table.column(&subject.name).is_some();
                table.is_some_and(|table| subject.is_whole() || is_column(table))
            };
            if *there == (true, false) && is_there(start) && is_there(end) {
                let rule = match subject.is_whole() {
                    true => Rule::DropTable,
                    false => Rule::DropColumn,
                };
                let what = format!("drops {subject} and what is in it");
                judged.push(Judgement {
                    subject: subject.clone(),
                    rule,
                    what,
                    query: None,
                });
            }
        }
        for judgement in judged {
            self.place(judgement);
        }
    }

    /// Reports it at the statement that has made it so, and at the line that names it.
    fn place(&mut self, judgement: Judgement) {
        let Judgement {
            subject,
            mut rule,
            what,
            query,
        } = judgement;
        let is_drop = matches!(rule, Rule::DropColumn | Rule::DropTable);
        let exact = |touched: &&Touched| {
            touched.subject == subject && (!is_drop || touched.there == (true, false))
        };
        let created =
            |touched: &&Touched| touched.subject == subject && touched.there == (false, true);
        let of_table = |touched: &&Touched| touched.subject.table == subject.table;
        let touched = || self.touched.iter();
        let found = match subject.is_whole() {
            true => touched().find(created).or_else(|| touched().find(exact)),
            false => touched().rfind(exact),
        };
        let found = found.or_else(|| touched().rfind(of_table));
        let index = found
            .or_else(|| self.touched.last())
            .map_or(0, |touched| touched.index);
        let Some(statement) = self.migration.statements().get(index) else {
            return;
        };
        // The words have said it better.
        let is_said = |found: Rule| match found {
            Rule::RenameColumn | Rule::RenameTable => {
                is_drop || matches!(rule, Rule::DropAndAdd | Rule::NotNullWithoutDefault)
            }
            Rule::DropPartition => rule == Rule::PartitionedRows,
            _ => false,
        };
        let mut found = self.found.iter();
        if found.any(|(of, found)| *of == index && is_said(found.rule)) {
            return;
        }
        if rule == Rule::DroppedNotNull && says_null(statement, &subject.name) {
            rule = Rule::BecomesNull;
        }
        let (file, line) = (
            self.migration.file().to_owned(),
            line_of(statement, &subject.name),
        );
        self.found.push((
            index,
            Finding {
                file,
                line,
                rule,
                what,
                query,
            },
        ));
    }

    /// Everything that no comment allows, by line. `ran` is false where the words alone were read,
    /// and an allowance may be of what they do not show.
    pub(super) fn findings(mut self, ran: bool) -> Vec<Finding> {
        let migration = self.migration;
        if migration.statements().is_empty() {
            self.report(0, 1, Rule::Empty, "there is no statement in this file");
        }
        for (index, statement) in migration.statements().iter().enumerate() {
            let is_judged = ran && self.touched.iter().any(|touched| touched.index == index);
            for allowance in allowance::of(statement.comments()) {
                let before = self.found.len();
                let rule = allowance.rule();
                self.found
                    .retain(|(of, found)| *of != index || Ok(found.rule) != rule);
                let is_unused = is_judged && self.found.len() == before;
                let code = &allowance.code;
                let fault = match rule {
                    Err(fault) => fault,
                    Ok(_) if is_unused => {
                        format!("the statement after it has nothing that needs `{code}` allowed")
                    }
                    Ok(_) => continue,
                };
                self.report(index, allowance.line, Rule::Allowance, fault);
            }
        }
        for allowance in allowance::of(migration.stray_comments()) {
            let code = &allowance.code;
            let what = format!("the allowance of `{code}` is not on a line before its statement");
            self.report(usize::MAX, allowance.line, Rule::Allowance, what);
        }
        self.found.sort_by_key(|(_, found)| found.line);
        self.found.into_iter().map(|(_, found)| found).collect()
    }
}

/// The line of the statement that names it first.
fn line_of(statement: &Statement, name: &str) -> usize {
    let mut tokens = statement.tokens().iter();
    let named = tokens.find(|token| token.is_name() && same(&token.text, name));
    named.map_or(statement.line(), |token| token.line)
}

/// Whether the column is defined with the word NULL, and so becomes NULL on purpose.
fn says_null(statement: &Statement, column: &str) -> bool {
    let tokens = statement.tokens();
    let is_column = |token: &Token| token.is_name() && same(&token.text, column);
    let from = tokens.iter().position(is_column).unwrap_or(0);
    let definition = tokens.get(from..).unwrap_or_default();
    definition
        .windows(2)
        .take_while(|pair| !matches!(pair, [before, _] if before.is(",")))
        .any(|pair| matches!(pair, [before, word] if word.is("NULL") && !before.is("NOT") && !before.is("DEFAULT")))
}
