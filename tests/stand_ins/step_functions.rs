//! Step Functions: an interpreter of the states language that runs a definition as it is.
//!
//! It is moto's. It sends the Lambda tasks of a state machine to a Lambda endpoint, so that real
//! functions answer: in `cargo dev` those behind `cargo lambda watch`, in a test those that the
//! test starts ([`Interpreter`]). It differs from AWS in these points: it evaluates neither variables
//! (`Assign`) nor JSONata, integrations with other services take and return names in lower case, and a
//! Fail state cannot raise an error of the language's own (`States.…`).

pub(crate) mod lambda;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::stack::Stack;
use crate::stack::access::{REGION, TEST_CREDENTIAL};
use crate::stack::background;
use crate::stack::file::{self, FileError};
use crate::stack::process::{ProcessError, Processes, command, free_port};

pub use lambda::{Reply, Target};

/// How long an execution may take in a test.
const PATIENCE: Duration = Duration::from_secs(120);

/// How often an execution is looked at.
const GLANCE: Duration = Duration::from_millis(20);

/// The interpreter could not be started, or refused.
#[derive(Debug, thiserror::Error)]
pub enum StatesError {
    /// It could not be started.
    #[error("no interpreter of state machines: {0}")]
    Start(#[from] std::io::Error),
    /// It has no port, or does not take calls.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// A definition can't be read, or the interpreter's log not be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// It can't be reached.
    #[error("the interpreter of state machines: {0}")]
    Lost(#[from] reqwest::Error),
    /// It refused.
    #[error("the interpreter of state machines refuses {action}: {answer}")]
    Refused {
        /// What it was asked for.
        action: &'static str,
        /// What it said.
        answer: String,
    },
    /// An execution does not end.
    #[error("the execution does not end")]
    Endless,
}

/// The variable by which moto knows where Lambda answers: a port of this machine.
pub(crate) const LAMBDA_PORT: &str = "MOTO_PORT";

/// The interpreter's API.
#[derive(Debug, Clone)]
pub struct States {
    url: String,
    http: reqwest::Client,
}

/// An interpreter of this test process, which ends with the test run.
pub struct Interpreter {
    states: States,
    lambda: lambda::Endpoint,
    /// The stack ends it by its mark when the test run is over.
    _processes: Processes,
}

/// A state machine.
#[derive(Debug, Clone)]
pub struct StateMachine {
    states: States,
    arn: String,
}

/// A run of a state machine.
#[derive(Debug, Clone)]
pub struct Execution {
    states: States,
    arn: String,
}

/// How an execution ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// Well, with this output.
    Succeeded(Value),
    /// With an error's name and its cause.
    Failed {
        /// The name.
        error: String,
        /// The cause.
        cause: String,
    },
    /// Otherwise, as in `ABORTED`.
    Other(String),
}

/// The definition of the state machine for schema changes, as the template deploys it for the
/// function of this name.
pub fn schema_change(function: &str, poll_seconds: u32) -> Result<String, FileError> {
    let path = "functions/migrate-schema/state_machine.asl.json";
    let definition = file::read(&crate::root().join(path))?;
    Ok(definition
        .replace("${Partition}", "aws")
        .replace("${MigrateSchema}", function)
        .replace("${PollSeconds}", &poll_seconds.to_string()))
}

impl Interpreter {
    /// That of this process, started on first use.
    pub async fn shared(stack: &Stack) -> Result<&'static Self, StatesError> {
        static SHARED: OnceCell<Interpreter> = OnceCell::const_new();
        SHARED.get_or_try_init(|| Self::start(stack)).await
    }

    async fn start(stack: &Stack) -> Result<Self, StatesError> {
        // It must outlive the test that happens to start it.
        let runtime = background::runtime()?;
        let lambda = runtime
            .spawn(lambda::Endpoint::start())
            .await
            .map_err(std::io::Error::other)??;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let mut moto = command(stack.moto_server());
        moto.args(["--host", "127.0.0.1", "--port"])
            .arg(address.port().to_string())
            .env(LAMBDA_PORT, lambda.port().to_string());
        let folder = &stack.access().folder;
        let processes = Processes::of_part(folder, "interpreter", folder)?;
        let moto = {
            let _runtime = runtime.enter();
            processes.start("states", moto)?
        };
        moto.listens(address).await?;
        let states = States::at(&format!("http://{address}"));
        states.interpret().await?;
        Ok(Self {
            states,
            lambda,
            _processes: processes,
        })
    }

    /// Creates a state machine whose tasks call `function` by the name `name`.
    pub async fn create(
        &self,
        name: &str,
        definition: &str,
        function: Target,
    ) -> Result<StateMachine, StatesError> {
        self.lambda.serve(name, function);
        self.states.create(name, definition).await
    }
}

impl States {
    /// Of the moto that answers at `url`.
    pub fn at(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            http: crate::http_client(),
        }
    }

    /// Tells moto to run state machines, which it does not by itself.
    pub async fn interpret(&self) -> Result<(), StatesError> {
        let config = json!({ "stepfunctions": { "execute_state_machine": true } });
        let url = format!("{}/moto-api/config", self.url);
        self.http
            .post(url)
            .json(&config)
            .send()
            .await?
            .error_for_status()?;
        Ok(())
    }

    /// Creates a state machine.
    pub async fn create(&self, name: &str, definition: &str) -> Result<StateMachine, StatesError> {
        let machine = json!({
            "name": name,
            "definition": definition,
            "roleArn": "arn:aws:iam::123456789012:role/state-machine",
        });
        let created = self.ask("CreateStateMachine", machine).await?;
        Ok(self.machine(&text(&created, "stateMachineArn")))
    }

    /// The state machine with this ARN.
    pub fn machine(&self, arn: &str) -> StateMachine {
        StateMachine {
            states: self.clone(),
            arn: arn.to_owned(),
        }
    }

    async fn ask(&self, action: &'static str, body: Value) -> Result<Value, StatesError> {
        let scope = format!("{TEST_CREDENTIAL}/20260101/{REGION}/states/aws4_request");
        let response = self
            .http
            .post(&self.url)
            .header("x-amz-target", format!("AWSStepFunctions.{action}"))
            .header(
                "authorization",
                format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=none"),
            )
            .header("content-type", "application/x-amz-json-1.0")
            .body(body.to_string())
            .send()
            .await?;
        let status = response.status();
        let answer = response.text().await?;
        if !status.is_success() {
            return Err(StatesError::Refused { action, answer });
        }
        Ok(serde_json::from_str(&answer).unwrap_or_default())
    }
}

impl StateMachine {
    /// Its ARN.
    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// Starts an execution.
    pub async fn start(&self, name: &str, input: &Value) -> Result<Execution, StatesError> {
        let execution = json!({
            "stateMachineArn": self.arn,
            "name": name,
            "input": input.to_string(),
        });
        let started = self.states.ask("StartExecution", execution).await?;
        Ok(Execution {
            states: self.states.clone(),
            arn: text(&started, "executionArn"),
        })
    }
}

impl Execution {
    /// Waits until it has ended.
    pub async fn ended(&self) -> Result<Ended, StatesError> {
        let limit = Instant::now() + PATIENCE;
        loop {
            if let Some(ended) = self.now().await? {
                return Ok(ended);
            }
            if Instant::now() > limit {
                return Err(StatesError::Endless);
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// How it has ended, if it has.
    pub async fn now(&self) -> Result<Option<Ended>, StatesError> {
        let arn = json!({ "executionArn": self.arn });
        let now = self.states.ask("DescribeExecution", arn).await?;
        Ok(Some(match text(&now, "status").as_str() {
            "RUNNING" => return Ok(None),
            "SUCCEEDED" => {
                let output = serde_json::from_str(&text(&now, "output"));
                Ended::Succeeded(output.unwrap_or_default())
            }
            "FAILED" => Ended::Failed {
                error: text(&now, "error"),
                cause: text(&now, "cause"),
            },
            other => Ended::Other(other.to_owned()),
        }))
    }

    /// What has happened in it, oldest first.
    pub async fn history(&self) -> Result<Vec<Value>, StatesError> {
        let mut ask = json!({ "executionArn": self.arn, "maxResults": 1000 });
        let mut events = Vec::new();
        loop {
            let mut page = self.states.ask("GetExecutionHistory", ask.clone()).await?;
            if let Some(Value::Array(found)) = page.get_mut("events").map(Value::take) {
                events.extend(found);
            }
            match (page.get("nextToken"), ask.as_object_mut()) {
                (Some(next), Some(ask)) if next.is_string() => {
                    ask.insert("nextToken".to_owned(), next.clone());
                }
                _ => return Ok(events),
            }
        }
    }
}

fn text(answer: &Value, field: &str) -> String {
    let text = answer.get(field).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}
