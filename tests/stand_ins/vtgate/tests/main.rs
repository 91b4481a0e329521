//! Tests of the stand-in of vtgate. They use the driver that the functions use, over TLS, with the
//! stack's server behind the stand-in.

mod differential;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, OptsBuilder};
use tests::stack::{FreshDatabase, Stack};
use tests::stand_ins::control_plane::fresh_control_plane::server_error;
use tests::stand_ins::vtgate::Failure;
use tests::stand_ins::vtgate::errors::{VitessError, named};

use differential::differences::without_numbers;

/// A connection to the stand-in.
async fn connect(stack: &Stack, database: &FreshDatabase) -> Conn {
    let (address, keyspace) = (database.address().to_string(), database.name());
    let (user, password) = (database.username(), database.password());
    let connecting = stack.connect_to(&address, user, password, keyspace);
    connecting.await.unwrap()
}

#[tokio::test]
async fn long_answers_and_several_results_are_passed_on() {
    let stack = Stack::from_env().unwrap();
    let database = stack.fresh_keyspace().await.unwrap();
    let mut conn = connect(&stack, &database).await;
    let text: Option<String> = conn
        .query_first("SELECT REPEAT('x', 200000)")
        .await
        .unwrap();
    assert_eq!(text.unwrap().len(), 200_000);
    let mut both = conn.query_iter("SELECT 1; SELECT 2, 3").await.unwrap();
    assert_eq!(both.collect::<i32>().await.unwrap(), [1]);
    assert_eq!(both.collect::<(i32, i32)>().await.unwrap(), [(2, 3)]);
}

#[tokio::test]
async fn a_login_needs_tls_the_password_and_the_keyspace() {
    let stack = Stack::from_env().unwrap();
    let database = stack.fresh_keyspace().await.unwrap();
    let vtgate = database.vtgate().unwrap();
    let (user, keyspace) = (database.username().to_owned(), database.name());
    let address = vtgate.address().to_string();
    let login = async |password: &str, keyspace: &str| {
        let login = stack.connect_to(&address, &user, password, keyspace);
        login.await
    };
    let mut open = login(database.password(), keyspace).await.unwrap();
    let plain = OptsBuilder::default()
        .ip_or_hostname(vtgate.address().ip().to_string())
        .tcp_port(vtgate.address().port())
        .user(Some(&user))
        .pass(Some(database.password()))
        .prefer_socket(false);
    let refused = server_error(Conn::new(plain).await);
    assert_eq!(refused, (1105, named("INSECURE").text.clone()));
    let unknown = "VT05003: unknown database 'other' in vschema".to_owned();
    let other = login(database.password(), "other").await;
    assert_eq!(server_error(other), (1049, unknown));

    vtgate.set_password(&user, "rotated");
    let denied = (1045, format!("Access denied for user '{user}'"));
    let old = login(database.password(), keyspace).await;
    assert_eq!(server_error(old), denied);
    let rotated = login("rotated", keyspace).await.unwrap();
    assert_eq!(rotated.server_version(), (8, 0, 30));
    vtgate.remove_password(&user);
    assert_eq!(server_error(login("rotated", keyspace).await), denied);
    open.query_drop("SELECT 1").await.unwrap();

    drop(database);
    let ended = open.query_drop("SELECT 1").await;
    assert!(matches!(ended, Err(Error::Io(_) | Error::Driver(_))));
    assert!(tokio::net::TcpStream::connect(&address).await.is_err());
}

#[tokio::test]
async fn every_error_is_answered_word_for_word() {
    let stack = Stack::from_env().unwrap();
    let database = stack.fresh_keyspace().await.unwrap();
    let vtgate = database.vtgate().unwrap();
    for error in VitessError::all() {
        let mut conn = connect(&stack, &database).await;
        vtgate.fail(Failure::with(error).on("SELECT 1"));
        let (number, message) = server_error(conn.query_drop("SELECT 1").await);
        let text = error.text.replace("{keyspace}", database.name());
        let text = text.replace("{user}", database.username());
        let text = text.replace("{sql}", "SELECT 1");
        assert_eq!((number, message), (error.number, text), "{}", error.name);
        // The next statement succeeds.
        conn.query_drop("SELECT 1").await.unwrap();
    }
    assert!(vtgate.has_failed_all());
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
