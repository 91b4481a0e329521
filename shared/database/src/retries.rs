//! What is sent again after a failure, and when.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use lambda::{
    Deadline,
    metrics::{Metric, add},
};

use super::{
    DatabaseError, Statement,
    failure::{Failure, Repeat},
};

/// How often a harmless statement is sent again because MySQL had ended the connection that Vitess used.
/// Vitess keeps a pool of connections, so several of them can be in this state.
const BEHIND_VITESS: usize = 3;

/// What was sent again so far, and what may still be sent again.
pub(super) struct Retries {
    deadline: Deadline,
    pauses: ExponentialBackoff,
    /// Whether a stale connection was replaced already. The first replacement needs no pause.
    replaced: bool,
    /// How often a statement that may have happened may still be sent again: after our connection was
    /// lost, and after one behind Vitess was lost.
    after_loss: usize,
    after_loss_behind: usize,
    /// Whether a write was sent and its answer lost.
    may_have_happened: bool,
}

/// The pauses between attempts, without an end. The first is about 20 ms, so that a short fault costs
/// little. They grow to between 400 and 800 ms, so that an overloaded server gets few calls.
pub(super) fn pauses() -> ExponentialBackoff {
    ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(20))
        .with_max_delay(Duration::from_millis(400))
        .without_max_times()
        .with_jitter()
        .build()
}

impl Retries {
    pub(super) fn new(deadline: Deadline) -> Self {
        Self {
            deadline,
            pauses: pauses(),
            replaced: false,
            after_loss: 1,
            after_loss_behind: BEHIND_VITESS,
            may_have_happened: false,
        }
    }

    /// Waits until the statement is to be sent again. If it is not, returns the error for the caller.
    pub(super) async fn of_statement(
        &mut self,
        statement: &Statement,
        failure: Failure,
    ) -> Result<(), DatabaseError> {
        self.may_have_happened |= statement.is_write() && failure.leaves_open();
        let again = match failure.repeat() {
            Repeat::Always => true,
            Repeat::IfHarmless if statement.is_repeatable() => {
                let left = match failure.is_behind_vitess() {
                    true => &mut self.after_loss_behind,
                    false => &mut self.after_loss,
                };
                let again = *left > 0;
                *left = left.saturating_sub(1);
                again
            }
            Repeat::IfHarmless | Repeat::Never => false,
        };
        self.pause(again, failure).await
    }

    /// Waits until a transaction that the server rolled back is to be run again.
    pub(super) async fn of_transaction(&mut self, failure: Failure) -> Result<(), DatabaseError> {
        self.pause(true, failure).await
    }

    /// The error for the caller, which is counted. If a write that was sent before may have happened,
    /// the outcome is unknown, whatever the last error says.
    pub(super) fn meaning(&self, error: DatabaseError) -> DatabaseError {
        let error = match error {
            DatabaseError::Duplicate { .. } => error,
            _ if self.may_have_happened => DatabaseError::OutcomeUnknown,
            _ => error,
        };
        error.count();
        error
    }

    async fn pause(&mut self, again: bool, failure: Failure) -> Result<(), DatabaseError> {
        let pause = match again {
            true if failure.is_of_stale_connection() && !self.replaced => {
                self.replaced = true;
                Some(Duration::ZERO)
            }
            true => self.pauses.next(),
            false => None,
        };
        match pause {
            Some(pause) if pause < self.deadline.left() => {
                tracing::info!(%failure, "sent again after a failure");
                add(Metric::Retries, 1);
                if !pause.is_zero() {
                    tokio::time::sleep(pause).await;
                }
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

    const READ: Statement = Statement::read("READ", "SELECT a FROM t", "PRIMARY");
    const WRITE: Statement = Statement::write("WRITE", "UPDATE t SET a = a + 1");
    const IDEMPOTENT: Statement = Statement::idempotent_write("IDEMPOTENT", "UPDATE t SET a = 1");

    fn retries() -> Retries {
        Retries::new(Deadline::after(Duration::from_secs(10)))
    }

    fn lost() -> Failure {
        Failure::Lost("reset".to_owned())
    }

    /// What a statement ends with that meets these failures, one after the other; nothing when it
    /// would be sent again after the last one.
    async fn outcome(statement: &Statement, failures: &[Failure]) -> Option<DatabaseError> {
        let mut retries = retries();
        for failure in failures {
            if let Err(error) = retries.of_statement(statement, failure.clone()).await {
                return Some(error);
            }
        }
        None
    }

    #[tokio::test]
    async fn nothing_was_changed_only_where_nothing_may_have_happened() {
        use DatabaseError::{OutOfTime, OutcomeUnknown, Unavailable};
        let (silent, late, closed) = (Failure::TimedOut, Failure::NoTime, Failure::Closed);
        for (statement, failures, expected) in [
            (&READ, vec![lost()], None),
            (&READ, vec![Failure::Silent], None),
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
        let mut retries = retries();
        retries.of_statement(&IDEMPOTENT, lost()).await.unwrap();
        for error in [DatabaseError::Unavailable, DatabaseError::Refused] {
            assert_eq!(retries.meaning(error), DatabaseError::OutcomeUnknown);
        }
        let key = "PRIMARY".to_owned();
        let there = DatabaseError::Duplicate { key };
        assert_eq!(retries.meaning(there.clone()), there);
    }

    /// In this test and the next one, time stands still except in a pause.
    #[tokio::test(start_paused = true)]
    async fn what_was_not_begun_is_sent_again_until_the_time_is_up() {
        let full = || {
            Failure::from(mysql_async::Error::Server(mysql_async::ServerError {
                code: 1040,
                message: "Too many connections".to_owned(),
                state: "08004".to_owned(),
            }))
        };
        let started = tokio::time::Instant::now();
        let mut retries = retries();
        for _ in 0..100 {
            retries.of_statement(&WRITE, full()).await.unwrap();
        }
        assert!(started.elapsed() > Duration::from_secs(30));
        retries.deadline = Deadline::after(Duration::ZERO);
        let end = retries.of_statement(&WRITE, full()).await;
        assert_eq!(end, Err(DatabaseError::Unavailable));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stale_connection_is_replaced_without_a_pause_and_only_once() {
        let started = tokio::time::Instant::now();
        let mut retries = retries();
        retries.of_statement(&READ, Failure::Closed).await.unwrap();
        assert!(started.elapsed().is_zero());
        retries.of_statement(&READ, Failure::Closed).await.unwrap();
        assert!(!started.elapsed().is_zero());
    }
}
