//! Runs migrations on a scratch schema or a branch, and judges what each has done there.

mod run;

use std::{collections::BTreeSet, fmt};

use database::{DatabaseError, DefinitionError, Session};

use crate::{
    files::Migration,
    rule::{Rule, Severity},
    snapshot::Snapshot,
    words,
};
use run::Run;

/// What differs from one database to another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Foreign keys are allowed in the database's settings on PlanetScale.
    pub foreign_keys: bool,
}

/// A place in a file that breaks a rule. Shown, it is one line that says everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file, as [`Migration::file`] names it.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The rule.
    pub rule: Rule,
    /// What is there.
    pub what: String,
    /// For what only rows can show: the query that finds them in production.
    pub query: Option<String>,
}

impl Finding {
    /// What is there, what to do instead, and the query.
    pub fn message(&self) -> String {
        let instead = self.rule.instead();
        let mut letters = instead.chars();
        let first = letters.next().into_iter().flat_map(char::to_uppercase);
        let first: String = first.collect();
        let mut message = format!("{}. {first}{}.", self.what, letters.as_str());
        if let Some(query) = &self.query {
            message += &format!(" Find them: {query};");
        }
        if self.rule.is_allowable() && self.rule.severity() == Severity::Error {
            let code = self.rule.code();
            message += &format!(
                " To allow it, write `-- allow {code}: reason` on a line before the statement."
            );
        }
        message
    }

    /// Whether it keeps the migration from being deployed.
    pub fn is_error(&self) -> bool {
        self.rule.severity() == Severity::Error
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (file, line) = (&self.file, self.line);
        let (severity, code) = (self.rule.severity(), self.rule.code());
        write!(f, "{file}:{line}: {severity}[{code}]: {}", self.message())
    }
}

/// What the words of the migrations show before anything is run, by file and line.
pub fn read<'m>(migrations: impl IntoIterator<Item = &'m Migration>) -> Vec<Finding> {
    let found = migrations.into_iter().flat_map(|migration| {
        let mut run = Run::new(migration);
        for (index, statement) in migration.statements.iter().enumerate() {
            run.refuse(index, words::read(statement).refused);
        }
        run.findings(false)
    });
    found.collect()
}

/// Runs the migrations on the session's schema, which is empty or as production is, and returns
/// everything that breaks a rule, by file and line. The schema is left as they make it. They are
/// judged each by itself, and together, because one deploy request carries them all.
///
/// A statement that does not belong in a migration is not run. Through vtgate, Vitess' own parser
/// has its say too.
///
/// # Errors
///
/// See [`DatabaseError`]; a statement that the server refuses is a finding.
pub async fn check<'m>(
    session: &mut Session<'_>,
    migrations: impl IntoIterator<Item = &'m Migration>,
    options: &Options,
) -> Result<Vec<Finding>, DatabaseError> {
    let mut snapshot = Snapshot::read(session).await?;
    // What a refused statement would have created.
    let mut missing = BTreeSet::new();
    let first = snapshot.tables.clone();
    let mut runs = Vec::new();
    for migration in migrations {
        let start = snapshot.tables.clone();
        let mut run = Run::new(migration);
        for (index, statement) in migration.statements.iter().enumerate() {
            let reading = words::read(statement);
            let is_refused = !reading.refused.is_empty();
            run.refuse(index, reading.refused);
            let Some(objects) = reading.objects else {
                continue;
            };
            match session.define(&statement.text).await {
                Ok(()) => {}
                Err(DefinitionError::Refused { words, .. }) => {
                    run.refused(index, &words, &snapshot, &missing);
                    missing.extend(objects);
                    continue;
                }
                Err(DefinitionError::Database(error)) => return Err(error),
            }
            let names = (!reading.renames).then_some(objects);
            let (before, after) = snapshot.refresh(session, names).await?;
            run.changed(index, &before, &after);
            if before == after && !is_refused {
                let what = "the schema is the same after this statement";
                run.report(index, statement.line, Rule::NoChange, what.to_owned());
            }
        }
        run.judge(&start, &snapshot, options);
        runs.push(run);
    }
    run::judge_together(&mut runs, &first, &snapshot, options);
    Ok(runs
        .into_iter()
        .flat_map(|run| run.findings(true))
        .collect())
}
