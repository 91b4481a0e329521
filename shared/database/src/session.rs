//! Statements on a connection of the pool.

use std::{
    pin::pin,
    time::{Duration, Instant},
};

use deadpool::managed::{Object, Pool};
use lambda::{
    Deadline,
    clock::Moment,
    metrics::{Metric, add, statement_took},
    trace::subsegment,
};
use mysql_async::{Params, Row, prelude::FromRow};

use super::{
    DatabaseError, Statement,
    connection::{Answer, Connection, Discarded},
    connector::{ConnectError, Connector},
    definition::DefinitionError,
    failure::Failure,
    retries::Retries,
    silence,
};

/// A slot of the pool with its connection, until it is dropped.
///
/// All statements are sent with parameters. Each takes one round trip once it was prepared on the
/// connection. A read or an idempotent write whose connection broke is sent once more on a new one.
/// What the server certainly has not begun is sent again until the time is up, with growing pauses.
pub struct Session<'d> {
    pub(super) pool: &'d Pool<Connector>,
    pub(super) slot: Object<Connector>,
    pub(super) limits: Limits,
    /// When it was asked for: a connection that has answered since is well.
    pub(super) since: Moment,
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
        read(self.run(statement, params.into()).await?.rows)
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
        Ok(self.run(statement, params.into()).await?.changed)
    }

    /// Runs a statement that defines a table, a view or the like, sent as text: Vitess does not
    /// prepare all of them, and a `?` or a `:name` in a comment is none. It is never repeated when
    /// it may have happened.
    ///
    /// # Errors
    ///
    /// [`DefinitionError::Refused`] in the server's words; else as [`Session::execute`].
    pub async fn define(&mut self, sql: &str) -> Result<(), DefinitionError> {
        self.run_text(sql).await.map(drop)
    }

    /// Asks the server how it would carry out a statement with these literals as its parameters, and
    /// returns the answer of `EXPLAIN FORMAT=JSON`. It is sent as text, because Vitess prepares an
    /// EXPLAIN as if it had no parameters (`executor.go`, `prepare`). On several shards, one of them
    /// answers.
    ///
    /// # Errors
    ///
    /// [`DefinitionError::Refused`] in the server's words, for example if there is no index with a
    /// name that the statement has; else as [`Session::execute`].
    pub async fn explain(
        &mut self,
        statement: &Statement,
        literals: &[&str],
    ) -> Result<String, DefinitionError> {
        let sql = format!("EXPLAIN FORMAT=JSON {}", statement.with_literals(literals));
        let rows: Vec<(String,)> = read(self.run_text(&sql).await?)?;
        let plan = rows.into_iter().next();
        Ok(plan.map(|(plan,)| plan).unwrap_or_default())
    }

    /// Prepares a statement as it is sent while there is time for its whole limit.
    pub(super) async fn prepare(&mut self, statement: &Statement) -> Result<(), DatabaseError> {
        let sql = statement.limited(self.limits.statement);
        let prepared = match self.limits.left() {
            Ok(left) => self.slot.connection.prepare(left, &sql).await,
            Err(failure) => Err(failure),
        };
        prepared.map_err(|failure| {
            tracing::warn!(%failure, "{} could not be prepared", statement.name());
            failure.meaning()
        })
    }

    async fn run_text(&mut self, sql: &str) -> Result<Vec<Row>, DefinitionError> {
        let statement = Statement::ddl(sql);
        let mut retries = Retries::new(self.limits.deadline);
        loop {
            let connected = self.connection().await;
            connected.map_err(|error| retries.meaning(error))?;
            let answered = match self.prove().await {
                Ok(()) => self.limits.run_text(&mut self.slot.connection, sql).await,
                Err(failure) => Err(failure),
            };
            match answered {
                Ok(answer) => return answer,
                Err(failure) => retries.of_statement(&statement, failure).await?,
            }
        }
    }

    async fn run(
        &mut self,
        statement: &Statement,
        params: Params,
    ) -> Result<Answer, DatabaseError> {
        let mut retries = Retries::new(self.limits.deadline);
        // A read that goes silent again, on a connection that has just answered, is held back: by
        // vtgate, for example, during a failover.
        let mut is_waited_for = statement.is_write() || statement.may_take_long();
        loop {
            let connected = self.connection().await;
            connected.map_err(|error| retries.meaning(error))?;
            let sent = self.send(statement, params.clone(), is_waited_for);
            match sent.await {
                Ok(answer) => return Ok(answer),
                Err(failure) => {
                    is_waited_for |= failure == Failure::Silent;
                    retries.of_statement(statement, failure).await?;
                }
            }
        }
    }

    async fn send(
        &mut self,
        statement: &Statement,
        params: Params,
        is_waited_for: bool,
    ) -> Result<Answer, Failure> {
        if is_waited_for {
            self.prove().await?;
        }
        let (limits, pool) = (self.limits, self.pool);
        let last_answer = self.slot.connection.answered();
        let other = {
            let mut sent = pin!(limits.send(&mut self.slot.connection, statement, params));
            if is_waited_for || limits.statement < WORTH_ASKING {
                return sent.await;
            }
            let other = tokio::select! {
                biased;
                answer = &mut sent => return answer,
                other = silence::other_connection(pool, limits.silence) => other,
            };
            // Its answer may have come at the same time.
            if let Ok(answer) = tokio::time::timeout(ON_ITS_WAY, sent).await {
                return answer;
            }
            other
        };
        pool.manager().is_silent_since(last_answer);
        self.slot = other;
        Err(Failure::Silent)
    }

    /// Pings a connection that has not answered in this session, so that no write is lost on a flow
    /// that went silent: whether that was done, nobody would know.
    async fn prove(&mut self) -> Result<(), Failure> {
        if self.is_proven() {
            return Ok(());
        }
        let limit = self.limits.silence.min(self.limits.left()?);
        let connection = &mut self.slot.connection;
        if let Err(failure) = connection.ping(limit).await {
            add(Metric::PingFailed, 1);
            tracing::info!(%failure, "a connection did not answer; another takes its place");
            return Err(Failure::Closed);
        }
        Ok(())
    }

    /// Whether the connection has answered since the session was asked for.
    pub(super) fn is_proven(&self) -> bool {
        self.slot.connection.answered().monotonic >= self.since.monotonic
    }

    /// The connection, a new one in the same slot when the last one was closed.
    pub(super) async fn connection(&mut self) -> Result<&mut Connection, DatabaseError> {
        if !self.slot.connection.is_open() {
            let started = Instant::now();
            let left = self.limits.deadline.left();
            let connected = tokio::time::timeout(left, self.pool.manager().connect()).await;
            add(Metric::ConnectionWait, started.elapsed());
            *self.slot = match connected {
                Ok(Ok(connection)) => connection,
                Ok(Err(error)) => return Err(not_connected(&error)),
                Err(_) => return Err(not_connected(&Failure::TimedOut.into())),
            };
        }
        Ok(&mut self.slot.connection)
    }
}

impl Drop for Session<'_> {
    /// The slot goes back to the pool; a connection of an older login does not.
    fn drop(&mut self) {
        if !self.pool.manager().is_current(self.slot.generation) {
            self.slot.connection.discard(Discarded::OlderLogin);
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

/// A limit for statements that is shorter than this ends a silent read soon enough by itself.
const WORTH_ASKING: Duration = Duration::from_secs(1);

/// How long the answer to a statement may be under way that the server has finished.
const ON_ITS_WAY: Duration = Duration::from_millis(50);

/// How long statements may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) deadline: Deadline,
    pub(super) statement: Duration,
    /// Without any answer for so long, a connection may have gone silent.
    pub(super) silence: Duration,
}

impl Limits {
    pub(super) async fn send(
        self,
        connection: &mut Connection,
        statement: &Statement,
        params: Params,
    ) -> Result<Answer, Failure> {
        let left = self.left()?;
        if statement.is_text() {
            self.text(connection, TEXT, statement.sql()).await?;
            let (rows, changed) = (Vec::new(), 0);
            return Ok(Answer { rows, changed });
        }
        let sql = statement.limited(self.of_server(left));
        let limit = match statement.is_write() {
            true => self.statement,
            false => self.statement + GRACE,
        };
        let sent = connection.execute(left.min(limit), &sql, params);
        counted(statement.name(), sent).await
    }

    /// Sends a command that is the same for everybody, such as COMMIT.
    pub(super) async fn command(
        self,
        connection: &mut Connection,
        sql: &'static str,
    ) -> Result<(), Failure> {
        self.text(connection, sql, sql).await
    }

    async fn text(
        self,
        connection: &mut Connection,
        name: &'static str,
        sql: &str,
    ) -> Result<(), Failure> {
        let limit = self.left()?.min(self.statement);
        counted(name, connection.command(limit, sql)).await
    }

    async fn run_text(
        self,
        connection: &mut Connection,
        sql: &str,
    ) -> Result<Result<Vec<Row>, DefinitionError>, Failure> {
        let limit = self.left()?.min(self.statement);
        counted(TEXT, connection.run_text(limit, sql)).await
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

/// What traces call a statement that is sent as text and has no name.
const TEXT: &str = "text";

/// Counts a statement and the time until its answer, and reports both to the invocation's trace.
async fn counted<T>(
    name: &'static str,
    statement: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    add(Metric::Statements, 1);
    let _timed = Timed {
        name,
        started: Instant::now(),
    };
    subsegment(name, statement).await
}

/// A statement under way. Its time also counts if it is given up before its answer.
struct Timed {
    name: &'static str,
    started: Instant,
}

impl Drop for Timed {
    fn drop(&mut self) {
        statement_took(self.name, self.started.elapsed());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_stops_a_read_before_it_is_given_up_here() {
        let limits = Limits {
            deadline: Deadline::after(Duration::ZERO),
            statement: Duration::from_secs(5),
            silence: Duration::ZERO,
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
}
