//! `cargo dev` and `cargo dev test`: starts everything in the right order, and stops it.

mod base;
pub mod bench;
mod environment;
mod existing_database;
pub mod lint;
pub mod migrate;
pub mod restore;
pub mod review;
pub mod rotate;
mod running;
mod sample;
mod start;
mod test;
mod watch;

use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Instant;

use anyhow::{Context as _, anyhow, bail};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::stack::file;
use crate::stack::process::Processes;
use crate::stack::progress::Progress;

pub use crate::stack::progress::print;
pub use existing_database::ExistingDatabase;

/// What the command line asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// The server program, instead of the first one that is found.
    pub server: Option<PathBuf>,
    /// The database to test with, instead of the stack's own server.
    pub existing_database: Option<ExistingDatabase>,
    /// The port of the functions, instead of 9000 or the next free one.
    pub port: Option<u16>,
    /// Build the functions with the release profile.
    pub release: bool,
    /// Put Vitess before the server.
    pub vitess: bool,
    /// Let the tests start clusters of Vitess.
    pub vitess_cluster: bool,
    /// Give the tests keyspaces of two shards, which takes Vitess.
    pub sharded: bool,
    /// Where the data is kept, instead of `target/dev`.
    pub folder: Option<PathBuf>,
    /// The template that declares the functions, instead of `template.yaml`.
    pub template: Option<PathBuf>,
}

/// `cargo dev`: runs the stack until it is told to stop. It is an error if a part ends before.
pub async fn run(options: &Options) -> anyhow::Result<()> {
    let mut stop = StopSignals::new()?;
    let folder = options.folder.clone().unwrap_or_else(default_folder);
    let run = Run::new("cargo dev", &folder).await?;
    let up = tokio::select! {
        up = run.everything(options) => up,
        () = stop.next() => Err(anyhow!("stopped before everything was up")),
    };
    let result = match up {
        Ok(everything) => {
            everything.describe();
            tokio::select! {
                failure = run.serve(everything) => Err(failure),
                () = stop.next() => Ok(()),
            }
        }
        Err(error) => Err(error),
    };
    run.end(&mut stop).await;
    result
}

/// `cargo dev test`: runs the tests on a stack of their own, and returns their exit status.
pub async fn test(options: &Options, arguments: &[OsString]) -> anyhow::Result<ExitStatus> {
    let mut stop = StopSignals::new()?;
    let folder = options
        .folder
        .clone()
        .unwrap_or_else(|| target().join("dev-test"));
    let run = Run::new("cargo dev test", &folder).await?;
    let result = tokio::select! {
        result = run.tests(options, arguments) => result,
        () = stop.next() => Err(anyhow!("stopped before the tests had ended")),
    };
    run.end(&mut stop).await;
    result
}

/// One run of the command, which has the folder to itself.
struct Run {
    began: Instant,
    folder: PathBuf,
    processes: Processes,
    progress: Progress,
    _lock: File,
}

impl Run {
    async fn new(command: &'static str, folder: &Path) -> anyhow::Result<Self> {
        file::create_folder(folder)?;
        let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        let lock = lock(command, &folder)?;
        let processes = Processes::new(&folder)?;
        let progress = Progress::new();
        let leftovers = processes.stop_leftovers().await;
        if !leftovers.is_empty() {
            progress.say(&format!(
                "  stopped what an earlier run has left: {}",
                leftovers.join(", ")
            ));
        }
        file::remove(&environment_path(&folder))?;
        Ok(Self {
            began: Instant::now(),
            folder,
            processes,
            progress,
            _lock: lock,
        })
    }

    /// Stops everything. A second signal kills it.
    async fn end(self, stop: &mut StopSignals) {
        print("");
        let step = self.progress.step("stopping");
        tokio::select! {
            () = async {
                self.processes.stop_all().await;
                // And those of tests that were killed.
                self.processes.stop_leftovers().await;
            } => step.done("all stopped"),
            // What still runs is killed when `self` is dropped.
            () = stop.next() => step.done("all killed"),
        }
    }
}

/// The signals that ask this process to stop.
struct StopSignals([Signal; 3]);

impl StopSignals {
    fn new() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("can't listen for signals");
        Ok(Self([
            listen(SignalKind::interrupt())?,
            listen(SignalKind::terminate())?,
            listen(SignalKind::hangup())?,
        ]))
    }

    async fn next(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

/// Another run has the folder.
#[derive(Debug, thiserror::Error)]
#[error("{command} is running already in {} (process {id}): stop it first", .folder.display())]
struct AlreadyRunning {
    command: &'static str,
    folder: PathBuf,
    /// The other run's process.
    id: String,
}

/// Takes the folder for this run. The lock goes with the process, however it ends.
fn lock(command: &'static str, folder: &Path) -> anyhow::Result<File> {
    let path = folder.join("lock");
    let failed = |error| anyhow!("can't lock {}: {error}", path.display());
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    let mut lock = options.open(&path).map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut id = String::new();
            let _ = lock.read_to_string(&mut id);
            let folder = folder.to_owned();
            bail!(AlreadyRunning {
                command,
                folder,
                id
            });
        }
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    let id = std::process::id();
    let written = lock.set_len(0).and_then(|()| write!(lock, "{id}"));
    written.map_err(failed)?;
    Ok(lock)
}

/// The file with the variables for other tools, of a stack in this folder.
pub(crate) fn environment_path(folder: &Path) -> PathBuf {
    folder.join("environment")
}

/// The folder to which cargo has built this program and the functions, as in `target/debug`.
fn profile() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    program
        .ancestors()
        .nth(2)
        .unwrap_or(Path::new("target/debug"))
        .to_owned()
}

/// The folder of the built functions.
fn programs(options: &Options) -> PathBuf {
    if options.release {
        target().join("release")
    } else {
        profile()
    }
}

/// The default folder of `cargo dev`.
pub(crate) fn default_folder() -> PathBuf {
    target().join("dev")
}

fn target() -> PathBuf {
    profile()
        .parent()
        .map_or_else(|| crate::root().join("target"), Path::to_owned)
}
