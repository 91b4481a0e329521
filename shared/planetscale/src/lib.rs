//! PlanetScale's management API: branches, their passwords, deploy requests, backups, insights.
//!
//! [`PlanetScale`] is one database of one organization. [`PlanetScale::until`] gives the
//! [`Calls`], each of which ends before its deadline:
//!
//! ```no_run
//! # use lambda::Deadline;
//! # use planetscale::{ApiError, PlanetScale};
//! # async fn example(planetscale: &PlanetScale, deadline: Deadline) -> Result<(), ApiError> {
//! let branch = planetscale.until(deadline).branch("main").await?;
//! assert!(branch.safe_migrations);
//! # Ok(()) }
//! ```
//!
//! What holds for every call:
//!
//! - 429, 5xx and a lost connection are met by sending again with growing pauses, or after as long
//!   as `Retry-After` says, until the deadline. A POST is sent again only when it has not happened
//!   for certain (no connection, 429); creating a branch or a deploy request looks first whether
//!   the one before has done it after all.
//! - Lists are read to their last page. Fields that this code does not know are passed over, and a
//!   state that it does not know is kept as `Other`.
//! - No redirect is followed, for the token goes with the request (as planetscale-go, client.go,
//!   for other hosts). The token and passwords are in types that do not print.
//!
//! [`ApiError`] says what its receiver can do about it.
//!
//! Shapes and paths are those of PlanetScale's OpenAPI document; what it does not say (the errors'
//! bodies, the differences of a deploy request) is taken from planetscale-go.

mod backups;
mod branches;
mod deploy_requests;
mod deployments;
mod error;
mod insights;
mod open_enum;
mod passwords;
mod service_token;
pub mod settings;
#[cfg(test)]
mod tests;
mod transport;

use std::{fmt, sync::Arc};

use once_cell::sync::OnceCell;
use serde::Deserialize;

use lambda::{
    Deadline, Resource,
    clock::{Clock, SystemClock},
    settings::Faults,
};
use secrets::Credentials;

pub use backups::{Backup, BackupState, NewBackup, RetentionUnit};
pub use branches::{Branch, LintError, TableSchema};
pub use deploy_requests::{DeployRequest, Filter, NewDeployRequest, Openness, Review, Verdict};
pub use deployments::{Deployment, DeploymentState, Operation, Progress};
pub use error::{ApiError, Refusal};
pub use insights::{Anomaly, Period, Query, QueryError};
pub use passwords::{NewPassword, Password, Role};
use service_token::ServiceToken;
use settings::PlanetScaleSettings;
use transport::{Grants, Request, Transport, or_default};

/// The process' one client. Made on first use, so that a fault in the environment is reported
/// rather than thrown.
static SHARED: OnceCell<PlanetScale> = OnceCell::new();

/// One database on PlanetScale, as the API manages it.
pub struct PlanetScale {
    transport: Transport,
    settings: PlanetScaleSettings,
}

impl PlanetScale {
    /// The process' client, made from the environment on first use.
    ///
    /// # Errors
    ///
    /// [`Faults`] of the environment. The next call reads it again.
    pub fn shared() -> Result<&'static Self, Faults> {
        SHARED.get_or_try_init(|| {
            let settings = PlanetScaleSettings::from_env()?;
            Ok(Self::new(settings, Arc::new(SystemClock)))
        })
    }

    /// Nothing is asked before the first call.
    pub fn new(settings: PlanetScaleSettings, clock: Arc<dyn Clock>) -> Self {
        let secret_id = settings.token_secret_id.clone();
        let token = Credentials::of_secret(secret_id, settings.token_max_age, clock);
        Self::with_token(settings, token)
    }

    fn with_token(settings: PlanetScaleSettings, token: Credentials<ServiceToken>) -> Self {
        Self {
            transport: Transport::new(&settings, token),
            settings,
        }
    }

    /// The name of the database, which is also the one to connect with.
    pub fn database_name(&self) -> &str {
        &self.settings.database
    }

    /// The name of the production branch.
    pub fn production_branch(&self) -> &str {
        &self.settings.branch
    }

    /// Calls that end before `deadline`.
    pub fn until(&self, deadline: Deadline) -> Calls<'_> {
        Calls {
            transport: &self.transport,
            deadline,
        }
    }
}

impl Resource for &'static PlanetScale {
    fn from_env() -> Result<Self, Faults> {
        PlanetScale::shared()
    }
}

impl fmt::Debug for PlanetScale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlanetScale")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// The API's operations, within a deadline.
#[derive(Clone, Copy)]
pub struct Calls<'p> {
    transport: &'p Transport,
    deadline: Deadline,
}

impl fmt::Debug for Calls<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calls")
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

/// The database's own settings.
#[derive(Debug, Clone, Deserialize)]
pub struct DatabaseInfo {
    /// Its name.
    pub name: String,
    /// The branch that new branches are made from where nothing else is said.
    pub default_branch: String,
    /// Whether a deploy request must be approved before it can be deployed. A service token can't
    /// approve the deploy requests that it has created itself.
    #[serde(default, deserialize_with = "or_default")]
    pub require_approval_for_deploy: bool,
    /// Whether foreign keys are allowed.
    #[serde(default, deserialize_with = "or_default")]
    pub foreign_keys_enabled: bool,
}

impl Calls<'_> {
    /// The database's settings.
    ///
    /// # Errors
    ///
    /// [`ApiError`].
    pub async fn database(&self) -> Result<DatabaseInfo, ApiError> {
        self.get(Request::get(
            "reading the database",
            &[],
            Grants("read_database"),
        ))
        .await
    }
}
