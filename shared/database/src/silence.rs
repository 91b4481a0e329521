//! Whether the server still works on a statement, asked on another connection.
//!
//! A flow can go silent without a sign: what is sent on it gets lost, and no error says so. From here,
//! that looks like a slow statement. The server knows the difference, because it lists the statements
//! that it runs. If it runs none that was there at the first question, the answer is lost or the
//! statement never arrived, and a read may be sent again. A read that is merely slow is never sent
//! twice.
//!
//! Through Vitess, the list does not say which statement is our own. Every read of this crate carries a
//! time limit, which marks it. A read of the same thread that is in every list counts as ours. So
//! another client's slow read can keep the question open, and it then ends at the statement's limit.
//! The same happens if the server does not show its list, or if no other connection is free within the
//! pool's bound.
//!
//! vtgate may also hold a read back, for example during a failover. The list does not show it then, so
//! it is sent again. It is not asked about a second time, because the connection that asked has just
//! answered.
//!
//! A read that names no index, for example of `information_schema`, is not asked about, because Vitess
//! was seen to leave it out of the list. Its connection is pinged before it, as before a write.

use std::{collections::HashSet, time::Duration};

use deadpool::managed::{Object, Pool, Timeouts};
use mysql_async::from_row_opt;

use super::connector::Connector;

/// Asks for the reads that the server runs: the thread and the text. Only a hash of the text leaves the
/// server. Without the privilege PROCESS, MySQL lists the threads of the same user.
const RUNNING: &str = "SELECT ID, SHA2(INFO, 256) FROM information_schema.PROCESSLIST \
     WHERE COMMAND IN ('Query', 'Execute') AND INFO LIKE '%MAX_EXECUTION_TIME(%' \
     AND INFO NOT LIKE '%information_schema%'";

/// The pause between the first two questions. Each further pause is twice as long.
const PAUSE: Duration = Duration::from_millis(50);

type Running = HashSet<(u64, String)>;

/// Waits until the server no longer runs any of the reads that it ran at the first question, and returns
/// the connection that it asked on. It waits for `patience` before the first question, and for at most as
/// long for each answer.
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

/// Asks on a free connection, and holds it only until the answer.
async fn ask(pool: &Pool<Connector>, patience: Duration) -> Option<(Object<Connector>, Running)> {
    let at_once = Timeouts {
        wait: Some(Duration::ZERO),
        ..Timeouts::default()
    };
    let mut slot = pool.timeout_get(&at_once).await.ok()?;
    let mut answer = slot.connection.ask(patience, RUNNING).await;
    if answer.is_err() && !slot.connection.is_open() {
        // This connection went silent too.
        *slot = pool.manager().connect().await.ok()?;
        answer = slot.connection.ask(patience, RUNNING).await;
    }
    let rows = answer.ok()?.into_iter().map(from_row_opt);
    let running = rows.collect::<Result<Running, _>>().ok()?;
    Some((slot, running))
}
