//! A schema change under way: what one step hands to the next.
//!
//! It stands in the execution's history, for everybody who may read that, so it holds no secret
//! and no SQL.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use planetscale::DeployRequest;
use schema::Plan;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    error::{Result, StepError},
    fingerprints::Fingerprints,
};

/// The longest pause before the same step is asked again.
const LONGEST_PAUSE: u64 = 300;

/// How many branches an execution makes at most.
const MOST_BRANCHES: u32 = 3;

/// What an execution is started with, and what the state machine adds.
#[derive(Debug, Deserialize)]
pub struct Start {
    /// [`Options`], unless whoever started it made a mistake.
    pub options: Value,
    /// The execution's name, which tells it from others that run at the same time.
    pub execution: String,
    /// The shortest pause before a step is repeated, in seconds. It is a text, as is everything
    /// that a deployment puts into a definition.
    pub poll_seconds: String,
}

/// What whoever starts an execution may choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// Whether to deploy, or to stop at the open deploy request.
    #[serde(default = "yes")]
    pub deploy: bool,
    /// Whether to wait until the deploy request is approved.
    #[serde(default)]
    pub approval: bool,
}

fn yes() -> bool {
    true
}

/// A schema change under way.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SchemaChange {
    pub options: Options,
    pub execution: String,
    pub poll_seconds: u64,
    pub plan: Plan,
    /// The branch on which the migrations are applied.
    pub branch: String,
    /// Known as soon as the migrations are on the branch.
    #[serde(default)]
    pub fingerprints: Option<Fingerprints>,
    #[serde(default)]
    pub deploy_request: Option<Opened>,
    /// How many branches this execution has made.
    #[serde(default)]
    pub branches: u32,
    /// What a person should know although it stops nothing.
    #[serde(default)]
    pub warnings: Vec<String>,
    pub outcome: Outcome,
    #[serde(default)]
    pub waiting: Option<Waiting>,
    /// The pause before the same step, where the outcome is to wait.
    #[serde(default)]
    pub wait_seconds: u64,
    /// What the execution ends with.
    #[serde(default)]
    pub result: Option<Ended>,
}

/// A deploy request that was opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    pub number: u64,
    pub url: String,
}

/// The state machine chooses the next step by this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The step is done.
    Done,
    /// The same step follows, after a pause.
    Wait,
    /// The execution ends here and has succeeded.
    End,
    /// The branch cannot be used, so another one is made.
    Recreate,
    /// The deployment is under way already.
    Deploying,
    /// Production has the schema already that the migrations lead to.
    Deployed,
    /// A person must approve first.
    Approve,
}

/// A step that waits.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Waiting {
    /// What it waits for, in words.
    #[serde(rename = "for")]
    pub what: String,
    /// Since when, in seconds since 1970.
    pub since: u64,
}

/// What an execution ends with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ended {
    pub status: Status,
    /// The migrations that it was about, as their files are named.
    pub migrations: Vec<String>,
    pub deploy_request: Option<Opened>,
    pub warnings: Vec<String>,
}

/// How an execution ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// There was nothing to do.
    NothingPending,
    /// The deploy request is open, and nobody has deployed it yet.
    Opened,
    /// The migrations are in production, and recorded there.
    Deployed,
}

/// A schema change, and the error of the step that failed.
#[derive(Debug, Deserialize)]
pub struct Failed {
    #[serde(flatten)]
    change: Map<String, Value>,
    pub error: Caught,
}

impl Failed {
    /// None where the first step failed, which makes nothing: then the input stands there.
    pub fn change(&self) -> Result<Option<SchemaChange>> {
        if !self.change.contains_key("plan") {
            return Ok(None);
        }
        let change = SchemaChange::deserialize(Value::Object(self.change.clone()));
        change.map(Some).map_err(|_| {
            StepError::OutOfOrder("another version of the function began the execution")
        })
    }
}

/// An error as Step Functions catches it.
#[derive(Debug, Deserialize)]
pub struct Caught {
    #[serde(rename = "Error")]
    pub error: String,
    #[serde(rename = "Cause", default)]
    pub cause: String,
}

/// What the execution fails with.
#[derive(Debug, Serialize)]
pub struct CleanedUp {
    pub error: String,
    pub cause: String,
}

impl SchemaChange {
    /// The step is done; `outcome` says what follows.
    pub fn then(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self.waiting = None;
        self.wait_seconds = 0;
        self
    }

    /// The same step is repeated, unless it has waited for longer than `limit`. The pauses grow
    /// with the time, because an execution may have 25,000 events at most (AWS, Step Functions
    /// quotas).
    pub fn wait(mut self, what: &'static str, limit: Duration) -> Result<Self> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.unwrap_or_default().as_secs();
        let waiting = match self.waiting.take() {
            Some(waiting) if waiting.what == what => waiting,
            _ => Waiting {
                what: what.to_owned(),
                since: now,
            },
        };
        let waited = now.saturating_sub(waiting.since);
        if waited > limit.as_secs() {
            return Err(StepError::TooLong { what });
        }
        self.wait_seconds = match self.poll_seconds {
            0 => 0,
            shortest => (waited / 20).clamp(shortest, LONGEST_PAUSE.max(shortest)),
        };
        self.waiting = Some(waiting);
        self.outcome = Outcome::Wait;
        Ok(self)
    }

    /// Another branch is made, unless this execution has made too many.
    pub fn recreate(self, error: StepError) -> Result<Self> {
        if self.branches >= MOST_BRANCHES {
            return Err(error);
        }
        tracing::warn!(%error, "another branch is made");
        Ok(self.then(Outcome::Recreate))
    }

    /// The execution ends here and has succeeded.
    pub fn end(mut self, status: Status) -> Self {
        let migrations = self.plan.migrations.iter();
        self.result = Some(Ended {
            status,
            migrations: migrations
                .map(|planned| format!("{:04}_{}", planned.version, planned.name))
                .collect(),
            deploy_request: self.deploy_request.clone(),
            warnings: self.warnings.clone(),
        });
        self.then(Outcome::End)
    }

    /// Remembers the deploy request.
    pub fn with(mut self, request: &DeployRequest) -> Self {
        self.deploy_request = Some(Opened {
            number: request.number,
            url: request.html_url.clone(),
        });
        self
    }

    /// The number of the deploy request.
    pub fn number(&self) -> Result<u64> {
        let opened = self.deploy_request.as_ref();
        opened
            .map(|opened| opened.number)
            .ok_or(StepError::OutOfOrder("there is no deploy request yet"))
    }

    pub fn fingerprints(&self) -> Result<&Fingerprints> {
        self.fingerprints
            .as_ref()
            .ok_or(StepError::OutOfOrder("the migrations are not applied yet"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn change(waiting: Option<Waiting>) -> SchemaChange {
        let mut change: SchemaChange = serde_json::from_value(json!({
            "options": {}, "execution": "e", "poll_seconds": 5, "branch": "b", "outcome": "done",
            "plan": { "creates_ledger": false, "migrations": [] },
        }))
        .unwrap();
        change.waiting = waiting;
        change
    }

    fn since(ago: Duration) -> Option<Waiting> {
        let since = SystemTime::now() - ago;
        Some(Waiting {
            what: "it".to_owned(),
            since: since.duration_since(UNIX_EPOCH).unwrap().as_secs(),
        })
    }

    #[test]
    fn the_pauses_grow_with_the_time_up_to_five_minutes() {
        let day = Duration::from_secs(24 * 60 * 60);
        for (waited, pause) in [(0, 5), (60, 5), (600, 30), (6000, 300), (60_000, 300)] {
            let waiting = change(since(Duration::from_secs(waited)));
            assert_eq!(
                waiting.wait("it", day).unwrap().wait_seconds,
                pause,
                "{waited}"
            );
        }
    }

    #[test]
    fn a_wait_for_something_else_has_its_own_limit() {
        let hour = Duration::from_secs(3600);
        let error = change(since(2 * hour)).wait("it", hour).unwrap_err();
        assert!(matches!(error, StepError::TooLong { what: "it" }));
        let other = change(since(2 * hour)).wait("another", hour).unwrap();
        assert_eq!(other.outcome, Outcome::Wait);
    }

    #[test]
    fn a_change_of_another_version_is_not_mistaken_for_no_change() {
        let failed = |mut change: Value| {
            change["error"] = json!({ "Error": "e" });
            serde_json::from_value::<Failed>(change).unwrap().change()
        };
        assert!(failed(json!({ "deploy": false })).unwrap().is_none());
        let whole = serde_json::to_value(change(None)).unwrap();
        assert!(failed(whole.clone()).unwrap().is_some());
        let mut of_another = whole;
        of_another["branch"] = json!(1);
        assert!(failed(of_another).is_err());
    }

    #[test]
    fn an_option_that_does_not_exist_is_refused() {
        let options = |text| serde_json::from_str::<Options>(text);
        assert!(options("{}").unwrap().deploy);
        assert!(!options(r#"{"deploy": false}"#).unwrap().deploy);
        assert!(options(r#"{"deploi": false}"#).is_err());
    }
}
