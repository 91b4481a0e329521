//! What went wrong with a command, and what follows from it: whether the connection can be kept, what
//! may be repeated, and what the caller is told.
//!
//! The rule: nothing is reported as not done unless that is certain. After any other failure, a
//! statement that was sent may have been done.
//!
//! The numbers of MySQL and MariaDB are here, from their lists of server errors. What Vitess says in
//! words is in [`vitess`].

use mysql_async::{DriverError, Error, IoError};

use super::{
    DatabaseError,
    redaction::{without_echo, without_values},
    vitess,
};

/// Why a command did not succeed. Its `Display` is for logs and contains no value of a statement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failure {
    /// There was no connection to send it on.
    #[error("the connection is closed")]
    Closed,
    /// It was not sent, because the invocation's time is up.
    #[error("no time is left to send it")]
    NoTime,
    /// It had no answer within its limit.
    #[error("no answer in time")]
    TimedOut,
    /// The server does not work on it, and its answer does not come.
    #[error("the connection went silent")]
    Silent,
    /// The connection broke.
    #[error("the connection was lost: {0}")]
    Lost(String),
    /// The name service does not know the server's name.
    #[error("the host name of the database was not found")]
    HostNotFound,
    /// The server is not who it should be, or offers no TLS that is good enough.
    #[error("no secure connection: {0}")]
    Insecure(String),
    /// The server asks for a kind of login that the driver does not have. If MySQL does not know the
    /// user, it sometimes asks for such a kind, so that nobody learns which users exist.
    #[error("the server does not take this kind of login, or does not know the user")]
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
    /// It was not sent, because its parameters are not those of the statement.
    #[error("the parameters do not fit the statement")]
    Parameters,
    /// The driver and the server do not understand each other.
    #[error("the driver could not follow the server")]
    NotUnderstood,
}

/// What an error of the server means for those who sent the statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Class {
    /// The server or the connection to it was lost, or the meaning of the error is not known.
    MayHaveHappened,
    /// The server refused it before it did anything, and will probably accept it later: the server is
    /// full, is starting, is read-only in a failover, or has forgotten the prepared statement.
    NotStarted,
    /// The whole transaction has ended without being committed.
    RolledBack,
    /// The server stopped the statement at its time limit.
    Stopped,
    /// The unique key with this name has the value already.
    Duplicate(String),
    /// The statement is wrong or not allowed, and a repetition would not change that.
    Refused,
}

/// What may be done about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// Nothing happened, for certain. Send it again, or run its transaction again.
    Always,
    /// It may have happened. Send it again only if it has the same effect twice.
    IfHarmless,
    /// A repetition would fail in the same way, or the time is up.
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
            Self::TimedOut | Self::Silent | Self::Lost(_) | Self::HostNotFound => {
                Repeat::IfHarmless
            }
            Self::NoTime
            | Self::Insecure(_)
            | Self::LoginNotTaken
            | Self::Parameters
            | Self::NotUnderstood => Repeat::Never,
            Self::Server { class, .. } => match class {
                Class::NotStarted | Class::RolledBack => Repeat::Always,
                Class::MayHaveHappened => Repeat::IfHarmless,
                Class::Stopped | Class::Duplicate(_) | Class::Refused => Repeat::Never,
            },
        }
    }

    /// Whether a new connection alone may help. A server that is overloaded or failing over needs a
    /// pause instead.
    pub(super) fn is_of_stale_connection(&self) -> bool {
        match self {
            Self::Closed | Self::TimedOut | Self::Silent | Self::Lost(_) => true,
            // The server disconnected an idle client, or does not know the prepared statement.
            Self::Server {
                code: 4031 | 1243 | 1615 | 2014,
                ..
            } => true,
            Self::Server { class, .. } => *class == Class::MayHaveHappened,
            _ => false,
        }
    }

    /// Whether the lost connection is not ours, but one from Vitess to its MySQL.
    pub(super) fn is_behind_vitess(&self) -> bool {
        matches!(
            self,
            Self::Server {
                class: Class::MayHaveHappened,
                keeps_connection: true,
                ..
            }
        )
    }

    /// Whether a write outside of a transaction may have happened in spite of this failure. If a write
    /// was stopped, vtgate may have given up, while its tablet finished it.
    pub(super) fn leaves_open(&self) -> bool {
        match self {
            Self::TimedOut | Self::Silent | Self::Lost(_) | Self::NotUnderstood => true,
            Self::Server { class, .. } => {
                matches!(class, Class::MayHaveHappened | Class::Stopped)
            }
            Self::Closed
            | Self::NoTime
            | Self::HostNotFound
            | Self::Insecure(_)
            | Self::LoginNotTaken
            | Self::Parameters => false,
        }
    }

    /// Whether the transaction may be run again from its start. The server has rolled it back, or will
    /// do so, because the connection is gone and COMMIT was not sent. A transaction that ran out of
    /// time is not run again, because it would run out again and may still hold its locks.
    pub(super) fn undoes_transaction(&self) -> bool {
        *self != Self::TimedOut && self.repeat() != Repeat::Never
    }

    /// Whether a newer secret may help after this failure of a login: the server refused the login, or
    /// there is no such server. Every error of the server is a refusal, except for those that pass.
    pub(super) fn refuses_login(&self) -> bool {
        match self {
            Self::LoginNotTaken | Self::HostNotFound => true,
            Self::Server { code, class, .. } => match class {
                Class::NotStarted | Class::Stopped | Class::RolledBack => false,
                // Vitess uses 1105 for every error without a number of its own. 1251 is about the kind
                // of login.
                Class::MayHaveHappened => matches!(code, 1105 | 1251),
                Class::Duplicate(_) | Class::Refused => true,
            },
            _ => false,
        }
    }

    /// What the caller is told if nothing that was sent can last.
    pub(super) fn meaning(&self) -> DatabaseError {
        match self {
            Self::NoTime | Self::TimedOut => DatabaseError::OutOfTime,
            Self::Closed
            | Self::Silent
            | Self::Lost(_)
            | Self::HostNotFound
            | Self::Insecure(_) => DatabaseError::Unavailable,
            Self::LoginNotTaken | Self::Parameters | Self::NotUnderstood => DatabaseError::Refused,
            Self::Server { class, .. } => match class {
                Class::MayHaveHappened | Class::NotStarted | Class::RolledBack => {
                    DatabaseError::Unavailable
                }
                Class::Stopped => DatabaseError::OutOfTime,
                Class::Duplicate(key) => DatabaseError::Duplicate { key: key.clone() },
                Class::Refused => DatabaseError::Refused,
            },
        }
    }

    /// Whether a transaction can no longer be committed after this failure. It can be committed only
    /// after a refused statement or a duplicate key, and only if it certainly stays open.
    pub(super) fn breaks_transaction(&self) -> bool {
        match self {
            Self::Server {
                class: Class::Duplicate(_) | Class::Refused,
                keeps_connection: true,
                code,
                text,
                ..
            } => vitess::ends_transaction(*code, text),
            _ => true,
        }
    }

    /// Whether this failure of COMMIT leaves no doubt, because the server says that it rolled back. If
    /// vtgate says that a transaction was killed, this may be true of one shard after it has committed
    /// on another (its `tx_conn.go`).
    pub(super) fn is_rolled_back(&self) -> bool {
        match self {
            Self::Server {
                code: 1213 | 1205 | 3101,
                ..
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
            Error::Io(IoError::Io(error)) => Self::from_io(&error),
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
    fn from_io(error: &std::io::Error) -> Self {
        // The standard library has no kind for this, only these words (its `LookupHost`).
        const NO_SUCH_HOST: &str = "failed to lookup address information";
        let inner = error.get_ref();
        match inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(tls) => Self::from_tls(tls),
            None if error.to_string().starts_with(NO_SUCH_HOST) => Self::HostNotFound,
            None => Self::Lost(error.kind().to_string()),
        }
    }

    /// A handshake that was cut off or garbled may succeed the next time. One that failed because of
    /// the peer's identity or abilities will not.
    fn from_tls(error: &rustls::Error) -> Self {
        match error {
            rustls::Error::InvalidCertificate(_)
            | rustls::Error::PeerIncompatible(_)
            | rustls::Error::AlertReceived(_) => Self::Insecure(error.to_string()),
            _ => Self::Lost("TLS was cut off".to_owned()),
        }
    }

    fn server(code: u16, state: String, message: &str) -> Self {
        let text = without_values(message);
        let (class, keeps_connection) = match code {
            1062 | 1586 => (Class::Duplicate(key_name(message)), KEEP),
            _ => classify(code, &state, &text),
        };
        Self::Server {
            code,
            state,
            text,
            class,
            keeps_connection,
        }
    }
}

/// Whether the server refused the statement because of its content, and did nothing.
pub(super) fn is_refusal(error: &mysql_async::ServerError) -> bool {
    let failure = Failure::server(error.code, error.state.clone(), &error.message);
    let Failure::Server { class, .. } = failure else {
        return false;
    };
    matches!(class, Class::Refused | Class::Duplicate(_))
}

const KEEP: bool = true;
const CLOSE: bool = false;

/// `message` has no values in it.
fn classify(code: u16, state: &str, message: &str) -> (Class, bool) {
    match code {
        // A deadlock, a lock that was not free in time, or a conflict of group replication. After the
        // second, MySQL has rolled back the statement alone, and we roll back the rest.
        1213 | 1205 | 3101 => (Class::RolledBack, KEEP),
        // A server that was demoted. The driver keeps the connection, but the next statement must
        // find the new primary. (1290 is about other options too.)
        1290 if message.contains("read-only") || message.contains("read_only") => {
            (Class::NotStarted, CLOSE)
        }
        1792 | 1836 => (Class::NotStarted, CLOSE),
        // An idle client was disconnected, or the prepared statement is not known.
        4031 | 1243 | 1615 => (Class::NotStarted, CLOSE),
        // Too many connections in all or of the user, or too many prepared statements.
        1040 | 1226 | 1461 => (Class::NotStarted, CLOSE),
        1203 if message.contains("already has more than") => (Class::NotStarted, CLOSE),
        // A tablet could not connect to its MySQL, or was refused by it, so nothing was sent.
        2002 | 2003 | 2012 => (Class::NotStarted, KEEP),
        // A tablet's connection was shut down, has gone away or was lost.
        1053 | 2006 | 2013 if vitess::is_of_tablet(message) => (Class::MayHaveHappened, KEEP),
        // The same of our connection, a connection or a session that was killed, or a COMMIT that
        // failed half-way.
        1053 | 2006 | 2013 | 1927 | 3169 | 1180 | 3100 => (Class::MayHaveHappened, CLOSE),
        3024 | 1969 => (Class::Stopped, KEEP),
        // A packet that is too large, after which MySQL hangs up.
        1153 => (Class::Refused, CLOSE),
        // A command that vtgate does not know.
        1047 => (Class::Refused, KEEP),
        1105 | 1203 | 1317 | 1815 | 2014 => vitess::verdict(message),
        // The numbers of client libraries, which vtgate uses for its own connections to MySQL.
        2000..3000 => (Class::MayHaveHappened, CLOSE),
        // An error of the connection, or an interruption.
        _ if state.starts_with("08") || state == "70100" => (Class::MayHaveHappened, CLOSE),
        _ if state == "28000" && !vitess::is_denied_to_role(message) => (Class::Refused, CLOSE),
        _ => (Class::Refused, KEEP),
    }
}

/// The key of "Duplicate entry '…' for key 'orders.by_customer'". MariaDB leaves out the table.
fn key_name(message: &str) -> String {
    without_echo(message)
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
