//! The programs, which Go builds from Vitess' own module.

use std::path::{Path, PathBuf};

use anyhow::bail;
use tokio::process::Command;

use crate::stack::file;
use crate::stack::process::{NotStarted, Processes, command};
use crate::stack::progress::Progress;

/// The module that pins Vitess' version, in the checkout.
const MODULE: &str = "tests/vitess";

/// The program that lets the others run for root.
const UNPRIVILEGED: &str = "./unprivileged";

/// The programs of a cluster: etcd, vtctld, its client, vtgate and vttablet.
const CLUSTER: &str = "tool";

/// Builds vtcombo below `target`. The first build takes minutes. Go keeps what it has built, so that
/// another one takes a second.
pub async fn build(
    target: &Path,
    processes: &Processes,
    progress: &Progress,
) -> anyhow::Result<PathBuf> {
    let folder = build_packages(".", target.join("vitess"), processes, progress).await?;
    Ok(folder.join("vtcombo"))
}

/// Builds the programs of a cluster in a folder below `target`, in the same way.
pub async fn build_cluster(
    target: &Path,
    processes: &Processes,
    progress: &Progress,
) -> anyhow::Result<PathBuf> {
    build_packages(CLUSTER, target.join("vitess/cluster"), processes, progress).await
}

/// A command that runs one of the programs.
pub(super) fn run(program: &Path) -> Command {
    let mut run = command(program.with_file_name("unprivileged"));
    run.arg(program);
    run
}

async fn build_packages(
    packages: &str,
    folder: PathBuf,
    processes: &Processes,
    progress: &Progress,
) -> anyhow::Result<PathBuf> {
    file::create_folder(&folder)?;
    let mut step = progress.step("building Vitess (the first time takes minutes)");
    step.follow(processes.log("go-build"));
    let mut go = command("go");
    go.args(["build", "-mod=readonly", "-buildvcs=false", "-trimpath"])
        // Without debugging information it is half as large.
        .args(["-ldflags", "-s -w", "-o"])
        .arg(&folder)
        .args([UNPRIVILEGED, packages])
        .current_dir(crate::root().join(MODULE))
        // The module stands for itself, in whatever folder the project lies.
        .env("GOWORK", "off");
    match processes.run("go-build", go).await {
        Ok(()) => {
            step.done("Vitess built");
            Ok(folder)
        }
        Err(error) => match error.downcast_ref() {
            Some(NotStarted { source, .. }) => bail!(
                "Vitess is built from its Go module, and Go can't be run ({source}): install Go \
                 (https://go.dev/dl), or test on a database that is there already: \
                 cargo dev test --url mysql://user:password@host:port/name"
            ),
            None => bail!("Vitess can't be built: {error}"),
        },
    }
}
