//! The programs that the stack starts. None of them may outlive it.
//!
//! To stop a program is to stop every process with its [`Tag`]: that includes what the program has
//! started. The next run finds the processes of a run that was killed in the same way.

mod command;
pub(crate) mod descendants;

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::iter;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::sync::watch;

use self::descendants::Tag;
use crate::stack::file;
use crate::stack::server::InMemory;

pub use command::command;

/// How long a program may take to end. A server writes its pages before it does.
const GRACE: Duration = Duration::from_secs(15);

/// How long a program may take until it listens.
const PATIENCE: Duration = Duration::from_secs(120);

/// A program could not be started at all.
#[derive(Debug, thiserror::Error)]
#[error("can't start {name}: {source}")]
pub struct NotStarted {
    name: String,
    /// Why.
    pub source: io::Error,
}

impl NotStarted {
    fn new(name: &str, source: io::Error) -> Self {
        Self {
            name: name.to_owned(),
            source,
        }
    }
}

/// A program ended, though it should not have, or with another status than success.
#[derive(Debug, thiserror::Error)]
#[error("{name} ended with {status}{said}")]
pub struct Ended {
    name: String,
    status: ExitStatus,
    said: String,
}

fn quote(last_lines: &str, log: &Path) -> String {
    if last_lines.is_empty() {
        return ", and wrote nothing".to_owned();
    }
    let mut quoted = String::from("; the end of its output:\n");
    for line in last_lines.lines() {
        quoted.push_str("    ");
        quoted.push_str(line);
        quoted.push('\n');
    }
    quoted.push_str(&format!("  (all of it: {})", log.display()));
    quoted
}

/// A port of 127.0.0.1 that nobody listens on, and that this process gets only once. It is outside the
/// range from which systems choose ports, so it very likely stays free until its program listens, also
/// when that is started again.
///
/// # Errors
///
/// No port is free.
pub fn free_port() -> anyhow::Result<u16> {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut tries = iter::repeat_with(|| fastrand::u16(20_000..30_000)).take(1000);
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let port = tries.find(|port| is_free(port) && given.insert(*port));
    port.context("no port is free")
}

/// Every program that was started and not yet stopped.
pub struct Processes {
    tag: Tag,
    /// Distinguishes the names of a part's programs within the whole stack.
    prefix: String,
    logs: PathBuf,
    started: Mutex<Vec<Program>>,
    /// What has to be there until all programs have ended.
    held: Mutex<Vec<InMemory>>,
}

impl Processes {
    /// Keeps logs in a folder below `folder`, the stack's folder.
    pub fn new(folder: &Path) -> anyhow::Result<Self> {
        let logs = folder.join("logs");
        file::create_folder(&logs)?;
        Ok(Self {
            tag: Tag::of_stack(folder),
            prefix: String::new(),
            logs,
            started: Mutex::default(),
            held: Mutex::default(),
        })
    }

    /// For a part that starts and ends while the stack in `stack` runs. No other part may have its
    /// `name` or `folder`.
    pub fn of_part(stack: &Path, name: &str, folder: &Path) -> anyhow::Result<Self> {
        let mut processes = Self::new(folder)?;
        processes.tag = Tag::of_stack(stack);
        processes.prefix = format!("{name}-");
        Ok(processes)
    }

    /// Keeps data until all programs have ended.
    pub fn hold(&self, data: InMemory) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.push(data);
    }

    /// Where the output of the program of this name goes.
    pub fn log(&self, name: &str) -> PathBuf {
        self.logs.join(format!("{name}.log"))
    }

    /// Starts a program that runs until it is stopped. Its output goes to its log.
    pub fn start(&self, name: &str, mut command: Command) -> anyhow::Result<Program> {
        let output = file::create(&self.log(name))?;
        let errors = output
            .try_clone()
            .map_err(|source| NotStarted::new(name, source))?;
        command.stdout(output).stderr(errors);
        self.spawn(name, command)
    }

    /// Runs a program to its end, which must be a success.
    pub async fn run(&self, name: &str, command: Command) -> anyhow::Result<()> {
        let program = self.start(name, command)?;
        let status = program.ended().await;
        self.stop(&program).await;
        if status.success() {
            Ok(())
        } else {
            Err(program.failure(status))
        }
    }

    /// Runs a program to its end with this process' own output, and says how it ended.
    pub async fn run_visibly(&self, name: &str, command: Command) -> anyhow::Result<ExitStatus> {
        let program = self.spawn(name, command)?;
        let status = program.ended().await;
        self.stop(&program).await;
        Ok(status)
    }

    /// Stops every program, in the reverse order of their start.
    pub async fn stop_all(&self) {
        loop {
            let last = self.lock().last().cloned();
            match last {
                Some(program) => self.stop(&program).await,
                None => return,
            }
        }
    }

    /// Kills everything that was not stopped: after a panic, or when nobody wants to wait.
    pub fn kill_all(&self) {
        for id in self.lock().iter().flat_map(Program::processes) {
            let _ = kill(id, Signal::SIGKILL);
        }
    }

    /// Stops what an earlier run in the same folder has left running, and names it.
    pub async fn stop_leftovers(&self) -> Vec<String> {
        let mut names: Vec<_> = self
            .tag
            .processes()
            .into_iter()
            .map(|(_, name)| name)
            .collect();
        names.sort();
        names.dedup();
        end(|| self.tag.processes().into_iter().map(|(id, _)| id).collect()).await;
        names
    }

    /// Stops a program and everything that it has started.
    pub async fn stop(&self, program: &Program) {
        end(|| program.processes()).await;
        self.lock().retain(|other| other.id != program.id);
    }

    fn spawn(&self, name: &str, mut command: Command) -> anyhow::Result<Program> {
        let tag = self.tag.program(&format!("{}{name}", self.prefix));
        // Otherwise it would get the terminal's Ctrl-C, and end too early.
        command
            .env(descendants::VARIABLE, tag.value())
            .process_group(0);
        let mut child = command
            .spawn()
            .map_err(|source| NotStarted::new(name, source))?;
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        let id = id.ok_or_else(|| NotStarted::new(name, io::Error::other("it has no id")))?;
        let (ended, status) = watch::channel(None);
        tokio::spawn(async move {
            let status = child.wait().await.unwrap_or_default();
            ended.send_replace(Some(status));
        });
        let log = self.log(name);
        let program = Program {
            name: name.to_owned(),
            id: Pid::from_raw(id),
            tag,
            log,
            status,
        };
        self.lock().push(program.clone());
        Ok(program)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Program>> {
        self.started.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        self.kill_all();
    }
}

/// Asks processes to end, kills those that do not end in time, and waits until all are gone.
async fn end(processes: impl Fn() -> Vec<Pid>) {
    let mut left = processes();
    for id in &left {
        let _ = kill(*id, Signal::SIGTERM);
    }
    let asked = Instant::now();
    while !left.is_empty() {
        if asked.elapsed() > GRACE {
            // Processes that sudo has started belong to another user.
            let denied = |id: &Pid| kill(*id, Signal::SIGKILL) == Err(Errno::EPERM);
            if left.iter().all(denied) {
                return;
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        left = processes();
    }
}

/// A program that was started.
#[derive(Debug, Clone)]
pub struct Program {
    name: String,
    id: Pid,
    tag: Tag,
    log: PathBuf,
    status: watch::Receiver<Option<ExitStatus>>,
}

impl Program {
    /// Waits until it has ended, and says how.
    pub async fn ended(&self) -> ExitStatus {
        let mut status = self.status.clone();
        let ended = status.wait_for(Option::is_some).await;
        ended.ok().and_then(|status| *status).unwrap_or_default()
    }

    /// The error [`Ended`].
    pub fn failure(&self, status: ExitStatus) -> anyhow::Error {
        let last_lines = file::last_lines(&self.log, 12);
        let ended = Ended {
            name: self.name.clone(),
            status,
            said: quote(&last_lines, &self.log),
        };
        ended.into()
    }

    /// Waits until it takes connections at the address.
    pub async fn listens(&self, address: SocketAddr) -> anyhow::Result<()> {
        let attempts = async {
            while TcpStream::connect(address).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            status = self.ended() => Err(self.failure(status)),
            () = attempts => Ok(()),
            () = tokio::time::sleep(PATIENCE) => Err(anyhow!(
                "{} runs but does not listen on {address}; its output: {}",
                self.name,
                self.log.display()
            )),
        }
    }

    /// Sends a signal to its own process, unless that has ended.
    pub fn signal(&self, signal: Signal) {
        if self.status.borrow().is_none() {
            let _ = kill(self.id, signal);
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where its output goes.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Its output, to be read on while it grows.
    pub fn output(&self) -> anyhow::Result<File> {
        file::open(&self.log)
    }

    /// Its own process and those that it has started.
    fn processes(&self) -> Vec<Pid> {
        let mut ids: Vec<_> = self.tag.processes().into_iter().map(|(id, _)| id).collect();
        if self.status.borrow().is_none() && !ids.contains(&self.id) {
            ids.push(self.id);
        }
        ids
    }
}
