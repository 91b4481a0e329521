//! What Vitess and PlanetScale answer when they refuse or fail, word for word.
//!
//! Sources: *Vitess* is the source of Vitess (`go/vt/vterrors`, `go/vt/vttablet/tabletserver`,
//! `go/vt/vtgate`, `go/mysql/sqlerror`), *docs* PlanetScale's pages on errors and limits, *seen* an
//! error that somebody's public code or issue quotes from a live database.

use std::fmt::{self, Display};

/// An error of Vitess: a number and a text in one of the [forms](Form) that reach a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VitessError {
    /// The constant's name, to be told apart in a test's output.
    pub name: &'static str,
    /// The number that the client sees.
    pub number: u16,
    /// The SQLSTATE that the client sees.
    pub state: &'static str,
    /// Who speaks, and so what stands around the text.
    pub form: Form,
    /// What happened; `{keyspace}` stands for the keyspace's name, `{sql}` for the statement.
    pub text: &'static str,
    /// PlanetScale documents it under 1105 where Vitess' source says another number.
    also_as_1105: bool,
    /// The connection to the server behind is lost with it, and the transaction on that.
    pub(super) loses_server: bool,
}

/// What stands around an error's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// MySQL said it to vttablet, which adds number, caller, statement and values.
    MySql(Code),
    /// vttablet says it, and adds the caller.
    Tablet(Code),
    /// The call to vttablet failed.
    Call(Code),
    /// vtgate says it about the shard.
    Shard,
    /// vtgate or PlanetScale's edge says it, as it is.
    Plain,
}

/// A gRPC status code as Go prints it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// 1, the caller or a killer gave up.
    Canceled,
    /// 2
    Unknown,
    /// 3
    InvalidArgument,
    /// 4
    DeadlineExceeded,
    /// 5
    NotFound,
    /// 6
    AlreadyExists,
    /// 7
    PermissionDenied,
    /// 8
    ResourceExhausted,
    /// 9
    FailedPrecondition,
    /// 10
    Aborted,
    /// 14
    Unavailable,
    /// 17, a code of Vitess' own that gRPC has no name for.
    ClusterEvent,
}

impl Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClusterEvent => f.write_str("Code(17)"),
            named => write!(f, "{named:?}"),
        }
    }
}

impl Code {
    /// Number and SQLSTATE that vtgate gives an error which carries none (`sql_error.go`).
    const fn number(self) -> (u16, &'static str) {
        match self {
            Self::Canceled | Self::DeadlineExceeded | Self::Aborted => (1317, "70100"),
            Self::PermissionDenied => (1045, "28000"),
            Self::ResourceExhausted => (1203, "42000"),
            _ => (1105, "HY000"),
        }
    }

    /// The code that vttablet gives an error of MySQL (`tabletserver.go`, `convertErrorCode`).
    pub(super) fn of_mysql(number: u16) -> Self {
        match number {
            1213 => Self::Aborted,
            1205 => Self::DeadlineExceeded,
            1062 | 1050 => Self::AlreadyExists,
            1054 | 1109 | 1146 | 1176 => Self::NotFound,
            1044 | 1045 | 1142 | 1143 | 1227 => Self::PermissionDenied,
            1040 | 1041 | 1114 | 1153 | 1203 | 1226 => Self::ResourceExhausted,
            1053 | 2002 | 2003 | 2006 => Self::Unavailable,
            1290 => Self::ClusterEvent,
            1317 | 2013 => Self::Canceled,
            1048 | 1064 | 1136 | 1264 | 1292 | 1366 | 1406 => Self::InvalidArgument,
            1216 | 1217 | 1451 | 1452 => Self::FailedPrecondition,
            _ => Self::Unknown,
        }
    }

    /// Whether vtgate rolls an open transaction back by itself after such an error
    /// (`scatter_conn.go`, `endAction`): what follows would run outside of one.
    pub(super) const fn ends_transaction(self) -> bool {
        matches!(self, Self::Aborted | Self::ResourceExhausted)
    }
}

impl VitessError {
    const fn new(form: Form, (number, state): (u16, &'static str), text: &'static str) -> Self {
        Self {
            name: "",
            number,
            state,
            form,
            text,
            also_as_1105: false,
            loses_server: false,
        }
    }

    const fn mysql(code: Code, number: u16, state: &'static str, text: &'static str) -> Self {
        Self::new(Form::MySql(code), (number, state), text)
    }

    const fn tablet(code: Code, text: &'static str) -> Self {
        Self::new(Form::Tablet(code), code.number(), text)
    }

    const fn call(code: Code, text: &'static str) -> Self {
        Self::new(Form::Call(code), code.number(), text)
    }

    const fn shard(text: &'static str) -> Self {
        Self::new(Form::Shard, (1105, "HY000"), text)
    }

    const fn plain(text: &'static str) -> Self {
        Self::new(Form::Plain, (1105, "HY000"), text)
    }

    const fn numbered(self, number: u16, state: &'static str) -> Self {
        Self {
            number,
            state,
            ..self
        }
    }

    const fn also_as_1105(self) -> Self {
        Self {
            also_as_1105: true,
            ..self
        }
    }

    const fn losing_the_server(self) -> Self {
        Self {
            loses_server: true,
            ..self
        }
    }

    const fn named(self, name: &'static str) -> Self {
        Self { name, ..self }
    }

    /// Every error of the table, under every number that it is known by.
    pub fn all() -> impl Iterator<Item = Self> {
        ALL.iter().copied().flat_map(|error| {
            let other = error.also_as_1105.then_some(error.numbered(1105, "HY000"));
            std::iter::once(error).chain(other)
        })
    }
}

macro_rules! errors {
    ($($(#[$doc:meta])* $name:ident = $error:expr;)*) => {
        $($(#[$doc])* pub const $name: VitessError = $error.named(stringify!($name));)*
        const ALL: &[VitessError] = &[$($name),*];
    };
}

use Code::{
    Aborted, AlreadyExists, Canceled, ClusterEvent, DeadlineExceeded, FailedPrecondition, NotFound,
    PermissionDenied, ResourceExhausted, Unavailable, Unknown,
};

errors! {
    /// The keyspace runs as many transactions as its size allows. Docs; Vitess
    /// `tx_pool.go`.
    TRANSACTION_POOL_FULL = VitessError::tablet(
        ResourceExhausted, "transaction pool connection limit exceeded").also_as_1105();
    /// The transaction was killed at 20 s, and here is its next statement. Docs; seen.
    TRANSACTION_TIMED_OUT = VitessError::tablet(
        Aborted,
        "transaction 1782950310686082683: ended at 2026-07-02 05:31:19.003 UTC (exceeded timeout: 20s)")
        .also_as_1105();
    /// The transaction is being killed at this moment. Vitess `vterrors/constants.go`;
    /// seen.
    TRANSACTION_BEING_KILLED = VitessError::tablet(
        Aborted, "transaction 1782950310686082683: in use: for tx killer rollback").also_as_1105();
    /// Another tablet took over and knows nothing of the transaction. Seen.
    TRANSACTION_NOT_FOUND = VitessError::tablet(
        Aborted, "transaction 1572922696317821557: not found").also_as_1105();
    /// The tablet closed the connection that the transaction had. Vitess
    /// `stateful_connection.go`.
    TRANSACTION_ENDED = VitessError::tablet(
        Aborted,
        "transaction 1572922696317821557: ended at 2026-07-02 05:31:19.003 UTC (unlocked closed connection)")
        .also_as_1105();
    /// The session is of no use until it is rolled back; the next statements meet
    /// [`ROLLBACK_FIRST`]. Vitess pull request 17669.
    TRANSACTION_POISONED = VitessError::plain(
        "VT15001: transaction is no longer valid, please issue ROLLBACK and retry: target: {keyspace}.-.primary: \
         vttablet: rpc error: code = Code(17) desc = operation not allowed in state NOT_SERVING");
    /// What a poisoned transaction answers to everything but ROLLBACK. Vitess pull
    /// request 17669.
    ROLLBACK_FIRST = VitessError::plain(
        "VT09032: previous transaction is no longer valid, please issue ROLLBACK");
    /// The tablet killed the statement at its time limit. Seen.
    QUERY_KILLED = VitessError::tablet(
        Canceled,
        "(errno 2013) due to context deadline exceeded, elapsed time: 29.998788288s, killing query ID 58").losing_the_server();
    /// The statement's own limit (`QUERY_TIMEOUT_MS`) passed. Vitess `executor.go`; seen.
    QUERY_TIMED_OUT = VitessError::tablet(DeadlineExceeded, "context deadline exceeded");
    /// MySQL's own limit passed. Seen.
    EXECUTION_TIME_EXCEEDED = VitessError::call(
        Canceled,
        "(errno 3024) (sqlstate HY000): Query execution was interrupted, maximum statement execution time exceeded, \
         elapsed time: 15m0.000198624s, killing connection ID 2595").numbered(3024, "HY000").losing_the_server();
    /// A failover that vtgate's buffering did not bridge. Docs; Vitess
    /// `tabletgateway.go`.
    PRIMARY_NOT_SERVING = VitessError::shard(
        "primary is not serving, there may be a reparent operation in progress");
    /// [`PRIMARY_NOT_SERVING`] as older versions word it. Docs; seen.
    PRIMARY_NOT_SERVING_ONCE = VitessError::shard(
        "primary is not serving, there is a reparent operation in progress");
    /// No tablet answers health checks. Vitess `tabletgateway.go`.
    NO_HEALTHY_TABLET = VitessError::shard(
        "no healthy tablet available for 'keyspace:\"{keyspace}\" shard:\"-\" tablet_type:PRIMARY'");
    /// The end of a failover, seen too early. Vitess `tabletgateway.go`.
    INCONSISTENT_STATE = VitessError::shard(
        "inconsistent state detected, primary is serving but initially found no available tablet");
    /// More statements wait for a failover's end than vtgate buffers. Vitess
    /// `buffer.go`.
    BUFFER_FULL = VitessError::shard("primary buffer is full");
    /// The tablet went away under the statement. Seen.
    TABLET_LOST = VitessError::call(
        Unavailable,
        "error reading from server: read tcp 10.0.4.17:41922->10.0.9.3:15999: read: connection reset by peer").losing_the_server();
    /// The tablet does not serve, or no longer. Vitess `vterrors/constants.go`.
    NOT_SERVING = VitessError::tablet(
        ClusterEvent, "operation not allowed in state NOT_SERVING");
    /// The tablet is being stopped. Vitess `vterrors/constants.go`.
    SHUTTING_DOWN = VitessError::tablet(
        ClusterEvent, "operation not allowed in state SHUTTING_DOWN");
    /// The tablet is no longer the primary. Vitess issue 8000.
    WRONG_TABLET = VitessError::tablet(
        FailedPrecondition, "wrong tablet type: REPLICA, want: PRIMARY or []");
    /// The edge finds no vtgate. Docs.
    NO_ENDPOINTS = VitessError::plain(
        "unavailable: vtgate connection error: no endpoints, after 1 attempts");
    /// The edge finds no vtgate that is well. Docs.
    NO_HEALTHY_ENDPOINTS = VitessError::plain(
        "unavailable: vtgate connection error: no healthy endpoints, after 1 attempts");
    /// The primary was demoted. Seen.
    READ_ONLY = VitessError::mysql(
        ClusterEvent, 1290, "HY000",
        "The MySQL server is running with the --read-only option so it cannot execute this statement");
    /// MySQL is being stopped. Docs.
    SERVER_SHUTDOWN = VitessError::mysql(
        Unavailable, 1053, "08S01", "Server shutdown in progress").losing_the_server();
    /// MySQL went away under the statement. Seen.
    SERVER_LOST = VitessError::mysql(Canceled, 2013, "HY000", "EOF").losing_the_server();
    /// MySQL was not there when the statement came. Docs.
    SERVER_GONE = VitessError::mysql(Unavailable, 2006, "HY000", "MySQL server has gone away").losing_the_server();
    /// InnoDB chose this transaction to resolve a deadlock. Docs.
    DEADLOCK = VitessError::mysql(
        Aborted, 1213, "40001", "Deadlock found when trying to get lock; try restarting transaction");
    /// A row's lock was not to be had in time. Seen.
    LOCK_WAIT_TIMEOUT = VitessError::mysql(
        DeadlineExceeded, 1205, "HY000", "Lock wait timeout exceeded; try restarting transaction");
    /// More rows than a statement may return. Vitess release notes 14; seen.
    ROW_LIMIT = VitessError::mysql(Aborted, 10001, "HY000", "Row count exceeded 100000").also_as_1105();
    /// [`ROW_LIMIT`] before it had a number of its own. Seen.
    ROW_LIMIT_ONCE = VitessError::tablet(Aborted, "Row count exceeded 100000");
    /// A statement or its rows are larger than 64 MiB. Seen.
    MESSAGE_TOO_LARGE = VitessError::call(
        ResourceExhausted, "grpc: trying to send message larger than max (67676355 vs. 67108864)")
        .numbered(1153, "42000");
    /// The password's role may not do it. Shares its number with a refused login. Seen.
    COMMAND_DENIED = VitessError::tablet(
        PermissionDenied,
        "Insert command denied to user 'planetscale-reader' for table 'orders' (ACL check error)")
        .also_as_1105();
    /// A schema change on a protected branch. Docs.
    DIRECT_DDL_DISABLED = VitessError::plain("direct DDL is disabled");
    /// [`DIRECT_DDL_DISABLED`] as newer pages word it. Docs.
    SAFE_MIGRATIONS = VitessError::plain(
        "Data Definition Language is not supported on branches with safe migrations enabled.");
    /// The branch sleeps or is gone. Docs.
    BRANCH_MISSING = VitessError::plain("not_found: branch is missing or sleeping: 4n5qvuzkyrdq");
    /// SQL that vtgate does not plan. Vitess `vterrors/code.go`.
    UNSUPPORTED = VitessError::plain("VT12001: unsupported: LOCK IN SHARE MODE inside a UNION")
        .numbered(1235, "42000");
    /// Foreign keys where they are not enabled. Shares its number with a killed statement.
    /// Vitess `vterrors/code.go`.
    FOREIGN_KEYS = VitessError::plain("VT10001: foreign key constraints are not allowed")
        .numbered(1317, "70100");
    /// A unique key refused a row whose value looks like an error to be retried. Seen.
    DUPLICATE = VitessError::mysql(
        AlreadyExists, 1062, "23000",
        "Duplicate entry 'cust-1-primary is not serving' for key 'orders.by_idempotency_key'");
    /// A table that is not there. Seen.
    NO_SUCH_TABLE = VitessError::mysql(
        NotFound, 1146, "42S02", "Table '{keyspace}.orders' doesn't exist");
    /// SQL that vtgate does not parse. Seen.
    SYNTAX = VitessError::plain("syntax error at position 42 near 'WHERE'");
    /// No MySQL answers behind the tablet. Seen.
    NO_SERVER_BEHIND = VitessError::mysql(
        Unavailable, 2002, "HY000",
        "net.Dial(/run/mysqld.sock) to local server failed: dial unix /run/mysqld.sock: connect: connection refused");
    /// MySQL has no connection left for the tablet. Seen.
    SERVER_FULL_BEHIND = VitessError::mysql(
        Unknown, 2012, "HY000", "immediate error from server errorCode=1040 errorMsg=Too many connections");
    /// The tablet's own connections are all taken. Seen.
    POOL_TIMED_OUT = VitessError::tablet(ResourceExhausted, "connection pool timed out");
    /// A cutover that a long transaction holds up. Seen.
    CUTOVER = VitessError::tablet(
        FailedPrecondition, "buffer timeout after 15s in rule: buffered for cut-over");
    /// The table moves to another keyspace. Seen.
    DENIED_TABLE = VitessError::tablet(
        FailedPrecondition, "disallowed due to rule: enforce denied tables");
    /// The keyspace is being resharded. Vitess `buffer.go`.
    RESHARDING = VitessError::shard("current keyspace is being resharded");
    /// A newer statement took its place in a failover's buffer. Seen.
    EVICTED = VitessError::shard(
        "failed to automatically buffer and retry failed request during failover. original err (type=<nil>): \
         <nil>: buffer full: request evicted for newer request");
    /// The tablet's port refuses. Seen.
    TABLET_REFUSES = VitessError::call(
        Unavailable,
        "connection error: desc = \"transport: Error while dialing: dial tcp 10.0.9.3:15999: connect: connection refused\"");
    /// A statement over gRPC's limit. Seen.
    STATEMENT_TOO_LARGE = VitessError::call(
        ResourceExhausted, "trying to send message larger than max (20000152 vs. 16777216)");
    /// Something on the way to vtgate was lost. Reported.
    EDGE_LOST = VitessError::plain("unavailable: unexpected EOF");
    /// What nobody knows.
    UNHEARD_OF = VitessError::plain("something that nobody has heard of");
    /// A connection without TLS. Atlas issue 1717, prisma issue 11246.
    INSECURE = VitessError::plain(
        "unknown error: Code: UNAVAILABLE\nserver does not allow insecure connections, client must use SSL/TLS");
    /// KILL. Vitess `executor.go`.
    KILL_DENIED = VitessError::plain("VT07001: kill statement execution not permitted.")
        .numbered(1095, "HY000");
    /// A prepared statement of a kind that vtgate does not prepare, such as WITH. Vitess
    /// `executor.go`, pull request 20535.
    CANNOT_PREPARE = VitessError::plain("[BUG] unrecognized prepare statement: {sql}")
        .numbered(1815, "HY000");
    /// A prepared statement that the session does not know. Vitess `vterrors/code.go`.
    UNKNOWN_STATEMENT = VitessError::plain(
        "VT09011: Unknown prepared statement handler (0) given to EXECUTE").numbered(1243, "HY000");
}
