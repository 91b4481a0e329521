//! Statements on a connection of the pool, and what is sent again when it fails.

use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use deadpool::managed::{Object, Pool};
use mysql_async::{Params, Row, prelude::FromRow};

use super::{
    DatabaseError, Deadline, Statement,
    connector::{ConnectError, Connection, Connector},
    definition::DefinitionError,
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
            let connected = self.connection().await;
            let wire = &mut connected.map_err(|error| retries.meaning(error))?.wire;
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
            let connected = self.connection().await;
            let wire = &mut connected.map_err(|error| retries.meaning(error))?.wire;
            match limits.execute(wire, statement, params.clone()).await {
                Ok(changed) => return Ok(changed),
                Err(failure) => retries.of_statement(statement, failure).await?,
            }
        }
    }

    /// Runs a statement that defines a table, a view or the like, sent as text: Vitess does not
    /// prepare all of them, and a `?` or a `:name` in a comment is none. It is never repeated when
    /// it may have happened.
    ///
    /// # Errors
    ///
    /// [`DefinitionError::Refused`] in the server's words; else as [`Session::execute`].
    pub async fn define(&mut self, sql: &str) -> Result<(), DefinitionError> {
        let statement = Statement::ddl(sql);
        let mut retries = Retries::new(self.limits.deadline);
        loop {
            let limits = self.limits;
            let connected = self.connection().await;
            let wire = &mut connected.map_err(|error| retries.meaning(error))?.wire;
            match limits.define(wire, sql).await {
                Ok(answer) => return answer,
                Err(failure) => retries.of_statement(&statement, failure).await?,
            }
        }
    }

    /// The connection, a new one in the same place when the last one was closed.
    pub(super) async fn connection(&mut self) -> Result<&mut Connection, DatabaseError> {
        if !self.place.wire.is_open() {
            let started = Instant::now();
            let left = self.limits.deadline.left();
            let connected = tokio::time::timeout(left, self.pool.manager().connect()).await;
            usage::count_wait(started.elapsed());
            *self.place = match connected {
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

/// How much longer than the server a read is waited for: until the server has said that it stopped
/// it. Then the connection is good, and nothing is sent again that would be as slow the next time.
const GRACE: Duration = Duration::from_millis(250);

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
        let left = self.left()?;
        usage::count_statement();
        let sql = statement.limited(self.of_server(left));
        wire.rows(left.min(self.statement + GRACE), &sql, params)
            .await
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
        let limit = self.left()?.min(self.statement);
        usage::count_statement();
        wire.execute(limit, statement.sql(), params).await
    }

    pub(super) async fn command(self, wire: &mut Wire, sql: &str) -> Result<(), Failure> {
        let limit = self.left()?.min(self.statement);
        usage::count_statement();
        wire.command(limit, sql).await
    }

    async fn define(
        self,
        wire: &mut Wire,
        sql: &str,
    ) -> Result<Result<(), DefinitionError>, Failure> {
        let limit = self.left()?.min(self.statement);
        usage::count_statement();
        wire.define(limit, sql).await
    }

    fn left(self) -> Result<Duration, Failure> {
        match self.deadline.left() {
            Duration::ZERO => Err(Failure::NoTime),
            left => Ok(left),
        }
    }

    /// What the server is told of a read's limit: the usual one, or as much of what is left as
    /// lets its answer arrive, in two significant bits, so that few different texts have to be
    /// prepared.
    fn of_server(self, left: Duration) -> Duration {
        let most = left.saturating_sub(GRACE.min(left / 4));
        if most >= self.statement {
            return self.statement;
        }
        let millis = u64::try_from(most.as_millis()).unwrap_or(u64::MAX).max(1);
        let shift = millis.ilog2().saturating_sub(1);
        Duration::from_millis(millis >> shift << shift)
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
    /// Whether a write was sent and its answer lost.
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
        self.may_have_happened |= statement.is_write() && failure.leaves_open();
        let again = match failure.repeat() {
            Repeat::Always => true,
            Repeat::IfHarmless => statement.is_repeatable() && std::mem::take(&mut self.spare),
            Repeat::Never => false,
        };
        self.pause(again, failure).await
    }

    /// Returns when the transaction is to be run again that the server rolled back.
    pub(super) async fn of_transaction(&mut self, failure: Failure) -> Result<(), DatabaseError> {
        self.pause(true, failure).await
    }

    /// What an error means after all that was sent before it: nothing was changed only where
    /// nothing may have happened.
    fn meaning(&self, error: DatabaseError) -> DatabaseError {
        match error {
            DatabaseError::Duplicate { .. } => error,
            _ if self.may_have_happened => DatabaseError::OutcomeUnknown,
            _ => error,
        }
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
                let error = self.meaning(failure.meaning());
                if !matches!(error, DatabaseError::Duplicate { .. }) {
                    tracing::warn!(%failure, "a statement failed");
                }
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: Statement = Statement::read("SELECT a FROM t", "PRIMARY");
    const WRITE: Statement = Statement::write("UPDATE t SET a = a + 1");
    const IDEMPOTENT: Statement = Statement::idempotent_write("UPDATE t SET a = 1");

    /// What a statement ends with that meets these failures, one after the other; nothing when it
    /// would be sent again after the last one.
    async fn outcome(statement: &Statement, failures: &[Failure]) -> Option<DatabaseError> {
        let mut retries = Retries::new(Deadline::after(Duration::from_secs(10)));
        for failure in failures {
            if let Err(error) = retries.of_statement(statement, failure.clone()).await {
                return Some(error);
            }
        }
        None
    }

    #[test]
    fn the_server_stops_a_read_before_it_is_given_up_here() {
        let limits = Limits {
            deadline: Deadline::after(Duration::ZERO),
            statement: Duration::from_secs(5),
        };
        for (left, told) in [
            (9500, 5000),
            (5250, 5000),
            (5249, 4096),
            (4250, 3072),
            (1000, 512),
            (300, 192),
            (4, 3),
            (1, 1),
        ] {
            let found = limits.of_server(Duration::from_millis(left));
            assert_eq!(found, Duration::from_millis(told), "{left} ms are left");
        }
    }

    #[tokio::test]
    async fn nothing_was_changed_only_where_nothing_may_have_happened() {
        use DatabaseError::{OutOfTime, OutcomeUnknown, Unavailable};
        let lost = || Failure::Lost("reset".to_owned());
        let (silent, late, closed) = (Failure::TimedOut, Failure::NoTime, Failure::Closed);
        for (statement, failures, expected) in [
            (&READ, vec![lost()], None),
            (&READ, vec![lost(), lost()], Some(Unavailable)),
            (&READ, vec![lost(), silent.clone()], Some(OutOfTime)),
            (&WRITE, vec![lost()], Some(OutcomeUnknown)),
            (&WRITE, vec![silent.clone()], Some(OutcomeUnknown)),
            (&WRITE, vec![late.clone()], Some(OutOfTime)),
            (&WRITE, vec![closed.clone()], None),
            (&WRITE, vec![closed, late.clone()], Some(OutOfTime)),
            (&IDEMPOTENT, vec![lost()], None),
            (&IDEMPOTENT, vec![lost(), silent], Some(OutcomeUnknown)),
            (&IDEMPOTENT, vec![lost(), late], Some(OutcomeUnknown)),
        ] {
            let told = outcome(statement, &failures).await;
            assert_eq!(told, expected, "{statement:?} after {failures:?}");
        }
    }

    #[tokio::test]
    async fn a_write_that_may_have_happened_is_not_undone_by_a_failure_to_connect_again() {
        let mut retries = Retries::new(Deadline::after(Duration::from_secs(10)));
        let lost = Failure::Lost("reset".to_owned());
        retries.of_statement(&IDEMPOTENT, lost).await.unwrap();
        for error in [DatabaseError::Unavailable, DatabaseError::Refused] {
            assert_eq!(retries.meaning(error), DatabaseError::OutcomeUnknown);
        }
        let key = "PRIMARY".to_owned();
        let there = DatabaseError::Duplicate { key };
        assert_eq!(retries.meaning(there.clone()), there);
    }
}
