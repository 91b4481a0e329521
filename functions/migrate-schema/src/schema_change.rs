//! A schema change under way: what one step hands to the next.
//!
//! It stands in the execution's history, for everybody who may read that, so it holds no secret
//! and no SQL.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use planetscale::DeployRequest;
use schema::Plan;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    error::{ErrorName, Result, StepError},
    fingerprints::Fingerprints,
};

/// The longest pause before the same step is asked again.
const LONGEST_PAUSE: u64 = 300;

/// How many branches an execution makes at most.
const MOST_BRANCHES: u32 = 3;

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

/// A schema change under way. At first, the state machine gives the fields up to `poll_seconds`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SchemaChange {
    /// [`Options`], unless whoever started the execution made a mistake.
    pub options: Value,
    /// The execution's name, which tells it from others that run at the same time.
    pub execution: String,
    /// The shortest pause before a step is repeated, in seconds. It is a text, as is everything
    /// that a deployment puts into a definition.
    pub poll_seconds: String,
    pub plan: Plan,
    /// The branch on which the migrations are applied.
    pub branch: String,
    /// Known as soon as the migrations are on the branch.
    pub fingerprints: Option<Fingerprints>,
    pub deploy_request: Option<Opened>,
    /// How many branches this execution has made.
    pub branches: u32,
    /// What a person should know although it stops nothing.
    pub warnings: Vec<String>,
    pub outcome: Outcome,
    pub waiting: Option<Waiting>,
    /// The pause before the same step, where the outcome is to wait.
    pub wait_seconds: u64,
    /// What the execution ends with.
    pub result: Option<Ended>,
    /// The error of the step that failed, and after cleaning up what the execution fails with.
    pub error: Option<Caught>,
}

/// A deploy request that was opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    pub number: u64,
    pub url: String,
}

/// The state machine chooses the next step by this.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The step is done.
    #[default]
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

/// An error as Step Functions has it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Caught {
    #[serde(rename = "Error")]
    pub error: String,
    #[serde(rename = "Cause", default)]
    pub cause: String,
}

impl SchemaChange {
    /// What whoever started the execution has chosen.
    pub fn options(&self) -> Result<Options> {
        let options = Options::deserialize(&self.options);
        options.map_err(|error| ErrorName::WrongInput.because(format!("the input: {error}")))
    }

    /// The shortest pause before a step is repeated, in seconds.
    pub fn poll_seconds(&self) -> Result<u64> {
        let seconds = self.poll_seconds.parse();
        seconds.map_err(|_| ErrorName::WrongInput.because("poll_seconds is not a number"))
    }

    /// Notes what follows the step.
    pub fn end_step(&mut self, outcome: Outcome) {
        self.outcome = outcome;
        if outcome != Outcome::Wait {
            self.waiting = None;
            self.wait_seconds = 0;
        }
    }

    /// The same step is repeated, unless it has waited for longer than `limit`. The pauses grow
    /// with the time, because an execution may have 25,000 events at most (AWS, Step Functions
    /// quotas).
    pub fn wait(&mut self, what: &str, limit: Duration) -> Result<Outcome> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.unwrap_or_default().as_secs();
        let new = || Waiting {
            what: what.to_owned(),
            since: now,
        };
        let waiting = self.waiting.take().filter(|waiting| waiting.what == what);
        let waiting = self.waiting.insert(waiting.unwrap_or_else(new));
        let waited = now.saturating_sub(waiting.since);
        if waited > limit.as_secs() {
            let message = format!("it took too long to wait for {what}");
            return Err(ErrorName::TookTooLong.because(message));
        }
        self.wait_seconds = match self.poll_seconds()? {
            0 => 0,
            shortest => (waited / 20).clamp(shortest, LONGEST_PAUSE.max(shortest)),
        };
        Ok(Outcome::Wait)
    }

    /// Another branch is made, unless this execution has made too many.
    pub fn recreate(&self, error: StepError) -> Result<Outcome> {
        if self.branches >= MOST_BRANCHES {
            return Err(error);
        }
        tracing::warn!(%error, "another branch is made");
        Ok(Outcome::Recreate)
    }

    /// The execution ends here and has succeeded.
    pub fn end(&mut self, status: Status) -> Outcome {
        let migrations = self.plan.migrations.iter();
        self.result = Some(Ended {
            status,
            migrations: migrations.map(ToString::to_string).collect(),
            deploy_request: self.deploy_request.clone(),
            warnings: self.warnings.clone(),
        });
        Outcome::End
    }

    /// Remembers the deploy request.
    pub fn opened(&mut self, request: &DeployRequest) {
        self.deploy_request = Some(Opened {
            number: request.number,
            url: request.html_url.clone(),
        });
    }

    /// The number of the deploy request.
    pub fn number(&self) -> Result<u64> {
        let number = self.deploy_request.as_ref().map(|opened| opened.number);
        number.ok_or_else(|| StepError::out_of_order("there is no deploy request yet"))
    }

    pub fn fingerprints(&self) -> Result<&Fingerprints> {
        let fingerprints = self.fingerprints.as_ref();
        fingerprints.ok_or_else(|| StepError::out_of_order("the migrations are not applied yet"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn change(waiting: Option<Waiting>) -> SchemaChange {
        let poll_seconds = "5".to_owned();
        SchemaChange {
            waiting,
            poll_seconds,
            ..SchemaChange::default()
        }
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
            let mut change = change(since(Duration::from_secs(waited)));
            assert_eq!(change.wait("it", day).unwrap(), Outcome::Wait);
            assert_eq!(change.wait_seconds, pause, "{waited}");
        }
    }

    #[test]
    fn a_wait_for_something_else_has_its_own_limit() {
        let hour = Duration::from_secs(3600);
        let error = change(since(2 * hour)).wait("it", hour).unwrap_err();
        assert_eq!(error.name, ErrorName::TookTooLong);
        let other = change(since(2 * hour)).wait("another", hour);
        assert_eq!(other.unwrap(), Outcome::Wait);
    }

    #[test]
    fn the_change_begins_with_what_the_state_machine_gives() {
        let start = json!({ "options": {}, "execution": "e", "poll_seconds": "5" });
        let change: SchemaChange = serde_json::from_value(start).unwrap();
        assert!(change.plan.is_empty() && change.options().unwrap().deploy);
        assert_eq!(change.number().unwrap_err().name, ErrorName::OutOfOrder);
        let of_another_version = json!({ "branch": 1 });
        assert!(serde_json::from_value::<SchemaChange>(of_another_version).is_err());
    }

    #[test]
    fn an_option_that_does_not_exist_is_refused() {
        let options = |text| serde_json::from_str::<Options>(text);
        assert!(options("{}").unwrap().deploy);
        assert!(!options(r#"{"deploy": false}"#).unwrap().deploy);
        assert!(options(r#"{"deploi": false}"#).is_err());
    }
}
