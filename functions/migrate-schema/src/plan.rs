//! The first step: what is pending, and whether it may go to production.

use planetscale::{Openness, Progress};
use schema::{
    Ledger, Plan,
    lint::{self, Severity},
};

use crate::{
    deploy_request::hold_deployed_against_plan,
    failure::StepError,
    production::{self, Production},
    state::{Outcome, Start, State, Status},
};

/// Plans what production lacks. What a run that died has deployed and not recorded is recorded
/// first.
pub async fn plan(start: Start, production: &Production) -> Result<State, StepError> {
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
    let state = State {
        options,
        execution: start.execution,
        poll_seconds,
        branch: production::branch_name(&plan),
        plan,
        deploy_request: None,
        branches: 0,
        outcome: Outcome::Done,
        waiting: None,
        wait_seconds: 0,
        result: None,
    };
    if state.plan.is_empty() {
        return Ok(state.end(Status::NothingPending));
    }
    lint(&state.plan, production).await?;
    refuse_others(&state, production).await?;
    Ok(state)
}

async fn record_deployed(ledger: &Ledger, production: &Production) -> Result<(), StepError> {
    let requests = production.deploy_requests(None).await?;
    for request in requests.iter().rev() {
        let deployed = request.deployment_state.progress() == Progress::Done;
        if !deployed || !production::is_own(&request.branch) {
            continue;
        }
        let named = production::named_in(request, &production.migrations);
        let mut unrecorded = Vec::new();
        for migration in named {
            if !ledger.has(migration)? {
                unrecorded.push(migration);
            }
        }
        if !unrecorded.is_empty() {
            let number = request.number;
            let plan = Plan::of(&unrecorded, ledger);
            hold_deployed_against_plan(number, &plan, production).await?;
            tracing::warn!(number, "deployed, and not recorded: recorded now");
            production.settle(request, &unrecorded).await?;
        }
    }
    Ok(())
}

/// One change at a time: another that is open would be in the way of this one, or the other way
/// round, and which is to go first is not for a program to say.
async fn refuse_others(state: &State, production: &Production) -> Result<(), StepError> {
    let requests = production.deploy_requests(None).await?;
    let other = requests.into_iter().find(|request| {
        production::is_own(&request.branch)
            && request.branch != state.branch
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

/// Lints the pending migrations, knowing those before them; what production has is past changing.
async fn lint(plan: &Plan, production: &Production) -> Result<(), StepError> {
    let options = lint::Options {
        foreign_keys: production.api().database().await?.foreign_keys_enabled,
    };
    let pending = plan.migrations(&production.migrations)?;
    let findings = lint::lint(&production.migrations, options);
    let errors: Vec<String> = findings
        .iter()
        .filter(|finding| finding.rule.severity() == Severity::Error)
        .filter(|finding| pending.iter().any(|file| file.file() == finding.file))
        .map(ToString::to_string)
        .collect();
    if errors.is_empty() {
        return Ok(());
    }
    Err(StepError::Lint(errors.join("\n")))
}
