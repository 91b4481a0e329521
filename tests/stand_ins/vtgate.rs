//! A stand-in of Vitess' vtgate in front of the stack's server. It does what real
//! [Vitess](crate::vitess) can't do on one machine: errors on demand at an exact place, PlanetScale's
//! passwords, and branches that refuse DDL.
//!
//! A client logs in over TLS as a user that was [admitted](Vtgate::admit). It gets the schema of its
//! account, under the name of a keyspace. The stand-in passes statements to the server and answers
//! back to the client. If MySQL refuses a statement, the client gets MySQL's words. Unlike at vtgate,
//! a session ends with its connection to the server. Like vtgate, the stand-in does what a client's
//! next step depends on:
//!
//! * After some errors it rolls the transaction back by itself, and later statements run outside of a
//!   transaction. After one error it refuses everything but ROLLBACK. A COMMIT or a ROLLBACK ends the
//!   transaction even if it fails.
//! * The status of an answer may be older than an error before it.
//! * COM_RESET_CONNECTION leaves autocommit as it is, and COM_CHANGE_USER is refused.
//! * It refuses DDL if the schema is [protected](Vtgate::protect_schema), after it has committed the
//!   open transaction, and foreign keys if they are [forbidden](Vtgate::forbid_foreign_keys). It
//!   recognises DDL by the first word of a statement.
//!
//! It answers any of the [`errors`] when a test [asks](Vtgate::fail) for it. `tests/differential.rs`
//! holds the same conversations with it and with real vtgate, and lists where they differ.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

pub mod errors;
mod login;
pub mod raw;
mod session;
mod tls;
mod wire;

use crate::stack::access::{Access, ConnectError, Login};
use errors::VitessError;
use tls::Tls;

/// A running stand-in. Dropping it ends every session.
pub struct Vtgate {
    address: SocketAddr,
    shared: Arc<Shared>,
    listener: JoinHandle<()>,
}

/// A user that the stand-in lets in.
#[derive(Clone)]
pub struct Account {
    /// Its password.
    pub password: String,
    /// When it expires, if ever.
    pub expires_at: Option<SystemTime>,
    /// The name under which it knows its schema.
    pub keyspace: String,
    /// The schema on the server, and the server's user that runs its statements.
    pub behind: Login,
}

/// A failure for a statement to come. By default the next statement fails without being executed.
#[derive(Debug, Clone)]
pub struct Failure {
    error: &'static VitessError,
    containing: String,
    only_in_transaction: bool,
    executes: bool,
}

impl Failure {
    /// The next statement fails with `error`.
    #[must_use]
    pub fn with(error: &'static VitessError) -> Self {
        Self {
            error,
            containing: String::new(),
            only_in_transaction: false,
            executes: false,
        }
    }

    /// Only fails a statement that contains `text`. BEGIN, COMMIT and ROLLBACK are statements too.
    #[must_use]
    pub fn on(mut self, text: &str) -> Self {
        text.clone_into(&mut self.containing);
        self
    }

    /// Only fails a statement within a transaction.
    #[must_use]
    pub fn in_transaction(mut self) -> Self {
        self.only_in_transaction = true;
        self
    }

    /// Executes the statement before it answers with the error.
    #[must_use]
    pub fn after_executing(mut self) -> Self {
        self.executes = true;
        self
    }
}

impl Vtgate {
    /// Starts on a free port of the loopback interface, with the certificate of the stack's server.
    ///
    /// # Errors
    ///
    /// The server is not the stack's own, or there is no free port.
    pub async fn start(access: &Access) -> io::Result<Self> {
        let administration = access.administration.as_ref();
        let administration = administration.ok_or(ConnectError::NotAdministered);
        let certificates = &administration.map_err(io::Error::other)?.certificates;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let shared = Arc::new(Shared {
            server: access.server,
            tls: Tls::new(&access.host, certificates)?,
            // Far from the server's own ids, so that a mix-up is noticed.
            connections: AtomicU32::new(1 << 30),
            farewells: AtomicUsize::new(0),
            state: Mutex::default(),
        });
        Ok(Self {
            address: listener.local_addr()?,
            shared: Arc::clone(&shared),
            listener: tokio::spawn(listen(listener, shared)),
        })
    }

    /// Where clients connect to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets a user in. This replaces an earlier account of the user.
    pub fn admit(&self, user: &str, account: Account) {
        self.shared.lock().accounts.insert(user.to_owned(), account);
    }

    /// Changes the password of an admitted user. Open sessions go on.
    pub fn set_password(&self, user: &str, password: &str) {
        if let Some(account) = self.shared.lock().accounts.get_mut(user) {
            password.clone_into(&mut account.password);
        }
    }

    /// Removes a user, as PlanetScale does when a branch's password is deleted. Open sessions go on.
    pub fn remove_password(&self, user: &str) {
        self.shared.lock().accounts.remove(user);
    }

    /// Refuses or allows direct DDL on a schema. A branch with safe migrations refuses it.
    pub fn protect_schema(&self, schema: &str, protected: bool) {
        let mut state = self.shared.lock();
        if protected {
            state.protected.insert(schema.to_owned());
        } else {
            state.protected.remove(schema);
        }
    }

    /// Refuses or allows DDL with foreign keys. A database that has not enabled them refuses it.
    pub fn forbid_foreign_keys(&self, forbidden: bool) {
        self.shared.lock().no_foreign_keys = forbidden;
    }

    /// Fails a later statement. If several failures match it, the one that was asked for first wins.
    pub fn fail(&self, failure: Failure) {
        self.shared.lock().failures.push(failure);
    }

    /// Whether every failure that was asked for has happened.
    #[must_use]
    pub fn has_failed_all(&self) -> bool {
        self.shared.lock().failures.is_empty()
    }

    /// How many errors the sessions of a schema have got.
    #[must_use]
    pub fn errors(&self, schema: &str) -> u64 {
        let state = self.shared.lock();
        state.errors.get(schema).copied().unwrap_or_default()
    }

    /// How many sessions their clients have ended with COM_QUIT.
    #[must_use]
    pub fn farewells(&self) -> usize {
        self.shared.farewells.load(Ordering::Relaxed)
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

/// What all sessions share.
struct Shared {
    server: SocketAddr,
    tls: Tls,
    connections: AtomicU32,
    farewells: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    accounts: HashMap<String, Account>,
    failures: Vec<Failure>,
    /// Schemas without direct DDL.
    protected: HashSet<String>,
    no_foreign_keys: bool,
    /// How many errors each schema's sessions have got.
    errors: HashMap<String, u64>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The account of a user, unless it has expired.
    fn account(&self, user: &str) -> Option<Account> {
        let account = self.lock().accounts.get(user).cloned()?;
        let expired = account.expires_at.is_some_and(|at| at <= SystemTime::now());
        (!expired).then_some(account)
    }

    /// The error that a test wants for this statement, if any, before or after it was executed.
    fn scripted(
        &self,
        sql: &str,
        in_transaction: bool,
        executed: bool,
    ) -> Option<&'static VitessError> {
        let failures = &mut self.lock().failures;
        let matching = failures.iter().position(|failure| {
            failure.executes == executed
                && sql.contains(&failure.containing)
                && (in_transaction || !failure.only_in_transaction)
        });
        matching.map(|position| failures.remove(position).error)
    }
}

async fn listen(listener: TcpListener, shared: Arc<Shared>) {
    let mut sessions = JoinSet::new();
    loop {
        let Ok((client, _)) = listener.accept().await else {
            // The process may have too many files open for a moment.
            sleep(Duration::from_millis(10)).await;
            continue;
        };
        // Those that have ended are let go.
        while sessions.try_join_next().is_some() {}
        let shared = Arc::clone(&shared);
        let id = shared.connections.fetch_add(1, Ordering::Relaxed);
        sessions.spawn(async move { session::serve(client, &shared, id).await.ok() });
    }
}
