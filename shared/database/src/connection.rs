//! One connection to the server, which only the command in progress can use.
//!
//! If a statement is cancelled, `mysql_async` gives its rows to the next statement on the same
//! connection (seen with 0.37, twenty times out of twenty). So the connection moves into each command
//! and comes back with its answer. A command that is dropped, or ended by its limit, takes the
//! connection with it, and nothing is left that could be used again.

use std::{
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Waker},
    time::Duration,
};

use lambda::{
    clock::{Clock, Moment},
    metrics::connection_discarded,
};
use mysql_async::{Conn, Error, Params, Row, Statement, prelude::Queryable};

use super::{
    definition::{DefinitionError, refusal},
    failure::Failure,
};

/// How long it may take to close a connection in order.
const GOODBYE: Duration = Duration::from_millis(100);

/// How many statements stay prepared on each connection: those of a function, and some for reads that
/// have little time left and for inserts of different sizes.
const MOST_PREPARED: usize = 64;

/// A connection, or nothing once it can no longer be trusted.
pub(super) struct Connection {
    conn: ClosedOnDrop,
    answered: Moment,
    clock: Arc<dyn Clock>,
}

/// The driver's connection, which is closed at once when it is dropped.
struct ClosedOnDrop(Option<Driver>);

/// The driver's connection, and the statements that are prepared on it, by their text.
///
/// The driver's own cache looks for named parameters in the whole text each time, which would be a third
/// of the instructions of an execution.
struct Driver {
    conn: Conn,
    prepared: Vec<(String, Statement)>,
}

/// What the log says of a connection that is closed because there is a newer login.
pub(super) const OLDER_LOGIN: &str = "older login";

/// What it says after a command failed in a way that leaves the connection in doubt.
pub(super) const FAILED: &str = "failed";

/// What the server answers to a statement.
pub(super) struct Answer {
    pub(super) rows: Vec<Row>,
    /// How many rows it changed.
    pub(super) changed: u64,
}

impl Connection {
    pub(super) fn new(conn: Conn, clock: Arc<dyn Clock>) -> Self {
        let prepared = Vec::new();
        Self {
            conn: ClosedOnDrop(Some(Driver { conn, prepared })),
            answered: clock.now(),
            clock,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.conn.0.is_some()
    }

    /// When the server last answered.
    pub(super) fn answered(&self) -> Moment {
        self.answered
    }

    /// Moves the connection out, and leaves nothing.
    pub(super) fn take(&mut self) -> Self {
        Self {
            conn: self.conn.take(),
            answered: self.answered,
            clock: Arc::clone(&self.clock),
        }
    }

    /// Runs a statement with parameters. Once it is prepared here, it takes one round trip.
    pub(super) async fn execute(
        &mut self,
        limit: Duration,
        sql: &str,
        params: Params,
    ) -> Result<Answer, Failure> {
        self.run(limit, async |driver| {
            let statement = driver.prepared(sql).await?;
            let rows = driver.conn.exec(statement, params).await?;
            let changed = driver.conn.affected_rows();
            Ok(Answer { rows, changed })
        })
        .await
    }

    /// Prepares a statement, in one round trip.
    pub(super) async fn prepare(&mut self, limit: Duration, sql: &str) -> Result<(), Failure> {
        self.run(limit, async |driver| driver.prepared(sql).await.map(drop))
            .await
    }

    /// Sends a command without parameters as text, in one round trip.
    pub(super) async fn command(&mut self, limit: Duration, sql: &str) -> Result<(), Failure> {
        self.run(limit, async |driver| driver.conn.query_drop(sql).await)
            .await
    }

    /// Sends a statement as text. A refusal by the server counts as an answer.
    pub(super) async fn run_text(
        &mut self,
        limit: Duration,
        sql: &str,
    ) -> Result<Result<Vec<Row>, DefinitionError>, Failure> {
        let mut closes = false;
        let command = async |driver: &mut Driver| match driver.conn.query(sql).await {
            Err(Error::Server(error)) => match refusal(&error) {
                Some(refused) => {
                    closes = Failure::from(Error::Server(error)).closes_connection();
                    Ok(Err(refused))
                }
                None => Err(Error::Server(error)),
            },
            sent => sent.map(Ok),
        };
        let answer = self.run(limit, command).await;
        if closes {
            self.close(FAILED).await;
        }
        answer
    }

    /// Asks for rows as text, in one round trip.
    pub(super) async fn ask(&mut self, limit: Duration, sql: &str) -> Result<Vec<Row>, Failure> {
        self.run(limit, async |driver| driver.conn.query(sql).await)
            .await
    }

    /// Asks whether the server is there. If the answer is not good, the connection is closed.
    pub(super) async fn ping(&mut self, limit: Duration) -> Result<(), Failure> {
        const CAUSE: &str = "ping failed";
        let causes = [CAUSE; 2];
        let answer = self.run_or_discard(limit, causes, async |driver| driver.conn.ping().await);
        let answer = answer.await;
        if answer.is_err() {
            self.close(CAUSE).await;
        }
        answer
    }

    async fn run<T>(
        &mut self,
        limit: Duration,
        command: impl AsyncFnOnce(&mut Driver) -> mysql_async::Result<T>,
    ) -> Result<T, Failure> {
        let causes = ["no answer in time", FAILED];
        self.run_or_discard(limit, causes, command).await
    }

    /// Runs a command. If it closes the connection, the first cause is for a command without an
    /// answer in time, and the second for one that failed.
    async fn run_or_discard<T>(
        &mut self,
        limit: Duration,
        [timed_out, failed]: [&'static str; 2],
        command: impl AsyncFnOnce(&mut Driver) -> mysql_async::Result<T>,
    ) -> Result<T, Failure> {
        let mut taken = self.conn.take();
        let driver = taken.0.as_mut().ok_or(Failure::Closed)?;
        let Ok(result) = tokio::time::timeout(limit, command(driver)).await else {
            taken.discard(timed_out);
            return Err(Failure::TimedOut);
        };
        self.conn = taken;
        match result {
            Ok(answer) => {
                self.answered = self.clock.now();
                Ok(answer)
            }
            Err(error) => {
                let failure = Failure::from(error);
                if failure.closes_connection() {
                    self.close(failed).await;
                }
                Err(failure)
            }
        }
    }

    /// Says goodbye to the server and closes the connection.
    pub(super) async fn close(&mut self, why: &'static str) {
        if let Some(conn) = self.conn.take_for(why) {
            // Boxed, because it is rare and large: unboxed, it would swell the future of every
            // invocation.
            let goodbye = Box::pin(conn.disconnect());
            let _ = tokio::time::timeout(GOODBYE, goodbye).await;
        }
    }

    /// Closes the connection at once.
    pub(super) fn discard(&mut self, why: &'static str) {
        self.conn.discard(why);
    }
}

impl Driver {
    /// The prepared statement. It is prepared first if it is new here. If there are too many, all
    /// others are closed.
    async fn prepared(&mut self, sql: &str) -> mysql_async::Result<Statement> {
        let mut known = self.prepared.iter();
        if let Some((_, statement)) = known.find(|(text, _)| text == sql) {
            return Ok(statement.clone());
        }
        if self.prepared.len() >= MOST_PREPARED {
            for (_, statement) in self.prepared.drain(..) {
                self.conn.close(statement).await?;
            }
        }
        let statement = self.conn.prep(sql).await?;
        self.prepared.push((sql.to_owned(), statement.clone()));
        Ok(statement)
    }
}

impl ClosedOnDrop {
    fn take(&mut self) -> Self {
        Self(self.0.take())
    }

    /// Takes out the connection and counts it as discarded.
    fn take_for(&mut self, why: &'static str) -> Option<Conn> {
        let driver = self.0.take()?;
        connection_discarded(why);
        Some(driver.conn)
    }

    /// Says goodbye as far as that needs no waiting, and closes the socket.
    ///
    /// If a connection is simply dropped, the driver spawns a task that reads the remaining rows and
    /// then says goodbye. That task does not count for the pool's bound, and a freeze can hold it up
    /// for hours, with its open transaction and locks. A connection whose goodbye has begun is closed
    /// without a task.
    fn discard(&mut self, why: &'static str) {
        if let Some(conn) = self.take_for(why) {
            let goodbye = pin!(conn.disconnect());
            let _ = goodbye.poll(&mut Context::from_waker(Waker::noop()));
        }
    }
}

impl Drop for ClosedOnDrop {
    /// A connection that is still here was in the middle of a command: its invocation ended, or the
    /// connection went silent.
    fn drop(&mut self) {
        self.discard("given up during a command");
    }
}
