//! What it refuses, and what only looks alike.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};
use tests::stand_ins::vtgate::Authentication;
use tests::stand_ins::vtgate::errors;

use crate::fresh_vtgate::{Fixture, PASSWORD, server_error};

#[tokio::test]
async fn connections_without_tls_are_refused() {
    let fixture = Fixture::new(Authentication::Native).await;
    let plain = fixture.options(PASSWORD).ssl_opts(None);
    let (number, message) = server_error(Conn::new(Opts::from(plain)).await);
    assert_eq!(number, 1105);
    assert_eq!(message, errors::INSECURE.text);
}

#[tokio::test]
async fn another_keyspace_is_unknown() {
    let fixture = Fixture::new(Authentication::Native).await;
    let other = fixture.options(PASSWORD).db_name(Some("other"));
    let unknown = "VT05003: unknown database 'other' in vschema";
    assert_eq!(
        server_error(Conn::new(other).await),
        (1049, unknown.to_owned())
    );
}

#[tokio::test]
async fn what_vtgate_does_not_do_is_refused() {
    let fixture = Fixture::new(Authentication::Native).await;
    let mut conn = fixture.connect().await;
    assert_eq!(
        server_error(conn.query_drop("KILL 1").await),
        (1095, errors::KILL_DENIED.text.to_owned())
    );
    let with = "WITH a AS (SELECT 1) SELECT * FROM a";
    assert_eq!(
        server_error(conn.exec_drop(with, ()).await),
        (
            1815,
            format!("[BUG] unrecognized prepare statement: {with}")
        )
    );
    conn.query_drop(with).await.unwrap();

    fixture.vtgate.protect_schema(fixture.database.name(), true);
    let direct = (1105, "direct DDL is disabled".to_owned());
    for ddl in [
        "CREATE TABLE IF NOT EXISTS notes (id INT)",
        "/* a */ alter table notes add b int",
        "-- a\nALTER TABLE notes ADD b INT",
        "# a\nALTER TABLE notes ADD b INT",
        "/*!50100 ALTER TABLE notes ADD b INT */",
        "SELECT 1; ALTER TABLE notes ADD b INT",
        "TRUNCATE notes",
        "PREPARE a FROM 'ALTER TABLE notes ADD b INT'",
        "EXECUTE IMMEDIATE 'ALTER TABLE notes ADD b INT'",
        "CALL sys.execute_prepared_stmt('ALTER TABLE notes ADD b INT')",
    ] {
        assert_eq!(server_error(conn.query_drop(ddl).await), direct, "{ddl}");
    }
    // The session is none the worse for it.
    conn.query_drop("SELECT 1").await.unwrap();
}

#[tokio::test]
async fn a_foreign_key_is_refused_and_not_the_mention_of_one() {
    let fixture = Fixture::new(Authentication::Native).await;
    let mut conn = fixture.connect().await;
    fixture.vtgate.forbid_foreign_keys(true);
    let key = "SELECT 1; ALTER TABLE notes ADD b INT, ADD FOREIGN KEY (b) REFERENCES notes (id)";
    let (_, message) = server_error(conn.query_drop(key).await);
    assert_eq!(message, errors::FOREIGN_KEYS.text);
    for mention in [
        "ALTER TABLE notes ADD b INT COMMENT 'references nothing'",
        "ALTER TABLE notes ADD b INT -- references nothing",
    ] {
        // It reaches the server, where the user may not do this.
        let (number, message) = server_error(conn.query_drop(mention).await);
        assert_eq!(number, 1142, "{message}");
    }
}
