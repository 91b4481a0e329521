//! The programs that are measured: functions behind a Runtime API, and the bare work.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use super::orders::BUSY;
use super::runtime_api::RuntimeApi;
use super::share::{Cgroup, Share};
use crate::stack::access::{Login, REGION, TEST_CREDENTIAL};

/// A function to measure.
#[derive(Clone)]
pub struct Subject {
    /// What the report calls it.
    pub name: String,
    pub program: PathBuf,
    /// What the template gives it.
    pub environment: BTreeMap<String, String>,
    /// What it is asked.
    pub event: Arc<str>,
    /// What it does at the database, as `bare statements` calls it.
    pub statement: &'static str,
}

/// What all programs share: where they find the database, and how much of a core they have.
#[derive(Clone)]
pub struct Setting {
    pub database: SocketAddr,
    pub login: Login,
    pub ca_file: PathBuf,
    /// The folder with `bare` and `empty`.
    pub floors: PathBuf,
    /// The order that `find` finds. `list` lists the orders of [`BUSY`].
    pub order: String,
    pub share: Option<Share>,
}

impl Setting {
    /// Starts a program with the environment of a function. What the bench reads of its output comes
    /// through pipes.
    fn spawn(
        &self,
        program: &Path,
        arguments: &[&str],
        environment: &BTreeMap<String, String>,
        pipe: fn() -> Stdio,
    ) -> anyhow::Result<(RuntimeApi, Process)> {
        let (host, port) = (self.database.ip().to_string(), self.database.port());
        let api = RuntimeApi::start(self.login.secret(&host, port))?;
        let cgroup = self.share.as_ref().map(Share::cgroup).transpose()?;
        let mut command = match &cgroup {
            Some(cgroup) => cgroup.command(program),
            None => Command::new(program),
        };
        let url = format!("http://{}", api.address());
        command
            .args(arguments)
            .stdin(pipe())
            .stdout(pipe())
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", api.address().to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", "bench")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .env("AWS_ACCESS_KEY_ID", TEST_CREDENTIAL)
            .env("AWS_SECRET_ACCESS_KEY", TEST_CREDENTIAL)
            .env("AWS_REGION", REGION)
            .env("AWS_ENDPOINT_URL_SECRETS_MANAGER", &url)
            .env("DATABASE_SECRET_ID", "bench")
            .env("DATABASE_CA_FILE", &self.ca_file)
            .env("BENCH_ORDER", &self.order)
            .env("BENCH_CUSTOMER", BUSY)
            .envs(environment);
        let child = command.spawn();
        let child = child.with_context(|| format!("{} does not start", program.display()))?;
        let process = Process {
            child,
            _cgroup: cgroup,
        };
        Ok((api, process))
    }

    fn bare(&self, arguments: &[&str]) -> anyhow::Result<(RuntimeApi, Process)> {
        let (program, none) = (self.floors.join("bare"), BTreeMap::new());
        self.spawn(&program, arguments, &none, Stdio::piped)
    }

    /// Starts a function, and says how long it took until its first answer was read.
    pub fn start(&self, subject: &Subject) -> anyhow::Result<(Function, Duration)> {
        let began = Instant::now();
        let environment = &subject.environment;
        let (api, process) = self.spawn(&subject.program, &[], environment, Stdio::null)?;
        api.send(&subject.event);
        let answer = api.answer().with_context(|| subject.name.clone())?;
        Ok((Function { process, api }, answer.at - began))
    }

    /// How long a process takes to fetch the secret and to log in.
    pub fn connect(&self) -> anyhow::Result<Duration> {
        let began = Instant::now();
        let (_api, mut process) = self.bare(&["connect"])?;
        let said = process.lines()?.next().context("it says nothing")??;
        let took = began.elapsed();
        ensure!(said == "connected", "{said}");
        process.child.wait()?;
        Ok(took)
    }

    /// How many statements a second run on as many connections as that, all the time.
    pub fn at_once(&self, connections: usize, duration: Duration) -> anyhow::Result<f64> {
        let milliseconds = duration.as_millis().to_string();
        let arguments = ["at-once", &connections.to_string(), &milliseconds];
        let (_api, mut process) = self.bare(&arguments)?;
        let count: f64 = process
            .lines()?
            .next()
            .context("it says nothing")??
            .parse()?;
        Ok(count / duration.as_secs_f64())
    }

    /// A process with a connection open.
    pub fn statements(&self) -> anyhow::Result<Statements> {
        let (api, mut process) = self.bare(&["statements"])?;
        let input = process.child.stdin.take().context("no input")?;
        let lines = process.lines()?;
        Ok(Statements {
            _api: api,
            process,
            input,
            lines,
        })
    }
}

/// A running function.
pub struct Function {
    /// It ends before the Runtime API does, which it would complain of.
    pub process: Process,
    pub api: RuntimeApi,
}

impl Function {
    /// Runs so many invocations, one after the other, and says how many milliseconds each took.
    pub fn invoke(&self, event: &Arc<str>, times: usize) -> anyhow::Result<Vec<f64>> {
        let invocations = (0..times).map(|_| {
            self.api.send(event);
            let answer = self.api.answer()?;
            Ok(answer.took.as_secs_f64() * 1000.0)
        });
        invocations.collect()
    }
}

/// A process with an open connection.
pub struct Statements {
    pub process: Process,
    _api: RuntimeApi,
    input: ChildStdin,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Statements {
    /// Runs a statement so many times, and says how many milliseconds each took.
    pub fn run(&mut self, name: &str, times: usize) -> anyhow::Result<Vec<f64>> {
        writeln!(self.input, "{name} {times}")?;
        let line = self.lines.next().context("it has ended")??;
        let took = line
            .split(' ')
            .map(|nanoseconds| Ok(nanoseconds.parse::<f64>()? / 1e6));
        took.collect()
    }
}

/// A started program. It ends with this value.
pub struct Process {
    child: Child,
    /// Removed after the process.
    _cgroup: Option<Cgroup>,
}

impl Process {
    fn lines(&mut self) -> anyhow::Result<std::io::Lines<BufReader<ChildStdout>>> {
        let output = self.child.stdout.take().context("no output")?;
        Ok(BufReader::new(output).lines())
    }

    fn proc(&self, file: &str) -> PathBuf {
        Path::new("/proc")
            .join(self.child.id().to_string())
            .join(file)
    }

    /// The CPU time of all its threads so far in microseconds, where Linux counts it.
    pub fn cpu(&self) -> Option<f64> {
        let threads = std::fs::read_dir(self.proc("task")).ok()?;
        let times = threads.map(|thread| {
            let text = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
            text.split(' ').next()?.parse::<f64>().ok()
        });
        times
            .sum::<Option<f64>>()
            .map(|nanoseconds| nanoseconds / 1000.0)
    }

    /// The memory that it has in RAM, in megabytes.
    pub fn memory(&self) -> Option<f64> {
        let status = std::fs::read_to_string(self.proc("status")).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kilobytes: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
        Some(kilobytes * 1024.0 / 1e6)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // An error means that it has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
