//! `cargo dev` and `cargo dev test`: everything up, in the right order, and everything down.

mod environment;
mod existing_database;
pub mod lint;
pub mod migrate;
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

use tokio::signal::unix::{Signal, SignalKind, signal};

use self::watch::WatchError;
use crate::stack::access::ConnectError;
use crate::stack::file::{self, FileError};
use crate::stack::migrations::MigrationError;
use crate::stack::process::{ProcessError, Processes};
use crate::stack::progress::Progress;
use crate::stack::secrets::SecretsError;
use crate::stack::server::ServerError;
use crate::stack::template::TemplateError;
use crate::stack::tls::TlsError;
use crate::stack::tools::ToolsError;
use crate::stand_ins::control_plane::ControlPlaneError;
use crate::stand_ins::step_functions::StatesError;
use crate::vitess::VitessError;

pub use crate::stack::progress::print;
pub use existing_database::{Given, GivenError};

/// What the command line asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// The server program, in place of the one that would be found.
    pub server: Option<PathBuf>,
    /// The database to test with, in place of a server of the stack's own.
    pub given: Option<Given>,
    /// The port of the functions, in place of 9000 or the next free one.
    pub port: Option<u16>,
    /// Build the functions with the release profile.
    pub release: bool,
    /// Put Vitess before the server.
    pub vitess: bool,
    /// Where the data is kept, in place of `target/dev`.
    pub folder: Option<PathBuf>,
    /// What declares the functions, in place of `template.yaml`.
    pub template: Option<PathBuf>,
}

/// Why the stack is not up (any more).
#[derive(Debug, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "each is the error of the part that bears its name"
)]
pub enum DevError {
    /// Another run has the folder.
    #[error("{command} is running already in {}{}: stop it first", .folder.display(), process(.by))]
    Running {
        /// Which command.
        command: &'static str,
        /// The folder that only one can have.
        folder: PathBuf,
        /// The other's process id, if it is known.
        by: String,
    },
    #[error("can't lock {}: {source}", .path.display())]
    Lock {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("can't listen for signals: {0}")]
    Signals(std::io::Error),
    #[error(transparent)]
    Template(#[from] TemplateError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Server(#[from] ServerError),
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("the server: {0}")]
    Statement(#[from] mysql_async::Error),
    #[error(transparent)]
    Given(#[from] GivenError),
    #[error(transparent)]
    Vitess(#[from] VitessError),
    #[error(transparent)]
    Migration(#[from] MigrationError),
    #[error(transparent)]
    Tools(#[from] ToolsError),
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    #[error(transparent)]
    ControlPlane(#[from] ControlPlaneError),
    #[error(transparent)]
    States(#[from] StatesError),
    #[error(transparent)]
    Watch(#[from] WatchError),
    #[error(transparent)]
    Process(#[from] ProcessError),
    #[error(transparent)]
    File(#[from] FileError),
    /// The functions don't compile.
    #[error("the functions can't be built:\n{0}")]
    Build(String),
    /// It was told to stop too early.
    #[error("stopped before {0}")]
    Interrupted(&'static str),
}

fn process(id: &str) -> String {
    if id.is_empty() {
        String::new()
    } else {
        format!(" (process {id})")
    }
}

/// `cargo dev`: runs the stack until it is told to stop, which is well, or until a part of it
/// ends, which is not.
pub async fn run(options: &Options) -> Result<(), DevError> {
    let mut stop = StopSignals::new()?;
    let folder = options.folder.clone().unwrap_or_else(default_folder);
    let run = Run::new("cargo dev", &folder).await?;
    let up = tokio::select! {
        up = run.everything(options) => up,
        () = stop.next() => Err(DevError::Interrupted("everything was up")),
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

/// `cargo dev test`: runs every test beside the stack, and says how they ended.
pub async fn test(options: &Options, arguments: &[OsString]) -> Result<ExitStatus, DevError> {
    let mut stop = StopSignals::new()?;
    let folder = options
        .folder
        .clone()
        .unwrap_or_else(|| target().join("dev-test"));
    let run = Run::new("cargo dev test", &folder).await?;
    let result = tokio::select! {
        result = run.tests(options, arguments) => result,
        () = stop.next() => Err(DevError::Interrupted("the tests had ended")),
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
    async fn new(command: &'static str, folder: &Path) -> Result<Self, DevError> {
        file::create_folder(folder)?;
        let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        let lock = lock(command, &folder)?;
        let processes = Processes::new(&folder)?;
        let progress = Progress::new();
        let leftovers = processes.stop_leftovers().await;
        if !leftovers.is_empty() {
            progress.say(&format!(
                "  stopped what a killed run has left: {}",
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

    /// Stops everything; told to stop once more, kills it.
    async fn end(self, stop: &mut StopSignals) {
        print("");
        let step = self.progress.step("stopping");
        tokio::select! {
            () = async {
                self.processes.stop_all().await;
                // Those of tests that were killed.
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
    fn new() -> Result<Self, DevError> {
        let listen = |kind| signal(kind).map_err(DevError::Signals);
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

/// Takes the folder for this run. The lock goes with the process, however it ends.
fn lock(command: &'static str, folder: &Path) -> Result<File, DevError> {
    let path = folder.join("lock");
    let failed = |source| DevError::Lock {
        path: path.clone(),
        source,
    };
    let mut options = File::options();
    let mut lock = options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => {
            lock.set_len(0)
                .and_then(|()| write!(lock, "{}", std::process::id()))
                .map_err(failed)?;
            Ok(lock)
        }
        Err(TryLockError::WouldBlock) => {
            let mut by = String::new();
            let _ = lock.read_to_string(&mut by);
            Err(DevError::Running {
                command,
                folder: folder.to_owned(),
                by,
            })
        }
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// Where a stack in this folder says what other tools need.
pub(crate) fn environment_path(folder: &Path) -> PathBuf {
    folder.join("environment")
}

/// The folder of the profile that cargo has built this program to, as in `target/debug`: the
/// functions are there too.
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

/// Where `cargo dev` keeps its data when nothing else is said.
pub(crate) fn default_folder() -> PathBuf {
    target().join("dev")
}

fn target() -> PathBuf {
    profile()
        .parent()
        .map_or_else(|| crate::root().join("target"), Path::to_owned)
}
