//! What went wrong with a command, and what follows from it: whether the connection can be kept,
//! what may be repeated, what the caller is told.
//!
//! The rule: only what is known to mean that nothing happened may say so. Whatever else is said of a
//! statement that was sent, it may have been done.
//!
//! MySQL's and MariaDB's numbers stand here, after their lists of server errors. What Vitess says in
//! words stands in [`vitess`].

use mysql_async::{DriverError, Error, IoError};

use super::{
    DatabaseError,
    redaction::{without_echo, without_values},
    vitess,
};

/// Why a command did not succeed. Its `Display` is for logs: it holds no value of a statement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failure {
    /// There was no connection to send it on.
    #[error("the connection is closed")]
    Closed,
    /// It was not sent: the invocation's time is up.
    #[error("no time is left to send it")]
    NoTime,
    /// It had no answer within its limit.
    #[error("no answer in time")]
    TimedOut,
    /// The server does not work on it, and its answer does not come either.
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
    /// The server asks for a kind of login that the driver does not have. MySQL does so at random for
    /// a user that it does not know, to hide that.
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
    /// It was not sent: its parameters are not those of the statement.
    #[error("the parameters do not fit the statement")]
    Parameters,
    /// The driver and the server do not understand each other.
    #[error("the driver could not follow the server")]
    NotUnderstood,
}

/// What an error of the server means for those who sent the statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Class {
    /// The server or the way to it was lost, or nobody knows what the error means.
    MayHaveHappened,
    /// Refused before anything was done, and likely to pass: the server is full, starting or
    /// read-only in a failover, or it forgot the prepared statement.
    NotStarted,
    /// The whole transaction is over, and was not committed before.
    RolledBack,
    /// The server stopped the statement because its time was up.
    Stopped,
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

    /// Whether a new connection alone may put it right. What is overloaded or failing over needs a
    /// pause instead.
    pub(super) fn is_of_stale_connection(&self) -> bool {
        match self {
            Self::Closed | Self::TimedOut | Self::Silent | Self::Lost(_) => true,
            // Disconnected for inactivity, or a prepared statement that is not known.
            Self::Server {
                code: 4031 | 1243 | 1615 | 2014,
                ..
            } => true,
            Self::Server { class, .. } => *class == Class::MayHaveHappened,
            _ => false,
        }
    }

    /// Whether the connection that was lost is not ours, but one of Vitess' to its MySQL.
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

    /// Whether a write outside of a transaction that met this may have happened. Of one that was
    /// stopped, vtgate may have given up what its tablet finished.
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

    /// Whether the transaction that this happened in may be run again from its start: the server
    /// rolled it back, or will, since the connection is gone and COMMIT was not sent. One that ran
    /// out of time would do so again, and may still hold its locks.
    pub(super) fn undoes_transaction(&self) -> bool {
        *self != Self::TimedOut && self.repeat() != Repeat::Never
    }

    /// Whether a newer secret may help, where this happened while logging in: the server refused the
    /// login, or there is no such server. Its every error is a refusal but those that pass.
    pub(super) fn refuses_login(&self) -> bool {
        match self {
            Self::LoginNotTaken | Self::HostNotFound => true,
            Self::Server { code, class, .. } => match class {
                Class::NotStarted | Class::Stopped | Class::RolledBack => false,
                // Vitess has the first for all that it has no other for; the second is about the kind of
                // login.
                Class::MayHaveHappened => matches!(code, 1105 | 1251),
                Class::Duplicate(_) | Class::Refused => true,
            },
            _ => false,
        }
    }

    /// What the caller is told, where nothing was sent that lasts.
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

    /// Whether a transaction that met this can't be committed any more. It can only after a statement
    /// that was refused, or met a duplicate key, where it is certain that the transaction stays open.
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

    /// Whether COMMIT failed in a way that leaves no doubt: the server says that it rolled back. What
    /// vtgate says of a transaction that was killed may be true of one shard, after it has committed
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

/// Whether the server refused the statement for what it says, and did nothing.
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
        // A deadlock; a lock not had in time, after which MySQL has rolled back the statement alone
        // and we the rest; a conflict of group replication.
        1213 | 1205 | 3101 => (Class::RolledBack, KEEP),
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
        1203 if message.contains("already has more than") => (Class::NotStarted, CLOSE),
        // A tablet could not connect to its MySQL, or MySQL would not have it: nothing was sent.
        2002 | 2003 | 2012 => (Class::NotStarted, KEEP),
        // Shutdown, gone away, lost: of our connection, or of a tablet's.
        1053 | 2006 | 2013 if vitess::is_of_tablet(message) => (Class::MayHaveHappened, KEEP),
        // The same, and a connection or a session that was killed; COMMIT that failed half-way.
        1053 | 2006 | 2013 | 1927 | 3169 | 1180 | 3100 => (Class::MayHaveHappened, CLOSE),
        3024 | 1969 => (Class::Stopped, KEEP),
        // A packet too large, after which MySQL hangs up.
        1153 => (Class::Refused, CLOSE),
        // A command that vtgate does not know.
        1047 => (Class::Refused, KEEP),
        1105 | 1203 | 1317 | 1815 | 2014 => vitess::verdict(message),
        // What a client library says of its connection, and vtgate of its own to MySQL.
        2000..3000 => (Class::MayHaveHappened, CLOSE),
        // Errors of the connection, an interruption.
        _ if state.starts_with("08") || state == "70100" => (Class::MayHaveHappened, CLOSE),
        _ if state == "28000" && !vitess::is_denied_to_role(message) => (Class::Refused, CLOSE),
        _ => (Class::Refused, KEEP),
    }
}

/// The key of "Duplicate entry '…' for key 'orders.by_customer'"; MariaDB leaves out the table.
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
