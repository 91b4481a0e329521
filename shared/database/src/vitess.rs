//! What Vitess means by its messages.
//!
//! Vitess gives most of its own errors one of a few numbers (1105, 1203, 1317, 1815) and says the rest
//! in words. Only known words have a verdict here. After an error with other words, the statement may
//! have happened. Each line of the table says how it is known:
//!
//! - *seen*: real Vitess 24.0.4 answered it (`vitess/errors.jsonl` has these errors in full);
//! - *source*: it is in Vitess' source, in the file that is named;
//! - *docs*: it is in PlanetScale's documentation (troubleshooting, errors);
//! - *reported*: a public issue quotes it from a live database.

use super::failure::Class;

/// What the words of an error mean, and whether the connection to vtgate can still be used. The first
/// line that fits decides.
const KNOWN: &[(&str, Class, bool)] = {
    use Class::{MayHaveHappened, NotStarted, Refused, RolledBack, Stopped};
    &[
        // The statement ran out of its own time.
        ("context deadline exceeded", Stopped, KEEP), // seen
        ("code = deadlineexceeded", Stopped, KEEP),   // seen
        ("maximum statement execution time", Stopped, KEEP), // seen
        // The transaction is over. After COMMIT, VT15001 and VT09025 leave open what happened.
        ("vt09025", MayHaveHappened, CLOSE), // source: code.go
        ("vt15001", RolledBack, KEEP),       // seen
        ("vt09032", RolledBack, KEEP),       // seen
        ("for tx killer rollback", RolledBack, KEEP), // reported; source: constants.go
        ("exceeded timeout", RolledBack, KEEP), // seen
        // A pool is full, or the line before it.
        ("pool connection limit exceeded", NotStarted, KEEP), // seen
        ("pool connection waiter cap exceeded", NotStarted, KEEP), // seen
        ("pool waiter count exceeded", NotStarted, KEEP),     // source: older tx_pool.go
        ("connection pool timed out", NotStarted, KEEP),      // seen
        ("connection pool waiter cap reached", NotStarted, KEEP), // seen
        ("pool context already expired", NotStarted, KEEP),   // source: smartconnpool/pool.go
        ("already expired context", NotStarted, KEEP),        // source: tx_pool.go
        ("hot row protection", NotStarted, KEEP),             // seen
        ("transaction throttled", NotStarted, KEEP),          // source: query_executor.go
        // A failover or a resharding: refused by vtgate, or by a tablet that does not serve.
        ("primary is not serving", NotStarted, KEEP), // seen
        ("reparent operation in progress", NotStarted, KEEP), // docs
        (
            "primary is serving but initially found no",
            NotStarted,
            KEEP,
        ), // seen
        ("no healthy tablet available", NotStarted, KEEP), // seen
        ("is either down or nonexistent", NotStarted, KEEP), // seen
        ("keyspace is being resharded", NotStarted, KEEP), // source: buffer.go
        ("shard is missing after a resharding", NotStarted, KEEP), // source: buffer.go
        ("primary buffer is full", NotStarted, KEEP), // source: buffer.go
        ("request evicted for newer request", NotStarted, KEEP), // seen
        ("canceled before failover finished", NotStarted, KEEP), // source: buffer.go
        ("operation not allowed in state", NotStarted, KEEP), // seen
        ("tx engine can't accept new connections", NotStarted, KEEP), // source: constants.go
        ("wrong tablet type", NotStarted, KEEP),      // seen
        ("invalid tablet type", NotStarted, KEEP),    // source: constants.go
        (
            "cannot start read write transaction on a read only",
            NotStarted,
            KEEP,
        ), // source: tx_pool.go
        // A cutover of an online schema change or of MoveTables.
        ("enforce denied tables", NotStarted, KEEP), // seen
        ("buffer timeout after", NotStarted, KEEP),  // seen
        // The tablet ended the connection while it worked on the statement.
        ("received prior goaway", MayHaveHappened, KEEP), // source: gRPC's http2_client.go
        // gRPC could not connect to the tablet, so nothing was sent.
        ("connection error: desc = ", NotStarted, KEEP), // seen
        // vtgate does not know the prepared statement.
        ("statement id is not found", NotStarted, CLOSE), // seen
        // The fault is in the statement or the branch.
        ("row count exceeded", Refused, KEEP),       // seen
        ("message larger than max", Refused, KEEP),  // seen
        ("syntax error at position", Refused, KEEP), // seen
        ("direct ddl is disabled", Refused, KEEP),   // seen
        ("online ddl is disabled", Refused, KEEP),   // seen
        ("data definition language is not supported", Refused, KEEP), // docs
        ("supported only for primary tablet type", Refused, KEEP), // seen
        ("disallowed due to rule", Refused, KEEP),   // source: query_executor.go
        ("command denied to user", Refused, KEEP),   // seen
        ("[bug] unrecognized", Refused, KEEP),       // seen
        ("branch is missing or sleeping", Refused, CLOSE), // docs
        ("does not allow insecure connections", Refused, CLOSE), // seen
    ]
};

const KEEP: bool = true;
const CLOSE: bool = false;

/// The verdict on an error whose number many errors of Vitess share. `words` has no values in it,
/// because a value could contain any words.
pub(super) fn verdict(words: &str) -> (Class, bool) {
    let words = words.to_lowercase();
    let known = KNOWN.iter().find(|(part, ..)| words.contains(part));
    match known {
        Some((_, class, keeps_connection)) => (class.clone(), *keeps_connection),
        None if is_transaction_over(&words) => (Class::RolledBack, KEEP),
        None if is_refusal_of_planner(&words) => (Class::Refused, KEEP),
        None => (Class::MayHaveHappened, CLOSE),
    }
}

/// `transaction 123: not found` or `transaction 123: ended at …`: its tablet has ended it, or is no
/// longer the primary (source: `TxClosed` in `constants.go`; seen).
fn is_transaction_over(words: &str) -> bool {
    let of_transaction = words.split_once("transaction ").map(|(_, rest)| rest);
    let ending = of_transaction.and_then(|rest| rest.split_once(": "));
    ending.is_some_and(|(_, ending)| ending.starts_with("ended") || ending.starts_with("not found"))
}

/// vtgate's planner refuses a statement before anything is sent, with the codes of these groups
/// (source: `code.go`).
fn is_refusal_of_planner(words: &str) -> bool {
    const GROUPS: [&str; 7] = ["03", "05", "06", "07", "09", "10", "12"];
    let mut codes = words
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| word.len() == 7)
        .filter_map(|word| word.strip_prefix("vt"));
    codes.any(|code| {
        code.bytes().all(|digit| digit.is_ascii_digit())
            && GROUPS.iter().any(|group| code.starts_with(group))
    })
}

/// Whether an error of MySQL came through a tablet. The connection to vtgate is good then.
pub(super) fn is_of_tablet(words: &str) -> bool {
    words.contains("vttablet:")
}

/// Whether vtgate refused a statement because the password's role does not allow it. Its number is that
/// of a refused login (seen).
pub(super) fn is_denied_to_role(words: &str) -> bool {
    words.contains("command denied") || words.contains("ACL check error")
}

/// Whether vtgate has rolled the transaction back after this error. Later statements would then run
/// outside of a transaction. vtgate does so for two of its codes (source: `scatter_conn.go`). On a
/// cluster, the error of a transaction's first statement shows only its number and not its code (seen).
pub(super) fn ends_transaction(number: u16, words: &str) -> bool {
    // The numbers of errors that vtgate counts as aborted or as resources exhausted (source:
    // `sql_error.go`), and the numbers that many errors share.
    const NUMBERS: [u16; 19] = [
        1021, 1037, 1038, 1040, 1041, 1078, 1080, 1105, 1114, 1129, 1135, 1151, 1152, 1153, 1203,
        1206, 1226, 1317, 1815,
    ];
    const WORDS: [&str; 3] = [
        "code = Aborted",
        "code = ResourceExhausted",
        // Where one of several shards refused its part (source: constants.go).
        "transaction rolled back",
    ];
    NUMBERS.contains(&number) || WORDS.iter().any(|part| words.contains(part))
}
