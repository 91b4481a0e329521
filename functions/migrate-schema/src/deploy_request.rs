//! The deploy request: opened, checked by PlanetScale, held against the plan, approved.

use std::time::Duration;

use database::vitess::without_values;
use planetscale::{
    ApiError, DeployRequest, Deployment, DeploymentState, NewDeployRequest, Openness, Operation,
    Progress,
};
use schema::{Plan, Shape};

use crate::{
    failure::StepError,
    production::{self, Production},
    schema::Schema,
    state::{Outcome, State, Status},
};

/// PlanetScale's checks take seconds, and on a large schema minutes.
const CHECKS_LIMIT: Duration = Duration::from_secs(60 * 60);

const APPROVAL_LIMIT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Opens the deploy request of the branch, or finds it: one that another run has opened, or has
/// seen through meanwhile. Where two runs have each opened one, both keep the first. One that has
/// found nothing to deploy has deleted the branch: then it is made anew.
pub async fn open(state: State, production: &Production) -> Result<State, StepError> {
    let mut found = find(&state, production).await?;
    if found.is_empty() {
        let new = NewDeployRequest {
            branch: &state.branch,
            into_branch: production.branch(),
            notes: &production::notes(&state.plan),
            auto_cutover: true,
        };
        let made = production.api().create_deploy_request(&new).await;
        found = find(&state, production).await?;
        if found.is_empty() {
            // It was closed between the two calls, or never opened.
            match made {
                Ok(made) => found.push(made),
                Err(error) if production.find_branch(&state.branch).await?.is_none() => {
                    return state.recreate(error.into());
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    let (first, others) = match found.split_last() {
        Some(split) => split,
        None => return Err(StepError::OutOfOrder("the deploy request is gone")),
    };
    if first.deployment_state.progress() == Progress::Before {
        for other in others {
            production.api().close_deploy_request(other.number).await?;
        }
    }
    Ok(state.with(first).then(Outcome::Done))
}

/// The deploy requests of the plan's branch that may still be of use, the best one last: deployed,
/// under deployment, or opened first.
async fn find(state: &State, production: &Production) -> Result<Vec<DeployRequest>, StepError> {
    let mut requests = production.deploy_requests(Some(&state.branch)).await?;
    requests.retain(|request| {
        let begun = matches!(
            request.deployment_state.progress(),
            Progress::Under | Progress::Done
        );
        request.state == Openness::Open || begun
    });
    requests.sort_by_key(|request| match request.deployment_state.progress() {
        Progress::Done => 2,
        Progress::Under => 1,
        Progress::Before | Progress::NoChanges | Progress::Failed => 0,
    });
    Ok(requests)
}

/// Waits until PlanetScale has checked whether it can be deployed.
pub async fn wait_for_checks(state: State, production: &Production) -> Result<State, StepError> {
    let request = current(&state, production).await?;
    match request.deployment_state.progress() {
        Progress::Under => Ok(state.then(Outcome::Deploying)),
        // Without changes, production has the branch's schema; whether that is the plan's, is seen
        // before it is recorded.
        Progress::Done | Progress::NoChanges => Ok(state.then(Outcome::Deployed)),
        Progress::Failed => Err(refused(&request)),
        Progress::Before => match &request.deployment {
            Some(deployment) if !deployment.lint_errors.is_empty() => Err(refused(&request)),
            Some(deployment)
                if deployment.deployable && request.deployment_state == DeploymentState::Ready =>
            {
                Ok(state.then(Outcome::Done))
            }
            _ => state.wait("PlanetScale's checks of the deploy request", CHECKS_LIMIT),
        },
    }
}

/// Holds what the deploy request would do against the plan, before anybody is asked to approve it.
pub async fn check(state: State, production: &Production) -> Result<State, StepError> {
    hold_against_plan(&state, production).await?;
    if !state.options.deploy {
        return Ok(state.end(Status::Opened));
    }
    match needs_approval(&state, production).await? {
        true => Ok(state.then(Outcome::Approve)),
        false => Ok(state.then(Outcome::Done)),
    }
}

/// Whether a person has to approve it: the execution's input or the database asks for that.
pub async fn needs_approval(state: &State, production: &Production) -> Result<bool, StepError> {
    if state.options.approval {
        return Ok(true);
    }
    let database = production.api().database().await?;
    Ok(database.require_approval_for_deploy)
}

/// Waits until a person has approved it.
pub async fn wait_for_approval(state: State, production: &Production) -> Result<State, StepError> {
    let request = current(&state, production).await?;
    match request.deployment_state.progress() {
        Progress::Under => Ok(state.then(Outcome::Deploying)),
        Progress::Done | Progress::NoChanges => Ok(state.then(Outcome::Deployed)),
        Progress::Failed => Err(refused(&request)),
        Progress::Before if request.approved => Ok(state.then(Outcome::Done)),
        Progress::Before => state.wait("an approval of the deploy request", APPROVAL_LIMIT),
    }
}

/// Holds the deploy request against the plan: that it does nothing else, and nothing less.
pub async fn hold_against_plan(state: &State, production: &Production) -> Result<(), StepError> {
    let Err(error) = compare_with_plan(state, production).await else {
        return Ok(());
    };
    // Another run may have deployed it meanwhile, and what is compared is gone or another since.
    let now = current(state, production).await?;
    match now.deployment_state.progress() {
        Progress::Before => Err(error),
        _ => Ok(()),
    }
}

async fn compare_with_plan(state: &State, production: &Production) -> Result<(), StepError> {
    let number = state.number()?;
    let operations = production.api().operations(number).await?;
    if operations.is_empty() {
        return Err(StepError::Difference {
            number,
            reason: "PlanetScale lists nothing that it would do".to_owned(),
        });
    }
    let changes = state.plan.changes(&production.migrations)?;
    let on_branch = Schema::of(&state.branch, production).await?;
    let in_production = Schema::of(production.branch(), production).await?;
    let refused = |deviation| StepError::difference(number, &deviation);
    for operation in &operations {
        let (table, statement) = (&operation.table_name, &operation.ddl_statement);
        let before = in_production.table(table);
        let checked = changes.check(table, statement, operation.can_drop_data, before);
        checked.map_err(refused)?;
    }
    // What it does not touch stays as production has it.
    let after = |table: &str| {
        let mut of_table = operations.iter().filter(|one| one.table_name == table);
        let statement = match of_table.next() {
            None => in_production.table(table),
            Some(operation) => on_branch.table(table).or_else(|| made_by(operation)),
        };
        statement.map(Shape::of)
    };
    changes.check_outcome(after).map_err(refused)
}

/// Holds production against the plan that was deployed, before it is recorded: somebody may have
/// changed the branch and deployed it by hand, and without changes nothing was deployed.
pub async fn hold_deployed_against_plan(
    number: u64,
    plan: &Plan,
    production: &Production,
) -> Result<(), StepError> {
    let changes = plan.changes(&production.migrations)?;
    let shapes = production.shapes(changes.tables()).await?;
    let checked = changes.check_outcome(|table| shapes.get(table).cloned());
    checked.map_err(|deviation| StepError::difference(number, &deviation))
}

/// The statement after which the table or view is there, if it is.
fn made_by(operation: &Operation) -> Option<&str> {
    let stays = operation.operation_name != "DROP";
    stays.then_some(operation.ddl_statement.as_str())
}

/// The deploy request as it is now.
pub async fn current(state: &State, production: &Production) -> Result<DeployRequest, StepError> {
    let number = state.number()?;
    let request = production.api().deploy_request(number).await?;
    let progress = request.deployment_state.progress();
    if request.state == Openness::Closed && progress == Progress::Before {
        return Err(StepError::Closed(number));
    }
    Ok(request)
}

/// What PlanetScale's checks have found, as a sentence.
fn refused(request: &DeployRequest) -> StepError {
    StepError::Checks(format!(
        "{} (deploy request {})",
        findings(request.deployment.as_ref()),
        request.number
    ))
}

/// What stands against a deployment, in PlanetScale's words.
pub fn findings(deployment: Option<&Deployment>) -> String {
    let mut findings = Vec::new();
    if let Some(deployment) = deployment {
        for error in &deployment.lint_errors {
            let (code, table) = (&error.lint_error, &error.table_name);
            findings.push(format!("{code} in `{table}`: {}", error.error_description));
        }
        let errors = deployment.deploy_check_errors.as_deref();
        findings.extend(errors.map(without_values));
    }
    if findings.is_empty() {
        return "it gives no reason".to_owned();
    }
    findings.join("; ")
}

/// Whether the API says that it is too late, or was done by another.
pub fn is_refused(error: &ApiError) -> bool {
    matches!(error, ApiError::Refused { .. }) && !error.may_pass()
}
