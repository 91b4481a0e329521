//! The first step: which migrations are pending, and whether they may be run.

use planetscale::{Openness, Progress};
use schema::Plan;

use crate::{
    branch,
    error::{Result, StepError, refuse},
    production::Production,
    record::record_deployed,
    schema_change::{Outcome, SchemaChange, Start, Status},
};

/// Plans what production lacks. What a run that died has deployed and not recorded is recorded
/// first.
pub async fn plan(start: Start, production: &Production) -> Result<SchemaChange> {
    let poll_seconds = start
        .poll_seconds
        .parse()
        .map_err(|_| StepError::Input("poll_seconds is not a number".to_owned()))?;
    let options = serde_json::from_value(start.options)
        .map_err(|error| StepError::Input(format!("the input: {error}")))?;
    let ledger = production.ledger().await?;
    let mut plan = Plan::new(&production.migrations, &ledger)?;
    if !plan.is_empty() {
        record_deployed(&ledger, production).await?;
        plan = Plan::new(&production.migrations, &production.ledger().await?)?;
    }
    let change = SchemaChange {
        options,
        execution: start.execution,
        poll_seconds,
        branch: branch::name(&plan),
        plan,
        fingerprints: None,
        deploy_request: None,
        branches: 0,
        warnings: Vec::new(),
        outcome: Outcome::Done,
        waiting: None,
        wait_seconds: 0,
        result: None,
    };
    if change.plan.is_empty() {
        return Ok(change.end(Status::NothingPending));
    }
    let pending = change.plan.migrations(&production.migrations)?;
    // What must not be run is refused before there is a branch.
    refuse(schema::read(pending))?;
    refuse_others(&change, production).await?;
    Ok(change)
}

/// One change at a time. Which of two open ones is to go first, a person has to decide.
async fn refuse_others(change: &SchemaChange, production: &Production) -> Result<()> {
    let requests = production.deploy_requests(None).await?;
    let other = requests.into_iter().find(|request| {
        branch::is_own(&request.branch)
            && request.branch != change.branch
            && request.state == Openness::Open
            && request.deployment_state.progress() != Progress::Done
    });
    match other {
        None => Ok(()),
        Some(other) => Err(StepError::AnotherAtWork(format!(
            "deploy request {} ({}) is open for other migrations: deploy or close it, then start again",
            other.number, other.html_url
        ))),
    }
}
