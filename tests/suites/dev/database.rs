//! The database that each test gets.

use mysql_async::prelude::Queryable;
use tests::stack::Stack;

/// The codes of MySQL for a table and for a schema that the user may not touch.
const DENIED: [u16; 2] = [1142, 1044];

#[tokio::test]
async fn a_fresh_database_is_migrated_and_empty() {
    let database = Stack::from_env().unwrap().fresh_database().await.unwrap();
    let mut connection = database.connect().await.unwrap();
    let orders: Option<u64> = connection
        .query_first("SELECT COUNT(*) FROM orders")
        .await
        .unwrap();
    assert_eq!(orders, Some(0));
    let settings = "SELECT @@time_zone, @@sql_mode LIKE '%STRICT_TRANS_TABLES%'";
    let settings: Option<(String, bool)> = connection.query_first(settings).await.unwrap();
    assert_eq!(settings, Some(("+00:00".to_owned(), true)));
}

#[tokio::test]
async fn its_user_reads_and_writes_only_there() {
    let stack = Stack::from_env().unwrap();
    let (own, other) = (
        stack.fresh_database().await.unwrap(),
        stack.fresh_database().await.unwrap(),
    );
    let mut connection = own.connect().await.unwrap();
    connection.query_drop("DELETE FROM orders").await.unwrap();
    for statement in [
        "DROP TABLE orders".to_owned(),
        format!("SELECT 1 FROM {}.orders", other.name()),
        "CREATE DATABASE cargo_dev_lint_own".to_owned(),
    ] {
        let error = connection.query_drop(&statement).await.unwrap_err();
        assert!(
            matches!(&error, mysql_async::Error::Server(error) if DENIED.contains(&error.code)),
            "{error}"
        );
    }
}

#[tokio::test]
async fn it_is_removed_when_it_is_dropped() {
    let stack = Stack::from_env().unwrap();
    let database = stack.fresh_database().await.unwrap();
    let name = database.name().to_owned();
    drop(database);
    let mut admin = stack.admin().await.unwrap();
    let query = "SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = ?";
    let left: Option<u64> = admin.exec_first(query, (&name,)).await.unwrap();
    assert_eq!(left, Some(0));
    let query = "SELECT COUNT(*) FROM mysql.user WHERE user = ?";
    let left: Option<u64> = admin.exec_first(query, (&name,)).await.unwrap();
    assert_eq!(left, Some(0));
}

#[tokio::test]
async fn a_login_without_tls_is_refused() {
    let stack = Stack::from_env().unwrap();
    let database = stack.fresh_database().await.unwrap();
    let plain = mysql_async::OptsBuilder::default()
        .ip_or_hostname("127.0.0.1")
        .tcp_port(stack.server().port())
        .user(Some(database.username()))
        .pass(Some(database.password()))
        .prefer_socket(false);
    assert!(mysql_async::Conn::new(plain).await.is_err());
}
