//! Another revision of this project, whose functions are measured beside those of this one.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tokio::process::Command;

use super::Run;
use crate::stack::file;
use crate::stack::process::command;

/// The functions of a revision.
pub struct Revision {
    /// Its short hash.
    pub name: String,
    /// The folder with its programs.
    pub programs: PathBuf,
}

impl Revision {
    /// Checks the revision out beside this one, and builds these targets of it.
    pub async fn build(run: &Run, revision: &str, targets: &[String]) -> anyhow::Result<Self> {
        let commit = format!("{revision}^{{commit}}");
        let named = git().args(["rev-parse", "--short", &commit]).output().await;
        let named = named.context("git does not start")?;
        anyhow::ensure!(named.status.success(), "there is no revision {revision}");
        let name = String::from_utf8_lossy(&named.stdout).trim().to_owned();

        let checkout = run.folder.join("checkout");
        remove(run, &checkout).await?;
        let mut add = git();
        add.args(["worktree", "add", "--detach"])
            .arg(&checkout)
            .arg(&name);
        run.processes.run("git", add).await?;
        // Shared by all revisions, so that what they depend on is built once.
        let folder = run.folder.join("target");
        let target = format!("--target-dir={}", folder.display());
        let arguments = ["--workspace", "--release", &target].into_iter();
        let arguments = arguments.chain(targets.iter().map(String::as_str));
        let built = run.cargo_build(&checkout, arguments).await;
        remove(run, &checkout).await?;
        built?;
        Ok(Self {
            name,
            programs: folder.join("release"),
        })
    }
}

/// Removes the checkout, also one that a killed run has left.
async fn remove(run: &Run, checkout: &Path) -> anyhow::Result<()> {
    file::remove_folder(checkout)?;
    let mut prune = git();
    prune.args(["worktree", "prune"]);
    run.processes.run("git", prune).await
}

fn git() -> Command {
    let mut git = command("git");
    git.arg("-C").arg(crate::root());
    git
}
