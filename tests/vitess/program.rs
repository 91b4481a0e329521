//! The programs, which Go builds from Vitess' own module.

use std::path::{Path, PathBuf};

use anyhow::bail;

use crate::stack::file;
use crate::stack::process::{ProcessError, Processes, command};
use crate::stack::progress::Progress;

/// The module that pins Vitess' version, in the checkout.
const MODULE: &str = "tests/vitess";

/// The program for root, then those of a cluster: etcd, vtctld, its client, vtgate and vttablet.
const CLUSTER: [&str; 2] = ["./unprivileged", "tool"];

/// Builds vtcombo below `target`. The first build takes minutes. Go keeps what it has built, so that
/// another one takes a second.
pub async fn build(
    target: &Path,
    processes: &Processes,
    progress: &Progress,
) -> anyhow::Result<PathBuf> {
    build_packages(&["."], target.join("vitess/vtcombo"), processes, progress).await
}

/// Builds the programs of a cluster in a folder below `target`, in the same way.
pub async fn build_cluster(
    target: &Path,
    processes: &Processes,
    progress: &Progress,
) -> anyhow::Result<PathBuf> {
    let folder = target.join("vitess/cluster");
    file::create_folder(&folder)?;
    build_packages(&CLUSTER, folder, processes, progress).await
}

async fn build_packages(
    packages: &[&str],
    output: PathBuf,
    processes: &Processes,
    progress: &Progress,
) -> anyhow::Result<PathBuf> {
    file::create_folder(output.parent().unwrap_or(&output))?;
    let mut step = progress.step("building Vitess (the first time takes minutes)");
    step.follow(processes.log("go-build"));
    let mut go = command("go");
    go.args(["build", "-mod=readonly", "-buildvcs=false", "-trimpath"])
        // Without debugging information it is half as large.
        .args(["-ldflags", "-s -w", "-o"])
        .arg(&output)
        .args(packages)
        .current_dir(crate::root().join(MODULE))
        // The module stands for itself, in whatever folder the project lies.
        .env("GOWORK", "off");
    match processes.run("go-build", go).await {
        Ok(()) => {
            step.done("Vitess built");
            Ok(output)
        }
        Err(ProcessError::Start { source, .. }) => bail!(
            "Vitess is built from its Go module, and Go can't be run ({source}): install Go \
             (https://go.dev/dl), or test on a database that is there already: \
             cargo dev test --url mysql://user:password@host:port/name"
        ),
        Err(error) => bail!("Vitess can't be built: {error}"),
    }
}
