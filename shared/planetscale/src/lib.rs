//! A client of PlanetScale's management API: branches, their passwords and backups, deploy requests,
//! and query insights.
//!
//! [`PlanetScale`] is one database of one organization. [`PlanetScale::until`] returns the
//! [`Calls`], which all end before the given deadline:
//!
//! ```no_run
//! # use lambda::Deadline;
//! # use planetscale::{ApiError, PlanetScale};
//! # async fn example(planetscale: &PlanetScale, deadline: Deadline) -> Result<(), ApiError> {
//! let branch = planetscale.until(deadline).branch("main").await?;
//! assert!(branch.ready);
//! # Ok(()) }
//! ```
//!
//! Every call follows these rules:
//!
//! - After 429, 5xx or a lost connection the request is sent again, with growing pauses or after
//!   the time in `Retry-After`, until the deadline. A POST is sent again only if it certainly did
//!   nothing (no connection, 429). Creating a branch, a backup or a deploy request first looks
//!   whether the previous attempt succeeded.
//! - Lists are read to their last page. Unknown fields are ignored. An unknown state is kept as
//!   `Other`.
//! - Redirects are not followed, because the token would go with the request (planetscale-go,
//!   client.go, does the same for other hosts). The token and the passwords have types that are
//!   never printed.
//!
//! [`ApiError`] tells the caller what to do about a failure.
//!
//! Paths and shapes are those of PlanetScale's OpenAPI document. What it does not describe, such as
//! the bodies of errors, comes from planetscale-go.

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
use secrets::KeptSecret;

pub use backups::{Backup, BackupState, Retention, WrongRetention};
pub use branches::{Branch, LintError};
pub use deploy_requests::{DeployRequest, NewDeployRequest, Openness};
pub use deployments::{Deployment, DeploymentState, Operation, Progress};
pub use error::{ApiError, Refusal};
pub use insights::{
    Anomaly, Correlation, Hours, QueryError, QueryStatistics, Ranking, Recommendation,
};
pub use passwords::{Connecting, NewPassword, Password, Role};
use service_token::ServiceToken;
use settings::PlanetScaleSettings;
use transport::{ApiRequest, Grants, Transport, or_default};

/// The only client of the process. It is created on first use, so that a fault in the environment
/// becomes an error and not a panic.
static SHARED: OnceCell<PlanetScale> = OnceCell::new();

/// One database on PlanetScale.
pub struct PlanetScale {
    transport: Transport,
    settings: PlanetScaleSettings,
}

impl PlanetScale {
    /// The client of the process, created from the environment on first use.
    ///
    /// # Errors
    ///
    /// [`Faults`] of the environment. The next call reads the environment again.
    pub fn shared() -> Result<&'static Self, Faults> {
        SHARED.get_or_try_init(|| {
            let settings = PlanetScaleSettings::from_env()?;
            Ok(Self::new(settings, Arc::new(SystemClock)))
        })
    }

    /// Creates a client. It sends nothing before the first call.
    pub fn new(settings: PlanetScaleSettings, clock: Arc<dyn Clock>) -> Self {
        let secret_id = settings.token_secret_id.clone();
        let token = KeptSecret::of_secret(secret_id, settings.token_max_age, clock);
        Self::with_token(settings, token)
    }

    fn with_token(settings: PlanetScaleSettings, token: KeptSecret<ServiceToken>) -> Self {
        Self {
            transport: Transport::new(&settings, token),
            settings,
        }
    }

    /// The keyspace of the functions' tables, to which connections go.
    pub fn keyspace(&self) -> &str {
        &self.settings.keyspace
    }

    /// The name of the database.
    pub fn database_name(&self) -> &str {
        &self.settings.database
    }

    /// The name of the production branch.
    pub fn production_branch(&self) -> &str {
        &self.settings.branch
    }

    /// Returns the calls, which all end before `deadline`.
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

/// The operations of the API, within a deadline.
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

/// The settings of the database.
#[derive(Debug, Clone, Deserialize)]
pub struct DatabaseInfo {
    /// Whether a deploy request must be approved before it can be deployed. A service token cannot
    /// approve its own deploy requests.
    #[serde(default, deserialize_with = "or_default")]
    pub require_approval_for_deploy: bool,
    /// Whether foreign keys are allowed.
    #[serde(default, deserialize_with = "or_default")]
    pub foreign_keys_enabled: bool,
}

impl Calls<'_> {
    /// Reads the settings of the database.
    ///
    /// # Errors
    ///
    /// [`ApiError`].
    pub async fn database(&self) -> Result<DatabaseInfo, ApiError> {
        let grants = Grants("read_database");
        self.get(ApiRequest::get("reading the database", &[], grants))
            .await
    }
}
