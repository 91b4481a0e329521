//! What the sessions of one invocation did, for its summary line.

use std::{
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
    time::Duration,
};

/// The work of an invocation's sessions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Time spent waiting for a connection: for its turn, a login, a ping.
    pub wait: Duration,
    /// Statements sent, those that open and end transactions included.
    pub statements: u32,
    /// Statements, transactions and logins that were repeated.
    pub retries: u32,
}

#[derive(Default)]
struct Counters {
    wait_micros: AtomicU64,
    statements: AtomicU32,
    retries: AtomicU32,
}

tokio::task_local! {
    static COUNTERS: Counters;
}

/// Runs `work` and says what the sessions that it took did.
pub async fn metered<F: Future>(work: F) -> (F::Output, Usage) {
    COUNTERS
        .scope(Counters::default(), async {
            let output = work.await;
            let usage = COUNTERS.with(|counters| Usage {
                wait: Duration::from_micros(counters.wait_micros.load(Ordering::Relaxed)),
                statements: counters.statements.load(Ordering::Relaxed),
                retries: counters.retries.load(Ordering::Relaxed),
            });
            (output, usage)
        })
        .await
}

pub(super) fn count_wait(span: Duration) {
    let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
    count(|counters| {
        counters.wait_micros.fetch_add(micros, Ordering::Relaxed);
    });
}

pub(super) fn count_statement() {
    count(|counters| {
        counters.statements.fetch_add(1, Ordering::Relaxed);
    });
}

pub(super) fn count_retry() {
    count(|counters| {
        counters.retries.fetch_add(1, Ordering::Relaxed);
    });
}

/// Outside [`metered`], in a warm-up for instance, nothing is counted.
fn count(add: impl FnOnce(&Counters)) {
    let _ = COUNTERS.try_with(add);
}
