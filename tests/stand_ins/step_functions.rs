//! Step Functions: an interpreter that runs the definition of a state machine unchanged.
//!
//! The interpreter is moto's. It sends the Lambda tasks of a state machine to a Lambda endpoint, so
//! that real functions answer: in `cargo dev` those behind `cargo lambda watch`, in a test those
//! that the test starts ([`Interpreter`]). It differs from AWS in these points: it evaluates
//! neither variables (`Assign`) nor JSONata, integrations with other services use names in lower
//! case, and a Fail state cannot raise an error of the language's own (`States.…`).

pub(crate) mod lambda;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::bail;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::stack::Stack;
use crate::stack::access::{REGION, TEST_CREDENTIAL};
use crate::stack::background;
use crate::stack::file;
use crate::stack::process::{Processes, command, free_port};

pub use lambda::{Reply, Target};

/// How long an execution may take in a test.
const EXECUTION_LIMIT: Duration = Duration::from_secs(120);

/// The pause between two queries about an execution.
const QUERY_PAUSE: Duration = Duration::from_millis(20);

/// The variable that tells moto on which port of this machine Lambda answers.
pub(crate) const LAMBDA_PORT: &str = "MOTO_PORT";

/// A client of the interpreter's API.
#[derive(Debug, Clone)]
pub struct StepFunctions {
    url: String,
    http: reqwest::Client,
}

/// The interpreter of this test process. It ends with the test run.
pub struct Interpreter {
    client: StepFunctions,
    lambda: lambda::Endpoint,
    /// Moto's process. The stack ends it when the test run is over.
    _processes: Processes,
}

/// A state machine.
#[derive(Debug, Clone)]
pub struct StateMachine {
    client: StepFunctions,
    arn: String,
}

/// An execution of a state machine.
#[derive(Debug, Clone)]
pub struct Execution {
    client: StepFunctions,
    arn: String,
}

/// How an execution ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// It succeeded with this output.
    Succeeded(Value),
    /// It failed.
    Failed {
        /// The name of the error.
        error: String,
        /// The cause of the error.
        cause: String,
    },
    /// It has another status, such as `ABORTED`.
    Other(String),
}

/// The definition of the state machine for schema changes, filled in like a deployment for the
/// function with this name.
pub fn schema_change(function: &str, poll_seconds: u32) -> anyhow::Result<String> {
    let path = "functions/migrate-schema/state_machine.asl.json";
    let definition = file::read(&crate::root().join(path))?;
    Ok(definition
        .replace("${Partition}", "aws")
        .replace("${MigrateSchema}", function)
        .replace("${PollSeconds}", &poll_seconds.to_string()))
}

impl Interpreter {
    /// The interpreter of this process, started on first use.
    pub async fn shared(stack: &Stack) -> anyhow::Result<&'static Self> {
        static SHARED: OnceCell<Interpreter> = OnceCell::const_new();
        SHARED.get_or_try_init(|| Self::start(stack)).await
    }

    async fn start(stack: &Stack) -> anyhow::Result<Self> {
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
        let client = StepFunctions::at(&format!("http://{address}"));
        client.interpret().await?;
        Ok(Self {
            client,
            lambda,
            _processes: processes,
        })
    }

    /// Creates the state machine `name`. Its tasks call `function` by the same name.
    pub async fn create(
        &self,
        name: &str,
        definition: &str,
        function: Target,
    ) -> anyhow::Result<StateMachine> {
        self.lambda.serve(name, function);
        self.client.create(name, definition).await
    }
}

impl StepFunctions {
    /// A client of the moto that answers at `url`.
    pub fn at(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            http: crate::http_client(),
        }
    }

    /// Tells moto to run state machines, which it does not do by default.
    pub async fn interpret(&self) -> anyhow::Result<()> {
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
    pub async fn create(&self, name: &str, definition: &str) -> anyhow::Result<StateMachine> {
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
            client: self.clone(),
            arn: arn.to_owned(),
        }
    }

    async fn ask(&self, action: &'static str, body: Value) -> anyhow::Result<Value> {
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
            bail!("the interpreter of state machines refuses {action}: {answer}");
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
    pub async fn start(&self, name: &str, input: &Value) -> anyhow::Result<Execution> {
        let execution = json!({
            "stateMachineArn": self.arn,
            "name": name,
            "input": input.to_string(),
        });
        let started = self.client.ask("StartExecution", execution).await?;
        Ok(Execution {
            client: self.client.clone(),
            arn: text(&started, "executionArn"),
        })
    }
}

impl Execution {
    /// Waits until it has ended.
    pub async fn ended(&self) -> anyhow::Result<Ended> {
        let limit = Instant::now() + EXECUTION_LIMIT;
        loop {
            if let Some(ended) = self.now().await? {
                return Ok(ended);
            }
            if Instant::now() > limit {
                bail!("the execution does not end");
            }
            tokio::time::sleep(QUERY_PAUSE).await;
        }
    }

    /// How it has ended, if it has ended.
    pub async fn now(&self) -> anyhow::Result<Option<Ended>> {
        let arn = json!({ "executionArn": self.arn });
        let now = self.client.ask("DescribeExecution", arn).await?;
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

    /// Its events, oldest first.
    pub async fn history(&self) -> anyhow::Result<Vec<Value>> {
        let mut ask = json!({ "executionArn": self.arn, "maxResults": 1000 });
        let mut events = Vec::new();
        loop {
            let mut page = self.client.ask("GetExecutionHistory", ask.clone()).await?;
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
