//! Tests of the stand-in of vtgate. They use the driver that the functions use, over TLS, with the
//! stack's server behind the stand-in.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what the tests share fails as they do: with a panic that says why"
)]

mod differential;
mod fresh_vtgate;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, Opts, Value};
use tests::stand_ins::vtgate::Failure;
use tests::stand_ins::vtgate::errors::{VitessError, named};

use differential::differences::without_numbers;
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

/// `seen` means that it is among the errors that the pool's own tests have from real Vitess.
#[test]
fn what_is_called_seen_was_seen() {
    let fill = |text: &str| {
        let text = text
            .replace("{keyspace}", "orders")
            .replace("{user}", "app");
        without_values(&text.replace("{sql}", "SELECT id FROM t WHERE id = 1"))
    };
    let seen = include_str!("../../../../shared/database/src/vitess/errors.jsonl").lines();
    let seen: Vec<serde_json::Value> = seen
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for error in VitessError::all().filter(|error| error.known == "seen") {
        let found = seen.iter().any(|seen| {
            let text = without_values(seen["message"].as_str().unwrap());
            seen["code"] == error.number
                && seen["state"] == error.state
                && text == fill(&error.text)
        });
        assert!(found, "{}: {}", error.name, fill(&error.text));
    }
}

/// The text up to the echo of the statement, without numbers and what is in quotes.
fn without_values(text: &str) -> String {
    let text = without_numbers(&text.replace(".0.primary", ".-.primary"));
    let pieces = text.split(['\'', '"']).step_by(2);
    pieces.collect::<Vec<_>>().join("\"")
}
