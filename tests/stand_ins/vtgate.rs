//! A stand-in of Vitess' vtgate, as PlanetScale runs it, in front of a real server.
//!
//! Vitess cannot be installed from the registries that this project builds from, so its differences
//! from MySQL are made here, for the tests. A client logs in at the stand-in, over TLS, with a
//! password that the stand-in knows; commands are passed packet by packet to the real server, where
//! every session has a connection of its own, and answers come back whole. It differs from the
//! server behind it as vtgate does:
//!
//! * It refuses connections without TLS, COM_CHANGE_USER and every command that vtgate does not
//!   implement, KILL, preparing a statement that begins with WITH, foreign keys where they are
//!   [forbidden](Vtgate::forbid_foreign_keys), and direct DDL on a schema that is
//!   [protected](Vtgate::protect_schema). There it refuses PREPARE, EXECUTE IMMEDIATE and CALL too,
//!   for it can't read what they run.
//! * Errors of the server get the form that vttablet gives them, with the statement and its values;
//!   after some of them vtgate itself rolls the transaction back, and later statements run outside
//!   of one.
//! * A session outlives its connection to the server: the statement that notices the loss fails,
//!   the next one works. A ping never reaches the server.
//! * The connection's id is the stand-in's own and means nothing to the server.
//! * COM_RESET_CONNECTION rolls back and forgets prepared statements, and leaves variables be.
//! * `/*vt+ QUERY_TIMEOUT_MS=… */` bounds a SELECT.
//! * Connections end at an [age](Vtgate::cut_at_age).
//!
//! A [user](Vtgate::admit) may be led to a schema of its own under the keyspace's name, which is how
//! the passwords of PlanetScale's branches work.
//!
//! Anything in [`errors`] is answered when a test [asks](Vtgate::fail) for it.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use mysql_common::packets::AuthPlugin;
use rustls::crypto::CryptoProvider;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

pub mod errors;
mod identity;
mod login;
mod raised;
mod scan;
mod script;
mod session;
mod statement;
mod tablet;
mod wire;

use errors::VitessError;
pub use identity::Identity;
pub use script::Failure;
use script::Stage;
pub use tablet::Upstream;

/// The version that clients are told.
pub const SERVER_VERSION: &str = "8.0.30-Vitess";

/// Nobody's session gets that old in a test: PlanetScale cuts at a day.
const MAX_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// How passwords are proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authentication {
    /// `mysql_native_password`, vtgate's default.
    Native,
    /// `caching_sha2_password`, which PlanetScale offers too: a user's first login sends the
    /// password itself through TLS, later ones only a hash.
    CachingSha2,
}

impl Authentication {
    fn plugin(self) -> AuthPlugin<'static> {
        match self {
            Self::Native => AuthPlugin::MysqlNativePassword,
            Self::CachingSha2 => AuthPlugin::CachingSha2Password,
        }
    }
}

/// A running stand-in. Dropping it ends every session.
pub struct Vtgate {
    address: SocketAddr,
    identity: Identity,
    gate: Arc<Gate>,
    listener: JoinHandle<()>,
}

impl Vtgate {
    /// Starts on a free port of the loopback interface, with a certificate that an authority of its
    /// own has signed.
    ///
    /// # Errors
    ///
    /// No port can be had.
    pub async fn start(upstream: Upstream, authentication: Authentication) -> io::Result<Self> {
        Self::start_as(Identity::new()?, upstream, authentication).await
    }

    /// Starts with a certificate that there is already.
    ///
    /// # Errors
    ///
    /// No port can be had.
    pub async fn start_as(
        identity: Identity,
        upstream: Upstream,
        authentication: Authentication,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let gate = Arc::new(Gate {
            upstream,
            tls: Mutex::new(identity.acceptor()),
            authentication,
            // Far from what a server counts, so that a mix-up cannot go unnoticed.
            connections: AtomicU32::new(1 << 30),
            farewells: AtomicUsize::new(0),
            sessions: AtomicUsize::new(0),
            age: watch::channel(MAX_AGE).0,
            state: Mutex::default(),
        });
        Ok(Self {
            address: listener.local_addr()?,
            identity,
            gate: Arc::clone(&gate),
            listener: tokio::spawn(listen(listener, gate)),
        })
    }

    /// Where clients connect to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The authority that clients have to trust, as PEM.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        self.identity.ca_pem()
    }

    /// Shows connections to come another certificate of the same authority.
    ///
    /// # Errors
    ///
    /// It can't be made: not by the authority of a certificate that was there already.
    pub fn renew_certificate(&self) -> io::Result<()> {
        let renewed = self.identity.renewed()?;
        *self.gate.tls.lock().unwrap_or_else(PoisonError::into_inner) = renewed;
        Ok(())
    }

    /// Gives a user a password, in place of the one it had.
    pub fn set_password(&self, user: &str, password: &str) {
        let account = Account {
            password: password.to_owned(),
            expires_at: None,
            route: None,
        };
        self.admit(user, account);
    }

    /// Lets a user in, in place of what was known of it.
    pub fn admit(&self, user: &str, account: Account) {
        let mut state = self.gate.lock();
        state.cached.remove(user);
        state.accounts.insert(user.to_owned(), account);
    }

    /// Takes a user's password away, as deleting a branch password does. Open sessions go on.
    pub fn remove_password(&self, user: &str) {
        self.gate.lock().accounts.remove(user);
    }

    /// Refuses direct DDL on a schema, as a branch with safe migrations does, or allows it.
    pub fn protect_schema(&self, schema: &str, protected: bool) {
        let mut state = self.gate.lock();
        if protected {
            state.protected.insert(schema.to_owned());
        } else {
            state.protected.remove(schema);
        }
    }

    /// Refuses DDL with foreign keys, as a database that has not enabled them does, or allows it.
    pub fn forbid_foreign_keys(&self, forbidden: bool) {
        self.gate.lock().no_foreign_keys = forbidden;
    }

    /// Ends sessions, open or to come, when they are that old; a day is the default.
    pub fn cut_at_age(&self, age: Duration) {
        self.gate.age.send_replace(age);
    }

    /// Fails statements to come. Several failures are tried in the order of the calls.
    pub fn fail(&self, failure: Failure) {
        self.gate.lock().failures.push(failure);
    }

    /// Clients' connections that are open.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.gate.sessions.load(Ordering::Relaxed)
    }

    /// Sessions that their clients have ended in order, with COM_QUIT.
    #[must_use]
    pub fn farewells(&self) -> usize {
        self.gate.farewells.load(Ordering::Relaxed)
    }

    /// Whether every failure that was asked for has happened.
    #[must_use]
    pub fn has_failed_all(&self) -> bool {
        self.gate.lock().failures.iter().all(Failure::is_spent)
    }
}

impl fmt::Debug for Vtgate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vtgate")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Drop for Vtgate {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

/// A user that the stand-in knows.
#[derive(Clone)]
pub struct Account {
    /// Its password.
    pub password: String,
    /// From when on it is not let in any more.
    pub expires_at: Option<SystemTime>,
    /// Where it is led; without one, to the schema that it names, with the stand-in's own login.
    pub route: Option<Route>,
}

/// Where a user is led: to one schema, which it knows by the keyspace's name.
#[derive(Clone)]
pub struct Route {
    /// The name that the user connects with, and that it is told in errors.
    pub keyspace: String,
    /// The schema on the real server.
    pub schema: String,
    /// The login at the real server.
    pub upstream: Upstream,
    /// The role that a refusal names, as in `reader`.
    pub role: &'static str,
}

/// What all sessions share.
struct Gate {
    upstream: Upstream,
    tls: Mutex<TlsAcceptor>,
    authentication: Authentication,
    connections: AtomicU32,
    farewells: AtomicUsize,
    sessions: AtomicUsize,
    age: watch::Sender<Duration>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    accounts: HashMap<String, Account>,
    /// Users whose hash is in memory.
    cached: HashSet<String>,
    failures: Vec<Failure>,
    /// Schemas without direct DDL.
    protected: HashSet<String>,
    no_foreign_keys: bool,
}

impl Gate {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tls(&self) -> TlsAcceptor {
        self.tls
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// What is known of a user, unless its time is up.
    fn account(&self, user: &str) -> Option<Account> {
        let account = self.lock().accounts.get(user).cloned()?;
        let expired = account.expires_at.is_some_and(|at| at <= SystemTime::now());
        (!expired).then_some(account)
    }

    fn is_cached(&self, user: &str) -> bool {
        self.lock().cached.contains(user)
    }

    fn cache(&self, user: &str) {
        self.lock().cached.insert(user.to_owned());
    }

    fn is_protected(&self, schema: &str) -> bool {
        self.lock().protected.contains(schema)
    }

    fn forbids_foreign_keys(&self) -> bool {
        self.lock().no_foreign_keys
    }

    /// The error that a test wants here, if any.
    fn scripted(&self, stage: Stage, text: &str, in_transaction: bool) -> Option<VitessError> {
        self.lock().failures.iter_mut().find_map(|failure| {
            failure
                .strikes(stage, text, in_transaction)
                .then_some(failure.error)
        })
    }
}

async fn listen(listener: TcpListener, gate: Arc<Gate>) {
    let mut sessions = JoinSet::new();
    loop {
        tokio::select! {
            Ok((client, _)) = listener.accept() => {
                let gate = Arc::clone(&gate);
                let id = gate.connections.fetch_add(1, Ordering::Relaxed);
                gate.sessions.fetch_add(1, Ordering::Relaxed);
                sessions.spawn(async move {
                    // However it ended, it is over.
                    session::serve(client, Arc::clone(&gate), id).await.ok();
                    gate.sessions.fetch_sub(1, Ordering::Relaxed);
                });
            }
            Some(_) = sessions.join_next() => {}
        }
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
