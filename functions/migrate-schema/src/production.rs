//! What a schema change works on: the production branch, its ledger, its deploy requests.

use std::collections::BTreeMap;

use database::{Database, DatabaseError, Session};
use lambda::Deadline;
use planetscale::{
    ApiError, Branch, Calls, DeployRequest, DeploymentState, Filter, PlanetScale, Progress, Refusal,
};
use schema::{Ledger, Migration, Migrations, Plan, Shape, ledger};

use crate::failure::StepError;

/// Everything that a step works on.
pub struct Production {
    database: &'static Database,
    pub planetscale: &'static PlanetScale,
    pub deadline: Deadline,
    /// The files.
    pub migrations: Migrations,
}

impl Production {
    pub fn new(
        database: &'static Database,
        planetscale: &'static PlanetScale,
        deadline: Deadline,
    ) -> Result<Self, StepError> {
        Ok(Self {
            database,
            planetscale,
            deadline,
            migrations: match schema::settings::migrations_folder() {
                Some(folder) => Migrations::read(&folder)?,
                None => Migrations::built_in()?,
            },
        })
    }

    /// PlanetScale's API.
    pub fn api(&self) -> Calls<'static> {
        self.planetscale.until(self.deadline)
    }

    /// The name of the production branch.
    pub fn branch(&self) -> &'static str {
        self.planetscale.production_branch()
    }

    /// Which migrations production has.
    pub async fn ledger(&self) -> Result<Ledger, StepError> {
        Ok(Ledger::read(&mut self.session().await?).await?)
    }

    /// What production's tables and views of these names have; one that is not there is left out. By
    /// MySQL, for the API may tell what was.
    pub async fn shapes<'t>(
        &self,
        tables: impl Iterator<Item = &'t str>,
    ) -> Result<BTreeMap<&'t str, Shape>, StepError> {
        let mut session = self.session().await?;
        let mut shapes = BTreeMap::new();
        for table in tables {
            let shape = Shape::read(&mut session, table)
                .await
                .map_err(of_production)?;
            shapes.extend(shape.map(|shape| (table, shape)));
        }
        Ok(shapes)
    }

    /// Records migrations, those again that are recorded.
    pub async fn record(&self, migrations: &[&Migration]) -> Result<(), StepError> {
        let mut session = self.session().await?;
        for migration in migrations {
            ledger::record(&mut session, migration).await?;
        }
        Ok(())
    }

    /// The deploy requests from a branch into production, newest first.
    pub async fn deploy_requests(
        &self,
        branch: Option<&str>,
    ) -> Result<Vec<DeployRequest>, StepError> {
        let into_branch = Some(self.branch());
        let filter = Filter {
            branch,
            into_branch,
            ..Filter::default()
        };
        let mut requests = self.api().deploy_requests(filter).await?;
        // Held against the names too, should the API pass over the filter.
        requests.retain(|request| {
            Some(request.into_branch.as_str()) == into_branch
                && branch.is_none_or(|branch| request.branch == branch)
        });
        requests.sort_by_key(|request| std::cmp::Reverse(request.number));
        Ok(requests)
    }

    /// Ends a deployment that has happened: no way back is kept, the branch goes, the migrations are
    /// recorded. Nothing of it is an error when it was done before. Recorded last, for what is not
    /// recorded is found and settled by the next run; and not at all where somebody was faster and
    /// has reverted it.
    pub async fn settle(
        &self,
        request: &DeployRequest,
        migrations: &[&Migration],
    ) -> Result<(), StepError> {
        if request.deployment_state == DeploymentState::CompletePendingRevert {
            self.skip_revert(request.number).await?;
        }
        check_standing(&self.api().deploy_request(request.number).await?)?;
        self.remove_branch(&request.branch).await?;
        self.record(migrations).await
    }

    /// Deletes a branch with its passwords, if it is there.
    pub async fn remove_branch(&self, name: &str) -> Result<(), StepError> {
        let Err(error) = self.api().delete_branch(name).await else {
            return Ok(());
        };
        // The same answer comes where the token may not delete it.
        if error.is_not_found() && self.find_branch(name).await?.is_none() {
            return Ok(());
        }
        Err(error.into())
    }

    /// The branch, if it is there.
    pub async fn find_branch(&self, name: &str) -> Result<Option<Branch>, StepError> {
        match self.api().branch(name).await {
            Ok(branch) => Ok(Some(branch)),
            Err(error) if error.is_not_found() => {
                // The same answer comes where the token may not see it.
                self.api().branch(self.branch()).await?;
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn skip_revert(&self, number: u64) -> Result<(), StepError> {
        match self.api().skip_revert(number).await {
            Err(
                error @ ApiError::Refused {
                    refusal: Refusal::Final,
                    ..
                },
            ) => {
                // Another may have done so, or the time may be over.
                let now = self.api().deploy_request(number).await?.deployment_state;
                if now == DeploymentState::CompletePendingRevert {
                    return Err(error.into());
                }
                Ok(())
            }
            outcome => Ok(outcome.map(drop)?),
        }
    }

    async fn session(&self) -> Result<Session<'static>, StepError> {
        let session = self.database.session(self.deadline).await;
        session.map_err(of_production)
    }
}

/// That production has what was deployed: somebody may have reverted it.
pub fn check_standing(request: &DeployRequest) -> Result<(), StepError> {
    match request.deployment_state.progress() {
        Progress::Done | Progress::NoChanges => Ok(()),
        _ => Err(StepError::Deployment {
            number: request.number,
            state: request.deployment_state.to_string(),
            reason: ": it does not stand, and is not recorded".to_owned(),
        }),
    }
}

fn of_production(error: DatabaseError) -> StepError {
    StepError::Database {
        of: "production",
        error,
    }
}

/// What the names of the branches begin with that this function makes.
const PREFIX: &str = "migrate-";

/// How many digits of a plan's fingerprint they end with.
const FINGERPRINT: usize = 10;

/// The name of a plan's branch: the same for the same plan, so that a run finds what another has
/// left.
pub fn branch_name(plan: &Plan) -> String {
    let fingerprint: String = plan.fingerprint().chars().take(FINGERPRINT).collect();
    let versions = plan.migrations.iter().map(|migration| migration.version);
    let first = versions.clone().min().unwrap_or_default();
    match versions.max().unwrap_or_default() {
        last if last == first => format!("{PREFIX}{first:04}-{fingerprint}"),
        last => format!("{PREFIX}{first:04}-{last:04}-{fingerprint}"),
    }
}

/// Whether this function made the branch, by its name.
pub fn is_own(branch: &str) -> bool {
    let parts: Vec<&str> = match branch.strip_prefix(PREFIX) {
        Some(rest) => rest.split('-').collect(),
        None => return false,
    };
    let Some((fingerprint, versions)) = parts.split_last() else {
        return false;
    };
    let is_version = |part: &&str| part.len() >= 4 && part.bytes().all(|b| b.is_ascii_digit());
    let is_hex = fingerprint.bytes().all(|b| b.is_ascii_hexdigit());
    matches!(versions.len(), 1 | 2)
        && versions.iter().all(is_version)
        && is_hex
        && fingerprint.len() == FINGERPRINT
}

/// What stands in the notes of a plan's deploy request, for people and for [`named_in`].
pub fn notes(plan: &Plan) -> String {
    let mut notes = String::from("Opened by migrate-schema for these migrations:\n\n");
    for planned in &plan.migrations {
        notes += &format!(
            "- {:04}_{} sha256:{}\n",
            planned.version, planned.name, planned.checksum
        );
    }
    notes
}

/// The migrations that the notes of a deploy request name with the text that the files have.
pub fn named_in<'m>(request: &DeployRequest, migrations: &'m Migrations) -> Vec<&'m Migration> {
    let notes = request.notes.as_deref().unwrap_or_default();
    let lines = notes.lines().filter_map(|line| {
        let (name, checksum) = line.strip_prefix("- ")?.split_once(" sha256:")?;
        let version: u32 = name.split_once('_')?.0.parse().ok()?;
        let migration = migrations.get(version)?;
        (migration.checksum() == checksum.trim()).then_some(migration)
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::*;

    fn files() -> Migrations {
        Migrations::read(Path::new("../../shared/migrations")).unwrap()
    }

    fn request(notes: &str) -> DeployRequest {
        serde_json::from_value(json!({
            "number": 1, "branch": "b", "into_branch": "main", "state": "closed",
            "deployment_state": "complete", "notes": notes,
        }))
        .unwrap()
    }

    #[test]
    fn a_branch_is_named_by_its_migrations_and_their_text() {
        let mut plan = Plan::new(&files(), &Ledger::absent()).unwrap();
        plan.migrations.truncate(1);
        let name = branch_name(&plan);
        assert!(name.starts_with("migrate-0001-") && is_own(&name), "{name}");
        assert_eq!(branch_name(&plan), name);
        plan.migrations[0].checksum = "0".repeat(64);
        assert_ne!(branch_name(&plan), name);

        let mut second = plan.migrations[0].clone();
        second.version = 12;
        plan.migrations.push(second);
        let name = branch_name(&plan);
        assert!(
            name.starts_with("migrate-0001-0012-") && is_own(&name),
            "{name}"
        );
        for of_others in [
            "migrate",
            "migrate-users",
            "migrate-0001-users",
            "migrate-v2-0123456789",
        ] {
            assert!(!is_own(of_others), "{of_others}");
        }
    }

    #[test]
    fn notes_name_migrations_that_are_found_again_by_their_text() {
        let files = files();
        let plan = Plan::new(&files, &Ledger::absent()).unwrap();
        let notes = notes(&plan);
        assert_eq!(
            named_in(&request(&notes), &files).len(),
            plan.migrations.len()
        );
        let other_text = notes.replace("sha256:", "sha256:0");
        for of_others in [other_text.as_str(), "", "- 0001 by hand", "- x_y sha256:z"] {
            assert_eq!(named_in(&request(of_others), &files), [] as [&Migration; 0]);
        }
    }
}
