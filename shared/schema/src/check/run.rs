//! One migration under the rules: what was found, at which statement and line.

use std::collections::BTreeSet;

use super::{Finding, Options};
use crate::{
    allowance::{Allowance, allowances},
    difference::{Difference, differences},
    files::Migration,
    rule::Rule,
    rules::{Judgement, judge},
    snapshot::{Kind, Make, Snapshot, Subject, Tables, same},
    split::{Statement, Token},
};

/// What is found in a migration while it is run.
pub(super) struct Run<'m> {
    migration: &'m Migration,
    /// With the place of the statement in the migration.
    found: Vec<(usize, Finding)>,
    touched: Vec<Touched>,
    /// What the end of the migration has broken, also where a comment allows it.
    judged: BTreeSet<(Rule, Subject)>,
}

/// What several migrations can do in one deployment although none of them does it by itself. So an
/// allowance of these need not be about its own migration.
const TOGETHER: [Rule; 2] = [Rule::KeyReplaced, Rule::DropAndAdd];

/// What a statement has changed.
struct Touched {
    index: usize,
    subject: Subject,
    /// Whether it was there before, and after.
    there: (bool, bool),
}

impl<'m> Run<'m> {
    pub(super) fn new(migration: &'m Migration) -> Self {
        Self {
            migration,
            found: Vec::new(),
            touched: Vec::new(),
            judged: BTreeSet::new(),
        }
    }

    pub(super) fn report(&mut self, index: usize, line: usize, rule: Rule, what: String) {
        let (file, query) = (self.migration.file.clone(), None);
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
        words: &str,
        Snapshot { make, schema, .. }: &Snapshot,
        missing: &BTreeSet<String>,
    ) {
        let words = words.replace(&format!("{schema}."), "");
        let words = words.trim_end_matches('.');
        let mut missing = missing.iter();
        if missing.any(|name| words.contains(&format!("'{name}'"))) {
            return;
        }
        let what = match make {
            Make::MySql => format!("the server refuses this: {words}"),
            Make::MariaDb => format!("MariaDB refuses this, whatever MySQL says: {words}"),
        };
        let line = self
            .migration
            .statements
            .get(index)
            .map_or(1, |statement| statement.line);
        self.report(index, line, Rule::Refused, what);
    }

    /// Notes what the statement has changed.
    pub(super) fn changed(&mut self, index: usize, before: &Tables, after: &Tables) {
        let touched = differences(before, after).into_iter();
        self.touched
            .extend(touched.map(|Difference { subject, old, new }| Touched {
                index,
                subject: subject.clone(),
                there: (old.is_some(), new.is_some()),
            }));
    }

    /// Judges the end of the migration against its start.
    pub(super) fn judge(&mut self, start: &Tables, end: &Snapshot, options: &Options) {
        let mut judged = judge(start, &end.tables, end.make, options);
        for subject in there_again(&self.touched, start, end) {
            let rule = match subject.kind {
                Kind::Table => Rule::DropTable,
                _ => Rule::DropColumn,
            };
            let what = format!("drops {subject} and what is in it");
            judged.push(Judgement {
                subject,
                rule,
                what,
                query: None,
            });
        }
        let keys = judged
            .iter()
            .map(|judged| (judged.rule, judged.subject.clone()));
        self.judged = keys.collect();
        for judgement in judged {
            self.place(judgement);
        }
    }

    /// Reports it at the last statement that has made it so, and at the line that names it.
    fn place(
        &mut self,
        Judgement {
            subject,
            mut rule,
            what,
            query,
        }: Judgement,
    ) {
        let is_drop = matches!(rule, Rule::DropColumn | Rule::DropTable);
        let fits = |touched: &&Touched| {
            let is_same = touched.subject == subject;
            let is_made = match is_drop {
                true => is_same && touched.there == (true, false),
                false => is_same,
            };
            let creates = is_made && subject.is_whole() && touched.there == (false, true);
            (creates, is_made, touched.subject.table == subject.table)
        };
        let touched = self.touched.iter().max_by_key(fits);
        let index = touched.map_or(0, |touched| touched.index);
        let Some(statement) = self.migration.statements.get(index) else {
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
        self.report(index, line_of(statement, &subject.name), rule, what);
        if let Some((_, finding)) = self.found.last_mut() {
            finding.query = query;
        }
    }

    /// Everything that no comment allows, by line. `ran` is false where the words alone were read,
    /// and an allowance may be of what they do not show.
    pub(super) fn findings(mut self, ran: bool) -> Vec<Finding> {
        let migration = self.migration;
        if migration.statements.is_empty() {
            self.report(
                0,
                1,
                Rule::Empty,
                "there is no statement in this file".to_owned(),
            );
        }
        for (index, statement) in migration.statements.iter().enumerate() {
            let is_judged = ran && self.touched.iter().any(|touched| touched.index == index);
            for Allowance { line, code, rule } in allowances(&statement.comments) {
                let before = self.found.len();
                self.found
                    .retain(|(of, found)| *of != index || Ok(found.rule) != rule);
                let is_of_others = rule.as_ref().is_ok_and(|rule| TOGETHER.contains(rule));
                let is_unused = is_judged && !is_of_others && self.found.len() == before;
                let fault = match rule {
                    Err(fault) => fault,
                    Ok(_) if is_unused => {
                        format!("the statement after it has nothing that needs `{code}` allowed")
                    }
                    Ok(_) => continue,
                };
                self.report(index, line, Rule::Allowance, fault);
            }
        }
        for Allowance { line, code, .. } in allowances(&migration.stray_comments) {
            let what = format!("the allowance of `{code}` is not on a line before its statement");
            self.report(usize::MAX, line, Rule::Allowance, what);
        }
        self.found.sort_by_key(|(_, found)| found.line);
        self.found.into_iter().map(|(_, found)| found).collect()
    }
}

/// Judges the end of the last migration against the start of the first. What they break together
/// stands in the last one that has touched the table.
pub(super) fn judge_together(
    runs: &mut [Run<'_>],
    start: &Tables,
    end: &Snapshot,
    options: &Options,
) {
    if runs.len() < 2 {
        return;
    }
    let mut judged = judge(start, &end.tables, end.make, options);
    judged.retain(|judged| TOGETHER.contains(&judged.rule));
    let touched = runs.iter().flat_map(|run| &run.touched);
    judged.extend(
        there_again(touched, start, end)
            .into_iter()
            .map(|subject| Judgement {
                rule: Rule::DropAndAdd,
                what: format!("{subject} goes and comes again, and so keeps what is in it"),
                subject,
                query: None,
            }),
    );
    for mut judged in judged {
        let key = (judged.rule, judged.subject.clone());
        let touches = |run: &&mut Run<'_>| {
            let mut touched = run.touched.iter();
            touched.any(|touched| touched.subject.table == judged.subject.table)
        };
        if !runs.iter().any(|run| run.judged.contains(&key))
            && let Some(last) = runs.iter_mut().rev().find(touches)
        {
            judged.what += ", by this and the migrations that are deployed together with it";
            last.place(judged);
        }
    }
}

/// The tables and columns that were dropped although they are there at the start and at the end.
/// What is there at the end need not be what was there at the start.
fn there_again<'t>(
    touched: impl IntoIterator<Item = &'t Touched>,
    start: &Tables,
    end: &Snapshot,
) -> BTreeSet<Subject> {
    let is_there = |tables: &Tables, subject: &Subject| {
        let table = tables.get(&subject.table);
        table.is_some_and(|table| table.part(subject.kind, &subject.name).is_some())
    };
    let dropped = touched
        .into_iter()
        .filter(|Touched { subject, there, .. }| {
            *there == (true, false)
                && matches!(subject.kind, Kind::Table | Kind::Column)
                && is_there(start, subject)
                && is_there(&end.tables, subject)
        });
    dropped.map(|touched| touched.subject.clone()).collect()
}

/// The line of the statement that names it first.
fn line_of(statement: &Statement, name: &str) -> usize {
    let mut tokens = statement.tokens.iter();
    let named = tokens.find(|token| token.is_name() && same(&token.text, name));
    named.map_or(statement.line, |token| token.line)
}

/// Whether the column is defined with the word NULL, and so becomes NULL on purpose.
fn says_null(statement: &Statement, column: &str) -> bool {
    let tokens = &statement.tokens;
    tokens.windows(2).enumerate().any(|(place, pair)| {
        let [before, name] = pair else { return false };
        before.is_one_of("ADD|CHANGE|COLUMN|MODIFY|(|,")
            && name.is_name()
            && same(&name.text, column)
            && has_null(tokens.get(place + 1..).unwrap_or_default())
    })
}

/// Whether the definition with which these tokens begin has the word NULL itself, and not within
/// parentheses.
fn has_null(tokens: &[Token]) -> bool {
    let mut depth = 0_usize;
    let mut before = None;
    for token in tokens {
        if token.is("(") {
            depth += 1;
        } else if depth > 0 {
            depth -= usize::from(token.is(")"));
        } else if token.is_one_of(",|)") {
            return false;
        } else if token.is("NULL") {
            let is_of = |before: &Token| before.is_one_of("NOT|DEFAULT|IS|SET");
            if !before.is_some_and(is_of) {
                return true;
            }
        }
        before = Some(token);
    }
    false
}
