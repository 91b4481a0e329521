//! Whether the server still works on a statement, asked on another connection.
//!
//! A flow can go silent while it looks well: what is sent on it arrives nowhere, and nobody says so.
//! From here, that looks like a statement that is slow. The server knows the difference: it lists the
//! statements that it runs. Where it runs none since before the question, the answer is lost or the
//! statement never arrived, and a read may be sent again. A read that is merely slow is never sent
//! twice.
//!
//! By way of Vitess, one does not learn which of the listed statements is one's own. Every read of this
//! crate carries a time limit as a mark, and the same read of the same thread in each list counts as
//! ours. So somebody else's slow read can keep the question open; it ends then at the statement's
//! limit, as it does where the server refuses to tell, or no other connection is free within the
//! pool's bound.
//!
//! vtgate may also hold a read back, as during a failover. The list does not show it then, so it is sent
//! again, and is not asked about a second time: the connection that asked has just answered.
//!
//! A read that names no index, as one of `information_schema`, is not asked about: by way of Vitess,
//! the list was seen not to show it. Its connection is pinged before it instead, as before a write.

use std::{collections::HashSet, time::Duration};

use deadpool::managed::{Object, Pool, Timeouts};
use mysql_async::from_row_opt;

use super::connector::Connector;

/// The reads that the server runs: thread and text, of which only a hash leaves the server. Without
/// the privilege PROCESS, MySQL lists one's own user's threads.
const RUNNING: &str = "SELECT ID, SHA2(INFO, 256) FROM information_schema.PROCESSLIST \
     WHERE COMMAND IN ('Query', 'Execute') AND INFO LIKE '%MAX_EXECUTION_TIME(%' \
     AND INFO NOT LIKE '%information_schema%'";

/// Between the first two questions. Each pause is twice the one before.
const PAUSE: Duration = Duration::from_millis(50);

type Running = HashSet<(u64, String)>;

/// Returns when the server runs no read any more that it ran when this was called first, with the
/// connection that said so. Until then, it waits: `patience` before the first question, and as long at
/// most for each answer.
pub(super) async fn other_connection(
    pool: &Pool<Connector>,
    patience: Duration,
) -> Object<Connector> {
    tokio::time::sleep(patience).await;
    Box::pin(until_none_runs(pool, patience)).await
}

async fn until_none_runs(pool: &Pool<Connector>, patience: Duration) -> Object<Connector> {
    let mut since_before: Option<Running> = None;
    let mut pause = PAUSE;
    loop {
        if let Some((slot, mut running)) = ask(pool, patience).await {
            if let Some(before) = &since_before {
                running.retain(|statement| before.contains(statement));
            }
            if running.is_empty() {
                return slot;
            }
            since_before = Some(running);
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
}

/// Asks on a connection that is free. It is held no longer than the answer takes.
async fn ask(pool: &Pool<Connector>, patience: Duration) -> Option<(Object<Connector>, Running)> {
    let at_once = Timeouts {
        wait: Some(Duration::ZERO),
        ..Timeouts::default()
    };
    let mut slot = pool.timeout_get(&at_once).await.ok()?;
    let mut answer = slot.connection.ask(patience, RUNNING).await;
    if answer.is_err() && !slot.connection.is_open() {
        // It went silent too.
        *slot = pool.manager().connect().await.ok()?;
        answer = slot.connection.ask(patience, RUNNING).await;
    }
    let rows = answer.ok()?.into_iter().map(from_row_opt);
    let running = rows.collect::<Result<Running, _>>().ok()?;
    Some((slot, running))
}
