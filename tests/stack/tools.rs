//! The programs from Python's package index, in the versions that `tests/requirements.txt` pins. If
//! the PATH does not have them, they are installed into a virtual environment under `target/`.

pub mod install;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use tokio::process::Command;

use crate::stack::file;
use crate::stack::process::{Processes, command};
use crate::stack::progress::Progress;

/// The program of this name: the one that `.ci/tools` installs, or the one on the PATH.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let installed = crate::root().join("target/tools/venv/bin").join(name);
    match installed.is_file() {
        true => Some(installed),
        false => install::on_path(name),
    }
}

/// Where the programs are.
#[derive(Debug, Clone)]
pub struct Tools {
    /// `cargo lambda`, to be called as `cargo-lambda lambda …`.
    pub cargo_lambda: PathBuf,
    /// moto's server.
    pub moto_server: PathBuf,
}

impl Tools {
    /// Finds the programs, or installs them into `target/tools`.
    pub async fn find(
        target: &Path,
        processes: &Processes,
        progress: &Progress,
    ) -> anyhow::Result<Self> {
        let pins = file::read(&crate::root().join("tests/requirements.txt"))?;
        if let Some(tools) = Self::on_path(&pins).await {
            return Ok(tools);
        }
        let folder = target.join("tools");
        file::create_folder(&folder)?;
        let _held = take_turn(file::create(&folder.join("lock"))?, progress).await;

        let venv = folder.join("venv");
        let installed = folder.join("installed.txt");
        if file::read(&installed).ok().as_ref() != Some(&pins) || !is_whole(&venv).await {
            file::remove(&installed)?;
            make(&venv, processes, progress).await?;
            file::write(&installed, &pins)?;
        }
        let programs = venv.join("bin");
        Ok(Self {
            cargo_lambda: programs.join("cargo-lambda"),
            moto_server: programs.join("moto_server"),
        })
    }

    async fn on_path(pins: &str) -> Option<Self> {
        let cargo_lambda = install::on_path("cargo-lambda")?;
        let version = output(Command::new(&cargo_lambda).args(["lambda", "--version"])).await?;
        let cargo_lambda_is_right =
            version.split(' ').nth(1) == Some(pinned(pins, "cargo-lambda")?);

        let moto_server = install::on_path("moto_server")?;
        // It has no option for its version, but the Python in its first line knows it.
        let script = file::read(&moto_server).ok()?;
        let python = script.lines().next()?.strip_prefix("#!")?;
        let ask = "from importlib.metadata import version; print(version('moto'))";
        let version = output(Command::new(python).args(["-c", ask])).await?;
        let moto_is_right = version.trim() == pinned(pins, "moto")?;

        (cargo_lambda_is_right && moto_is_right).then_some(Self {
            cargo_lambda,
            moto_server,
        })
    }
}

/// Waits while another run installs the programs. Ctrl-C ends the wait.
async fn take_turn(lock: File, progress: &Progress) -> File {
    if let Err(TryLockError::WouldBlock) = lock.try_lock() {
        progress.say("  another run is using target/tools: waiting for it");
        while let Err(TryLockError::WouldBlock) = lock.try_lock() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    lock
}

/// Whether a program of the environment starts and finds its packages. It does not if the system has
/// a newer Python since, or if the checkout has moved. `.ci/tools` asks the same.
async fn is_whole(venv: &Path) -> bool {
    let mut program = Command::new(venv.join("bin/moto_server"));
    output(program.arg("--help")).await.is_some()
}

async fn make(venv: &Path, processes: &Processes, progress: &Progress) -> anyhow::Result<()> {
    let python = install::on_path("python3")
        .context("python3 is missing: install Python 3 with its module venv")?;
    let make_venv = || {
        let mut make = command(&python);
        make.args(["-m", "venv", "--clear"]).arg(venv);
        processes.run("venv", make)
    };
    if let Err(reason) = make_venv().await {
        let failed = "can't make a virtual environment with python3 -m venv";
        if let Err(advice) = install::venv(processes, progress).await {
            bail!("{failed}: {reason}\n  {advice}");
        }
        let again = make_venv().await;
        again.map_err(|reason| anyhow!("{failed}: {reason}"))?;
    }

    let mut step = progress.step("installing cargo-lambda, moto, SAM and schemathesis");
    step.follow(processes.log("pip"));
    let mut install = command(venv.join("bin/python"));
    install.args([
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--no-input",
        // Everything that is needed is in the file.
        "--no-deps",
        "--require-hashes",
        "-r",
    ]);
    install.arg(crate::root().join("tests/requirements.txt"));
    processes.run("pip", install).await.map_err(|error| {
        anyhow!(
            "can't install the packages of tests/requirements.txt (is there a network?): {error}"
        )
    })?;
    step.done("cargo-lambda, moto, SAM and schemathesis installed (target/tools)");
    Ok(())
}

/// The version that the pins demand, as in `moto==5.2.5 \`, which hashes follow.
fn pinned<'a>(pins: &'a str, package: &str) -> Option<&'a str> {
    pins.lines()
        .find_map(|line| line.strip_prefix(package)?.strip_prefix("=="))
        .map(|rest| rest.trim_end_matches('\\').trim())
}

async fn output(command: &mut Command) -> Option<String> {
    let output = command.output().await.ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_requirements_pin_what_is_run() {
        let pins = file::read(&crate::root().join("tests/requirements.txt")).unwrap();
        for package in ["aws-sam-cli", "cargo-lambda", "moto"] {
            let version = pinned(&pins, package).unwrap();
            assert!(version.split('.').count() == 3, "{package} {version}");
        }
        assert_eq!(pinned(&pins, "cargo"), None);
    }

    #[tokio::test]
    async fn an_environment_is_whole_while_its_programs_start() {
        let venv = std::env::temp_dir().join(format!("venv-{}", std::process::id()));
        let server = venv.join("bin/moto_server");
        std::fs::create_dir_all(venv.join("bin")).unwrap();
        for (program, whole) in [("/bin/true", true), ("/bin/false", false)] {
            std::os::unix::fs::symlink(program, &server).unwrap();
            assert_eq!(is_whole(&venv).await, whole, "{program}");
            std::fs::remove_file(&server).unwrap();
        }
        assert!(!is_whole(&venv).await);
        std::fs::remove_dir_all(venv).unwrap();
    }
}
