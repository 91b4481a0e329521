//! The form that errors have on a cluster.

use std::sync::Arc;
use std::time::Duration;

use database::settings::Settings;
use database::{Database, DatabaseError, Statement};
use lambda::Deadline;
use lambda::clock::SystemClock;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::start;

/// A tablet refuses to answer with more than 10,000 rows.
const ORDERS: usize = 101;
const TOO_MANY_ROWS: &str = "SELECT a.id FROM orders a CROSS JOIN orders b";
const CHANGE: &str = "UPDATE orders SET version = version + 1";

async fn changed(connection: &mut Conn) -> bool {
    let changed = "SELECT COUNT(*) FROM orders WHERE version <> 1";
    let changed: Option<usize> = connection.query_first(changed).await.unwrap();
    changed.unwrap() > 0
}

#[tokio::test]
#[ignore = "takes a cluster of Vitess: cargo dev test --vitess-cluster"]
async fn after_an_error_that_ended_the_transaction_nothing_written_survives() {
    let cluster = start().await;
    let database = cluster.database().await.unwrap();
    let mut raw = cluster.connect_as_admin().await.unwrap();
    for number in 0..ORDERS {
        let insert = "INSERT INTO orders (id, customer_id, status, currency, total, version, created_at, updated_at) \
                      VALUES (?, 'cust-1', 'pending', 'EUR', 1, 1, NOW(6), NOW(6))";
        let id = format!("order-{number:010}");
        raw.exec_drop(insert, (id.as_bytes(),)).await.unwrap();
    }

    let environment = database.environment("create-order").unwrap();
    let settings = Settings::read(|name| environment.get(name).cloned()).unwrap();
    let pool = Database::new(settings, Arc::new(SystemClock));
    let deadline = Deadline::after(Duration::from_secs(20));
    let mut session = pool.session(deadline).await.unwrap();
    let outcome: Result<(), DatabaseError> = session
        .transaction(async |mut transaction| {
            const READ: Statement = Statement::read("TOO_MANY_ROWS", TOO_MANY_ROWS, "PRIMARY");
            const WRITE: Statement = Statement::write("CHANGE", CHANGE);
            let read = transaction.rows::<Vec<u8>>(&READ, ()).await;
            assert_eq!(read, Err(DatabaseError::Refused));
            // Somebody may go on in spite of the error.
            let _ = transaction.execute(&WRITE, ()).await;
            Ok(())
        })
        .await;
    assert_eq!(outcome, Err(DatabaseError::Refused));
    assert!(!changed(&mut raw).await);

    // Why: vtgate has rolled back without saying so, and what follows is a transaction of its own.
    raw.query_drop("BEGIN").await.unwrap();
    let error = raw.query_drop(TOO_MANY_ROWS).await.unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("1317") && error.contains("vttablet: Row count exceeded"),
        "{error}"
    );
    assert!(!error.contains("code ="), "{error}");
    raw.query_drop(CHANGE).await.unwrap();
    raw.query_drop("ROLLBACK").await.unwrap();
    assert!(changed(&mut raw).await);
}
