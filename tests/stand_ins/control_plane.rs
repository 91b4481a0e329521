//! A stand-in for PlanetScale's management API. Its branches are real schemas on the local server.
//!
//! It answers the operations that the template, `pscale` and PlanetScale's Go library use, in the
//! shapes of PlanetScale's OpenAPI document. There is one organization, [`ORGANIZATION`], and one
//! database, [`DATABASE`]. Its branch `main` is production and has safe migrations.
//!
//! What it is true to:
//!
//! * A branch is a schema on the local server: a copy of its parent's schema, without rows.
//! * A password is a login at a [stand-in of vtgate](crate::stand_ins::vtgate). It leads to its
//!   branch with the rights of its role. DDL is refused where safe migrations are enabled. With
//!   `--vitess`, it is a login at a real vtgate of the branch, which knows neither roles nor TTLs.
//! * Safe migrations can be enabled on production branches only, and only if the schema lint finds
//!   nothing. The lint has most of the rules that PlanetScale documents, and asks
//!   information_schema.
//! * A deploy request is the difference between two schemas. Its deployment goes through the
//!   documented states, one with each read, and changes the target at the cutover, all or nothing.
//!   It can be reverted for 30 minutes, with the rows and values that it dropped. On a cluster of
//!   Vitess, the same deployments can be made by its online DDL; a test compares the two.
//! * A deployment gives every CHECK constraint and foreign key of a changed table a new name, as
//!   Vitess does, and refuses names that leave no room for the suffix.
//! * A backup is a copy with rows. A branch can be created from it.
//! * Prometheus discovers the branches, and reads the connections and the errors of each. The local
//!   server has no replicas, so there is no lag.
//! * A service token can lose single accesses. Then reads find nothing and writes are forbidden.
//!
//! Its records are in a schema beside the branches, so a restart keeps them. It answers one call at
//! a time.
//!
//! What it does not have: Postgres, sharding, replicas, regions, webhooks and the VSchema; limits on
//! the numbers of branches, tables and columns; instant DDL, which it always refuses; and summaries of
//! a deployment's operations. Unknown paths of the database are answered with 501. Insights are sample
//! rows: nothing is measured. The `cidrs` of a password are stored but not enforced. Lists ignore these
//! parameters: `from`, `to`, `policy` and `running_at` of backups; `deployed_at` and `running_at` of
//! deploy requests; `read_only_region_id` of passwords; of insights `period`, `fields`, `tablet_type`, of
//! errors `from` and `to`, every `sort` of errors, and the `sort` of queries by a measure that the sample
//! does not have.

mod api_client;
mod backups;
mod branch_schema;
mod branches;
mod call;
mod changes;
mod constants;
mod constraint_names;
pub mod contract;
mod database;
mod deploy_requests;
mod deploying;
mod deployment;
mod diff;
mod faults;
pub mod fresh_control_plane;
mod insights;
mod metrics;
mod moving;
mod passwords;
mod recorder;
mod records;
mod reviews;
mod routes;
mod schema_lint;
mod serve;
mod server;
mod tokens;
mod unique_keys;
mod vitess;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use crate::stack::access::{Access, Login};
use crate::stack::database::FreshDatabase;
use crate::stand_ins::vtgate::Vtgate;
use crate::vitess::Vitess;
use crate::vitess::cluster::Cluster;
use branches::Branch;
use faults::Faults;
use passwords::Password;
use recorder::Recorder;
use records::{Records, Store};
use server::Server;
use vitess::BranchVitess;

pub use api_client::ApiClient;
pub use faults::ApiFailure;
pub use insights::Insights;
pub use recorder::Exchange;
pub use tokens::ServiceToken;

/// The only organization.
pub const ORGANIZATION: &str = "local";

/// The only database, and the name that clients connect to it by.
pub const DATABASE: &str = "orders";

/// The production branch.
pub const BRANCH: &str = branches::DEFAULT;

/// A running control plane. It stops when this is dropped. Its records stay on the server.
pub struct ControlPlane {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

/// What all calls can use at the same time.
struct Shared {
    /// The root of the API.
    url: String,
    /// The schema of production. The names of all other schemas begin with its name.
    production: String,
    vtgate: Vtgate,
    /// A real Vitess for each branch, instead of the stand-in.
    vitess: Option<BranchVitess>,
    faults: Faults,
    recorder: Recorder,
    exclusive: Mutex<Exclusive>,
}

/// What only one call can use at a time.
struct Exclusive {
    records: Records,
    server: Server,
    store: Store,
}

impl Exclusive {
    /// Saves the records if they have changed.
    async fn save(&mut self) -> Result<(), mysql_async::Error> {
        self.store.save(&self.records, &mut self.server).await
    }
}

impl ControlPlane {
    /// Starts over the schema of a test, which becomes the branch `main`.
    pub async fn over(database: &FreshDatabase) -> anyhow::Result<Self> {
        Self::start(database.access(), database.name()).await
    }

    /// Starts over the schema `production`, with the records of an earlier start if there are any.
    pub(crate) async fn start(access: &Access, production: &str) -> anyhow::Result<Self> {
        let vtgate = Vtgate::start(access).await?;

        let mut server = Server::new(access.clone());
        let (mut store, kept) = Store::open(production, &mut server).await?;
        let records = kept.unwrap_or_else(|| Records::new(production));
        store.save(&records, &mut server).await?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let shared = Arc::new(Shared {
            url: format!("http://{}", listener.local_addr()?),
            production: production.to_owned(),
            vtgate,
            vitess: BranchVitess::of(access),
            faults: Faults::default(),
            recorder: Recorder::default(),
            exclusive: Mutex::new(Exclusive {
                records,
                server,
                store,
            }),
        });
        shared.open_gate().await?;
        let task = tokio::spawn(serve::serve(listener, Arc::clone(&shared)));
        Ok(Self { shared, task })
    }

    /// The root of the API, without `/v1` (`PLANETSCALE_API_URL`).
    #[must_use]
    pub fn url(&self) -> &str {
        &self.shared.url
    }

    /// A client that makes calls with this token.
    #[must_use]
    pub fn client(&self, token: &ServiceToken) -> ApiClient {
        ApiClient::new(self.url(), token)
    }

    /// The variables of a function that calls it with the token in the secret `token_secret_id`.
    #[must_use]
    pub fn environment(&self, token_secret_id: &str) -> BTreeMap<String, String> {
        let variables = [
            ("PLANETSCALE_API_URL", self.url()),
            ("PLANETSCALE_BRANCH", BRANCH),
            ("PLANETSCALE_DATABASE", DATABASE),
            ("PLANETSCALE_ORGANIZATION", ORGANIZATION),
            ("PLANETSCALE_TOKEN_SECRET_ID", token_secret_id),
        ];
        variables
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    /// Makes the login of the functions a password of the production branch, in place of the one that
    /// they had at the last start. Passwords log in at `vitess` then, if the functions do.
    pub(crate) async fn adopt(
        &self,
        login: &Login,
        vitess: Option<Arc<Vitess>>,
    ) -> anyhow::Result<()> {
        if let (Some(branches), Some(vitess)) = (&self.shared.vitess, vitess) {
            branches.adopt(&self.shared.production, vitess);
        }
        self.change(|records| {
            let passwords = &mut records.passwords;
            passwords.retain(|password| password.username != login.username);
            passwords.push(Password::of_functions(login));
        })
        .await;
        self.shared.open_gate().await
    }

    /// Lets this cluster of Vitess make the deployments. The control plane has to be started over the
    /// server of the cluster's primary.
    pub async fn deploy_through(&self, cluster: &Cluster) -> anyhow::Result<()> {
        let vtgate = cluster.connect_as_admin().await?;
        self.shared.exclusive.lock().await.server.vtgate = Some(vtgate);
        Ok(())
    }

    /// Sets whether a deploy request must be approved by another token.
    pub async fn require_approval(&self, required: bool) {
        self.change(|records| records.settings.require_approval_for_deploy = required)
            .await;
    }

    /// Sets whether foreign keys are allowed. They are not by default.
    pub async fn enable_foreign_keys(&self, enabled: bool) {
        self.change(|records| records.settings.foreign_keys_enabled = enabled)
            .await;
        self.shared.vtgate.forbid_foreign_keys(!enabled);
    }

    /// Lets a password expire. Open connections stay open.
    pub async fn expire_password(&self, id: &str) {
        self.change(|records| {
            let mut passwords = records.passwords.iter_mut();
            if let Some(password) = passwords.find(|password| password.id == id) {
                password.expire();
            }
        })
        .await;
        // If this fails, the next start tries again.
        let _ = self.shared.open_gate().await;
    }

    /// Sets the rows of the insights.
    pub async fn set_insights(&self, insights: Insights) {
        self.change(|records| records.insights = insights).await;
    }

    /// Moves all branches and backups into the past.
    pub async fn age(&self, time: Duration) {
        self.change(|records| {
            records
                .branches
                .iter_mut()
                .for_each(|branch| branch.age(time));
            records
                .backups
                .iter_mut()
                .for_each(|backup| backup.age(time));
        })
        .await;
    }

    /// Starts to record all exchanges. When the control plane is dropped, they are held against
    /// PlanetScale's document, if the test run has it.
    pub fn record(&self) {
        self.shared.recorder.start();
    }

    /// Holds what was recorded against the document and stops the recording, for a test that leaves the
    /// document on purpose. [`Self::record`] starts it again.
    ///
    /// # Panics
    ///
    /// An exchange differs from the document.
    pub fn stop_recording(&self) {
        self.assert_documented();
        self.shared.recorder.stop();
    }

    /// The recorded exchanges.
    #[must_use]
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.shared.recorder.exchanges()
    }

    async fn change(&self, change: impl FnOnce(&mut Records)) {
        let mut exclusive = self.shared.exclusive.lock().await;
        change(&mut exclusive.records);
        // If this fails, the next call saves the records or reports the error.
        let _ = exclusive.save().await;
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        self.task.abort();
        self.assert_documented();
    }
}

impl Shared {
    /// The address for connections to a branch.
    fn address(&self, branch: &Branch) -> SocketAddr {
        let vitess = self.vitess.as_ref();
        let vitess = vitess.and_then(|vitess| vitess.address(branch));
        vitess.unwrap_or_else(|| self.vtgate.address())
    }

    /// Tells the stand-in of vtgate and Vitess the logins and the schemas with safe migrations.
    async fn open_gate(&self) -> anyhow::Result<()> {
        let exclusive = self.exclusive.lock().await;
        let records = &exclusive.records;
        for branch in &records.branches {
            self.vtgate
                .protect_schema(&branch.schema, branch.safe_migrations);
        }
        for password in &records.passwords {
            if let Some(branch) = records.branch(&password.branch) {
                password.admit(self, &branch.schema);
                password.admit_at_vitess(self, branch).await?;
            }
        }
        self.vtgate
            .forbid_foreign_keys(!records.settings.foreign_keys_enabled);
        Ok(())
    }
}

/// A text as HTML.
fn html(text: &str) -> String {
    let text = text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    format!("<pre>{text}</pre>")
}
