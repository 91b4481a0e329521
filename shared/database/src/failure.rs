//! What went wrong with a command, and what follows from it.
//!
//! This is the one place that knows error numbers and Vitess' messages: whether the connection
//! can be kept, what may be repeated, what the caller is told. Vitess gives most errors the
//! number 1105 and says the rest in words, after which it echoes the statement and its values:
//! those are cut off before anything is matched or logged.
//!
//! Sources: MySQL's and MariaDB's lists of server errors, PlanetScale's documentation
//! (troubleshooting, errors) and Vitess' source (`sql_error.go`, `scatter_conn.go`, `tx_conn.go`).

use mysql_async::{DriverError, Error, IoError};

use super::DatabaseError;
use crate::vitess::{own_words, without_values};

/// Why a command did not succeed. Its `Display` is for logs: it holds no value of a statement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failure {
    /// There was no connection to send it on.
    #[error("the connection is closed")]
    Closed,
    /// It was not sent, for the invocation's time is up.
    #[error("no time is left to send it")]
    NoTime,
    /// It had no answer within its limit.
    #[error("no answer in time")]
    TimedOut,
    /// The connection broke under way.
    #[error("the connection was lost: {0}")]
    Lost(String),
    /// The server is not who it should be, or speaks no TLS that we do.
    #[error("no secure connection: {0}")]
    Insecure(String),
    /// The server asks for a kind of login that the driver does not have, as MySQL does at random
    /// for a user that it does not know, to hide that.
    #[error("the server does not take this login, or not for a user that it does not know")]
    LoginNotTaken,
    /// The server answered with an error.
    #[error("the server answered with error {code} ({state}): {text}")]
    Server {
        code: u16,
        state: String,
        /// The message without the values in it.
        text: String,
        class: Class,
        keeps_connection: bool,
    },
    /// It was not sent, for its parameters are not those of the statement.
    #[error("the parameters do not fit the statement")]
    Parameters,
    /// The driver and the server do not understand each other.
    #[error("the driver could not follow the server")]
    NotUnderstood,
}

/// What an error of the server means for those who sent the statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Class {
    /// The server or the way to it was lost: the statement may have happened.
    Lost,
    /// Refused before anything was done, and likely to pass: the server is full, starting,
    /// read-only in a failover, or forgot the prepared statement.
    NotStarted,
    /// The whole transaction was rolled back by the server.
    RolledBack,
    /// The server stopped the statement, for its time was up.
    Stopped,
    /// The user name or the password is not (any more) accepted.
    LoginRefused,
    /// A unique key, named here, has this value already.
    Duplicate(String),
    /// The statement is wrong or not allowed; it will be so the next time.
    Refused,
}

/// What may be done about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// Nothing happened for certain: send it again, or run its transaction again.
    Always,
    /// It may have happened: only what has the same effect twice.
    IfHarmless,
    /// The next time would be no better, or the time is up.
    Never,
}

impl Failure {
    pub(super) fn closes_connection(&self) -> bool {
        !matches!(
            self,
            Self::NoTime
                | Self::Server {
                    keeps_connection: true,
                    ..
                }
        )
    }

    pub(super) fn repeat(&self) -> Repeat {
        match self {
            Self::Closed => Repeat::Always,
            Self::TimedOut | Self::Lost(_) => Repeat::IfHarmless,
            Self::NoTime
            | Self::Insecure(_)
            | Self::LoginNotTaken
            | Self::Parameters
            | Self::NotUnderstood => Repeat::Never,
            Self::Server { class, .. } => match class {
                Class::NotStarted | Class::RolledBack => Repeat::Always,
                Class::Lost => Repeat::IfHarmless,
                Class::Stopped | Class::LoginRefused | Class::Duplicate(_) | Class::Refused => {
                    Repeat::Never
                }
            },
        }
    }

    /// Whether a write outside of a transaction that met this may have happened all the same. Of one
    /// that was stopped, vtgate may have given up what its tablet finished.
    pub(super) fn leaves_open(&self) -> bool {
        match self {
            Self::TimedOut | Self::Lost(_) | Self::NotUnderstood => true,
            Self::Server { class, .. } => matches!(class, Class::Lost | Class::Stopped),
            Self::Closed
            | Self::NoTime
            | Self::Insecure(_)
            | Self::LoginNotTaken
            | Self::Parameters => false,
        }
    }

    /// Whether the transaction that this happened in may be run again from its start: the
    /// server rolled it back, or will, since the connection is gone and COMMIT was not sent.
    /// One that ran out of time would do so again, and may still hold its locks.
    pub(super) fn undoes_transaction(&self) -> bool {
        *self != Self::TimedOut && self.repeat() != Repeat::Never
    }

    pub(super) fn refuses_login(&self) -> bool {
        matches!(
            self,
            Self::LoginNotTaken
                | Self::Server {
                    class: Class::LoginRefused,
                    ..
                }
        )
    }

    /// What the caller is told, where nothing was sent that lasts.
    pub(super) fn meaning(&self) -> DatabaseError {
        match self {
            Self::NoTime | Self::TimedOut => DatabaseError::OutOfTime,
            Self::Closed | Self::Lost(_) | Self::Insecure(_) => DatabaseError::Unavailable,
            Self::LoginNotTaken | Self::Parameters | Self::NotUnderstood => DatabaseError::Refused,
            Self::Server { class, .. } => match class {
                Class::Lost | Class::NotStarted | Class::RolledBack => DatabaseError::Unavailable,
                Class::Stopped => DatabaseError::OutOfTime,
                Class::Duplicate(key) => DatabaseError::Duplicate { key: key.clone() },
                Class::LoginRefused | Class::Refused => DatabaseError::Refused,
            },
        }
    }

    /// Whether a transaction that met this can't be committed any more, though its code may
    /// have passed over it. After a duplicate key or a statement refused, it can; unless vtgate
    /// has rolled back by itself, as it does with these codes, and what follows would run outside
    /// of any transaction (its scatter_conn.go).
    pub(super) fn breaks_transaction(&self) -> bool {
        const ROLLED_BACK: [&str; 2] = ["code = Aborted", "code = ResourceExhausted"];
        match self {
            Self::Server {
                class: Class::Duplicate(_) | Class::Refused,
                keeps_connection: true,
                text,
                ..
            } => ROLLED_BACK.iter().any(|code| text.contains(code)),
            _ => true,
        }
    }

    /// Whether COMMIT failed in a way that leaves no doubt: the server says it rolled back. What
    /// vtgate says of a transaction that was killed may be true of one shard, after it has committed
    /// on another (its tx_conn.go).
    pub(super) fn is_rolled_back(&self) -> bool {
        match self {
            Self::Server {
                code: 1213 | 1205, ..
            } => true,
            Self::Server { text, .. } => text.contains("VT09032"),
            _ => false,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Server(error) => Self::server(error.code, error.state, &error.message),
            Error::Io(IoError::Io(error)) => {
                match error
                    .get_ref()
                    .and_then(|inner| inner.downcast_ref::<rustls::Error>())
                {
                    Some(tls) => Self::from_tls(tls),
                    None => Self::Lost(error.kind().to_string()),
                }
            }
            Error::Io(IoError::Tls(error)) => Self::Insecure(error.to_string()),
            Error::Driver(DriverError::ConnectionClosed) => {
                Self::Lost("closed by the server".to_owned())
            }
            Error::Driver(DriverError::NoClientSslFlagFromServer) => {
                Self::Insecure("the server speaks no TLS".to_owned())
            }
            Error::Driver(DriverError::UnknownAuthPlugin { .. }) => Self::LoginNotTaken,
            Error::Driver(
                DriverError::Params(_)
                | DriverError::MixedParams
                | DriverError::StmtParamsMismatch { .. }
                | DriverError::StmtParamsNumberExceedsLimit { .. },
            ) => Self::Parameters,
            Error::Driver(_) | Error::Other(_) | Error::Url(_) => Self::NotUnderstood,
        }
    }
}

impl Failure {
    /// A handshake that was cut off or garbled may succeed the next time; one that ended for
    /// what the peer is will not.
    fn from_tls(error: &rustls::Error) -> Self {
        match error {
            rustls::Error::InvalidCertificate(_)
            | rustls::Error::PeerIncompatible(_)
            | rustls::Error::AlertReceived(_) => Self::Insecure(error.to_string()),
            _ => Self::Lost("TLS was cut off".to_owned()),
        }
    }

    fn server(code: u16, state: String, message: &str) -> Self {
        let own_words = own_words(message);
        let (class, keeps_connection) = classify(code, &state, own_words);
        Self::Server {
            code,
            state,
            text: without_values(message),
            class,
            keeps_connection,
        }
    }
}

/// Whether the server refused the statement for what it says, and did nothing.
pub(super) fn is_refusal(error: &mysql_async::ServerError) -> bool {
    let (class, _) = classify(error.code, &error.state, own_words(&error.message));
    matches!(class, Class::Refused | Class::Duplicate(_))
}

const KEEP: bool = true;
const CLOSE: bool = false;

/// `message` is the server's own words, without the statement that Vitess echoes.
fn classify(code: u16, state: &str, message: &str) -> (Class, bool) {
    match code {
        1062 | 1586 => (Class::Duplicate(key_name(message)), KEEP),
        // A deadlock, a lock not had in time. After the latter MySQL has rolled back the
        // statement alone; the rest is rolled back by us.
        1213 | 1205 => (Class::RolledBack, KEEP),
        // A server that was demoted. The driver thinks nothing of it, but the next statement
        // must find the new primary. (1290 speaks of other options too.)
        1290 if message.contains("read-only") || message.contains("read_only") => {
            (Class::NotStarted, CLOSE)
        }
        1792 | 1836 => (Class::NotStarted, CLOSE),
        // Disconnected for inactivity; a prepared statement that is not known (any more).
        4031 | 1243 | 1615 => (Class::NotStarted, CLOSE),
        // Too many connections, of all or of the user; too many prepared statements.
        1040 | 1226 | 1461 => (Class::NotStarted, CLOSE),
        // Shutdown, connection killed, session killed, gone away, lost.
        1053 | 1927 | 3169 | 2006 | 2013 => (Class::Lost, CLOSE),
        3024 | 1969 => (Class::Stopped, KEEP),
        // 1153 is a packet too large: MySQL hangs up after it.
        1153 => (Class::Refused, CLOSE),
        // Vitess: its general number, resources exhausted, cancelled or aborted, internal.
        1105 | 1203 | 1317 | 1815 => classify_by_words(code, message),
        _ if state == "28000" && !is_access_list_error(message) => (Class::LoginRefused, CLOSE),
        _ => (Class::Refused, KEEP),
    }
}

/// What Vitess says in words, in the order of precedence. Each stands in its source or in
/// PlanetScale's documentation.
fn classify_by_words(code: u16, message: &str) -> (Class, bool) {
    const WORDS: &[(&str, Class, bool)] = &[
        // The statement ran out of its own time.
        ("context deadline exceeded", Class::Stopped, KEEP),
        ("deadlineexceeded", Class::Stopped, KEEP),
        ("maximum statement execution time", Class::Stopped, KEEP),
        // A server that ends, or ends this connection, says so of the statement that it was at.
        ("query execution was interrupted", Class::Lost, CLOSE),
        // It wants more rows than Vitess gives.
        ("row count exceeded", Class::Refused, KEEP),
        // A transaction that was open for more than 20 s.
        ("for tx killer rollback", Class::RolledBack, KEEP),
        ("exceeded timeout", Class::RolledBack, KEEP),
        // Vitess says so of every tablet lost in a transaction, in answer to COMMIT too, which may
        // then have happened (vitessio/vitess#17669).
        ("vt15001", Class::NotStarted, KEEP),
        ("vt09032", Class::RolledBack, KEEP),
        // The transaction pool or the connection pool is full.
        ("pool connection limit exceeded", Class::NotStarted, KEEP),
        ("pool waiter count exceeded", Class::NotStarted, KEEP),
        // A failover: refused at once, or while the transaction was open.
        ("reparent operation in progress", Class::NotStarted, KEEP),
        ("primary is not serving", Class::NotStarted, KEEP),
        ("primary is serving", Class::NotStarted, KEEP),
        ("primary buffer is full", Class::NotStarted, KEEP),
        ("no healthy tablet available", Class::NotStarted, KEEP),
        ("operation not allowed in state", Class::NotStarted, KEEP),
        ("wrong tablet type", Class::NotStarted, KEEP),
        // The way to the tablet broke under way.
        ("connection reset by peer", Class::Lost, CLOSE),
        ("vtgate connection error", Class::Lost, CLOSE),
        ("errno 2013", Class::Lost, CLOSE),
        ("errno 2006", Class::Lost, CLOSE),
        ("server shutdown in progress", Class::Lost, CLOSE),
        ("code = unavailable", Class::Lost, CLOSE),
        ("branch is missing or sleeping", Class::Refused, CLOSE),
    ];
    let words = message.to_lowercase();
    let known = WORDS.iter().find(|(part, ..)| words.contains(part));
    if let Some((_, class, keeps_connection)) = known {
        return (class.clone(), *keeps_connection);
    }
    let ended = words.contains("ended at") || words.contains("not found");
    match code {
        // "transaction 123: not found", "transaction 123: ended at 10:00:00 (…)": the tablet
        // that held it is primary no more.
        _ if words.contains("transaction") && ended => (Class::NotStarted, KEEP),
        // A foreign key that the keyspace does not allow has the number of an interruption.
        1317 if words.contains("foreign key") => (Class::Refused, KEEP),
        1317 => (Class::Stopped, KEEP),
        // More than one connection of a user, at MySQL; anything exhausted, at Vitess.
        1203 => (Class::NotStarted, CLOSE),
        // Row limits, direct DDL, unsupported statements: the statement is at fault. What is
        // not known at all is not trusted with the connection.
        _ if words.contains("vttablet:") || words.starts_with("vt") => (Class::Refused, KEEP),
        _ => (Class::Refused, CLOSE),
    }
}

/// vtgate has the number and state of a refused login for a statement that the user's role
/// does not allow.
fn is_access_list_error(message: &str) -> bool {
    message.contains("command denied") || message.contains("ACL check error")
}

/// The key of "Duplicate entry '…' for key 'orders.by_customer'"; MariaDB leaves out the table.
fn key_name(message: &str) -> String {
    message
        .rsplit_once("for key '")
        .and_then(|(_, rest)| rest.split_once('\''))
        .map_or("", |(name, _)| name)
        .rsplit('.')
        .next()
        .unwrap_or("")
        .to_owned()
}

#[cfg(test)]
mod tests;
