//! `cargo dev migrate`: the pending migrations go the way to production, on the stack that
//! `cargo dev` runs, by the state machine that does it in AWS.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::bail;
use serde_json::{Value, json};

use crate::cargo_dev::running::RunningStack;
use crate::stack::progress::{Progress, Step, print};
use crate::stand_ins::step_functions::{self, Ended, Execution, StepFunctions};

/// The variables of the environment file that lead to the state machine.
pub(crate) const STEP_FUNCTIONS_URL: &str = "AWS_ENDPOINT_URL_SFN";
pub(crate) const STATE_MACHINE: &str = "SCHEMA_CHANGE_ARN";

/// The state of the definition that carries out every step.
const TASK: &str = "CarryOut";

/// How often the execution is looked at.
const GLANCE: Duration = Duration::from_millis(100);

/// What the command line asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// The folder of the running stack, in place of `target/dev`.
    pub folder: Option<PathBuf>,
    /// Stops at the open deploy request.
    pub no_deploy: bool,
    /// Waits until the deploy request is approved.
    pub approval: bool,
}

/// Runs the state machine, and shows its steps, the difference and what it came to.
pub async fn run(request: &Request) -> anyhow::Result<()> {
    let stack = RunningStack::find(request.folder.as_deref())?;
    let machines = StepFunctions::at(stack.value(STEP_FUNCTIONS_URL));
    let machine = machines.machine(stack.value(STATE_MACHINE));
    let options = json!({ "deploy": !request.no_deploy, "approval": request.approval });
    let name = uuid::Uuid::new_v4().to_string();
    let execution = machine.start(&name, &options).await?;
    let mut shown = Shown::new(stack)?;
    let ended = loop {
        let ended = execution.now().await?;
        shown.show(&execution).await?;
        match ended {
            Some(ended) => break ended,
            None => tokio::time::sleep(GLANCE).await,
        }
    };
    match ended {
        Ended::Succeeded(result) => {
            let warnings = result.get("warnings").and_then(Value::as_array);
            let warnings = warnings.into_iter().flatten().filter_map(Value::as_str);
            warnings.for_each(|warning| print(&format!("\n  {warning}")));
            print(&format!("\n  {}", summary(&result)));
            Ok(())
        }
        Ended::Failed { error, cause } => bail!("{error}: {cause}"),
        Ended::Other(status) => bail!("{status}: the execution was ended from outside"),
    }
}

/// What the execution has achieved, in one sentence.
fn summary(result: &Value) -> String {
    let text = |path: &str| result.pointer(path).and_then(Value::as_str);
    let migrations = result.get("migrations").and_then(Value::as_array);
    let names = migrations.into_iter().flatten().filter_map(Value::as_str);
    let names = names.collect::<Vec<_>>().join(", ");
    let number = result.pointer("/deploy_request/number");
    match (text("/status"), number.and_then(Value::as_u64)) {
        (Some("nothing_pending"), _) => "Production has every migration.".to_owned(),
        (Some("opened"), Some(number)) => format!(
            "Deploy request {number} is open for {names}: {}",
            text("/deploy_request/url").unwrap_or_default()
        ),
        (_, Some(number)) => format!("Production has {names} (deploy request {number})."),
        (_, None) => format!("Production has {names}. Nothing had to be deployed."),
    }
}

/// What was shown of an execution so far.
struct Shown {
    progress: Progress,
    /// What each step does, by the name of the state that begins it.
    comments: BTreeMap<String, String>,
    events: usize,
    current: Option<(String, Step)>,
    /// Whether the current step's last attempt failed.
    failed: bool,
    /// Where the difference of a deploy request is read, and as who.
    api: (String, String),
    /// The file with the variables for both.
    variables: PathBuf,
    /// The deploy request whose difference was shown.
    shown: Option<u64>,
}

impl Shown {
    fn new(stack: RunningStack) -> anyhow::Result<Self> {
        let value = |name| stack.value(name);
        let definition = step_functions::schema_change("", 0)?;
        let definition: Value = serde_json::from_str(&definition).unwrap_or_default();
        let states = definition.get("States").and_then(Value::as_object);
        let steps = states.into_iter().flatten();
        let steps = steps.filter(|(_, state)| state.get("Next").is_some_and(|next| next == TASK));
        let comments = steps.filter_map(|(name, state)| {
            let comment = state.get("Comment")?.as_str()?;
            Some((name.clone(), comment.to_owned()))
        });
        Ok(Self {
            progress: Progress::new(),
            comments: comments.collect(),
            events: 0,
            current: None,
            failed: false,
            api: (
                format!(
                    "{}/v1/organizations/{}/databases/{}/deploy-requests",
                    value("PLANETSCALE_API_URL"),
                    value("PLANETSCALE_ORGANIZATION"),
                    value("PLANETSCALE_DATABASE"),
                ),
                format!(
                    "{}:{}",
                    value("PLANETSCALE_SERVICE_TOKEN_ID"),
                    value("PLANETSCALE_SERVICE_TOKEN")
                ),
            ),
            variables: stack.file,
            shown: None,
        })
    }

    /// Shows what has happened since the last look.
    async fn show(&mut self, execution: &Execution) -> anyhow::Result<()> {
        let history = execution.history().await?;
        let new: Vec<_> = history.into_iter().skip(self.events).collect();
        self.events += new.len();
        for event in new {
            let text = |path: &str| event.pointer(path).and_then(Value::as_str);
            match text("/type").unwrap_or_default() {
                "PassStateEntered" => {
                    if let Some(name) = text("/stateEnteredEventDetails/name") {
                        self.enter(name);
                    }
                }
                "TaskFailed" | "TaskTimedOut" => self.failed = true,
                "TaskSucceeded" => self.failed = false,
                "TaskStateExited" => {
                    let current = self.current.as_ref().map(|(name, _)| name.as_str());
                    let checked = current == Some("CheckDifference");
                    let output = text("/stateExitedEventDetails/output").unwrap_or_default();
                    let output: Value = serde_json::from_str(output).unwrap_or_default();
                    let number = output.pointer("/last/state/deploy_request/number");
                    if let (true, Some(number)) = (checked, number.and_then(Value::as_u64)) {
                        self.leave();
                        self.show_difference(number).await?;
                    }
                }
                "ExecutionSucceeded" | "ExecutionFailed" => self.leave(),
                // It was ended in the middle of the step.
                "ExecutionAborted" | "ExecutionTimedOut" => {
                    self.failed = true;
                    self.leave();
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Shows the step that this state begins, if it begins one.
    fn enter(&mut self, name: &str) {
        let Some(doing) = self.comments.get(name).cloned() else {
            return;
        };
        self.leave();
        if let ("AwaitApproval", Some(number)) = (name, self.shown) {
            self.ask_for_approval(number);
        }
        let step = self.progress.step(&doing);
        self.current = Some((name.to_owned(), step));
    }

    fn leave(&mut self) {
        let Some((name, step)) = self.current.take() else {
            return;
        };
        let doing = self.comments.get(&name).unwrap_or(&name);
        if std::mem::take(&mut self.failed) {
            drop(step);
            self.progress.say(&format!("  ✗ {doing}"));
        } else {
            step.done(doing);
        }
    }

    /// Says how to approve the deploy request. A person does so on PlanetScale; here it takes a
    /// command.
    fn ask_for_approval(&self, number: u64) {
        let (requests, _) = &self.api;
        let variables = self.variables.display();
        self.progress.say(&format!(
            r#"  Approve it in another terminal:

    (set -a; . '{variables}'; curl --fail-with-body -H "Authorization: $PLANETSCALE_SERVICE_TOKEN_ID:$PLANETSCALE_SERVICE_TOKEN" -H 'content-type: application/json' -d '{{"state": "approved"}}' {requests}/{number}/reviews)
"#
        ));
    }

    async fn show_difference(&mut self, number: u64) -> anyhow::Result<()> {
        if self.shown.replace(number).is_some() {
            return Ok(());
        }
        let (requests, authorization) = &self.api;
        let client = crate::http_client();
        let request = client.get(format!("{requests}/{number}/diff"));
        let answer = request
            .header("authorization", authorization)
            .send()
            .await?;
        let diff: Value = answer.error_for_status()?.json().await?;
        let tables = diff.get("data").and_then(Value::as_array);
        self.progress.say("");
        for table in tables.into_iter().flatten() {
            let text = |field: &str| table.get(field).and_then(Value::as_str);
            for line in text("raw").unwrap_or_default().lines() {
                self.progress.say(&format!("    {line}"));
            }
        }
        self.progress.say("");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_says_what_an_execution_has_achieved() {
        assert_eq!(
            summary(&json!({ "status": "nothing_pending", "migrations": [] })),
            "Production has every migration."
        );
        assert_eq!(
            summary(
                &json!({ "status": "deployed", "migrations": ["0002_a"], "deploy_request": null })
            ),
            "Production has 0002_a. Nothing had to be deployed."
        );
        let of = json!({ "number": 7, "url": "https://example.com/7" });
        assert_eq!(
            summary(
                &json!({ "status": "deployed", "migrations": ["0002_a", "0003_b"], "deploy_request": of })
            ),
            "Production has 0002_a, 0003_b (deploy request 7)."
        );
        assert_eq!(
            summary(&json!({ "status": "opened", "migrations": ["0002_a"], "deploy_request": of })),
            "Deploy request 7 is open for 0002_a: https://example.com/7"
        );
    }
}
