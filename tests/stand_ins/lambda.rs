//! Runs a function like Lambda: the function's own program, in a process that asks a Runtime API
//! for events.
//!
//! ```no_run
//! # async fn example(stack: &tests::stack::Stack) -> Result<(), Box<dyn std::error::Error>> {
//! use tests::stand_ins::lambda::event::Event;
//! use tests::stand_ins::lambda::Function;
//!
//! let database = stack.fresh_database().await?;
//! let function = Function::of(stack, &database, "get-order")?.start().await?;
//! let answer = function.invoke(Event::get("/orders/1")).await?;
//! assert_eq!(answer.status, 400);
//! # Ok(()) }
//! ```
//!
//! The Runtime API is lambda-simulator's. Like Lambda, it hands out one event at a time, or up to
//! `AWS_LAMBDA_MAX_CONCURRENCY` at once, and other events wait. Unlike Lambda, it does not enforce
//! the timeout, but only tells the function its deadline. It does not freeze the process between
//! events either: a test calls [`Function::freeze`] and [`Function::thaw`]. They use SIGSTOP, which
//! leaves the monotonic clock running. A freeze on Lambda may stop it.

mod answer;
pub mod event;
mod output;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use lambda_simulator::{InvocationBuilder, InvocationStatus, Simulator};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::openapi::{Document, FILE};
use crate::stack::process::descendants;
use crate::stack::{FreshDatabase, Route, Stack, background};
use crate::stand_ins::lambda::event::Event;

pub use answer::Answer;
use output::Output;
pub use output::log_lines;

/// How long a function may take to ask for its first event, to answer after its deadline, and to
/// end. Lambda allows 10 s for the start. A busy machine needs less.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// The segment of the function in the trace that each invocation belongs to.
pub const TRACE_PARENT: &str = "53995c3f42cd8ad8";

/// The pause between two checks of a process.
const CHECK_PAUSE: Duration = Duration::from_millis(5);

/// How to start a function.
#[derive(Debug, Clone)]
pub struct Setup {
    name: String,
    program: PathBuf,
    documented: bool,
    environment: BTreeMap<String, String>,
    left_out: Vec<String>,
    routes: Vec<Route>,
    timeout: Duration,
}

impl Setup {
    /// Runs another program instead of the function's own. The API's document says nothing of it.
    pub fn program(mut self, program: PathBuf) -> Self {
        self.program = program;
        self.documented = false;
        self
    }

    /// Sets an environment variable. It overrides `template.yaml`.
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.insert(name.to_owned(), value.into());
        self
    }

    /// Sets several of them.
    pub fn envs(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        self.environment.extend(variables);
        self
    }

    /// Leaves out an environment variable of the template or of Lambda.
    pub fn without(mut self, name: &str) -> Self {
        self.environment.remove(name);
        self.left_out.push(name.to_owned());
        self
    }

    /// Sets the time for an invocation. It overrides the timeout in `template.yaml`.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Starts the function and waits until it asks for its first event.
    pub async fn start(self) -> anyhow::Result<Function> {
        let function = self.spawn().await?;
        let limit = Instant::now() + TIME_LIMIT;
        while !function.simulator()?.is_initialized().await {
            if let Some(status) = function.child().try_wait()? {
                return Err(function.failure(&format!("ended with {status}")));
            }
            if Instant::now() > limit {
                return Err(function.failure("does not answer"));
            }
            tokio::time::sleep(CHECK_PAUSE).await;
        }
        Ok(function)
    }

    /// Starts a function that ends by itself before it asks for an event, and waits for its end.
    pub async fn run(self) -> anyhow::Result<Exit> {
        self.spawn().await?.ended().await
    }

    async fn spawn(self) -> anyhow::Result<Function> {
        let name = self.name.clone();
        let building = Simulator::builder()
            .function_name(&name)
            .function_version("7")
            .handler("bootstrap")
            .invocation_timeout(self.timeout);
        let simulator = background::runtime()?
            .spawn(building.build())
            .await
            .map_err(io::Error::other)??;

        let concurrency = self.environment.get("AWS_LAMBDA_MAX_CONCURRENCY");
        let slots = concurrency
            .and_then(|number| number.parse().ok())
            .unwrap_or(1);
        let output = Output::new()?;
        let mut environment = simulator.lambda_env_vars();
        environment.insert(
            "AWS_EXECUTION_ENV".to_owned(),
            "AWS_Lambda_provided.al2023".to_owned(),
        );
        environment.retain(|name, _| !self.left_out.contains(name));
        // With its tag, the stack finds the process if the test run is killed.
        environment.extend(std::env::vars().filter(|(name, _)| name == descendants::VARIABLE));
        let child = Command::new(&self.program)
            .env_clear()
            .envs(environment)
            .envs(&self.environment)
            .stdin(Stdio::null())
            .stdout(output.stdio()?)
            .stderr(output.stdio()?)
            .spawn()
            .with_context(|| {
                let program = self.program.display();
                format!("{program} does not start: `cargo build --workspace` builds it")
            })?;
        Ok(Function {
            name,
            documented: self.documented,
            routes: self.routes,
            timeout: self.timeout,
            simulator: Some(simulator),
            child: Mutex::new(child),
            output,
            slots: Semaphore::new(slots),
        })
    }
}

/// A running function. It is killed when the value is dropped.
///
/// Tests can share it: its Runtime API does not end with the test that starts it.
pub struct Function {
    name: String,
    documented: bool,
    routes: Vec<Route>,
    timeout: Duration,
    /// Present until the function is dropped.
    simulator: Option<Simulator>,
    child: Mutex<Child>,
    output: Output,
    /// One for each event that may run at once. The simulator would accept more events, but their
    /// deadlines would pass while they wait.
    slots: Semaphore,
}

impl Function {
    /// The function with the program `name`, the environment that `template.yaml` gives it, and
    /// `database`.
    pub fn of(stack: &Stack, database: &FreshDatabase, name: &str) -> anyhow::Result<Setup> {
        let declared = stack.template().function(name)?;
        Ok(Setup {
            name: name.to_owned(),
            program: stack.binary(name),
            documented: true,
            environment: database.environment(name)?,
            left_out: Vec::new(),
            routes: declared.routes.clone(),
            timeout: Duration::from_secs(declared.timeout),
        })
    }

    /// Sends an event as soon as the function can take one, and waits for the answer. It fails if the
    /// call does not keep to the API's [document](crate::openapi).
    pub async fn invoke(&self, event: Event) -> anyhow::Result<Answer> {
        let (request_id, outcome) = self.send(event.payload(&self.routes)).await?;
        let response = match outcome {
            Ok(response) => response,
            Err(error) => {
                let failed = format!("failed an invocation: {}", error.message);
                return Err(self.failure(&failed));
            }
        };
        // The function writes its lines before it answers, so all of them are there.
        let logs = log_lines(&self.output.read()?)
            .into_iter()
            .filter(|line| line.get("request_id").is_some_and(|id| *id == request_id))
            .collect();
        let answer = Answer::parse(request_id, response, logs).map_err(|error| {
            self.failure(&format!("gave a response that is not HTTP's: {error}"))
        })?;
        if self.documented {
            let faults = Document::of_the_api()?.faults(&event, &self.routes, &answer);
            if !faults.is_empty() {
                let faults = faults.join("; ");
                let failed = format!("differs from {FILE}: {faults}\n{event:?}\n{answer:?}");
                return Err(self.failure(&failed));
            }
        }
        Ok(answer)
    }

    /// Calls a function that does not answer HTTP, as soon as it can take a call. Returns its
    /// answer or the error that it reports.
    pub async fn call(&self, payload: Value) -> anyhow::Result<Result<Value, Reported>> {
        self.send(payload).await.map(|(_, outcome)| outcome)
    }

    async fn send(&self, payload: Value) -> anyhow::Result<(String, Result<Value, Reported>)> {
        let _slot = self.slots.acquire().await.map_err(io::Error::other)?;
        let simulator = self.simulator()?;
        let mut invocation = InvocationBuilder::new()
            .payload(payload)
            .timeout_ms(u64::try_from(self.timeout.as_millis()).unwrap_or(u64::MAX))
            .function_arn(format!(
                "arn:aws:lambda:us-east-1:123456789012:function:{}",
                self.name
            ))
            .build()
            .map_err(io::Error::other)?;
        invocation.trace_id += &format!(";Parent={TRACE_PARENT};Sampled=1");
        let request_id = simulator.enqueue(invocation).await;

        let limit = Instant::now() + self.timeout + TIME_LIMIT;
        let state = loop {
            // The simulator may miss an answer that arrives just as it begins to wait, so it never
            // waits for long.
            if let Ok(state) = simulator
                .wait_for_invocation_complete(&request_id, 4 * CHECK_PAUSE)
                .await
            {
                break state;
            }
            if let Some(status) = self.child().try_wait()? {
                return Err(self.failure(&format!("ended with {status}")));
            }
            if Instant::now() > limit {
                return Err(self.failure("does not answer"));
            }
        };
        let outcome = match (state.status, state.response) {
            (InvocationStatus::Success, Some(response)) => Ok(response.payload),
            _ => {
                let error = state
                    .error
                    .map(|error| (error.error_type, error.error_message));
                let (name, message) = error.unwrap_or_default();
                Err(Reported { name, message })
            }
        };
        Ok((request_id, outcome))
    }

    /// Stops the process, as Lambda does between invocations.
    pub fn freeze(&self) -> anyhow::Result<()> {
        self.signal(Signal::SIGSTOP)
    }

    /// Continues a frozen process.
    pub fn thaw(&self) -> anyhow::Result<()> {
        self.signal(Signal::SIGCONT)
    }

    /// Asks the function to end, as Lambda does before it removes the execution environment, and
    /// waits for it.
    pub async fn stop(self) -> anyhow::Result<Exit> {
        self.signal(Signal::SIGTERM)?;
        self.ended().await
    }

    /// The id of the process.
    pub fn pid(&self) -> u32 {
        self.child().id()
    }

    /// Everything that the function has written to stdout and stderr so far.
    pub fn output(&self) -> anyhow::Result<String> {
        Ok(self.output.read()?)
    }

    async fn ended(self) -> anyhow::Result<Exit> {
        let limit = Instant::now() + TIME_LIMIT;
        loop {
            if let Some(status) = self.child().try_wait()? {
                return Ok(self.exit(status)?);
            }
            if Instant::now() > limit {
                return Err(self.failure("does not answer"));
            }
            tokio::time::sleep(CHECK_PAUSE).await;
        }
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let pid = i32::try_from(self.pid()).map_err(io::Error::other)?;
        kill(Pid::from_raw(pid), signal).map_err(io::Error::from)?;
        Ok(())
    }

    fn exit(&self, status: ExitStatus) -> io::Result<Exit> {
        Ok(Exit {
            status,
            output: self.output.read()?,
        })
    }

    fn failure(&self, what: &str) -> anyhow::Error {
        let output = self.output.read().unwrap_or_default();
        anyhow!("{} {what}; it wrote:\n{output}", self.name)
    }

    fn simulator(&self) -> anyhow::Result<&Simulator> {
        Ok(self
            .simulator
            .as_ref()
            .ok_or_else(|| io::Error::other("the Runtime API is gone"))?)
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        let mut child = self.child();
        // An error means that the process has already ended.
        let _ = child.kill();
        let _ = child.wait();
        drop(child);
        if let (Some(simulator), Ok(runtime)) = (self.simulator.take(), background::runtime()) {
            runtime.spawn(simulator.shutdown());
        }
    }
}

/// An error that a function reported to Lambda.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reported {
    /// Its name for callers (`errorType`).
    pub name: String,
    /// Its message for people (`errorMessage`).
    pub message: String,
}

/// How a function ended.
#[derive(Debug, Clone)]
pub struct Exit {
    /// Its exit status.
    pub status: ExitStatus,
    /// Everything that it wrote to stdout and stderr.
    pub output: String,
}
