//! The errors of Vitess and PlanetScale, word for word.

use mysql_async::ServerError;

/// An error of Vitess, as a client gets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VitessError {
    /// The constant's name, for the output of tests.
    pub name: &'static str,
    /// The number that the client sees.
    pub number: u16,
    /// The SQLSTATE that the client sees.
    pub state: &'static str,
    /// The text. `{keyspace}`, `{user}` and `{sql}` stand for those of the session.
    pub text: &'static str,
    /// How we know this error.
    pub known: Known,
}

/// How an error's number, SQLSTATE and text are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// Real Vitess 24.0.4 answered it when it was provoked.
    Seen,
    /// It is in this file of Vitess' source.
    Source(&'static str),
    /// PlanetScale's documentation or a public issue quotes it.
    Reported,
    /// Nobody answers it. It stands for errors that are not known yet.
    Invented,
}
use Known::{Invented, Reported, Seen, Source};

impl VitessError {
    /// Every error. Some come twice: PlanetScale documents them as 1105, but Vitess answers another
    /// number.
    pub fn all() -> impl Iterator<Item = Self> {
        const DOCUMENTED_AS_1105: [VitessError; 7] = [
            TRANSACTION_POOL_FULL,
            TRANSACTION_TIMED_OUT,
            TRANSACTION_BEING_KILLED,
            TRANSACTION_NOT_FOUND,
            TRANSACTION_ENDED,
            ROW_LIMIT,
            COMMAND_DENIED,
        ];
        let documented = DOCUMENTED_AS_1105.map(|error| Self {
            number: 1105,
            state: "HY000",
            known: Reported,
            ..error
        });
        ALL.iter().copied().chain(documented)
    }

    /// The error that the client of a session gets.
    pub(super) fn about(&self, keyspace: &str, user: &str, sql: &str) -> ServerError {
        let message = self.text.replace("{keyspace}", keyspace);
        ServerError {
            code: self.number,
            state: self.state.to_owned(),
            message: message.replace("{user}", user).replace("{sql}", sql),
        }
    }

    /// Whether vtgate rolls back an open transaction after this error (source: `scatter_conn.go`). It
    /// does so if something was aborted or a resource was exhausted.
    pub(super) fn ends_transaction(&self) -> bool {
        let says = |code: &str| self.text.contains(code);
        let without_code = self.is_of_tablet() && matches!(self.number, 1203 | 1317);
        says("code = Aborted") || says("code = ResourceExhausted") || without_code
    }

    /// Whether vtgate refuses everything but ROLLBACK after this error.
    pub(super) fn poisons(&self) -> bool {
        self.text.starts_with("VT15001")
    }

    /// Whether the connection to the server is lost, and its transaction with it.
    pub(super) fn loses_server(&self) -> bool {
        let lost = matches!(self.number, 1053 | 2006 | 2013);
        let because = [
            ", killing ",
            "context deadline",
            "error reading from server",
        ];
        self.is_of_tablet() && (lost || because.iter().any(|part| self.text.contains(part)))
    }

    fn is_of_tablet(&self) -> bool {
        self.text
            .starts_with("target: {keyspace}.-.primary: vttablet: ")
    }
}

/// What vtgate says of the shard.
macro_rules! shard {
    ($($text:literal),*) => { concat!("target: {keyspace}.-.primary: ", $($text),*) };
}

/// The call to vttablet failed.
macro_rules! call {
    ($code:literal, $text:literal) => {
        shard!("vttablet: rpc error: code = ", $code, " desc = ", $text)
    };
}

/// vttablet says it.
macro_rules! tablet {
    ($code:literal, $text:literal) => {
        shard!(
            "vttablet: rpc error: code = ",
            $code,
            " desc = ",
            $text,
            " (CallerID: {user})"
        )
    };
}

/// MySQL said it to vttablet, which adds the statement and its values.
macro_rules! mysql {
    ($code:literal, $number:literal, $state:literal, $text:literal) => {
        shard!(
            "vttablet: rpc error: code = ",
            $code,
            " desc = ",
            $text,
            " (errno ",
            $number,
            ") (sqlstate ",
            $state,
            ") (CallerID: {user}): ",
            "Sql: \"{sql}\", BindVars: {v1: \"type:VARCHAR value:\\\"cust-1\\\"\"}"
        )
    };
}

macro_rules! errors {
    ($($(#[$doc:meta])* $name:ident = $number:literal $state:literal, $known:expr, $text:expr;)*) => {
        $(
            $(#[$doc])*
            pub const $name: VitessError = VitessError {
                name: stringify!($name),
                number: $number,
                state: $state,
                text: $text,
                known: $known,
            };
        )*
        const ALL: &[VitessError] = &[$($name),*];
    };
}

errors! {
    /// The keyspace runs as many transactions as its size allows.
    TRANSACTION_POOL_FULL = 1203 "42000", Seen,
        tablet!("ResourceExhausted", "transaction pool connection limit exceeded");
    /// The next statement after the transaction was killed at 20 s.
    TRANSACTION_TIMED_OUT = 1317 "70100", Seen, tablet!(
        "Aborted",
        "transaction 1782950310686082683: ended at 2026-07-02 05:31:19.003 UTC (exceeded timeout: 20s)");
    /// The transaction is being killed.
    TRANSACTION_BEING_KILLED = 1317 "70100", Source("go/vt/vterrors/constants.go"),
        tablet!("Aborted", "transaction 1782950310686082683: in use: for tx killer rollback");
    /// Another tablet took over and knows nothing of the transaction.
    TRANSACTION_NOT_FOUND = 1317 "70100", Reported,
        tablet!("Aborted", "transaction 1572922696317821557: not found");
    /// The tablet closed the connection that the transaction had.
    TRANSACTION_ENDED = 1317 "70100", Seen, tablet!(
        "Aborted",
        "transaction 1572922696317821557: ended at 2026-07-02 05:31:19.003 UTC (unlocked closed connection)");
    /// The session is useless until it is rolled back. The next statements get
    /// [`ROLLBACK_FIRST`].
    TRANSACTION_POISONED = 1105 "HY000", Seen, concat!(
        "VT15001: transaction error, issue ROLLBACK and retry the transaction: ",
        call!("Code(17)", "operation not allowed in state NOT_SERVING"));
    /// The answer of a poisoned transaction to everything but ROLLBACK.
    ROLLBACK_FIRST = 1105 "HY000", Seen,
        "VT09032: previous transaction failed. Issue a ROLLBACK to resolve the failure.";
    /// The statement's own limit (`QUERY_TIMEOUT_MS`) passed while MySQL ran it.
    QUERY_KILLED = 3024 "HY000", Seen, tablet!(
        "Canceled",
        "(errno 3024) (sqlstate HY000): Query execution was interrupted, maximum statement execution time \
         exceeded, elapsed time: 300.893414ms, killing query ID 33");
    /// [`QUERY_KILLED`] in the words of older versions.
    QUERY_KILLED_ONCE = 1317 "70100", Reported, tablet!(
        "Canceled",
        "(errno 2013) due to context deadline exceeded, elapsed time: 29.998788288s, killing query ID 58");
    /// The statement's own limit passed while it waited for a connection to MySQL.
    QUERY_TIMED_OUT = 1317 "70100", Source("go/vt/vtgate/executor.go"),
        tablet!("DeadlineExceeded", "context deadline exceeded");
    /// The transaction's time ran out while MySQL ran the statement.
    TRANSACTION_KILLED = 3024 "HY000", Seen, tablet!(
        "Canceled",
        "(errno 3024) (sqlstate HY000): Query execution was interrupted, maximum statement execution time \
         exceeded, elapsed time: 19.999959266s, killing connection ID 30");
    /// MySQL's own limit (`MAX_EXECUTION_TIME`) passed.
    EXECUTION_TIME_EXCEEDED = 3024 "HY000", Seen, mysql!(
        "Unknown", 3024, "HY000",
        "Query execution was interrupted, maximum statement execution time exceeded");
    /// A failover that vtgate's buffering did not bridge.
    PRIMARY_NOT_SERVING = 1105 "HY000", Seen,
        shard!("primary is not serving, there may be a reparent operation in progress");
    /// [`PRIMARY_NOT_SERVING`] in the words of older versions.
    PRIMARY_NOT_SERVING_ONCE = 1105 "HY000", Reported,
        shard!("primary is not serving, there is a reparent operation in progress");
    /// No tablet answers health checks.
    NO_HEALTHY_TABLET = 1105 "HY000", Seen, shard!(
        "no healthy tablet available for 'keyspace:\"{keyspace}\" shard:\"-\" tablet_type:PRIMARY'");
    /// The end of a failover, seen too early.
    INCONSISTENT_STATE = 1105 "HY000", Seen, shard!(
        "inconsistent state detected, primary is serving but initially found no available tablet");
    /// More statements wait for a failover's end than vtgate buffers.
    BUFFER_FULL = 1105 "HY000", Source("go/vt/vtgate/buffer/buffer.go"),
        shard!("primary buffer is full");
    /// The tablet went away under the statement.
    TABLET_LOST = 1105 "HY000", Seen, call!(
        "Unavailable",
        "error reading from server: read tcp 10.0.4.17:41922->10.0.9.3:15999: read: connection reset by peer");
    /// The tablet does not serve.
    NOT_SERVING = 1105 "HY000", Seen,
        call!("Code(17)", "operation not allowed in state NOT_SERVING");
    /// The tablet is being stopped.
    SHUTTING_DOWN = 1105 "HY000", Seen,
        call!("Code(17)", "operation not allowed in state SHUTTING_DOWN");
    /// The tablet is no longer the primary.
    WRONG_TABLET = 1105 "HY000", Reported,
        call!("FailedPrecondition", "wrong tablet type: REPLICA, want: PRIMARY or []");
    /// The edge finds no vtgate.
    NO_ENDPOINTS = 1105 "HY000", Reported,
        "unavailable: vtgate connection error: no endpoints, after 1 attempts";
    /// The edge finds no healthy vtgate.
    NO_HEALTHY_ENDPOINTS = 1105 "HY000", Reported,
        "unavailable: vtgate connection error: no healthy endpoints, after 1 attempts";
    /// The primary was demoted.
    READ_ONLY = 1290 "HY000", Seen, mysql!(
        "Code(17)", 1290, "HY000",
        "The MySQL server is running with the --super-read-only option so it cannot execute this statement");
    /// MySQL is being stopped.
    SERVER_SHUTDOWN = 1053 "08S01", Seen,
        mysql!("Unavailable", 1053, "08S01", "Server shutdown in progress");
    /// MySQL went away under the statement.
    SERVER_LOST = 2013 "HY000", Seen, mysql!("Canceled", 2013, "HY000", "EOF");
    /// MySQL had gone away before the statement came.
    SERVER_GONE = 2006 "HY000", Seen, mysql!(
        "Unavailable", 2006, "HY000",
        "conn 33: Write(packet) failed: write unix @->/run/mysqld.sock: write: broken pipe");
    /// InnoDB chose this transaction to resolve a deadlock.
    DEADLOCK = 1213 "40001", Seen, mysql!(
        "Aborted", 1213, "40001",
        "Deadlock found when trying to get lock; try restarting transaction");
    /// A row lock could not be had in time.
    LOCK_WAIT_TIMEOUT = 1205 "HY000", Seen, mysql!(
        "DeadlineExceeded", 1205, "HY000",
        "Lock wait timeout exceeded; try restarting transaction");
    /// More rows than a statement may return.
    ROW_LIMIT = 1317 "70100", Seen, tablet!("Aborted", "Row count exceeded 100000");
    /// [`ROW_LIMIT`] in a transaction's first statement, on a cluster.
    ROW_LIMIT_IN_FIRST_STATEMENT = 1317 "70100", Seen,
        shard!("vttablet: Row count exceeded 100000 (CallerID: {user})");
    /// More rows than a statement may change.
    CHANGE_LIMIT = 1317 "70100", Seen,
        tablet!("Aborted", "caller id: {user}: row count exceeded 100000");
    /// The rows of a result are larger than what gRPC carries.
    MESSAGE_TOO_LARGE = 1153 "42000", Seen, call!(
        "ResourceExhausted", "grpc: trying to send message larger than max (67676355 vs. 67108864)");
    /// The password's role may not do it. Shares its number with a refused login.
    COMMAND_DENIED = 1045 "28000", Seen, tablet!(
        "PermissionDenied",
        "Insert command denied to user 'planetscale-reader' for table 'orders' (ACL check error)");
    /// A schema change on a protected branch.
    DIRECT_DDL_DISABLED = 1105 "HY000", Seen, "direct DDL is disabled";
    /// [`DIRECT_DDL_DISABLED`] in the words of newer pages of PlanetScale.
    SAFE_MIGRATIONS = 1105 "HY000", Reported,
        "Data Definition Language is not supported on branches with safe migrations enabled.";
    /// The branch sleeps or is gone.
    BRANCH_MISSING = 1105 "HY000", Reported,
        "not_found: branch is missing or sleeping: 4n5qvuzkyrdq";
    /// SQL that vtgate cannot plan.
    UNSUPPORTED = 1235 "42000", Seen, "VT12001: unsupported: create database by failDBDDL";
    /// Foreign keys where they are not enabled. Shares its number with a killed statement.
    FOREIGN_KEYS = 1317 "70100", Seen, "VT10001: foreign key constraints are not allowed";
    /// A unique key refused a row. Its value looks like the text of a retryable error.
    DUPLICATE = 1062 "23000", Seen, mysql!(
        "AlreadyExists", 1062, "23000",
        "Duplicate entry 'cust-1-primary is not serving' for key 'orders.by_idempotency_key'");
    /// The table does not exist.
    NO_SUCH_TABLE = 1146 "42S02", Seen,
        mysql!("NotFound", 1146, "42S02", "Table '{keyspace}.orders' doesn't exist");
    /// SQL that vtgate cannot parse.
    SYNTAX = 1105 "HY000", Seen, "syntax error at position 42 near 'WHERE'";
    /// No MySQL answers behind the tablet.
    NO_SERVER_BEHIND = 2002 "HY000", Seen, mysql!(
        "Unavailable", 2002, "HY000",
        "net.Dial(/run/mysqld.sock) to local server failed: dial unix /run/mysqld.sock: connect: connection refused");
    /// MySQL has no connection left for the tablet.
    SERVER_FULL_BEHIND = 2012 "HY000", Seen, mysql!(
        "Unknown", 2012, "HY000",
        "immediate error from server errorCode=1040 errorMsg=Too many connections");
    /// The tablet's own connections are all taken.
    POOL_TIMED_OUT = 1203 "42000", Seen, tablet!("ResourceExhausted", "connection pool timed out");
    /// A long transaction delays a cutover.
    CUTOVER = 1105 "HY000", Seen, tablet!(
        "FailedPrecondition", "buffer timeout after 15s in rule: buffered for cut-over");
    /// The table moves to another keyspace.
    DENIED_TABLE = 1105 "HY000", Seen,
        tablet!("FailedPrecondition", "disallowed due to rule: enforce denied tables");
    /// The keyspace is being resharded.
    RESHARDING = 1105 "HY000", Source("go/vt/vtgate/buffer/buffer.go"),
        shard!("current keyspace is being resharded");
    /// A newer statement took its place in a failover's buffer.
    EVICTED = 1105 "HY000", Seen, shard!(
        "failed to automatically buffer and retry failed request during failover. original err \
         (type=<nil>): <nil>: buffer full: request evicted for newer request");
    /// The tablet's port refuses.
    TABLET_REFUSES = 1105 "HY000", Seen, call!(
        "Unavailable",
        "connection error: desc = \"transport: Error while dialing: dial tcp 10.0.9.3:15999: connect: connection refused\"");
    /// A statement over gRPC's limit.
    STATEMENT_TOO_LARGE = 1203 "42000", Seen, call!(
        "ResourceExhausted", "trying to send message larger than max (20000152 vs. 16777216)");
    /// Something on the way to vtgate was lost.
    EDGE_LOST = 1105 "HY000", Reported, "unavailable: unexpected EOF";
    /// What nobody knows.
    UNHEARD_OF = 1105 "HY000", Invented, "something that nobody has heard of";
    /// A connection without TLS.
    INSECURE = 1105 "HY000", Seen,
        "unknown error: Code: UNAVAILABLE\nserver does not allow insecure connections, client must use SSL/TLS";
    /// Another keyspace than the password's.
    UNKNOWN_DATABASE = 1049 "42000", Seen,
        "VT05003: unknown database '{keyspace}' in vschema";
    /// KILL.
    KILL_DENIED = 1095 "HY000", Seen, "VT07001: kill statement execution not permitted.";
    /// A prepared statement of a kind that vtgate does not prepare.
    CANNOT_PREPARE = 1815 "HY000", Seen, "[BUG] unrecognized prepare statement: CALL p()";
    /// A prepared statement that the session does not know.
    UNKNOWN_STATEMENT = 2014 "HY000", Seen, "statement ID is not found from record";
}
