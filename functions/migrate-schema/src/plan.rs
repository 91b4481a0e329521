//! The first step: which migrations are pending, and whether they may be run.

use planetscale::{Openness, Progress};
use schema::Plan;

use crate::{
    branch,
    error::{ErrorName, Result, refuse},
    production::Production,
    record::record_deployed,
    schema_change::{Outcome, SchemaChange, Status},
};

/// Plans what production lacks. What a run that died has deployed and not recorded is recorded
/// first.
pub async fn plan(change: &mut SchemaChange, production: &Production) -> Result<Outcome> {
    change.options()?;
    change.poll_seconds()?;
    let ledger = production.ledger().await?;
    let mut plan = Plan::new(&production.migrations, &ledger)?;
    if !plan.is_empty() {
        record_deployed(&ledger, production).await?;
        plan = Plan::new(&production.migrations, &production.ledger().await?)?;
    }
    if plan.is_empty() {
        return Ok(change.end(Status::NothingPending));
    }
    // What must not be run is refused before there is a branch.
    refuse(schema::read(plan.migrations(&production.migrations)?))?;
    let branch = branch::name(&plan);
    refuse_others(&branch, production).await?;
    change.branch = branch;
    change.plan = plan;
    Ok(Outcome::Done)
}

/// One change at a time. Which of two open ones is to go first, a person has to decide.
async fn refuse_others(branch: &str, production: &Production) -> Result<()> {
    let requests = production.deploy_requests(None).await?;
    let other = requests.into_iter().find(|request| {
        branch::is_own(&request.branch)
            && request.branch != branch
            && request.state == Openness::Open
            && request.progress() != Progress::Done
    });
    match other {
        None => Ok(()),
        Some(other) => Err(ErrorName::AnotherAtWork.because(format!(
            "deploy request {} ({}) is open for other migrations: deploy or close it, then start again",
            other.number, other.html_url
        ))),
    }
}
