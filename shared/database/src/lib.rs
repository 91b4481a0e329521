#![doc = include_str!("../README.md")]

mod connection;
mod connector;
mod definition;
mod failure;
mod login;
mod redaction;
mod retries;
mod row;
mod session;
pub mod settings;
mod silence;
mod statement;
mod transaction;
mod vitess;

use std::{fmt, sync::Arc, time::Instant};

use deadpool::{
    Runtime,
    managed::{Object, Pool, PoolError, QueueMode, Timeouts},
};
use once_cell::sync::OnceCell;
use tokio::task::JoinSet;

use lambda::{
    Deadline, Resource,
    clock::{Clock, SystemClock},
    metrics::{Metric, add},
    settings::Faults,
};

use connection::OLDER_LOGIN;
use connector::{ConnectError, Connector};
pub use definition::DefinitionError;
pub use login::Login;
pub use mysql_async::{FromRowError, Params, Row, Value, from_value, params, prelude::FromRow};
pub use redaction::without_values;
#[doc(hidden)]
pub use row::take_column;
pub use row::{Columns, Joined};
pub use session::Session;
use session::{Limits, not_connected};
use settings::{PoolSettings, Settings};
pub use statement::Statement;
pub use transaction::Transaction;

/// The one database of the process. It is created on first use, so that a fault in the
/// environment can be returned as an error.
static SHARED: OnceCell<Database> = OnceCell::new();

static PREPARED_AHEAD: OnceCell<Vec<Statement>> = OnceCell::new();

/// Names the statements that the warm-up prepares. The first invocation then needs as few round trips
/// as every other. Call this first in `main`, with the statements that every invocation sends. Each
/// adds a round trip to the start and saves the first invocation one.
pub fn prepare_ahead(statements: impl Into<Vec<Statement>>) {
    // Only the first call counts.
    let _ = PREPARED_AHEAD.set(statements.into());
}

/// Why the database did not do what it was asked to do.
///
/// It is about one statement or one transaction, and says nothing of what the session did before. So a
/// request that writes and then reads does both in one transaction.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseError {
    /// The database can't be reached, refuses the login, is failing over, or is full. Nothing was
    /// changed, as far as the server says (see [`Statement::write`]). It may work later.
    #[error("the database is not available")]
    Unavailable,
    /// There was no answer in time. Nothing was changed.
    #[error("the database did not answer in time")]
    OutOfTime,
    /// A write or a COMMIT was sent, and its answer was lost. It may have been done or not.
    #[error("it is not known whether the database did it")]
    OutcomeUnknown,
    /// A row with the same value of a unique key exists already.
    #[error("a row with the same `{key}` exists")]
    Duplicate {
        /// The key's name, `PRIMARY` for the primary key.
        key: String,
    },
    /// The statement is wrong or not allowed, or a row does not have the columns that the code
    /// expects. The fault is in our code.
    #[error("the database refused")]
    Refused,
}

impl DatabaseError {
    /// Counts this error in the metrics. It is called once for each error that a caller gets.
    fn count(&self) {
        if matches!(self, Self::Unavailable | Self::OutOfTime) {
            add(Metric::DatabaseUnavailable, 1);
        }
    }
}

/// The connections of the pool at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolState {
    /// The largest number of connections.
    pub max: usize,
    /// The open connections.
    pub open: usize,
    /// The open connections that nobody uses.
    pub idle: usize,
    /// The callers that wait for a connection.
    pub waiting: usize,
}

/// A pool of connections to one database.
pub struct Database {
    pool: Pool<Connector>,
    settings: PoolSettings,
}

impl Database {
    /// The database of the process. It is created from the environment on first use.
    ///
    /// # Errors
    ///
    /// [`Faults`] of the environment. The next call reads the environment again.
    pub fn shared() -> Result<&'static Database, Faults> {
        SHARED.get_or_try_init(|| Ok(Self::new(Settings::from_env()?, Arc::new(SystemClock))))
    }

    /// Creates another pool. It does not connect yet.
    pub fn new(settings: Settings, clock: Arc<dyn Clock>) -> Self {
        let Settings {
            login,
            roots,
            pool: settings,
        } = settings;
        let login = login.kept(Arc::clone(&clock));
        let connector = Connector::new(login, clock, settings.clone(), roots);
        #[expect(
            clippy::expect_used,
            reason = "building fails only where a timeout is set without a runtime to time it"
        )]
        let pool = Pool::builder(connector)
            .max_size(settings.max.get())
            // The connection that was used last is the least likely to be broken.
            .queue_mode(QueueMode::Lifo)
            .runtime(Runtime::Tokio1)
            .build()
            .expect("a runtime is set");
        Self { pool, settings }
    }

    /// Takes a session with a connection that is fit for use. Callers that must wait get theirs in
    /// turn. The wait ends at `deadline`, and each part of it at its limit in the settings.
    ///
    /// # Errors
    ///
    /// [`DatabaseError::Unavailable`].
    pub async fn session(&self, deadline: Deadline) -> Result<Session<'_>, DatabaseError> {
        let started = Instant::now();
        let since = self.pool.manager().now();
        let slot = self.slot(deadline).await;
        add(Metric::ConnectionWait, started.elapsed());
        Ok(Session {
            pool: &self.pool,
            slot: slot
                .map_err(|error| not_connected(&error))
                .inspect_err(DatabaseError::count)?,
            limits: Limits {
                deadline,
                statement: self.settings.statement_timeout,
                silence: self.settings.ping_timeout,
            },
            since,
        })
    }

    async fn slot(&self, deadline: Deadline) -> Result<Object<Connector>, ConnectError> {
        let timeouts = Timeouts {
            wait: Some(self.settings.acquire_timeout.min(deadline.left())),
            ..Timeouts::default()
        };
        let taken = async {
            let generation = self.pool.manager().generation().await?;
            // The slots of these connections are free already, and whoever takes one opens a new
            // connection. So the old ones are closed before anything is awaited.
            for mut replaced in self
                .pool
                .retain(|idle, _| idle.generation == generation)
                .removed
            {
                replaced.connection.discard(OLDER_LOGIN);
            }
            self.pool
                .timeout_get(&timeouts)
                .await
                .map_err(|error| match error {
                    PoolError::Backend(error) => error,
                    PoolError::Closed => ConnectError::PoolClosed,
                    // Only the wait has a timeout, and there are no hooks.
                    PoolError::Timeout(_)
                    | PoolError::NoRuntimeSpecified
                    | PoolError::PostCreateHook(_) => ConnectError::NoneFree,
                })
        };
        tokio::time::timeout(deadline.left(), taken)
            .await
            .unwrap_or(Err(ConnectError::OutOfTime))
    }

    /// Connects and prepares `statements` before the first invocation, while Lambda does not
    /// throttle the CPU.
    ///
    /// # Errors
    ///
    /// The errors of [`Database::session`], and the error of a statement that can't be prepared. The
    /// first invocation tries again.
    pub async fn warm_up(&self, statements: &[Statement]) -> Result<(), DatabaseError> {
        let deadline = Deadline::after(self.settings.connect_timeout);
        // While the secret is on its way, the process has nothing else to do.
        let ready_driver = async { connector::ready_driver() };
        let (session, ()) = tokio::join!(biased; self.session(deadline), ready_driver);
        let mut session = session?;
        for statement in statements {
            session.prepare(statement).await?;
        }
        Ok(())
    }

    /// The connections that the pool has now.
    pub fn state(&self) -> PoolState {
        let status = self.pool.status();
        PoolState {
            max: status.max_size,
            open: status.size,
            idle: status.available,
            waiting: status.waiting,
        }
    }

    /// Closes every idle connection in order and gives out no more. It is for the end of the
    /// execution environment, and takes at most a tenth of a second.
    pub async fn close(&self) {
        let idle = self.pool.retain(|_, _| false).removed;
        self.pool.close();
        let mut goodbyes = JoinSet::new();
        for mut pooled in idle {
            goodbyes.spawn(async move { pooled.connection.close("shutdown").await });
        }
        goodbyes.join_all().await;
    }
}

impl Resource for &'static Database {
    fn from_env() -> Result<Self, Faults> {
        Database::shared()
    }

    async fn warm_up(self) {
        let statements = PREPARED_AHEAD.get().map_or(&[][..], Vec::as_slice);
        if let Err(error) = Database::warm_up(self, statements).await {
            tracing::warn!(%error, "not ready ahead of the first invocation");
        }
    }

    async fn close(self) {
        Database::close(self).await;
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database")
            .field("pool", &self.state())
            .finish_non_exhaustive()
    }
}
