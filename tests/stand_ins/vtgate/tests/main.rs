//! Tests of the stand-in of vtgate. They use the driver that the functions use, over TLS, with the
//! stack's server behind the stand-in.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what the tests share fails as they do: with a panic that says why"
)]

mod fresh_vtgate;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, Opts, Value};
use tests::stand_ins::vtgate::Failure;
use tests::stand_ins::vtgate::errors::{VitessError, named};

use fresh_vtgate::{Fixture, KEYSPACE, PASSWORD, USER, server_error};

const INSERT: &str = "INSERT INTO notes (id) VALUES (?)";

#[tokio::test]
async fn statements_of_both_protocols_are_passed_on() {
    let fixture = Fixture::new().await;
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
    let expected = [(1, Some("one".to_owned()), at), (2, None, Value::NULL)];
    assert_eq!(rows, expected);
    let texts: Vec<String> = conn
        .query("SELECT REPEAT('x', 200000) FROM notes")
        .await
        .unwrap();
    assert!(texts.len() == 2 && texts.iter().all(|text| text.len() == 200_000));
    let mut both = conn.query_iter("SELECT 1; SELECT 2, 3").await.unwrap();
    assert_eq!(both.collect::<i32>().await.unwrap(), [1]);
    assert_eq!(both.collect::<(i32, i32)>().await.unwrap(), [(2, 3)]);
    drop(both);

    assert_eq!(fixture.vtgate.farewells(), 0);
    conn.disconnect().await.unwrap();
    while fixture.vtgate.farewells() == 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_login_needs_tls_the_password_and_the_keyspace() {
    let fixture = Fixture::new().await;
    let plain = fixture.options(PASSWORD).ssl_opts(None);
    let refused = server_error(Conn::new(Opts::from(plain)).await);
    assert_eq!(refused, (1105, named("INSECURE").text.clone()));
    let other = fixture.options(PASSWORD).db_name(Some("other"));
    let unknown = (
        1049,
        "VT05003: unknown database 'other' in vschema".to_owned(),
    );
    assert_eq!(server_error(Conn::new(other).await), unknown);
    let denied = (1045, format!("Access denied for user '{USER}'"));
    let wrong = Conn::new(fixture.options("wrong")).await;
    assert_eq!(server_error(wrong), denied);

    let mut open = fixture.connect().await;
    fixture.vtgate.set_password(USER, "rotated");
    let old = Conn::new(fixture.options(PASSWORD)).await;
    assert_eq!(server_error(old), denied);
    let rotated = Conn::new(fixture.options("rotated")).await.unwrap();
    assert_eq!(rotated.server_version(), (8, 0, 30));
    fixture.vtgate.remove_password(USER);
    let gone = Conn::new(fixture.options("rotated")).await;
    assert_eq!(server_error(gone), denied);
    open.query_drop("SELECT 1").await.unwrap();

    let address = fixture.vtgate.address();
    drop(fixture.vtgate);
    let ended = open.query_drop("SELECT 1").await;
    assert!(matches!(ended, Err(Error::Io(_) | Error::Driver(_))));
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_client_cannot_change_its_user_and_a_reset_forgets_statements() {
    let fixture = Fixture::new().await;
    let mut conn = fixture.connect().await;
    let id: Option<u32> = conn.query_first("SELECT CONNECTION_ID()").await.unwrap();
    assert_ne!(Some(conn.id()), id);
    conn.query_drop("START TRANSACTION").await.unwrap();
    conn.exec_drop(INSERT, (1,)).await.unwrap();
    assert!(conn.reset().await.unwrap());
    assert_eq!(fixture.notes().await, [] as [i32; 0]);
    conn.exec_drop(INSERT, (1,)).await.unwrap();

    let change = conn.change_user(Default::default()).await;
    let refused = (1047, "command handling not implemented yet: 17".to_owned());
    assert_eq!(server_error(change), refused);
}

#[tokio::test]
async fn ddl_and_foreign_keys_are_refused_if_a_test_says_so() {
    let fixture = Fixture::new().await;
    let mut conn = fixture.connect().await;
    let key = "ALTER TABLE notes ADD b INT, ADD FOREIGN KEY (b) REFERENCES notes (id)";
    fixture.vtgate.forbid_foreign_keys(true);
    let (_, message) = server_error(conn.query_drop(key).await);
    assert_eq!(message, named("FOREIGN_KEYS").text);
    fixture.vtgate.protect_schema(fixture.database.name(), true);
    for ddl in [
        "CREATE TABLE IF NOT EXISTS notes (id INT)",
        "/* a */ alter table notes add b int",
        "-- a\n# b\nALTER TABLE notes ADD b INT",
        "TRUNCATE notes",
    ] {
        let (_, message) = server_error(conn.query_drop(ddl).await);
        assert_eq!(message, named("DIRECT_DDL_DISABLED").text, "{ddl}");
    }
    conn.query_drop("SELECT 'ALTER'").await.unwrap();
}

#[tokio::test]
async fn every_error_is_answered_word_for_word() {
    let fixture = Fixture::new().await;
    for error in VitessError::all() {
        let mut conn = fixture.connect().await;
        fixture.vtgate.fail(Failure::with(error).on("SELECT 1"));
        let (number, message) = server_error(conn.query_drop("SELECT 1").await);
        let text = error.text.replace("{keyspace}", KEYSPACE);
        let text = text.replace("{user}", USER).replace("{sql}", "SELECT 1");
        assert_eq!((number, message), (error.number, text), "{}", error.name);
        // The next statement succeeds.
        conn.query_drop("SELECT 1").await.unwrap();
    }
    assert!(fixture.vtgate.has_failed_all());
}

#[tokio::test]
async fn failures_hit_the_statements_they_were_meant_for() {
    let fixture = Fixture::new().await;
    let vtgate = &fixture.vtgate;
    let error = named("NO_HEALTHY_TABLET");
    let mut conn = fixture.connect().await;

    vtgate.fail(Failure::with(error).on("INSERT INTO notes"));
    conn.query_drop("SELECT 1").await.unwrap();
    server_error(conn.exec_drop(INSERT, (1,)).await);
    conn.exec_drop(INSERT, (1,)).await.unwrap();

    vtgate.fail(Failure::with(error).after_executing());
    server_error(conn.exec_drop(INSERT, (2,)).await);
    assert_eq!(fixture.notes().await, [1, 2]);

    vtgate.fail(Failure::with(error).on("INSERT").in_transaction());
    conn.exec_drop(INSERT, (3,)).await.unwrap();
    conn.query_drop("START TRANSACTION").await.unwrap();
    assert!(!vtgate.has_failed_all());
    server_error(conn.exec_drop(INSERT, (4,)).await);
    assert!(vtgate.has_failed_all());
    vtgate.fail(Failure::with(error).on("COMMIT"));
    server_error(conn.query_drop("COMMIT").await);
    conn.query_drop("ROLLBACK").await.unwrap();
}

#[tokio::test]
async fn an_aborted_statement_rolls_the_transaction_back() {
    let fixture = Fixture::new().await;
    let mut conn = fixture.connect().await;
    for error in [
        named("TRANSACTION_BEING_KILLED"),
        named("ROW_LIMIT_IN_FIRST_STATEMENT"),
    ] {
        fixture.vtgate.fail(Failure::with(error).on("SELECT"));
        conn.query_drop("START TRANSACTION").await.unwrap();
        conn.exec_drop(INSERT, (1,)).await.unwrap();
        server_error(conn.query_drop("SELECT 1").await);
        // The trap: this runs outside of a transaction, so ROLLBACK does not undo it.
        conn.exec_drop(INSERT, (2,)).await.unwrap();
        conn.query_drop("ROLLBACK").await.unwrap();
        assert_eq!(fixture.notes().await, [2]);
        conn.query_drop("DELETE FROM notes").await.unwrap();
    }
}

#[tokio::test]
async fn a_poisoned_transaction_refuses_all_but_a_rollback() {
    let fixture = Fixture::new().await;
    let mut conn = fixture.connect().await;
    let poisoned = Failure::with(named("TRANSACTION_POISONED"));
    fixture.vtgate.fail(poisoned.on("INSERT"));
    conn.query_drop("START TRANSACTION").await.unwrap();
    server_error(conn.exec_drop(INSERT, (1,)).await);
    for refused in ["SELECT 1", "COMMIT"] {
        let (_, message) = server_error(conn.query_drop(refused).await);
        assert_eq!(message, named("ROLLBACK_FIRST").text);
    }
    conn.query_drop("ROLLBACK").await.unwrap();
    conn.exec_drop(INSERT, (1,)).await.unwrap();
    assert_eq!(fixture.notes().await, [1]);
}

#[tokio::test]
async fn a_lost_transaction_is_reported_once() {
    let fixture = Fixture::new().await;
    let mut conn = fixture.connect().await;
    conn.query_drop("START TRANSACTION").await.unwrap();
    conn.exec_drop(INSERT, (1,)).await.unwrap();
    let lost = Failure::with(named("SERVER_LOST"));
    fixture.vtgate.fail(lost.on("INSERT"));
    assert_eq!(server_error(conn.exec_drop(INSERT, (2,)).await).0, 2013);
    let (_, message) = server_error(conn.query_drop("COMMIT").await);
    assert!(message.contains("ended at"), "{message}");
    conn.exec_drop(INSERT, (3,)).await.unwrap();
    assert_eq!(fixture.notes().await, [3]);
}
