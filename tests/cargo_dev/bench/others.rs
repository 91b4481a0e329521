//! `cargo dev bench --others`: the routes of the functions in Go, and in Rust with sqlx. Each program in
//! `others/` has both, written as its libraries' documentation advises.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{bail, ensure};
use orders::statements::{FIND_ORDER, LIST_ORDERS};

use super::Run;
use super::figure::Figure;
use super::program::{Setting, Subject};
use crate::stack::file;
use crate::stack::process::{NotStarted, command};

/// What follows a function's name in the report where it is the route in another program.
const GO: &str = " in Go";
const SQLX: &str = " with sqlx";

/// The programs by how the report calls them, and what is to be said where one could not be built.
#[derive(Default)]
pub struct Others {
    programs: Vec<(&'static str, PathBuf)>,
    pub notes: Vec<String>,
}

impl Others {
    /// Builds them as one would for a deployment.
    pub async fn build(run: &Run) -> anyhow::Result<Self> {
        let sources = crate::root().join("tests/cargo_dev/bench/others");
        let folder = run.folder.join("others");
        file::create_folder(&folder)?;
        let mut others = Self::default();

        let target = format!("--target-dir={}", folder.display());
        let arguments = ["--release", "--locked", &target];
        run.cargo_build(&sources.join("sqlx"), arguments).await?;
        let program = folder.join("release/with-sqlx");
        others.programs.push((SQLX, program));

        let program = folder.join("in-go");
        let step = run.progress.step("building the program in Go");
        match go_build(run, &sources.join("go"), &program).await {
            Ok(()) => {
                step.done("program in Go built");
                others.programs.push((GO, program));
            }
            Err(error) => match error.downcast_ref() {
                Some(NotStarted { source, .. }) => {
                    step.done("program in Go left out");
                    others.notes.push(format!(
                        "Left out: Go, which can't be run ({source}). Install it (https://go.dev/dl)."
                    ));
                }
                None => bail!("the program in Go can't be built: {error}"),
            },
        }
        Ok(others)
    }

    /// The same routes as these subjects, in the other programs.
    pub fn subjects(&self, ours: &[Subject]) -> Vec<Subject> {
        let statements = [FIND_ORDER, LIST_ORDERS]
            .map(|statement| (statement.name().to_owned(), statement.sql().to_owned()));
        let environment = BTreeMap::from(statements);
        let mut others = Vec::new();
        for (name, program) in &self.programs {
            others.extend(ours.iter().map(|subject| Subject {
                name: format!("{}{name}", subject.name),
                program: program.clone(),
                environment: environment.clone(),
                ..subject.clone()
            }));
        }
        others
    }

    /// Each figure of the functions once more, with that of another program in the place of its floor.
    pub fn beside(&self, figures: &[Figure]) -> Vec<Figure> {
        let mut pairs = Vec::new();
        for (name, _) in &self.programs {
            for theirs in figures {
                let subject = theirs.subject.replace(name, "");
                let same = |ours: &&Figure| ours.group == theirs.group && ours.subject == subject;
                if let Some(ours) = figures.iter().find(same)
                    && subject != theirs.subject
                {
                    pairs.push(Figure {
                        group: format!("{}, beside that{name}", ours.group),
                        floor: theirs.rounds.clone(),
                        ..ours.clone()
                    });
                }
            }
        }
        pairs
    }
}

async fn go_build(run: &Run, sources: &Path, program: &Path) -> anyhow::Result<()> {
    let mut go = command("go");
    go.args(["build", "-mod=readonly", "-buildvcs=false", "-trimpath"])
        .args(["-tags", "lambda.norpc", "-ldflags", "-s -w", "-o"])
        .arg(program)
        .current_dir(sources)
        // The module stands for itself, in whatever folder the project lies.
        .env("GOWORK", "off")
        .env("CGO_ENABLED", "0");
    run.processes.run("go-build", go).await
}

/// Fails unless all that do the same work answer with the same body.
pub fn answer_alike(setting: &Setting, subjects: &[Subject]) -> anyhow::Result<()> {
    let mut answers = BTreeMap::new();
    for subject in subjects {
        let (function, _) = setting.start(subject)?;
        function.api.send(&subject.event);
        let answer: serde_json::Value = serde_json::from_str(&function.api.answer()?.body)?;
        let body = answer.get("body").cloned().unwrap_or_default();
        let first = answers.entry(subject.statement).or_insert(body.clone());
        ensure!(
            *first == body,
            "{} answers {body}, and not {first}",
            subject.name
        );
    }
    Ok(())
}
