//! Statements on a connection of the pool, and what is sent again when it fails.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use deadpool::managed::{Object, Pool};
use mysql_async::{Params, Row, prelude::FromRow};

use super::{
    DatabaseError, Deadline, Statement,
    connector::{ConnectError, Connection, Connector},
    failure::{Failure, Repeat},
    usage,
    wire::Wire,
};

/// A place in the pool with its connection, until it is dropped.
///
/// All statements are sent with parameters, each in one round trip once it was prepared on the
/// connection. A read or an idempotent write whose connection broke is sent once more on a new
/// one; what the server has not done for certain is sent again until the deadline is near.
pub struct Session<'d> {
    pub(super) pool: &'d Pool<Connector>,
    pub(super) place: Object<Connector>,
    pub(super) limits: Limits,
}

impl Session<'_> {
    /// Runs a statement and reads all of its rows.
    ///
    /// # Errors
    ///
    /// See [`DatabaseError`]; [`DatabaseError::Refused`] also when a row does not fit `T`.
    pub async fn rows<T: FromRow>(
        &mut self,
        statement: &Statement,
        params: impl Into<Params>,
    ) -> Result<Vec<T>, DatabaseError> {
        let params = params.into();
        let mut retries = Retries::new(self.limits.deadline);
        loop {
            let limits = self.limits;
            let wire = &mut self.connection().await?.wire;
            match limits.rows(wire, statement, params.clone()).await {
                Ok(rows) => return read(rows),
                Err(failure) => retries.of_statement(statement, failure).await?,
            }
        }
    }

    /// Runs a statement and reads its first row, if there is one.
    ///
    /// # Errors
    ///
    /// As [`Session::rows`].
    pub async fn row<T: FromRow>(
        &mut self,
        statement: &Statement,
        params: impl Into<Params>,
    ) -> Result<Option<T>, DatabaseError> {
        Ok(self.rows(statement, params).await?.into_iter().next())
    }

    /// Runs a write and says how many rows it changed.
    ///
    /// # Errors
    ///
    /// See [`DatabaseError`].
    pub async fn execute(
        &mut self,
        statement: &Statement,
        params: impl Into<Params>,
    ) -> Result<u64, DatabaseError> {
        let params = params.into();
        let mut retries = Retries::new(self.limits.deadline);
        loop {
            let limits = self.limits;
            let wire = &mut self.connection().await?.wire;
            match limits.execute(wire, statement, params.clone()).await {
                Ok(changed) => return Ok(changed),
                Err(failure) => retries.of_statement(statement, failure).await?,
            }
        }
    }

    /// The connection, a new one in the same place when the last one was closed.
    pub(super) async fn connection(&mut self) -> Result<&mut Connection, DatabaseError> {
        if !self.place.wire.is_open() {
            let left = self.limits.deadline.left();
            let connect = tokio::time::timeout(left, self.pool.manager().connect());
            *self.place = match connect.await {
                Ok(Ok(connection)) => connection,
                Ok(Err(error)) => return Err(not_connected(&error)),
                Err(_) => return Err(not_connected(&Failure::TimedOut.into())),
            };
        }
        Ok(&mut self.place)
    }
}

impl Drop for Session<'_> {
    /// The place goes back to the pool; a connection of an older login does not.
    fn drop(&mut self) {
        if !self.pool.manager().is_current(self.place.generation) {
            drop(self.place.wire.take());
        }
    }
}

/// Logs why there is no connection, and says what it means.
pub(super) fn not_connected(error: &ConnectError) -> DatabaseError {
    tracing::warn!(%error, "no connection to the database");
    DatabaseError::Unavailable
}

/// How long statements may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) deadline: Deadline,
    pub(super) statement: Duration,
}

impl Limits {
    pub(super) async fn rows(
        self,
        wire: &mut Wire,
        statement: &Statement,
        params: Params,
    ) -> Result<Vec<Row>, Failure> {
        let limit = self.next()?;
        usage::count_statement();
        let sql = statement.limited(self.for_server(limit));
        wire.rows(limit, &sql, params).await
    }

    pub(super) async fn execute(
        self,
        wire: &mut Wire,
        statement: &Statement,
        params: Params,
    ) -> Result<u64, Failure> {
        if statement.is_text() {
            return self.command(wire, statement.sql()).await.map(|()| 0);
        }
        let limit = self.next()?;
        usage::count_statement();
        wire.execute(limit, statement.sql(), params).await
    }

    pub(super) async fn command(self, wire: &mut Wire, sql: &str) -> Result<(), Failure> {
        let limit = self.next()?;
        usage::count_statement();
        wire.command(limit, sql).await
    }

    fn next(self) -> Result<Duration, Failure> {
        match self.deadline.left() {
            Duration::ZERO => Err(Failure::NoTime),
            left => Ok(left.min(self.statement)),
        }
    }

    /// What the server is told of a limit: the usual one, or the next power of two above what
    /// is left, so that few different texts have to be prepared.
    fn for_server(self, limit: Duration) -> Duration {
        let millis = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        let rounded = millis.max(1).checked_next_power_of_two().unwrap_or(millis);
        Duration::from_millis(rounded).min(self.statement)
    }
}

/// Converts rows without the panic of the driver's own conversion, and without its error,
/// which holds the row.
pub(super) fn read<T: FromRow>(rows: Vec<Row>) -> Result<Vec<T>, DatabaseError> {
    rows.into_iter()
        .map(|row| T::from_row_opt(row))
        .collect::<Result<_, _>>()
        .map_err(|_| {
            tracing::error!("a row is not what the code takes it for");
            DatabaseError::Refused
        })
}

/// What was sent again so far, and what may be.
pub(super) struct Retries {
    deadline: Deadline,
    delays: ExponentialBackoff,
    /// Whether the one repetition of what may have happened is still to be had.
    spare: bool,
    may_have_happened: bool,
}

impl Retries {
    /// The delays span some three seconds: a failover of the primary takes about two.
    pub(super) fn new(deadline: Deadline) -> Self {
        Self {
            deadline,
            delays: ExponentialBuilder::new()
                .with_min_delay(Duration::from_millis(20))
                .with_max_delay(Duration::from_millis(400))
                .with_max_times(12)
                .with_jitter()
                .build(),
            spare: true,
            may_have_happened: false,
        }
    }

    /// Returns when the statement is to be sent again.
    async fn of_statement(
        &mut self,
        statement: &Statement,
        failure: Failure,
    ) -> Result<(), DatabaseError> {
        let again = match failure.repeat() {
            Repeat::Always => true,
            Repeat::IfHarmless => {
                self.may_have_happened |= statement.is_write();
                statement.is_repeatable() && std::mem::take(&mut self.spare)
            }
            Repeat::Never => false,
        };
        self.pause(again, failure).await
    }

    /// Returns when the transaction is to be run again that the server rolled back.
    pub(super) async fn of_transaction(&mut self, failure: Failure) -> Result<(), DatabaseError> {
        self.pause(true, failure).await
    }

    async fn pause(&mut self, again: bool, failure: Failure) -> Result<(), DatabaseError> {
        let delay = if again { self.delays.next() } else { None };
        match delay {
            Some(delay) if delay < self.deadline.left() => {
                tracing::info!(%failure, "sent again after a failure");
                usage::count_retry();
                tokio::time::sleep(delay).await;
                Ok(())
            }
            _ => {
                let error = failure.meaning(self.may_have_happened);
                if !matches!(error, DatabaseError::Duplicate { .. }) {
                    tracing::warn!(%failure, "a statement failed");
                }
                Err(error)
            }
        }
    }
}
