use super::*;

fn server(code: u16, state: &str, message: &str) -> Failure {
    Failure::server(code, state.to_owned(), message)
}

/// A message as vtgate passes it on from a tablet, with the statement and its values behind.
fn vitess(words: &str) -> String {
    format!(
        "target: orders.-.primary: vttablet: rpc error: {words} (CallerID: app): \
         Sql: \"select * from orders where customer_id = :v1 /* code = Aborted */\", \
         BindVars: {{v1: \"type:VARCHAR value:\\\"hunter2\\\"\"}}"
    )
}

struct Case {
    what: &'static str,
    failure: Failure,
    keeps: bool,
    repeat: Repeat,
    meaning: DatabaseError,
}

/// Every error that has a meaning here, with what must follow from it.
#[rustfmt::skip] // A row of the table is a line.
fn table() -> Vec<Case> {
    use DatabaseError::{OutOfTime, Refused, Unavailable};
    use Repeat::{Always, IfHarmless, Never};
    let case = |what, failure, keeps, repeat, meaning| Case {
        what,
        failure,
        keeps,
        repeat,
        meaning,
    };
    let words = |code, state: &str, words: &str| server(code, state, &vitess(words));
    vec![
        case("deadlock", server(1213, "40001", "Deadlock found when trying to get lock; try restarting transaction"), true, Always, Unavailable),
        case("lock wait", server(1205, "HY000", "Lock wait timeout exceeded; try restarting transaction"), true, Always, Unavailable),
        case("demoted", server(1290, "HY000", "The MySQL server is running with the --read-only option so it cannot execute this statement"), false, Always, Unavailable),
        case("demoted, MariaDB", server(1290, "HY000", "The MariaDB server is running with the --read_only option so it cannot execute this statement"), false, Always, Unavailable),
        case("another option", server(1290, "HY000", "The MySQL server is running with the --secure-file-priv option so it cannot execute this statement"), true, Never, Refused),
        case("read-only transaction", server(1792, "25006", "Cannot execute statement in a READ ONLY transaction."), false, Always, Unavailable),
        case("read-only mode", server(1836, "HY000", "Running in read-only mode"), false, Always, Unavailable),
        case("idle for too long", server(4031, "HY000", "The client was disconnected by the server because of inactivity."), false, Always, Unavailable),
        case("too many connections", server(1040, "08004", "Too many connections"), false, Always, Unavailable),
        case("too many of this user", server(1203, "42000", "User app already has more than 'max_user_connections' active connections"), false, Always, Unavailable),
        case("shutdown", server(1053, "08S01", "Server shutdown in progress"), false, IfHarmless, Unavailable),
        case("killed, MariaDB", server(1927, "70100", "Connection was killed"), false, IfHarmless, Unavailable),
        case("killed session", server(3169, "HY000", "The session was killed"), false, IfHarmless, Unavailable),
        case("gone away", server(2006, "HY000", "MySQL server has gone away"), false, IfHarmless, Unavailable),
        case("lost", server(2013, "HY000", "Lost connection to MySQL server during query"), false, IfHarmless, Unavailable),
        case("interrupted", server(1317, "70100", "Query execution was interrupted"), false, IfHarmless, Unavailable),
        case("interrupted, in words", words(1317, "70100", "code = Canceled desc = Query execution was interrupted (errno 1317) (sqlstate 70100)"), false, IfHarmless, Unavailable),
        case("time limit, in words", words(1105, "HY000", "code = Unknown desc = Query execution was interrupted, maximum statement execution time exceeded (errno 3024)"), true, Never, OutOfTime),
        case("time limit", server(3024, "HY000", "Query execution was interrupted, maximum statement execution time exceeded"), true, Never, OutOfTime),
        case("time limit, MariaDB", server(1969, "70100", "Query execution was interrupted (max_statement_time exceeded)"), true, Never, OutOfTime),
        case("unknown prepared statement", server(1243, "HY000", "Unknown prepared statement handler (7) given to EXECUTE"), false, Always, Unavailable),
        case("syntax, vtgate", server(1105, "HY000", "syntax error at position 17 near 'x'"), true, Never, Refused),
        case("syntax", server(1064, "42000", "You have an error in your SQL syntax; check the manual"), true, Never, Refused),
        case("no such column", server(1054, "42S22", "Unknown column 'x' in 'field list'"), true, Never, Refused),
        case("no such table", server(1146, "42S02", "Table 'orders.x' doesn't exist"), true, Never, Refused),
        case("raised by the schema", server(4025, "23000", "CONSTRAINT `total` failed for `orders`.`orders`"), true, Never, Refused),
        case("login", server(1045, "28000", "Access denied for user 'app'@'localhost' (using password: YES)"), false, Never, Refused),
        case("no access to the database", server(1044, "42000", "Access denied for user 'app'@'%' to database 'orders'"), true, Never, Refused),
        case("no such database", server(1049, "42000", "Unknown database 'orders'"), true, Never, Refused),
        case("role", server(1045, "28000", &vitess("code = PermissionDenied desc = Insert command denied to user 'planetscale-reader' for table 'orders' (ACL check error)")), true, Never, Refused),
        case("packet too large", server(1153, "08S01", "Got a packet bigger than 'max_allowed_packet' bytes"), false, Never, Refused),
        case("transaction pool full", words(1203, "42000", "code = ResourceExhausted desc = transaction pool connection limit exceeded"), true, Always, Unavailable),
        case("transaction pool full, 1105", words(1105, "HY000", "code = ResourceExhausted desc = transaction pool connection limit exceeded"), true, Always, Unavailable),
        case("transaction too long", words(1105, "HY000", "code = Aborted desc = transaction 1690000000000000001: ended at 2026-11-22 09:00:00.000 UTC (exceeded timeout: 20s)"), true, Always, Unavailable),
        case("transaction killed", words(1317, "70100", "code = Aborted desc = transaction 1690000000000000001: in use: for tx killer rollback"), true, Always, Unavailable),
        case("query time", words(1317, "70100", "code = DeadlineExceeded desc = (errno 2013) due to context deadline exceeded, elapsed time: 20.0s, killing query ID 7"), true, Never, OutOfTime),
        case("reparenting", words(1105, "HY000", "code = Unavailable desc = primary is not serving, there may be a reparent operation in progress"), true, Always, Unavailable),
        case("no tablet", server(1105, "HY000", "target: orders.-.primary: no healthy tablet available for 'keyspace:\"orders\" shard:\"-\" tablet_type:PRIMARY'"), true, Always, Unavailable),
        case("inconsistent", server(1105, "HY000", "target: orders.-.primary: inconsistent state detected, primary is serving but initially found no available tablet"), true, Always, Unavailable),
        case("buffer", server(1105, "HY000", "primary buffer is full"), true, Always, Unavailable),
        case("tablet away", words(1105, "HY000", "code = Unavailable desc = error reading from server: EOF"), false, IfHarmless, Unavailable),
        case("not serving", words(1105, "HY000", "code = FailedPrecondition desc = operation not allowed in state NOT_SERVING"), true, Always, Unavailable),
        case("shutting down", words(1105, "HY000", "code = FailedPrecondition desc = operation not allowed in state SHUTTING_DOWN"), true, Always, Unavailable),
        case("wrong tablet", words(1105, "HY000", "code = FailedPrecondition desc = wrong tablet type: PRIMARY, want: REPLICA or []"), true, Always, Unavailable),
        case("transaction not found", words(1105, "HY000", "code = Aborted desc = transaction 1690000000000000001: not found"), true, Always, Unavailable),
        case("transaction ended", words(1105, "HY000", "code = Aborted desc = transaction 1690000000000000001: ended at 2026-11-22 09:00:00.000 UTC (unlocked)"), true, Always, Unavailable),
        case("edge", server(1105, "HY000", "unavailable: vtgate connection error: no healthy endpoints, after 1 attempts"), false, IfHarmless, Unavailable),
        case("reset", server(1105, "HY000", "vtgate connection error: read tcp: connection reset by peer"), false, IfHarmless, Unavailable),
        case("shutdown, in words", words(1105, "HY000", "code = Unknown desc = Server shutdown in progress (errno 1053) (sqlstate 08S01)"), false, IfHarmless, Unavailable),
        case("VT15001", server(1105, "HY000", "VT15001: transaction error, issue ROLLBACK and retry the transaction"), true, Always, Unavailable),
        case("VT09032", server(1105, "HY000", "VT09032: transaction is in a failed state, issue ROLLBACK"), true, Always, Unavailable),
        case("rows", words(1105, "HY000", "code = Unknown desc = Row count exceeded 100000"), true, Never, Refused),
        case("rows, 1317", words(1317, "70100", "code = Aborted desc = Row count exceeded 100000"), true, Never, Refused),
        case("result too large", server(1153, "08S01", "grpc: received message larger than max (67108865 vs. 67108864)"), false, Never, Refused),
        case("direct DDL", server(1105, "HY000", "direct DDL is disabled"), true, Never, Refused),
        case("safe migrations", server(1105, "HY000", "Data Definition Language is not supported on branches with safe migrations enabled."), true, Never, Refused),
        case("branch", server(1105, "HY000", "not_found: branch is missing or sleeping"), false, Never, Refused),
        case("foreign key", server(1317, "70100", "VT10001: foreign key constraints are not allowed"), true, Never, Refused),
        case("unsupported", server(1235, "42000", "VT12001: unsupported: LOCK TABLES"), true, Never, Refused),
        case("edge lost", server(1105, "HY000", "unavailable: unexpected EOF"), false, IfHarmless, Unavailable),
        case("unknown, 1105", server(1105, "HY000", "something new"), false, IfHarmless, Unavailable),
        case("unknown, 1203", words(1203, "42000", "code = ResourceExhausted desc = something new"), false, IfHarmless, Unavailable),
        case("unknown, 1317", words(1317, "70100", "code = Canceled desc = something new"), false, IfHarmless, Unavailable),
        case("unknown, 1815", server(1815, "HY000", "Internal error: something new"), false, IfHarmless, Unavailable),
        case("unknown, of the client library", server(2027, "HY000", "malformed packet"), false, IfHarmless, Unavailable),
        case("unknown, of the connection", server(1159, "08S01", "Got timeout reading communication packets"), false, IfHarmless, Unavailable),
        case("lost in COMMIT", server(1180, "HY000", "Got error 149 - 'Lock deadlock' during COMMIT"), false, IfHarmless, Unavailable),
        case("resharding", server(1105, "HY000", "target: orders.-.primary: current keyspace is being resharded"), true, Always, Unavailable),
        case("cutover", words(1105, "HY000", "code = FailedPrecondition desc = buffer timeout after 15s in rule: buffered for cut-over"), true, Always, Unavailable),
        case("tablet's port", words(1105, "HY000", "code = Unavailable desc = connection error: desc = \"transport: Error while dialing: dial tcp 10.0.0.7:15999: connect: connection refused\""), true, Always, Unavailable),
        case("tablet that shuts down", words(1105, "HY000", "code = Unavailable desc = closing transport due to: connection error: desc = \"error reading from server: EOF\", received prior goaway: code: NO_ERROR"), true, IfHarmless, Unavailable),
        case("no MySQL behind the tablet", words(2003, "HY000", "code = Unavailable desc = net.Dial(127.0.0.1:3306) failed: connect: connection refused (errno 2003) (sqlstate HY000)"), true, Always, Unavailable),
        case("MySQL lost behind the tablet", words(2013, "HY000", "code = Canceled desc = EOF (errno 2013) (sqlstate HY000)"), true, IfHarmless, Unavailable),
        case("rule of the tablet", words(1105, "HY000", "code = InvalidArgument desc = disallowed due to rule: no such thing"), true, Never, Refused),
        case("statement over gRPC's limit", words(1203, "42000", "code = ResourceExhausted desc = trying to send message larger than max (20000152 vs. 16777216)"), true, Never, Refused),
        case("planner", server(1105, "HY000", "VT03019: column x not found"), true, Never, Refused),
        case("atomic commit", server(1105, "HY000", "VT09025: atomic transaction error: something"), false, IfHarmless, Unavailable),
        case("silent", Failure::Silent, false, IfHarmless, Unavailable),
        case("no such host", Failure::from(Error::from(std::io::Error::other("failed to lookup address information: Name or service not known"))), false, IfHarmless, Unavailable),
        case("timeout of ours", Failure::TimedOut, false, IfHarmless, OutOfTime),
        case("broken pipe", Failure::Lost("broken pipe".into()), false, IfHarmless, Unavailable),
        case("certificate", Failure::from_tls(&rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer)), false, Never, Unavailable),
        case("cut handshake", Failure::from_tls(&rustls::Error::HandshakeNotComplete), false, IfHarmless, Unavailable),
        case("no time", Failure::NoTime, true, Never, OutOfTime),
        case("closed before", Failure::Closed, false, Always, Unavailable),
    ]
}

#[test]
fn every_error_has_its_consequences() {
    for Case {
        what,
        failure,
        keeps,
        repeat,
        meaning,
    } in table()
    {
        assert_eq!(
            !failure.closes_connection(),
            keeps,
            "{what}: the connection"
        );
        assert_eq!(failure.repeat(), repeat, "{what}: the repetition");
        assert_eq!(failure.meaning(), meaning, "{what}: the meaning");
    }
}

/// A line of `vitess/errors.jsonl`.
#[derive(serde::Deserialize)]
struct Seen {
    code: u16,
    state: String,
    message: String,
    /// How it was provoked.
    met: String,
    verdict: String,
}

fn seen_on_vitess() -> impl Iterator<Item = (Failure, Seen)> {
    include_str!("../vitess/errors.jsonl").lines().map(|line| {
        let seen: Seen = serde_json::from_str(line).unwrap();
        (server(seen.code, &seen.state, &seen.message), seen)
    })
}

#[test]
fn every_error_that_real_vitess_answered_has_its_verdict() {
    for (failure, seen) in seen_on_vitess() {
        let Failure::Server { class, text, .. } = &failure else {
            panic!("{failure:?}");
        };
        let verdict = match class {
            Class::MayHaveHappened => "may have happened",
            Class::NotStarted => "not started",
            Class::RolledBack => "rolled back",
            Class::Stopped => "stopped",
            Class::Duplicate(_) => "duplicate",
            Class::Refused => "refused",
        };
        let Seen { met, message, .. } = &seen;
        assert_eq!(verdict, seen.verdict, "{met}: {message}");
        assert!(!text.contains("CallerID"), "{text}");
    }
}

#[test]
fn a_transaction_goes_on_only_after_an_error_of_one_statement() {
    let in_session = |(_, seen): &(_, Seen)| !seen.met.starts_with("login");
    for (failure, seen) in seen_on_vitess().filter(in_session) {
        let of_statement = matches!(seen.verdict.as_str(), "refused" | "duplicate");
        let shared = [1105, 1114, 1153, 1203, 1317, 1815].contains(&seen.code);
        let goes_on = of_statement && !shared;
        assert_eq!(!failure.breaks_transaction(), goes_on, "{}", seen.message);
    }
    // On a cluster, the error of a first statement does not show its code.
    for (code, words) in [
        (1317, "Row count exceeded 5"),
        (1114, "The table 't' is full (errno 1114)"),
        (1153, "Got a packet bigger than 'max_allowed_packet' bytes"),
    ] {
        let first = server(
            code,
            "HY000",
            &format!("target: o.-.primary: vttablet: {words}"),
        );
        assert!(first.breaks_transaction(), "{words}");
    }
    let reversed = "transaction rolled back to reverse changes of partial DML execution: \
                    Duplicate entry 'x' for key 't.k'";
    assert!(server(1062, "23000", reversed).breaks_transaction());
}

#[test]
#[rustfmt::skip] // A row of a table is a line.
fn a_server_that_refuses_a_login_is_known_by_when_it_does() {
    let of_server = |(code, state, message)| server(code, state, message);
    let refused = [
        (1045, "28000", "Access denied for user 'app'@'%' (using password: YES)"),
        (1044, "42000", "Access denied for user 'app'@'%' to database 'orders'"),
        (1049, "42000", "Unknown database 'orders'"),
        (1129, "HY000", "Host '10.0.0.1' is blocked because of many connection errors"),
        (1130, "HY000", "Host '10.0.0.1' is not allowed to connect to this MySQL server"),
        (1251, "08004", "Client does not support authentication protocol"),
        (1524, "HY000", "Plugin 'mysql_native_password' is not loaded"),
        (1698, "28000", "Access denied for user 'root'@'localhost'"),
        (1862, "HY000", "Your password has expired."),
        (3118, "HY000", "Access denied for user 'app'@'%'. Account is locked."),
        (3955, "HY000", "Access denied for user 'app'@'%'. Account is blocked for 1 day(s)"),
        (1105, "HY000", "not_found: branch is missing or sleeping"),
        (1105, "HY000", "something new"),
        (4999, "HY000", "something new"),
    ];
    let unknown_user = Failure::from(Error::Driver(DriverError::UnknownAuthPlugin {
        name: "sha256_password".to_owned(),
    }));
    for refused in refused.map(of_server).into_iter().chain([unknown_user, Failure::HostNotFound]) {
        assert!(refused.refuses_login(), "{refused}");
    }
    let passing = [
        (1040, "08004", "Too many connections"),
        (1203, "42000", "User app already has more than 'max_user_connections' active connections"),
        (1226, "42000", "User 'app' has exceeded the 'max_connections_per_hour' resource"),
        (1053, "08S01", "Server shutdown in progress"),
        (1105, "HY000", "target: o.-.primary: primary is not serving, there may be a reparent"),
    ];
    let lost = Failure::Lost("reset".to_owned());
    for passing in passing.map(of_server).into_iter().chain([Failure::TimedOut, lost]) {
        assert!(!passing.refuses_login(), "{passing}");
        assert_ne!(passing.repeat(), Repeat::Never, "{passing}");
    }
}

#[test]
fn a_write_may_have_happened_where_its_answer_is_lost_or_it_was_stopped() {
    for case in table() {
        // Whatever is out of time or may be repeated where that is harmless, but was sent.
        let open = case.repeat == Repeat::IfHarmless || case.meaning == DatabaseError::OutOfTime;
        let sent = !matches!(case.failure, Failure::NoTime | Failure::HostNotFound);
        assert_eq!(case.failure.leaves_open(), open && sent, "{}", case.what);
    }
    assert!(Failure::NotUnderstood.leaves_open());
    assert!(!Failure::Parameters.leaves_open());
}

#[test]
fn only_a_rollback_said_by_the_server_is_one_at_commit() {
    let rolled_back: Vec<_> = table()
        .into_iter()
        .filter(|case| case.failure.is_rolled_back())
        .map(|case| case.what)
        .collect();
    assert_eq!(rolled_back, ["deadlock", "lock wait", "VT09032"]);
}

#[test]
fn nothing_of_a_value_is_told() {
    for message in [
        vitess("code = Unknown desc = Row count exceeded 100000"),
        "Duplicate entry 'hunter2' for key 'orders.PRIMARY'".to_owned(),
        "Duplicate entry 'it's hunter2' for key 'orders.PRIMARY'".to_owned(),
        "near \"hunter2\" at line 1".to_owned(),
        "near 'hunter2".to_owned(),
        "Truncated incorrect DOUBLE value: 'hunter2'".to_owned(),
    ] {
        let failure = server(1105, "HY000", &message);
        assert!(!failure.to_string().contains("hunter2"), "{failure}");
        assert!(!format!("{failure:?}").contains("hunter2"), "{failure:?}");
    }
}

#[test]
fn words_in_a_value_decide_nothing() {
    let echo = "target: orders.-.primary: vttablet: syntax error at position 17 (CallerID: app): \
                Sql: \"select 'transaction pool connection limit exceeded'\", BindVars: {}";
    assert_eq!(server(1105, "HY000", echo).repeat(), Repeat::Never);
    let near = "syntax error at position 17 near 'primary is not serving'";
    assert_eq!(server(1105, "HY000", near).repeat(), Repeat::Never);
    let retried = "query SELECT 'primary is not serving' failed after retries: something new";
    assert_eq!(server(1815, "HY000", retried).repeat(), Repeat::IfHarmless);
}

#[test]
fn the_key_of_a_duplicate_is_named_without_its_table() {
    for message in [
        "Duplicate entry 'x' for key 'orders.by_idempotency_key'",
        "Duplicate entry 'x' for key 'by_idempotency_key'",
        "Duplicate entry ' for key 'PRIMARY' for key 'orders.by_idempotency_key'",
        &vitess(
            "code = AlreadyExists desc = Duplicate entry 'x' for key 'orders.by_idempotency_key' (errno 1062) (sqlstate 23000)",
        ),
    ] {
        let key = "by_idempotency_key".to_owned();
        let failure = server(1062, "23000", message);
        assert_eq!(
            failure.meaning(),
            DatabaseError::Duplicate { key },
            "{message}"
        );
        assert!(!failure.breaks_transaction());
    }
}
