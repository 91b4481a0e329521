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
    connection::{Answer, Connection, OLDER_LOGIN},
    connector::{ConnectError, Connector},
    definition::DefinitionError,
    failure::Failure,
    retries::Retries,
    silence,
};

/// Holds a connection of the pool until it is dropped.
///
/// Statements are prepared and sent with their parameters, except for those that are sent as text
/// ([`Session::define`], [`Session::explain`]). Once one is prepared on the connection, it takes one
/// round trip. If the connection breaks, a read or an idempotent write is sent once more on a new
/// one. A statement that the server certainly has not begun is sent again until the time is up, with
/// growing pauses.
pub struct Session<'d> {
    pub(super) pool: &'d Pool<Connector>,
    pub(super) slot: Object<Connector>,
    pub(super) limits: Limits,
    /// When the session was asked for. A connection that has answered since then works.
    pub(super) since: Moment,
}

impl Session<'_> {
    /// Runs a statement and reads all of its rows.
    ///
    /// # Errors
    ///
    /// See [`DatabaseError`]. If a row does not fit `T`, the error is [`DatabaseError::Refused`].
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
    /// The errors of [`Session::rows`].
    pub async fn row<T: FromRow>(
        &mut self,
        statement: &Statement,
        params: impl Into<Params>,
    ) -> Result<Option<T>, DatabaseError> {
        Ok(self.rows(statement, params).await?.into_iter().next())
    }

    /// Runs a write and returns how many rows it changed.
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

    /// Runs a statement that defines a table, a view or the like. It is sent as text, because Vitess
    /// does not prepare all such statements, and because a `?` or a `:name` in a comment is no
    /// parameter. If it may have happened, it is not repeated.
    ///
    /// # Errors
    ///
    /// [`DefinitionError::Refused`] with the server's words, or an error of [`Session::execute`].
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
    /// [`DefinitionError::Refused`] with the server's words, for example if the statement names an
    /// index that does not exist, or an error of [`Session::execute`].
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

    /// Prepares a statement with the text that it has while there is time for its whole limit.
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
                Err(failure) => retries.of_statement(&TEXT, failure).await?,
            }
        }
    }

    async fn run(
        &mut self,
        statement: &Statement,
        params: Params,
    ) -> Result<Answer, DatabaseError> {
        let mut retries = Retries::new(self.limits.deadline);
        // If a read goes silent again on a connection that has just answered, it is being held
        // back, for example by vtgate during a failover.
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
            // The answer may have come at the same moment.
            if let Ok(answer) = tokio::time::timeout(ON_ITS_WAY, sent).await {
                return answer;
            }
            other
        };
        pool.manager().is_silent_since(last_answer);
        self.slot = other;
        Err(Failure::Silent)
    }

    /// Pings a connection that has not answered in this session. If its flow has gone silent, a write
    /// would be lost on it, and nobody would know whether it was done.
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

    /// The connection. If the last one was closed, a new one is opened in the same slot.
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
    /// The slot goes back to the pool, but not with a connection of an older login.
    fn drop(&mut self) {
        if !self.pool.manager().is_current(self.slot.generation) {
            self.slot.connection.discard(OLDER_LOGIN);
        }
    }
}

/// Logs why there is no connection, and returns the error for the caller.
pub(super) fn not_connected(error: &ConnectError) -> DatabaseError {
    tracing::warn!(%error, "no connection to the database");
    DatabaseError::Unavailable
}

/// The server stops a read at its limit. This is how much longer we wait, so that its message that it
/// stopped the read arrives. The connection then stays good, and the read is not sent again, which
/// would be as slow.
const GRACE: Duration = Duration::from_millis(250);

/// If the limit for statements is shorter than this, it ends a silent read soon enough.
const WORTH_ASKING: Duration = Duration::from_secs(1);

/// How long an answer may take to arrive after the server has finished the statement.
const ON_ITS_WAY: Duration = Duration::from_millis(50);

/// How long statements may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) deadline: Deadline,
    pub(super) statement: Duration,
    /// A connection without any answer for this long may have gone silent.
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
        let sql = statement.limited(self.of_server(left));
        let limit = match statement.is_write() {
            true => self.statement,
            false => self.statement + GRACE,
        };
        let sent = connection.execute(left.min(limit), &sql, params);
        counted(statement.name(), sent).await
    }

    /// Sends a command without parameters, such as COMMIT.
    pub(super) async fn command(
        self,
        connection: &mut Connection,
        sql: &'static str,
    ) -> Result<(), Failure> {
        let limit = self.left()?.min(self.statement);
        counted(sql, connection.command(limit, sql)).await
    }

    async fn run_text(
        self,
        connection: &mut Connection,
        sql: &str,
    ) -> Result<Result<Vec<Row>, DefinitionError>, Failure> {
        let limit = self.left()?.min(self.statement);
        counted(TEXT.name(), connection.run_text(limit, sql)).await
    }

    fn left(self) -> Result<Duration, Failure> {
        match self.deadline.left() {
            Duration::ZERO => Err(Failure::NoTime),
            left => Ok(left),
        }
    }

    /// The limit of a read that the server is told: the usual one, or less if less time is left, so
    /// that the answer still arrives. A shorter limit is rounded down to two significant bits, so
    /// that few different texts have to be prepared.
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

/// Stands for a statement that is sent as text: in traces, and where it is decided what to send again.
const TEXT: Statement = Statement::write("text", "");

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

/// A statement in progress. Its time counts even if it is given up before its answer.
struct Timed {
    name: &'static str,
    started: Instant,
}

impl Drop for Timed {
    fn drop(&mut self) {
        statement_took(self.name, self.started.elapsed());
    }
}

/// Converts rows, without the panic of the driver's `from_row`, and without the error of its
/// `from_row_opt`, which contains the row.
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
