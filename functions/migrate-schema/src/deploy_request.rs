//! The deploy request: opened, checked by PlanetScale, held against the fingerprints, approved.

use std::time::Duration;

use database::without_values;
use planetscale::{
    DeployRequest, DeploymentState, LintError, NewDeployRequest, Openness, Progress,
};

use crate::{
    branch, branch_login, deployment,
    error::{ErrorName, Result, StepError, listed},
    fingerprints::Notes,
    production::Production,
    schema_change::{Outcome, SchemaChange, Status},
};

/// PlanetScale's checks take seconds, and on a large schema minutes.
const CHECKS_LIMIT: Duration = Duration::from_secs(60 * 60);

const APPROVAL_LIMIT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Opens the deploy request of the branch, or finds the one that another run has opened, and
/// perhaps deployed. Where two runs have each opened one, both keep the first.
pub async fn open(change: &mut SchemaChange, production: &Production) -> Result<Outcome> {
    let mut request = find(change, production).await?;
    if request.is_none() {
        let new = NewDeployRequest {
            branch: &change.branch,
            into_branch: production.branch(),
            notes: &change.fingerprints()?.notes(&change.plan),
        };
        let made = production.api().create_deploy_request(&new).await;
        request = match (find(change, production).await?, made) {
            (Some(found), _) => Some(found),
            // Somebody has closed it since.
            (None, Ok(made)) => Some(made),
            (None, Err(error)) if branch::find(&change.branch, production).await?.is_none() => {
                return change.recreate(error.into());
            }
            (None, Err(error)) => return Err(error.into()),
        };
    }
    request.iter().for_each(|request| change.opened(request));
    Ok(Outcome::Done)
}

/// The deploy request of the branch with the fingerprints of this change: the one that is deployed
/// or being deployed, or else the one that was opened first. Others that are open are closed,
/// and so is one that was cancelled, because it cannot be deployed again.
async fn find(change: &SchemaChange, production: &Production) -> Result<Option<DeployRequest>> {
    let rank = |request: &DeployRequest| {
        let notes = Notes::of(request, &production.migrations)?;
        let rank = match request.progress() {
            Progress::Done => 2,
            Progress::Under => 1,
            _ if request.deployment_state.is_cancelled() => return None,
            _ if request.state == Openness::Open => 0,
            _ => return None,
        };
        let is_own = Some(&notes.fingerprints) == change.fingerprints.as_ref();
        is_own.then_some((rank, std::cmp::Reverse(request.number)))
    };
    let mut requests = production.deploy_requests(Some(&change.branch)).await?;
    requests.sort_by_key(rank);
    let found = requests.pop_if(|request| rank(request).is_some());
    for other in requests {
        let state = &other.deployment_state;
        if other.state == Openness::Open && (state.is_proposed() || state.is_cancelled()) {
            production.api().close_deploy_request(other.number).await?;
        }
    }
    Ok(found)
}

/// Waits until PlanetScale has checked whether it can be deployed.
pub async fn await_checks(change: &mut SchemaChange, production: &Production) -> Result<Outcome> {
    let request = current(change, production).await?;
    match request.progress() {
        Progress::Under => Ok(Outcome::Deploying),
        // Without changes, production has the branch's schema. Whether that is the one that the
        // migrations lead to is checked before it is recorded.
        Progress::Done | Progress::NoChanges => Ok(Outcome::Deployed),
        Progress::Failed => Err(failed(&request, production).await),
        Progress::Before => match &request.deployment {
            Some(deployment) if !deployment.lint_errors.is_empty() => Err(refused(&request)),
            Some(deployment)
                if deployment.deployable && request.deployment_state == DeploymentState::Ready =>
            {
                Ok(Outcome::Done)
            }
            _ => change.wait("PlanetScale's checks of the deploy request", CHECKS_LIMIT),
        },
    }
}

/// Holds production and the branch against the fingerprints, before anybody is asked to approve.
pub async fn check(change: &mut SchemaChange, production: &Production) -> Result<Outcome> {
    match compare(change, production).await? {
        Outcome::Done if !change.options()?.deploy => Ok(change.end(Status::Opened)),
        Outcome::Done if needs_approval(change, production).await? => Ok(Outcome::Approve),
        outcome => Ok(outcome),
    }
}

/// Whether a person has to approve it, because the execution's input or the database says so.
pub async fn needs_approval(change: &SchemaChange, production: &Production) -> Result<bool> {
    let is_asked_for = change.options()?.approval;
    Ok(is_asked_for
        || production
            .api()
            .database()
            .await?
            .require_approval_for_deploy)
}

/// Waits until a person has approved it.
pub async fn await_approval(change: &mut SchemaChange, production: &Production) -> Result<Outcome> {
    let request = current(change, production).await?;
    match request.progress() {
        Progress::Under => Ok(Outcome::Deploying),
        Progress::Done | Progress::NoChanges => Ok(Outcome::Deployed),
        Progress::Failed => Err(failed(&request, production).await),
        Progress::Before if request.approved => Ok(Outcome::Done),
        Progress::Before => change.wait("an approval of the deploy request", APPROVAL_LIMIT),
    }
}

/// Says what may follow: [`Outcome::Done`] where the deploy request takes production from the one
/// fingerprint to the other, [`Outcome::Deployed`] where production has come there without it,
/// [`Outcome::Deploying`] where the comparison comes too late.
pub async fn compare(change: &SchemaChange, production: &Production) -> Result<Outcome> {
    let compared = compare_schemas(change, production).await;
    if matches!(compared, Ok(Outcome::Done)) {
        return compared;
    }
    // Another run may have begun to deploy it meanwhile, or have deleted the branch after that.
    match current(change, production).await?.progress() {
        Progress::Before => compared,
        _ => Ok(Outcome::Deploying),
    }
}

async fn compare_schemas(change: &SchemaChange, production: &Production) -> Result<Outcome> {
    let fingerprints = change.fingerprints()?;
    let in_production = production.snapshot().await?;
    if in_production.fingerprint() == fingerprints.after {
        return Ok(Outcome::Deployed);
    }
    let on_branch = branch_login::snapshot(&change.branch, production).await?;
    let changed = if on_branch.fingerprint() != fingerprints.after {
        "the branch was changed after the migrations had been applied to it"
    } else if in_production.fingerprint() != fingerprints.before {
        "production's schema was changed after the branch had been made from it"
    } else {
        return Ok(Outcome::Done);
    };
    let differences = match listed(&in_production.differences_from(&on_branch)) {
        none if none.is_empty() => "Production and the branch do not differ any more".to_owned(),
        some => format!("Compared with the branch, this is different in production: {some}"),
    };
    Err(ErrorName::DifferenceRefused.because(format!("{changed}. {differences}")))
}

/// The deploy request as it is at this moment.
pub async fn current(change: &SchemaChange, production: &Production) -> Result<DeployRequest> {
    let number = change.number()?;
    let request = production.api().deploy_request(number).await?;
    if request.state == Openness::Closed && request.progress() == Progress::Before {
        let message = format!("deploy request {number} was closed before it was deployed");
        return Err(ErrorName::DeployRequestClosed.because(message));
    }
    Ok(request)
}

/// Why it is not deployed: PlanetScale's checks refuse it, or its deployment has failed.
async fn failed(request: &DeployRequest, production: &Production) -> StepError {
    match request.deployment_state {
        DeploymentState::Error => refused(request),
        _ => deployment::failed(request, production).await,
    }
}

/// What PlanetScale's checks have found, as a sentence.
fn refused(request: &DeployRequest) -> StepError {
    let (number, findings) = (request.number, findings(request));
    let message = format!("PlanetScale refuses deploy request {number}: {findings}");
    ErrorName::DeployRequestRefused.because(message)
}

/// Why PlanetScale does not deploy it, in its own words.
pub fn findings(request: &DeployRequest) -> String {
    let mut findings = Vec::new();
    if let Some(deployment) = &request.deployment {
        findings = lint_findings(&deployment.lint_errors);
        let errors = deployment.deploy_check_errors.as_deref();
        findings.extend(errors.map(without_values));
    }
    match findings.is_empty() {
        true => "it gives no reason".to_owned(),
        false => listed(&findings),
    }
}

/// What PlanetScale finds wrong with a schema, in its own words.
pub fn lint_findings(errors: &[LintError]) -> Vec<String> {
    let finding = |error: &LintError| {
        let (code, table) = (&error.lint_error, &error.table_name);
        format!("{code} in `{table}`: {}", error.error_description)
    };
    errors.iter().map(finding).collect()
}
