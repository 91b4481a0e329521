//! One connection to the server, which only the command under way can touch.
//!
//! `mysql_async` hands a cancelled statement's rows to the statement that follows on the same
//! connection (seen with 0.37, twenty times of twenty). So the connection moves into each
//! command and comes back with its answer: a command that is dropped, or cut by its limit, takes
//! the connection along, and nothing is left that could be used again.

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
use mysql_async::{Conn, Error, Params, Row, prelude::Queryable};

use super::{
    definition::{DefinitionError, refusal},
    failure::Failure,
};

/// How long an orderly goodbye to the server may take.
const GOODBYE: Duration = Duration::from_millis(100);

/// A connection, or nothing once it can't be trusted any more.
pub(super) struct Connection {
    conn: ClosedOnDrop,
    answered: Moment,
    clock: Arc<dyn Clock>,
}

/// The driver's connection, which is closed at once when it is dropped.
struct ClosedOnDrop(Option<Conn>);

/// Why a connection is closed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Discarded {
    /// Its login is not the newest.
    OlderLogin,
    TooOld,
    IdleTooLong,
    /// Another connection that was idle as long did not answer.
    Silent,
    PingFailed,
    /// A command had no answer within its limit.
    TimedOut,
    /// A command failed in a way that leaves the connection in doubt.
    Failed,
    /// A command was dropped before its answer, with its invocation or because the connection went
    /// silent.
    GivenUp,
    /// The execution environment ends.
    Shutdown,
}

impl Discarded {
    /// The cause for the log.
    fn cause(self) -> &'static str {
        match self {
            Self::OlderLogin => "older login",
            Self::TooOld => "too old",
            Self::IdleTooLong => "idle for too long",
            Self::Silent => "silent",
            Self::PingFailed => "ping failed",
            Self::TimedOut => "no answer in time",
            Self::Failed => "failed",
            Self::GivenUp => "given up during a command",
            Self::Shutdown => "shutdown",
        }
    }
}

/// What the server answers to a statement.
pub(super) struct Answer {
    pub(super) rows: Vec<Row>,
    /// How many rows it changed.
    pub(super) changed: u64,
}

impl Connection {
    pub(super) fn new(conn: Conn, clock: Arc<dyn Clock>) -> Self {
        Self {
            conn: ClosedOnDrop(Some(conn)),
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

    /// Runs a statement with parameters: in one round trip once it was prepared here.
    pub(super) async fn execute(
        &mut self,
        limit: Duration,
        sql: &str,
        params: Params,
    ) -> Result<Answer, Failure> {
        self.run(limit, async |conn| {
            let rows = conn.exec(sql, params).await?;
            let changed = conn.affected_rows();
            Ok(Answer { rows, changed })
        })
        .await
    }

    /// Prepares a statement, in one round trip.
    pub(super) async fn prepare(&mut self, limit: Duration, sql: &str) -> Result<(), Failure> {
        self.run(limit, async |conn| conn.prep(sql).await.map(drop))
            .await
    }

    /// Sends a command without parameters as text, in one round trip.
    pub(super) async fn command(&mut self, limit: Duration, sql: &str) -> Result<(), Failure> {
        self.run(limit, async |conn| conn.query_drop(sql).await)
            .await
    }

    /// Sends a statement as text. The server's refusal is an answer like another.
    pub(super) async fn run_text(
        &mut self,
        limit: Duration,
        sql: &str,
    ) -> Result<Result<Vec<Row>, DefinitionError>, Failure> {
        self.run(limit, async |conn| match conn.query(sql).await {
            Err(Error::Server(error)) => match refusal(&error) {
                Some(refused) => Ok(Err(refused)),
                None => Err(Error::Server(error)),
            },
            sent => sent.map(Ok),
        })
        .await
    }

    /// Asks for rows as text, in one round trip.
    pub(super) async fn ask(&mut self, limit: Duration, sql: &str) -> Result<Vec<Row>, Failure> {
        self.run(limit, async |conn| conn.query(sql).await).await
    }

    /// Asks whether the server is there. Without a good answer, the connection is closed.
    pub(super) async fn ping(&mut self, limit: Duration) -> Result<(), Failure> {
        let causes = [Discarded::PingFailed; 2];
        let answer = self.run_or_discard(limit, causes, async |conn| conn.ping().await);
        let answer = answer.await;
        if answer.is_err() {
            self.close(Discarded::PingFailed).await;
        }
        answer
    }

    async fn run<T>(
        &mut self,
        limit: Duration,
        command: impl AsyncFnOnce(&mut Conn) -> mysql_async::Result<T>,
    ) -> Result<T, Failure> {
        let causes = [Discarded::TimedOut, Discarded::Failed];
        self.run_or_discard(limit, causes, command).await
    }

    /// Runs a command. The causes are those of a connection that is closed because there was no
    /// answer in time, and because of a failure.
    async fn run_or_discard<T>(
        &mut self,
        limit: Duration,
        [timed_out, failed]: [Discarded; 2],
        command: impl AsyncFnOnce(&mut Conn) -> mysql_async::Result<T>,
    ) -> Result<T, Failure> {
        let mut taken = self.conn.take();
        let conn = taken.0.as_mut().ok_or(Failure::Closed)?;
        let Ok(result) = tokio::time::timeout(limit, command(conn)).await else {
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

    /// Says goodbye to the server, so that it need not wonder.
    pub(super) async fn close(&mut self, why: Discarded) {
        if let Some(conn) = self.conn.take_for(why) {
            // Boxed, because it is rare and large: unboxed, it would swell the future of every
            // invocation.
            let goodbye = Box::pin(conn.disconnect());
            let _ = tokio::time::timeout(GOODBYE, goodbye).await;
        }
    }

    /// Closes it at once.
    pub(super) fn discard(&mut self, why: Discarded) {
        self.conn.discard(why);
    }
}

impl ClosedOnDrop {
    fn take(&mut self) -> Self {
        Self(self.0.take())
    }

    /// Takes out the connection, which is counted as discarded.
    fn take_for(&mut self, why: Discarded) -> Option<Conn> {
        self.0.take().inspect(|_| connection_discarded(why.cause()))
    }

    /// Says goodbye as far as that needs no waiting, and closes the socket.
    ///
    /// Dropped as it is, a connection that is well or in the middle of its rows would have the
    /// driver spawn a task that reads the rest first and then says goodbye: beside the pool's
    /// bound, and held up by a freeze for hours, open transaction and locks included. One whose
    /// goodbye was begun is closed without a task.
    fn discard(&mut self, why: Discarded) {
        if let Some(conn) = self.take_for(why) {
            let goodbye = pin!(conn.disconnect());
            let _ = goodbye.poll(&mut Context::from_waker(Waker::noop()));
        }
    }
}

impl Drop for ClosedOnDrop {
    fn drop(&mut self) {
        self.discard(Discarded::GivenUp);
    }
}
