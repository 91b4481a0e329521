//! The branch on which the migrations are applied: its name, how it is made and deleted.

use std::time::Duration;

use planetscale::{Branch, Progress};
use schema::Plan;

use crate::{
    error::{ErrorName, Result},
    fingerprints::Notes,
    production::Production,
    schema_change::{Outcome, SchemaChange},
};

/// PlanetScale's own command line waits for ten minutes (planetscale/cli, branch create).
const LIMIT: Duration = Duration::from_secs(15 * 60);

/// The names of the branches that this function makes begin with this.
const PREFIX: &str = "migrate-";

/// They end with so many digits of the plan's checksum.
const CHECKSUM: usize = 10;

/// Makes the branch from production, or finds it. It also finds that the plan is deployed already,
/// or is being deployed.
pub async fn create(change: &mut SchemaChange, production: &Production) -> Result<Outcome> {
    for request in production.deploy_requests(Some(&change.branch)).await? {
        let outcome = match request.progress() {
            Progress::Done => Outcome::Deployed,
            Progress::Under => Outcome::Deploying,
            Progress::Before | Progress::NoChanges | Progress::Failed => continue,
        };
        if let Some(notes) = Notes::of(&request, &production.migrations) {
            change.fingerprints = Some(notes.fingerprints);
            change.opened(&request);
            return Ok(outcome);
        }
    }
    if find(&change.branch, production).await?.is_none() {
        let api = production.api();
        let made = api.create_branch(&change.branch, production.branch()).await;
        // Another run may have been faster, which the API has several words for.
        if let Err(error) = made
            && find(&change.branch, production).await?.is_none()
        {
            return Err(error.into());
        }
        change.branches += 1;
    }
    Ok(Outcome::Done)
}

/// Waits until the branch can be connected to.
pub async fn wait(change: &mut SchemaChange, production: &Production) -> Result<Outcome> {
    match find(&change.branch, production).await? {
        Some(branch) if branch.ready => Ok(Outcome::Done),
        Some(_) => change.wait("the branch", LIMIT),
        None => {
            let deleted = "the branch: it was deleted during the run";
            change.recreate(ErrorName::BranchUnfit.because(deleted))
        }
    }
}

/// The branch, if there is one of this name.
pub async fn find(name: &str, production: &Production) -> Result<Option<Branch>> {
    let api = production.api();
    match api.branch(name).await {
        Ok(branch) => Ok(Some(branch)),
        Err(error) if error.is_not_found() => {
            // PlanetScale answers the same where the token may not see it.
            api.branch(production.branch()).await?;
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// Deletes a branch with its passwords, if there is one of this name.
pub async fn remove(name: &str, production: &Production) -> Result<()> {
    let Err(error) = production.api().delete_branch(name).await else {
        return Ok(());
    };
    // PlanetScale answers the same where the token may not delete it.
    if error.is_not_found() && find(name, production).await?.is_none() {
        return Ok(());
    }
    Err(error.into())
}

/// The name of a plan's branch. It is the same for the same plan, so that a run finds what another
/// has left.
pub fn name(plan: &Plan) -> String {
    let checksum: String = plan.checksum().chars().take(CHECKSUM).collect();
    let versions = plan.migrations.iter().map(|migration| migration.version);
    let first = versions.clone().min().unwrap_or_default();
    match versions.max().unwrap_or_default() {
        last if last == first => format!("{PREFIX}{first:04}-{checksum}"),
        last => format!("{PREFIX}{first:04}-{last:04}-{checksum}"),
    }
}

/// Whether this function made the branch, by its name.
pub fn is_own(name: &str) -> bool {
    let rest = name
        .strip_prefix(PREFIX)
        .and_then(|rest| rest.rsplit_once('-'));
    let is_version = |part: &str| part.len() == 4 && part.bytes().all(|b| b.is_ascii_digit());
    rest.is_some_and(|(versions, checksum)| {
        checksum.len() == CHECKSUM
            && checksum.bytes().all(|byte| byte.is_ascii_hexdigit())
            && versions.split('-').count() <= 2
            && versions.split('-').all(is_version)
    })
}

#[cfg(test)]
mod tests {
    use schema::{Ledger, Migrations};

    use super::*;

    #[test]
    fn a_branch_is_named_after_its_migrations_and_their_text() {
        let files = Migrations::built_in().unwrap();
        let mut plan = Plan::new(&files, &Ledger::absent()).unwrap();
        plan.migrations.truncate(1);
        let named = name(&plan);
        assert!(
            named.starts_with("migrate-0001-") && is_own(&named),
            "{named}"
        );
        assert_eq!(name(&plan), named);
        plan.migrations[0].checksum = "0".repeat(64);
        assert_ne!(name(&plan), named);

        let mut second = plan.migrations[0].clone();
        second.version = 12;
        plan.migrations.push(second);
        let named = name(&plan);
        assert!(
            named.starts_with("migrate-0001-0012-") && is_own(&named),
            "{named}"
        );
        for of_somebody_else in [
            "migrate",
            "migrate-users",
            "migrate-0001-users",
            "migrate-v2-0123456789",
        ] {
            assert!(!is_own(of_somebody_else), "{of_somebody_else}");
        }
    }
}
