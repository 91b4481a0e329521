//! PlanetScale's management API on this machine, over real schemas.
//!
//! It answers the operations that the template and PlanetScale's own tools (`pscale`, its Go
//! library) use, as the API's document says. There is one organization, [`ORGANIZATION`], with one
//! database, [`DATABASE`], whose branch `main` has safe migrations enabled. Behind it:
//!
//! * a branch is a schema on the local server, a copy of its parent's without rows;
//! * a password is a login at a [stand-in of vtgate](crate::stand_ins::vtgate), which leads it to its branch
//!   with the grants of its role, and refuses DDL where safe migrations are enabled; where the stack
//!   has Vitess (`--vitess`), it is a login at a real vtgate of the branch's own;
//! * a deploy request is the difference between two schemas, a deployment the change of one of
//!   them. A deployment moves on whenever somebody has looked at it;
//! * a backup is a copy with its rows, from which a branch can be made.
//!
//! What it knows is kept on the server beside the branches, so that a restart finds it again. One
//! call is answered at a time.
//!
//! Not there: Postgres, sharding, replicas, several regions, webhooks, and the vschema; what of the
//! database's paths is not known is answered with 501. The `cidrs` of a password are told and not
//! enforced. Lists pass over these of the document's parameters: `from`, `to`, `policy` and
//! `running_at` of backups; `deployed_at` and `running_at` of deploy requests; `read_only_region_id`
//! of passwords; of insights `from`, `to`, `period`, `fields`, `tablet_type`, every `sort` of errors,
//! and every one of queries but those by count, errors, rows, total time, and the 99th percentile and
//! maximum of the latency.

mod api_client;
mod backups;
mod branch_schema;
mod branches;
mod call;
mod changes;
mod constraint_names;
pub mod contract;
mod database;
mod deploy_requests;
mod deploying;
mod deployment;
mod diff;
mod faults;
mod insights;
mod passwords;
mod recorder;
mod reviews;
mod routes;
mod schema_lint;
mod serve;
mod server;
mod state;
mod unique_keys;
mod vitess;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::http::Method;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use crate::stack::access::{Access, ConnectError};
use crate::stack::database::FreshDatabase;
use crate::stand_ins::vtgate::{Authentication, Identity, Upstream, Vtgate};
use crate::vitess::VitessError;
use backups::Backup;
use branches::Branch;
use call::Call;
use faults::Faults;
use recorder::Recorder;
use server::Server;
use state::{State, Store, Token};
use vitess::BranchVitess;

pub use api_client::ApiClient;
pub use faults::ApiFailure;
pub use insights::{Anomaly, Insights, Query, QueryError, Recommendation};
pub use recorder::Exchange;

/// The only organization.
pub const ORGANIZATION: &str = "local";

/// The only database, and the name that clients connect to it by.
pub const DATABASE: &str = "orders";

/// The branch that production is.
pub const BRANCH: &str = branches::DEFAULT;

/// How often deployments and backups move on though nobody looks.
const PACE: Duration = Duration::from_millis(500);

/// The control plane can't be started.
#[derive(Debug, thiserror::Error)]
pub enum ControlPlaneError {
    /// No port, or no certificate.
    #[error("can't start the control plane: {0}")]
    Io(#[from] io::Error),
    /// Vitess does not start before a branch.
    #[error("the control plane: {0}")]
    Vitess(#[from] VitessError),
    /// The server does not let it in.
    #[error("the control plane: {0}")]
    Connect(#[from] ConnectError),
    /// The server refuses what it needs.
    #[error("the control plane: the server: {0}")]
    Server(#[from] mysql_async::Error),
}

/// A service token as clients send it: `Authorization: ID:TOKEN`.
#[derive(Clone)]
pub struct ServiceToken {
    /// Its id (`PLANETSCALE_SERVICE_TOKEN_ID`).
    pub id: String,
    /// Its secret (`PLANETSCALE_SERVICE_TOKEN`).
    pub token: String,
}

impl ServiceToken {
    /// The secret as the functions read it.
    #[must_use]
    pub fn secret(&self) -> String {
        serde_json::json!({"id": self.id, "token": self.token}).to_string()
    }
}

impl From<&Token> for ServiceToken {
    fn from(token: &Token) -> Self {
        Self {
            id: token.id.clone(),
            token: token.secret.clone(),
        }
    }
}

/// A running control plane. It ends when this is dropped; what it knows stays on the server.
pub struct ControlPlane {
    plane: Arc<Plane>,
    task: JoinHandle<()>,
}

/// What all calls share.
struct Plane {
    /// Where it answers.
    url: String,
    /// The schema of production, which the names of all others begin with.
    production: String,
    vtgate: Vtgate,
    /// Before the branches, in place of the stand-in.
    vitess: Option<BranchVitess>,
    upstream: Upstream,
    faults: Faults,
    recorder: Recorder,
    inside: Mutex<Inside>,
}

/// What one call at a time has.
struct Inside {
    state: State,
    server: Server,
    store: Store,
}

impl ControlPlane {
    /// Starts over a test's schema, which becomes the branch `main`.
    ///
    /// # Errors
    ///
    /// No port can be had, or the server refuses.
    pub async fn over(database: &FreshDatabase) -> Result<Self, ControlPlaneError> {
        Self::start(database.access(), database.name()).await
    }

    /// Starts over the schema `production`, with what is known from earlier.
    pub(crate) async fn start(
        access: &Access,
        production: &str,
    ) -> Result<Self, ControlPlaneError> {
        let administration = access.administration.as_ref();
        let administration = administration.ok_or(ConnectError::NotAdministered)?;
        let certificates = &administration.certificates;
        let identity = Identity::read(certificates)?;
        let url = format!(
            "mysql://{}:{}@{}",
            crate::stack::access::ADMIN,
            administration.password,
            access.server
        );
        let authority = std::fs::read(&certificates.authority)?;
        let upstream = Upstream::new(&url, &authority).await?;
        // Nobody is let in without a route, which has a login of its own.
        let nobody = upstream.with_login("", "");
        let vtgate = Vtgate::start_as(identity, nobody, Authentication::CachingSha2).await?;

        let mut server = Server::new(access.clone());
        let (mut store, kept) = Store::open(production, &mut server).await?;
        let state = kept.unwrap_or_else(|| State::new(production));
        store.save(&state, &mut server).await?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let plane = Arc::new(Plane {
            url: format!("http://{}", listener.local_addr()?),
            production: production.to_owned(),
            vtgate,
            vitess: BranchVitess::of(access),
            upstream,
            faults: Faults::default(),
            recorder: Recorder::default(),
            inside: Mutex::new(Inside {
                state,
                server,
                store,
            }),
        });
        plane.open_gate().await?;
        let task = tokio::spawn(serve::serve(listener, Arc::clone(&plane)));
        Ok(Self { plane, task })
    }

    /// The root of the API, without `/v1` (`PLANETSCALE_API_URL`).
    #[must_use]
    pub fn url(&self) -> &str {
        &self.plane.url
    }

    /// The stand-in that its passwords log in at.
    #[must_use]
    pub fn vtgate(&self) -> &Vtgate {
        &self.plane.vtgate
    }

    /// The first service token, with every grant.
    pub async fn token(&self) -> ServiceToken {
        let inside = self.plane.inside.lock().await;
        let first = inside.state.tokens.first();
        first.map_or_else(|| ServiceToken::from(&Token::new()), ServiceToken::from)
    }

    /// A client that makes calls with this token.
    #[must_use]
    pub fn client(&self, token: &ServiceToken) -> ApiClient {
        ApiClient::new(self.url(), token)
    }

    /// The variables that lead a function to it, whose token is in the secret `token_secret_id`.
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

    /// Another service token with every grant, as that of another person.
    pub async fn new_token(&self) -> ServiceToken {
        let token = Token::new();
        let given = ServiceToken::from(&token);
        self.change(|state| state.tokens.push(token)).await;
        given
    }

    /// Moves deployments and backups on every half second, for ever. Who drops this ends it between two moves.
    pub async fn keep_moving(&self) {
        let mut pace = tokio::time::interval(PACE);
        loop {
            pace.tick().await;
            let plane = Arc::clone(&self.plane);
            let moved = tokio::spawn(async move { plane.advance_all().await });
            // The next move finds what this one has left.
            let _ = moved.await;
        }
    }

    /// Takes a token away.
    pub async fn forget(&self, token: &ServiceToken) {
        self.change(|state| state.tokens.retain(|known| known.id != token.id))
            .await;
    }

    /// Takes a grant, as in `create_branch`, from a token.
    pub async fn revoke(&self, token: &ServiceToken, grant: &str) {
        self.change(|state| {
            for known in state.tokens.iter_mut().filter(|known| known.id == token.id) {
                known.without.insert(grant.to_owned());
            }
        })
        .await;
    }

    /// Deploys only what somebody else has approved, or everything.
    pub async fn require_approval(&self, required: bool) {
        self.change(|state| state.settings.require_approval_for_deploy = required)
            .await;
    }

    /// Allows foreign keys, or not, as is the default.
    pub async fn enable_foreign_keys(&self, enabled: bool) {
        self.change(|state| state.settings.foreign_keys_enabled = enabled)
            .await;
        self.plane.vtgate.forbid_foreign_keys(!enabled);
    }

    /// Takes a password's time; whoever is logged in stays so.
    pub async fn expire_password(&self, id: &str) {
        self.change(|state| {
            let mut passwords = state.passwords.iter_mut();
            if let Some(password) = passwords.find(|password| password.id == id) {
                password.expire();
            }
        })
        .await;
        // What fails is tried again when the control plane starts.
        let _ = self.plane.open_gate().await;
    }

    /// Closes a deploy request, as somebody else would.
    pub async fn close_deploy_request(&self, number: u64) {
        self.change(|state| {
            if let Some(request) = state.deploy_request_mut(number) {
                request.close("somebody");
            }
        })
        .await;
    }

    /// Sets what the insights tell.
    pub async fn set_insights(&self, insights: Insights) {
        self.change(|state| state.insights = insights).await;
    }

    /// Fails calls to come. Several failures are tried in the order of the calls.
    pub fn fail(&self, failure: ApiFailure) {
        self.plane.faults.add(failure);
    }

    /// Whether every failure that was asked for has happened.
    #[must_use]
    pub fn has_failed_all(&self) -> bool {
        self.plane.faults.are_spent()
    }

    /// Fails the next deployment while it copies the tables, at this operation, counting from 0:
    /// the target stays as it was.
    pub fn fail_deployment_at(&self, operation: usize) {
        self.plane.faults.fail_deployment(operation);
    }

    /// Fails the checks of deploy requests for this reason, until there is none any more.
    pub fn fail_deploy_check(&self, reason: Option<&str>) {
        self.plane.faults.fail_check(reason);
    }

    /// Leaves a table (`orders`) or column (`orders.total`) out of the next branch, as if the
    /// branch were made from an older schema.
    pub fn next_branch_lacks(&self, what: &str) {
        self.plane.faults.lack(what);
    }

    /// Records every exchange from now on.
    pub fn record(&self) {
        self.plane.recorder.start();
    }

    /// The recorded exchanges.
    #[must_use]
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.plane.recorder.exchanges()
    }

    async fn change(&self, change: impl FnOnce(&mut State)) {
        let mut inside = self.plane.inside.lock().await;
        let Inside {
            state,
            server,
            store,
        } = &mut *inside;
        change(state);
        // What can't be kept now, the next call keeps or fails by.
        let _ = store.save(state, server).await;
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Plane {
    /// Where clients of the branch connect to.
    fn address(&self, branch: &Branch) -> SocketAddr {
        let vitess = self.vitess.as_ref();
        let vitess = vitess.and_then(|vitess| vitess.address(branch));
        vitess.unwrap_or_else(|| self.vtgate.address())
    }

    /// Tells the stand-in and Vitess who is let in and what is protected.
    async fn open_gate(&self) -> Result<(), VitessError> {
        let inside = self.inside.lock().await;
        let state = &inside.state;
        for branch in &state.branches {
            self.vtgate
                .protect_schema(&branch.schema, branch.safe_migrations);
        }
        for password in &state.passwords {
            if let Some(branch) = state.branch(&password.branch) {
                password.admit(self, &branch.schema);
                password.admit_at_vitess(self, branch).await?;
            }
        }
        self.vtgate
            .forbid_foreign_keys(!state.settings.foreign_keys_enabled);
        Ok(())
    }

    async fn advance_all(&self) {
        let mut inside = self.inside.lock().await;
        let Inside {
            state,
            server,
            store,
        } = &mut *inside;
        let requests = state.deploy_requests.iter();
        let numbers: Vec<u64> = requests
            .filter(|request| request.is_moving())
            .map(|request| request.number)
            .collect();
        if numbers.is_empty() && !state.backups.iter().any(Backup::is_moving) {
            return;
        }
        state.backups.iter_mut().for_each(Backup::advance);
        let mut call = Call {
            plane: self,
            state,
            server,
            actor: String::new(),
            method: Method::GET,
            path: "",
            query: HashMap::new(),
            body: b"",
        };
        for number in numbers {
            // Who asks for it is told what is wrong.
            let _ = deploying::advance(&mut call, number).await;
        }
        let _ = store.save(state, server).await;
    }
}

/// A text as HTML shows it.
fn html(text: &str) -> String {
    let text = text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    format!("<pre>{text}</pre>")
}
