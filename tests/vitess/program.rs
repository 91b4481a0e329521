//! The program, which Go builds from Vitess' own module.

use std::path::{Path, PathBuf};

use anyhow::bail;

use crate::stack::file;
use crate::stack::process::{ProcessError, Processes, command};
use crate::stack::progress::Progress;

/// The module that pins Vitess' version, in the checkout.
const MODULE: &str = "tests/vitess";

/// Builds vtcombo below `target`. The first build takes minutes. Go keeps what it has built, so that
/// another one takes a second.
pub async fn build(
    target: &Path,
    processes: &Processes,
    progress: &Progress,
) -> anyhow::Result<PathBuf> {
    let program = target.join("vitess/vtcombo");
    file::create_folder(program.parent().unwrap_or(target))?;
    let mut step = progress.step("building Vitess (the first time takes minutes)");
    step.follow(processes.log("go-build"));
    let mut go = command("go");
    go.args(["build", "-mod=readonly", "-buildvcs=false", "-trimpath"])
        // Without debugging information it is half as large.
        .args(["-ldflags", "-s -w", "-o"])
        .arg(&program)
        .current_dir(crate::root().join(MODULE))
        // The module stands for itself, in whatever folder the project lies.
        .env("GOWORK", "off");
    match processes.run("go-build", go).await {
        Ok(()) => {
            step.done("Vitess built");
            Ok(program)
        }
        Err(ProcessError::Start { source, .. }) => bail!(
            "Vitess is built from its Go module, and Go can't be run ({source}): install Go \
             (https://go.dev/dl), or test on a database that is there already: \
             cargo dev test --url mysql://user:password@host:port/name"
        ),
        Err(error) => bail!("Vitess can't be built: {error}"),
    }
}
