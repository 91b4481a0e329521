//! The number of round trips of an invocation.

use std::sync::Arc;
use std::time::Duration;

use database::Statement;
use lambda::Deadline;
use lambda::clock::SystemClock;
use mysql_async::Value;
use tests::proxy::Fault;
use tests::stand_ins::lambda::Answer;

use crate::direct::DirectPool;
use crate::function_under_test::{FunctionUnderTest, PING_AFTER, pinging};
use crate::request::{Call, logged};

/// How many statements stay prepared on a connection (`connection.rs`).
const MOST_PREPARED: usize = 64;

/// The round trips of one invocation, and its answer.
async fn round_trips(under_test: &FunctionUnderTest) -> (usize, Answer) {
    let before = under_test.proxy.counts().round_trips;
    let answer = under_test.succeed().await;
    (under_test.proxy.counts().round_trips - before, answer)
}

#[tokio::test]
async fn a_call_needs_no_more_than_its_statements() {
    for call in Call::ALL {
        let under_test = FunctionUnderTest::new(call).await;
        // What every invocation sends was prepared at the start. The items of an order are not:
        // their number is part of the statement.
        let to_prepare = usize::from(call == Call::Create);
        for to_prepare in [to_prepare, 0, 0] {
            let (counted, answer) = round_trips(&under_test).await;
            assert_eq!(counted, call.flights() + to_prepare, "{call:?}");
            let statements = logged(&answer, "Statements");
            assert_eq!(statements, call.flights() as u64, "{call:?}");
            assert_eq!(logged(&answer, "Retries"), 0, "{call:?}");
            let mut lines = answer.logs.iter();
            let names_one = lines.any(|line| line["slowest_statement"].is_string());
            assert!(names_one, "{call:?}: {answer:#?}");
        }
        assert_eq!(under_test.proxy.counts().ever, 1);
    }
}

#[tokio::test]
async fn a_new_connection_needs_no_more_than_the_protocol() {
    let under_test = FunctionUnderTest::new(Call::Get).await;
    // TLS, the password (the first time, caching_sha2_password wants it itself), and one prepares
    // the statement. Session tickets that the server sends in between may look like one answer more.
    let start = under_test.proxy.counts().round_trips;
    assert!((3..=5).contains(&start), "{start}");

    under_test.succeed().await;
    under_test.proxy.strike(Fault::Close).await;
    // One more executes it.
    let (reconnected, _) = round_trips(&under_test).await;
    assert!((4..=5).contains(&reconnected), "{reconnected}");
    assert_eq!(under_test.proxy.counts().ever, 2);
}

#[tokio::test]
async fn only_an_idle_connection_is_pinged() {
    let under_test = FunctionUnderTest::with(Call::Get, pinging).await;
    under_test.succeed().await;
    tokio::time::sleep(2 * PING_AFTER).await;
    assert_eq!(round_trips(&under_test).await.0, 2);
    assert_eq!(under_test.proxy.counts().ever, 1);
}

#[tokio::test]
async fn more_statements_than_stay_prepared_can_be_sent() {
    const INSERT: Statement = Statement::write(
        "INSERT",
        "INSERT INTO order_items (order_id, customer_id, position, sku, quantity, unit_price) \
         VALUES (?, ?, ?, ?, ?, ?)",
    );
    let pool = DirectPool::new(Arc::new(SystemClock), &[]).await;
    let deadline = Deadline::after(Duration::from_secs(60));
    let mut session = pool.pool.session(deadline).await.unwrap();
    let mut orders = 0_u128..;
    for _ in 0..2 {
        // Each number of rows has a text of its own.
        for rows in 1..=MOST_PREPARED + 6 {
            let orders = orders.by_ref().take(rows);
            let params = orders.flat_map(|order| -> [Value; 6] {
                let order = order.to_be_bytes().to_vec().into();
                [
                    order,
                    "cust-1".into(),
                    0.into(),
                    "TEA-1".into(),
                    1.into(),
                    "4.50".into(),
                ]
            });
            let params: Vec<Value> = params.collect();
            let written = session.execute(&INSERT.with_rows(rows), params).await;
            assert_eq!(written, Ok(rows as u64));
        }
    }
    assert_eq!(pool.proxy.counts().ever, 1);
}
