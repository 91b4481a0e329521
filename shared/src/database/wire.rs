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

use mysql_async::{Conn, Params, Row, prelude::Queryable};

use super::failure::Failure;
use crate::clock::{Clock, Moment};

/// How long an orderly goodbye to the server may take.
const GOODBYE: Duration = Duration::from_millis(100);

/// A connection, or nothing once it can't be trusted any more.
pub(super) struct Wire {
    conn: Option<Conn>,
    answered: Moment,
    clock: Arc<dyn Clock>,
}

impl Wire {
    pub(super) fn new(conn: Conn, clock: Arc<dyn Clock>) -> Self {
        Self {
            conn: Some(conn),
            answered: clock.now(),
            clock,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.conn.is_some()
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

    pub(super) async fn rows(
        &mut self,
        limit: Duration,
        sql: &str,
        params: Params,
    ) -> Result<Vec<Row>, Failure> {
        self.run(limit, |mut conn| async move {
            let rows = conn.exec(sql, params).await;
            (conn, rows)
        })
        .await
    }

    /// Runs a statement that has no rows, and says how many it changed.
    pub(super) async fn execute(
        &mut self,
        limit: Duration,
        sql: &str,
        params: Params,
    ) -> Result<u64, Failure> {
        self.run(limit, |mut conn| async move {
            let done = conn.exec_drop(sql, params).await;
            let changed = conn.affected_rows();
            (conn, done.map(|()| changed))
        })
        .await
    }

    /// Sends a command without parameters as text, in one round trip.
    pub(super) async fn command(&mut self, limit: Duration, sql: &str) -> Result<(), Failure> {
        self.run(limit, |mut conn| async move {
            let done = conn.query_drop(sql).await;
            (conn, done)
        })
        .await
    }

    pub(super) async fn ping(&mut self, limit: Duration) -> Result<(), Failure> {
        self.run(limit, |mut conn| async move {
            let done = conn.ping().await;
            (conn, done)
        })
        .await
    }

    async fn run<T, Fut>(
        &mut self,
        limit: Duration,
        command: impl FnOnce(Conn) -> Fut,
    ) -> Result<T, Failure>
    where
        Fut: Future<Output = (Conn, mysql_async::Result<T>)>,
    {
        let conn = self.conn.take().ok_or(Failure::Closed)?;
        let (conn, result) = tokio::time::timeout(limit, command(conn))
            .await
            .map_err(|_| Failure::TimedOut)?;
        self.conn = Some(conn);
        match result {
            Ok(answer) => {
                self.answered = self.clock.now();
                Ok(answer)
            }
            Err(error) => {
                let failure = Failure::from(error);
                if failure.closes_connection() {
                    self.close().await;
                }
                Err(failure)
            }
        }
    }

    /// Says goodbye to the server, so that it need not wonder.
    pub(super) async fn close(&mut self) {
        if let Some(conn) = self.conn.take() {
            let _ = tokio::time::timeout(GOODBYE, conn.disconnect()).await;
        }
    }
}

impl Drop for Wire {
    /// Closes the socket at once. The driver would spawn a task for the goodbye, which a freeze
    /// could hold up for hours, open transaction and locks included. A connection whose command
    /// was dropped under way is closed without one, so a ping is begun and dropped.
    fn drop(&mut self) {
        if let Some(mut conn) = self.conn.take() {
            let ping = pin!(conn.ping());
            let _ = ping.poll(&mut Context::from_waker(Waker::noop()));
        }
    }
}
