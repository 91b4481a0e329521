//! The migrations are applied to the branch.
//!
//! One run applies them at a time: the one whose password for the branch was made first. Others
//! wait until that password is deleted, or has expired because its maker died.

use std::time::Duration;

use database::{DefinitionError, Session};
use planetscale::{Password, Role};
use schema::{Options, Snapshot, ledger};

use crate::{
    branch,
    branch_login::BranchLogin,
    deploy_request::lint_findings,
    error::{ErrorName, Result, StepError, listed, refuse},
    fingerprints::Fingerprints,
    production::Production,
    schema_change::{Outcome, SchemaChange},
};

/// How long to wait for another run's password to be deleted or to expire.
const LIMIT: Duration = Duration::from_secs(30 * 60);

/// The names of the passwords begin with this; the execution's name follows.
const PREFIX: &str = "migrate-schema-";

/// Applies the migrations, unless the branch has them already, and lets PlanetScale lint the
/// result.
pub async fn apply(change: &mut SchemaChange, production: &Production) -> Result<Outcome> {
    let (fingerprints, warnings) = match apply_alone(change, production).await {
        Ok(Applied::All(fingerprints, warnings)) => (fingerprints, warnings),
        Ok(Applied::Waiting) => return wait(change),
        Ok(Applied::Unfit(error)) => {
            branch::remove(&change.branch, production).await?;
            return change.recreate(error);
        }
        // Another run may have deleted the branch: it has deployed it, or makes it again.
        Err(error) if branch::find(&change.branch, production).await?.is_none() => {
            return change.recreate(error);
        }
        Err(error) => return Err(error),
    };
    let errors = production.api().lint(&change.branch).await?;
    if !errors.is_empty() {
        let findings = listed(&lint_findings(&errors));
        let message = format!("PlanetScale refuses the branch: {findings}");
        return Err(ErrorName::DeployRequestRefused.because(message));
    }
    let changes_nothing = fingerprints.are_equal();
    change.fingerprints = Some(fingerprints);
    change.warnings = warnings;
    Ok(match changes_nothing {
        true => Outcome::Deployed,
        false => Outcome::Done,
    })
}

fn wait(change: &mut SchemaChange) -> Result<Outcome> {
    let waiting = change.wait("another run to apply the migrations", LIMIT);
    let alive = "another run is applying the same migrations: see whether it is alive";
    waiting.map_err(|error| match error.name {
        ErrorName::TookTooLong => ErrorName::AnotherAtWork.because(alive),
        _ => error,
    })
}

enum Applied {
    /// The branch has all of them. The rules have warned of something, if this run applied them.
    All(Fingerprints, Vec<String>),
    /// Another run is applying them.
    Waiting,
    /// The branch has neither production's schema nor all of the migrations.
    Unfit(StepError),
}

async fn apply_alone(change: &SchemaChange, production: &Production) -> Result<Applied> {
    let name = format!("{PREFIX}{}", change.execution);
    let login = BranchLogin::create(&change.branch, name, Role::Admin, production).await?;
    let applied = async {
        if !is_first(change, &login.password, production).await? {
            return Ok(Applied::Waiting);
        }
        let session = login.database.session(production.deadline).await;
        let mut session = session.map_err(StepError::of_branch)?;
        apply_on(&mut session, change, production).await
    };
    let applied = applied.await;
    login.end(applied).await
}

/// Whether no other run was applying them when the password was made. One that was made at the same
/// time counts as earlier, because its run may have looked before this password was there. At worst
/// neither run is first, and both try again with new ones. A password that an earlier attempt of this
/// execution has left does not count, and is deleted.
async fn is_first(change: &SchemaChange, own: &Password, production: &Production) -> Result<bool> {
    let api = production.api();
    let mut first = true;
    for other in api.passwords(&change.branch).await? {
        if other.id == own.id || other.expired || !other.name.starts_with(PREFIX) {
            continue;
        }
        if other.name == own.name {
            api.delete_password(&change.branch, &other.id).await?;
        } else if other.created_at <= own.created_at {
            first = false;
        }
    }
    Ok(first)
}

async fn apply_on(
    branch: &mut Session<'_>,
    change: &SchemaChange,
    production: &Production,
) -> Result<Applied> {
    let applied = Fingerprints::read(branch).await;
    if let Some(fingerprints) = applied.map_err(StepError::of_branch)? {
        return Ok(Applied::All(fingerprints, Vec::new()));
    }
    let in_production = production.snapshot().await?;
    let before = snapshot(branch).await?;
    if before.fingerprint() != in_production.fingerprint() {
        let differences = listed(&before.differences_from(&in_production));
        return Ok(Applied::Unfit(ErrorName::BranchUnfit.because(format!(
            "the branch: it does not have production's schema, or an attempt to apply the migrations was cut off: {differences}"
        ))));
    }
    let warnings = run(branch, change, production).await?;
    let fingerprints = Fingerprints::of(&before, &snapshot(branch).await?);
    let written = fingerprints.write(branch).await;
    written.map_err(StepError::of_branch)?;
    Ok(Applied::All(fingerprints, warnings))
}

async fn snapshot(branch: &mut Session<'_>) -> Result<Snapshot> {
    Snapshot::read(branch).await.map_err(StepError::of_branch)
}

/// Runs all statements, and returns what the rules warn of. Where production has no ledger, the
/// statement that creates it comes first.
async fn run(
    branch: &mut Session<'_>,
    change: &SchemaChange,
    production: &Production,
) -> Result<Vec<String>> {
    let migrations = change.plan.migrations(&production.migrations)?;
    if change.plan.creates_ledger {
        let created = branch.define(ledger::CREATE).await;
        created.map_err(|error| match error {
            DefinitionError::Database(error) => StepError::of_branch(error),
            refused => ErrorName::StatementRefused.because(format!("{}: {refused}", ledger::TABLE)),
        })?;
    }
    let options = Options {
        foreign_keys: production.api().database().await?.foreign_keys_enabled,
    };
    let checked = schema::check(branch, migrations, &options).await;
    refuse(checked.map_err(StepError::of_branch)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_wait_that_takes_too_long_is_blamed_on_another_run() {
        let mut change = SchemaChange::default();
        assert_eq!(wait(&mut change).unwrap_err().name, ErrorName::WrongInput);
        if let Some(waiting) = &mut change.waiting {
            waiting.since = 0;
        }
        let error = wait(&mut change).unwrap_err();
        assert_eq!(error.name, ErrorName::AnotherAtWork);
    }
}
