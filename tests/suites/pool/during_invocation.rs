//! After a fault in the middle of an invocation, the function gives the right answer or the right
//! error before its deadline. Nothing is half written, and the next invocation works.

use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use serde_json::json;
use tests::proxy::{At, Fault};
use tests::stand_ins::lambda::event::Event;
use tokio::task::JoinSet;

use crate::function_under_test::FunctionUnderTest;
use crate::request::{Call, logged};

/// The timeout of an invocation.
const TIMEOUT: Duration = Duration::from_secs(15);

/// More flights than any call needs on a warm connection.
const FLIGHTS: usize = 6;

async fn start(call: Call) -> FunctionUnderTest {
    FunctionUnderTest::with(call, |setup| {
        setup
            .timeout(TIMEOUT)
            // After a swallowed statement there must be time to send it again.
            .env("DATABASE_STATEMENT_TIMEOUT_MS", "2000")
    })
    .await
}

/// Causes a fault on the `flight`-th flight of an invocation, and checks the answer. Returns whether
/// there was such a flight.
async fn fault_on_flight(
    under_test: &FunctionUnderTest,
    call: Call,
    flight: usize,
    at: At,
    fault: Fault,
) -> bool {
    // Now every statement is prepared, so that each flight is one statement.
    under_test.succeed().await;
    under_test.succeed().await;
    let request = under_test.new_request().await;
    under_test.proxy.ambush(flight, at, fault);
    let started = Instant::now();
    let answer = under_test.invoke(&request).await;
    let case = format!("{call:?}, flight {flight}, {at:?}, {fault:?}: {answer:#?}");
    assert!(started.elapsed() < TIMEOUT, "{case}");
    let was_met = !under_test.proxy.lift_ambush();
    // Only now does the server notice the swallowed connections.
    under_test.proxy.strike(Fault::Reset).await;
    under_test.wait_until_no_transaction_is_open().await;
    under_test.assert_truthful(&request, &answer).await;
    under_test.succeed().await;
    was_met
}

async fn fault_on_each_flight(fault: Fault) {
    let mut functions = JoinSet::new();
    for call in Call::ALL {
        functions.spawn(async move {
            let under_test = start(call).await;
            for at in [At::BeforeServer, At::Answer(0), At::Answer(10)] {
                let mut flights = 0;
                while flights < FLIGHTS
                    && fault_on_flight(&under_test, call, flights + 1, at, fault).await
                {
                    flights += 1;
                }
                assert!(
                    (1..FLIGHTS).contains(&flights),
                    "{call:?} has {flights} flights"
                );
            }
        });
    }
    functions.join_all().await;
}

#[tokio::test]
async fn a_connection_is_reset_on_each_flight() {
    fault_on_each_flight(Fault::Reset).await;
}

#[tokio::test]
async fn a_connection_is_closed_on_each_flight() {
    fault_on_each_flight(Fault::Close).await;
}

#[tokio::test]
async fn a_flow_goes_silent_on_each_flight() {
    fault_on_each_flight(Fault::Swallow).await;
}

#[tokio::test]
async fn a_lost_answer_to_commit_never_makes_two_orders_of_one_key() {
    let under_test = start(Call::Create).await;
    for fault in [Fault::Reset, Fault::Close, Fault::Swallow] {
        under_test.succeed().await;
        under_test.succeed().await;
        let request = under_test.new_request().await;
        // START TRANSACTION, the order, its items, COMMIT.
        under_test.proxy.ambush(4, At::Answer(0), fault);
        let first = under_test.invoke(&request).await;
        assert!(!under_test.proxy.lift_ambush());
        let placed = under_test.placed(&request.key).await;
        assert_eq!(placed.len(), 1, "COMMIT was done: {first:#?}");
        let again = under_test.invoke(&request).await;
        assert_eq!(again.status, 201, "{again:#?}");
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
        assert_eq!(again.body["id"], json!(placed[0].to_string()));
        assert_eq!(under_test.placed(&request.key).await, placed);
    }
}

#[tokio::test]
async fn an_answer_that_stops_halfway_leaves_no_extra_connection() {
    let under_test = FunctionUnderTest::with(Call::Get, |setup| {
        setup
            .timeout(Duration::from_secs(30))
            .env("DATABASE_STATEMENT_TIMEOUT_MS", "2000")
            .env("DATABASE_POOL_MAX", "1")
    })
    .await;
    let order = Event::get(format!("/orders/{}", under_test.insert_large_order().await));
    for _ in 0..2 {
        let answer = under_test.function.invoke(order.clone()).await.unwrap();
        assert_eq!(answer.status, 200, "{answer:#?}");
    }
    // The columns and many rows arrive, and the rest never does.
    under_test
        .proxy
        .ambush(1, At::Answer(17_000), Fault::Swallow);
    let answer = under_test.function.invoke(order).await.unwrap();
    assert!(!under_test.proxy.lift_ambush());
    assert_eq!(answer.status, 200, "{answer:#?}");
    assert_eq!(logged(&answer, "Retries"), 1, "{answer:#?}");
    assert_eq!(under_test.proxy.counts().ever, 2);
    assert_eq!(under_test.proxy.counts().peak, 1);
}

#[tokio::test]
async fn a_read_that_the_server_stops_is_not_sent_again() {
    let under_test = FunctionUnderTest::with(Call::Get, |setup| {
        setup.env("DATABASE_STATEMENT_TIMEOUT_MS", "300")
    })
    .await;
    if under_test.is_mariadb().await {
        return;
    }
    // The server's message that it stopped a read has a quarter of a second to arrive. On a slow
    // machine, one may come too late.
    for _ in 0..3 {
        under_test.succeed().await;
        let request = under_test.new_request().await;
        let connections = under_test.proxy.counts().ever;
        let mut lock = under_test.database.lock_orders().await.unwrap();
        let answer = under_test.invoke(&request).await;
        lock.query_drop("UNLOCK TABLES").await.unwrap();
        assert_eq!(answer.status, 503, "{answer:#?}");
        if logged(&answer, "Retries") == 0 {
            under_test.succeed().await;
            assert_eq!(under_test.proxy.counts().ever, connections);
            return;
        }
    }
    panic!("every read that the server stopped was sent again");
}

#[tokio::test]
async fn the_log_says_how_long_a_new_connection_took() {
    let under_test = FunctionUnderTest::new(Call::Get).await;
    under_test.succeed().await;
    under_test.succeed().await;
    let request = under_test.new_request().await;
    let latency = Duration::from_millis(20);
    under_test.proxy.delay(latency, latency);
    under_test.proxy.ambush(1, At::BeforeServer, Fault::Reset);
    let answer = under_test.invoke(&request).await;
    under_test.assert_success(&request, &answer).await;
    let mut lines = answer.logs.iter();
    let wait = lines.find_map(|line| line["ConnectionWait"].as_f64());
    assert!(wait.unwrap() >= 20.0, "{answer:#?}");
}
