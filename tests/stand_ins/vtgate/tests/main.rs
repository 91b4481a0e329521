//! The stand-in of vtgate, driven as its clients drive it: by the driver that the functions use,
//! over TLS, against the real server behind it.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what the tests share fails as they do: with a panic that says why"
)]

mod fresh_vtgate;
mod refusals;

use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, SslOpts, Value};
use tests::stand_ins::vtgate::errors::{self, VitessError};
use tests::stand_ins::vtgate::{Authentication, Failure, SERVER_VERSION};
use tokio::io::AsyncReadExt;

use fresh_vtgate::{Fixture, PASSWORD, USER, is_gone, server_error};

#[tokio::test]
async fn relays_statements_of_both_protocols() {
    let fixture = Fixture::new(Authentication::Native).await;
    let mut conn = fixture.connect().await;
    let insert = "INSERT INTO notes (id, note, at) VALUES (?, ?, ?)";
    let at = Value::Date(2026, 11, 22, 9, 0, 0, 123_456);
    conn.exec_drop(insert, (1, "one", at.clone()))
        .await
        .unwrap();
    conn.exec_drop(insert, (2, None::<String>, Value::NULL))
        .await
        .unwrap();
    assert_eq!(conn.affected_rows(), 1);
    let rows: Vec<(i32, Option<String>, Value)> = conn
        .exec(
            "SELECT id, note, at FROM notes WHERE id < ? ORDER BY id",
            (3,),
        )
        .await
        .unwrap();
    assert_eq!(
        rows,
        [(1, Some("one".to_owned()), at), (2, None, Value::NULL)]
    );
    let texts: Vec<(String, i32)> = conn
        .query("SELECT REPEAT('x', 200000), id FROM notes")
        .await
        .unwrap();
    assert_eq!(texts.len(), 2);
    assert!(texts.iter().all(|(text, _)| text.len() == 200_000));
    let mut both = conn.query_iter("SELECT 1; SELECT 2, 3").await.unwrap();
    assert_eq!(both.collect::<i32>().await.unwrap(), [1]);
    assert_eq!(both.collect::<(i32, i32)>().await.unwrap(), [(2, 3)]);
    drop(both);
    conn.disconnect().await.unwrap();
    assert_eq!(fixture.notes().await, [1, 2]);
}

#[tokio::test]
async fn transactions_commit_and_roll_back() {
    let fixture = Fixture::new(Authentication::Native).await;
    let mut conn = fixture.connect().await;
    for (id, end) in [(1, "COMMIT"), (2, "ROLLBACK")] {
        conn.query_drop("START TRANSACTION").await.unwrap();
        conn.exec_drop("INSERT INTO notes (id) VALUES (?)", (id,))
            .await
            .unwrap();
        conn.query_drop(end).await.unwrap();
    }
    assert_eq!(fixture.notes().await, [1]);
    // A session that ends takes its transaction along.
    conn.query_drop("START TRANSACTION").await.unwrap();
    conn.exec_drop("INSERT INTO notes (id) VALUES (?)", (3,))
        .await
        .unwrap();
    drop(conn);
    assert_eq!(fixture.notes().await, [1]);
}

#[tokio::test]
async fn farewells_are_counted() {
    let fixture = Fixture::new(Authentication::Native).await;
    fixture.connect().await.disconnect().await.unwrap();
    let conn = fixture.connect().await;
    fixture.vtgate.cut_at_age(Duration::ZERO);
    drop(conn);
    while fixture.vtgate.farewells() == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(fixture.vtgate.farewells(), 1);
}

#[tokio::test]
async fn passwords_are_checked_in_both_ways() {
    for authentication in [Authentication::Native, Authentication::CachingSha2] {
        let fixture = Fixture::new(authentication).await;
        // The second login is the one that a hash in memory answers.
        for _ in 0..2 {
            fixture.connect().await.disconnect().await.unwrap();
        }
        let wrong = Conn::new(fixture.options("wrong")).await;
        let refused = (1045, format!("Access denied for user '{USER}'"));
        assert_eq!(server_error(wrong), refused);

        let mut open = fixture.connect().await;
        fixture.vtgate.set_password(USER, "rotated");
        assert_eq!(
            server_error(Conn::new(fixture.options(PASSWORD)).await),
            refused
        );
        let mut rotated = Conn::new(fixture.options("rotated")).await.unwrap();
        for conn in [&mut open, &mut rotated] {
            conn.query_drop("SELECT 1").await.unwrap();
        }
        fixture.vtgate.remove_password(USER);
        assert_eq!(
            server_error(Conn::new(fixture.options("rotated")).await),
            refused
        );
    }
}

#[tokio::test]
async fn its_certificate_is_its_own_authority_s() {
    let fixture = Fixture::new(Authentication::Native).await;
    let other = SslOpts::default().with_disable_built_in_roots(true);
    let other = other.with_root_certs(vec![fixture.stack.ca_file().unwrap().to_owned().into()]);
    let options = fixture.options(PASSWORD).ssl_opts(other);
    assert!(matches!(Conn::new(options).await, Err(Error::Io(_))));
}

#[tokio::test]
async fn the_user_can_t_be_changed_and_a_reset_forgets_statements() {
    let fixture = Fixture::new(Authentication::Native).await;
    let mut conn = fixture.connect().await;
    conn.query_drop("SET @kept = 5").await.unwrap();
    conn.query_drop("START TRANSACTION").await.unwrap();
    conn.exec_drop("INSERT INTO notes (id) VALUES (?)", (1,))
        .await
        .unwrap();
    assert!(conn.reset().await.unwrap());
    assert_eq!(fixture.notes().await, [] as [i32; 0]);
    let kept: Option<i32> = conn.query_first("SELECT @kept").await.unwrap();
    assert_eq!(kept, Some(5));
    conn.exec_drop("INSERT INTO notes (id) VALUES (?)", (1,))
        .await
        .unwrap();

    let change = conn.change_user(Default::default()).await;
    assert_eq!(
        server_error(change),
        (1047, "command handling not implemented yet: 17".to_owned())
    );
}

#[tokio::test]
async fn it_greets_as_vitess_with_an_id_that_the_server_does_not_know() {
    let fixture = Fixture::new(Authentication::Native).await;
    let mut conn = fixture.connect().await;
    assert!(SERVER_VERSION.starts_with("8.0.30"));
    assert_eq!(conn.server_version(), (8, 0, 30));
    let id: Option<u32> = conn.query_first("SELECT CONNECTION_ID()").await.unwrap();
    assert_ne!(Some(conn.id()), id);
    let mut greeting = [0; 64];
    let mut socket = tokio::net::TcpStream::connect(fixture.vtgate.address())
        .await
        .unwrap();
    let read = socket.read(&mut greeting).await.unwrap();
    assert!(String::from_utf8_lossy(&greeting[..read]).contains(SERVER_VERSION));
}

#[tokio::test]
async fn errors_of_the_server_get_vttablet_s_form() {
    let fixture = Fixture::new(Authentication::Native).await;
    let mut conn = fixture.connect().await;
    let insert = "INSERT INTO notes (id, note) VALUES (?, ?)";
    conn.exec_drop(insert, (1, "tea")).await.unwrap();
    let (number, message) = server_error(conn.exec_drop(insert, (2, "tea")).await);
    assert_eq!(number, 1062);
    let keyspace = fixture.database.name();
    let (head, rest) = message.split_once("for key '").unwrap();
    assert_eq!(
        head,
        format!(
            "target: {keyspace}.-.primary: vttablet: rpc error: code = AlreadyExists desc = Duplicate entry 'tea' "
        )
    );
    // MySQL names the table too, MariaDB the key alone.
    assert_eq!(
        rest.trim_start_matches("notes."),
        format!(
            "by_note' (errno 1062) (sqlstate 23000) (CallerID: {USER}): \
             Sql: \"INSERT INTO notes (id, note) VALUES (:v1, :v2)\", \
             BindVars: {{v1: \"type:INT64 value:\\\"2\\\"\"v2: \"type:VARBINARY value:\\\"tea\\\"\"}}"
        )
    );
}

#[tokio::test]
async fn every_error_of_the_table_is_answered_in_its_form() {
    let fixture = Fixture::new(Authentication::Native).await;
    let keyspace = fixture.database.name();
    for error in VitessError::all() {
        let mut conn = fixture.connect().await;
        fixture.vtgate.fail(Failure::with(error).on("SELECT 1"));
        let (number, message) = server_error(conn.query_drop("SELECT 1").await);
        assert_eq!(number, error.number, "{}", error.name);
        let text = error
            .text
            .replace("{keyspace}", keyspace)
            .replace("{sql}", "SELECT 1");
        let shard = format!("target: {keyspace}.-.primary: ");
        let (start, end) = match error.form {
            errors::Form::MySql(_) => (
                format!("{shard}vttablet: rpc error: code = "),
                format!(
                    "{text} (errno {number}) (sqlstate {}) (CallerID: {USER}): Sql: \"SELECT 1\", BindVars: {{}}",
                    error.state
                ),
            ),
            errors::Form::Tablet(_) => (
                format!("{shard}vttablet: rpc error: code = "),
                format!("{text} (CallerID: {USER})"),
            ),
            errors::Form::Call(_) => (format!("{shard}vttablet: rpc error: code = "), text),
            errors::Form::Shard => (shard, text),
            errors::Form::Plain => (text.clone(), text),
        };
        assert!(
            message.starts_with(&start) && message.ends_with(&end),
            "{}: {message}",
            error.name
        );
        // The next statement is not concerned.
        conn.query_drop("SELECT 1").await.unwrap();
        conn.disconnect().await.unwrap();
    }
    assert!(fixture.vtgate.has_failed_all());
}

#[tokio::test]
async fn failures_come_where_they_were_asked_for() {
    let fixture = Fixture::new(Authentication::Native).await;
    let vtgate = &fixture.vtgate;
    let error = errors::NO_HEALTHY_TABLET;
    let insert = "INSERT INTO notes (id) VALUES (?)";
    let mut conn = fixture.connect().await;

    vtgate.fail(Failure::with(error).on("INSERT INTO notes").times(2));
    conn.query_drop("SELECT 1").await.unwrap();
    for _ in 0..2 {
        server_error(conn.exec_drop(insert, (1,)).await);
    }
    conn.exec_drop(insert, (1,)).await.unwrap();

    vtgate.fail(Failure::with(error).after_executing());
    server_error(conn.exec_drop(insert, (2,)).await);
    assert_eq!(fixture.notes().await, [1, 2]);

    vtgate.fail(Failure::with(error).on("INSERT").in_transaction());
    conn.exec_drop(insert, (3,)).await.unwrap();
    conn.query_drop("START TRANSACTION").await.unwrap();
    server_error(conn.exec_drop(insert, (4,)).await);
    conn.query_drop("COMMIT").await.unwrap();

    vtgate.fail(Failure::with(error).on("INSERT").outside_transaction());
    conn.query_drop("START TRANSACTION").await.unwrap();
    conn.exec_drop(insert, (4,)).await.unwrap();
    conn.query_drop("COMMIT").await.unwrap();
    server_error(conn.exec_drop(insert, (5,)).await);

    vtgate.fail(Failure::with(error).on("note").on_preparing());
    server_error(conn.exec_drop("SELECT note FROM notes", ()).await);

    vtgate.fail(
        Failure::with(errors::NO_ENDPOINTS)
            .on(USER)
            .on_login()
            .times(1),
    );
    let (number, message) = server_error(Conn::new(fixture.options(PASSWORD)).await);
    assert_eq!(
        (number, message.as_str()),
        (1105, errors::NO_ENDPOINTS.text)
    );
    fixture.connect().await;
    assert!(vtgate.has_failed_all());
}

#[tokio::test]
async fn vtgate_rolls_back_after_what_was_aborted() {
    let fixture = Fixture::new(Authentication::Native).await;
    let mut conn = fixture.connect().await;
    let insert = "INSERT INTO notes (id) VALUES (?)";
    fixture
        .vtgate
        .fail(Failure::with(errors::TRANSACTION_BEING_KILLED).on("SELECT"));
    conn.query_drop("START TRANSACTION").await.unwrap();
    conn.exec_drop(insert, (1,)).await.unwrap();
    server_error(conn.query_drop("SELECT 1").await);
    // The trap: this is no longer in a transaction, and ROLLBACK does not undo it.
    conn.exec_drop(insert, (2,)).await.unwrap();
    conn.query_drop("ROLLBACK").await.unwrap();
    assert_eq!(fixture.notes().await, [2]);
}

#[tokio::test]
async fn a_poisoned_transaction_wants_a_rollback() {
    let fixture = Fixture::new(Authentication::Native).await;
    let mut conn = fixture.connect().await;
    fixture
        .vtgate
        .fail(Failure::with(errors::TRANSACTION_POISONED).on("INSERT"));
    conn.query_drop("START TRANSACTION").await.unwrap();
    server_error(conn.query_drop("INSERT INTO notes (id) VALUES (1)").await);
    for refused in ["SELECT 1", "COMMIT"] {
        let (_, message) = server_error(conn.query_drop(refused).await);
        assert_eq!(message, errors::ROLLBACK_FIRST.text);
    }
    conn.query_drop("ROLLBACK").await.unwrap();
    conn.query_drop("INSERT INTO notes (id) VALUES (1)")
        .await
        .unwrap();
    assert_eq!(fixture.notes().await, [1]);
}

#[tokio::test]
async fn a_session_outlives_the_server_s_connection() {
    let fixture = Fixture::new(Authentication::Native).await;
    let mut conn = fixture.connect().await;
    let insert = "INSERT INTO notes (id) VALUES (?)";
    conn.exec_drop(insert, (1,)).await.unwrap();
    fixture.kill_at_server().await;
    conn.ping().await.unwrap();
    let (number, message) = server_error(conn.exec_drop(insert, (2,)).await);
    assert_eq!(number, 2013);
    assert!(
        message.contains("code = Canceled desc = EOF (errno 2013)"),
        "{message}"
    );
    // The statement that the client prepared is known again.
    conn.exec_drop(insert, (3,)).await.unwrap();

    conn.query_drop("START TRANSACTION").await.unwrap();
    conn.exec_drop(insert, (4,)).await.unwrap();
    fixture.kill_at_server().await;
    server_error(conn.exec_drop(insert, (5,)).await);
    let (_, message) = server_error(conn.query_drop("COMMIT").await);
    assert!(message.contains("ended at"), "{message}");
    conn.exec_drop(insert, (6,)).await.unwrap();
    assert_eq!(fixture.notes().await, [1, 3, 6]);
}

#[tokio::test]
async fn a_select_is_stopped_at_the_limit_that_it_carries() {
    let fixture = Fixture::new(Authentication::Native).await;
    let mut conn = fixture.connect().await;
    let slow = "SELECT /*vt+ QUERY_TIMEOUT_MS=50 */ SLEEP(20)";
    let (number, message) = server_error(conn.exec_drop(slow, ()).await);
    assert_eq!(number, 1317);
    assert!(message.contains("code = DeadlineExceeded"), "{message}");
    conn.query_drop("SELECT 1").await.unwrap();
}

#[tokio::test]
async fn connections_are_cut_at_an_age() {
    let fixture = Fixture::new(Authentication::Native).await;
    let mut conn = fixture.connect().await;
    conn.query_drop("SELECT 1").await.unwrap();
    fixture.vtgate.cut_at_age(Duration::ZERO);
    assert!(is_gone(&mut conn).await);
    fixture.vtgate.cut_at_age(Duration::from_secs(3600));
    fixture
        .connect()
        .await
        .query_drop("SELECT 1")
        .await
        .unwrap();
}

#[tokio::test]
async fn dropping_it_ends_its_sessions() {
    let fixture = Fixture::new(Authentication::Native).await;
    let address = fixture.vtgate.address();
    let mut conn = fixture.connect().await;
    drop(fixture.vtgate);
    assert!(is_gone(&mut conn).await);
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}
