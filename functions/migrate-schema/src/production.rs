//! The production branch: its schema, its ledger, its deploy requests.

use database::{Database, Session};
use lambda::Deadline;
use planetscale::{Calls, DeployRequest, PlanetScale};
use schema::{Ledger, Migration, Migrations, Snapshot, ledger};

use crate::error::{ErrorName, Result, StepError};

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
    ) -> Result<Self> {
        let migrations = match schema::settings::migrations_folder() {
            Some(folder) => Migrations::read(&folder),
            None => Migrations::built_in(),
        };
        Ok(Self {
            database,
            planetscale,
            deadline,
            migrations: migrations.map_err(|error| ErrorName::MigrationsRefused.because(error))?,
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
    pub async fn ledger(&self) -> Result<Ledger> {
        let read = Ledger::read(&mut self.session().await?).await;
        read.map_err(StepError::of_production)
    }

    /// Records migrations; those that are recorded already stay as they are.
    pub async fn record(&self, migrations: &[&Migration]) -> Result<()> {
        let mut session = self.session().await?;
        for migration in migrations {
            ledger::record(&mut session, migration).await?;
        }
        Ok(())
    }

    /// Production's schema. MySQL says what it is, because the API may say what it was.
    pub async fn snapshot(&self) -> Result<Snapshot> {
        let read = Snapshot::read(&mut self.session().await?).await;
        read.map_err(StepError::of_production)
    }

    /// The deploy requests from a branch, or from all of them, into production, newest first.
    pub async fn deploy_requests(&self, branch: Option<&str>) -> Result<Vec<DeployRequest>> {
        let requests = self.api().deploy_requests(branch, self.branch()).await;
        let mut requests = requests?;
        requests.sort_by_key(|request| std::cmp::Reverse(request.number));
        Ok(requests)
    }

    async fn session(&self) -> Result<Session<'static>> {
        let session = self.database.session(self.deadline).await;
        session.map_err(StepError::of_production)
    }
}
