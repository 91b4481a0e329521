//! Whatever happens to the connections of a frozen function, its next invocation answers as if
//! nothing had happened. Outages of the whole server are in `outage`.

use std::sync::Arc;
use std::time::Duration;

use tests::proxy::Fault;
use tests::stand_ins::lambda::{Answer, Setup};

use crate::function_under_test::{FunctionUnderTest, PING_AFTER, pinging, sharing};
use crate::request::{Call, logged};

/// Long enough that concurrent calls need several connections.
const LATENCY: Duration = Duration::from_millis(50);

/// Causes the fault while each function is frozen with a warm connection. A statement meets the
/// fault, or a ping if the connection was idle long enough.
async fn every_call_survives(fault: impl AsyncFn(&FunctionUnderTest)) {
    for call in Call::ALL {
        for idling in [Duration::ZERO, 2 * PING_AFTER] {
            let under_test = match idling {
                Duration::ZERO => FunctionUnderTest::new(call).await,
                _ => FunctionUnderTest::with(call, pinging).await,
            };
            for _ in 0..2 {
                under_test.succeed().await;
                let disturbance = async {
                    fault(&under_test).await;
                    tokio::time::sleep(idling).await;
                };
                under_test.survive(disturbance).await;
            }
            assert_eq!(under_test.proxy.counts().peak, 1);
            under_test.wait_until_no_transaction_is_open().await;
        }
    }
}

/// Makes the function ping idle connections, and wait for the answer as long as a slow machine may take,
/// and no longer.
fn pinging_briefly(setup: Setup) -> Setup {
    pinging(setup).env("DATABASE_PING_TIMEOUT_MS", "1000")
}

/// How many pings of an invocation got no answer.
fn unanswered(answer: &Answer) -> usize {
    let messages = answer.logs.iter().map(|line| &line["message"]);
    let unanswered = messages.filter(|message| {
        let message = message.as_str().unwrap_or_default();
        message.starts_with("an idle connection did not answer")
    });
    unanswered.count()
}

#[tokio::test]
async fn every_call_survives_a_reset() {
    every_call_survives(async |under_test| under_test.proxy.strike(Fault::Reset).await).await;
}

#[tokio::test]
async fn every_call_survives_a_close() {
    every_call_survives(async |under_test| under_test.proxy.strike(Fault::Close).await).await;
}

#[tokio::test]
async fn every_call_survives_a_kill_at_the_server() {
    every_call_survives(async |under_test| under_test.kill().await).await;
}

#[tokio::test]
async fn every_call_survives_a_rotated_password() {
    every_call_survives(async |under_test| {
        under_test.rotate_password().await;
        under_test.kill().await;
    })
    .await;
}

#[tokio::test]
async fn every_call_survives_a_silent_flow_at_the_cost_of_one_ping() {
    for call in Call::ALL {
        let under_test = FunctionUnderTest::with(call, pinging_briefly).await;
        for _ in 0..2 {
            under_test.succeed().await;
            let answer = under_test
                .survive(async {
                    under_test.proxy.strike(Fault::Swallow).await;
                    tokio::time::sleep(2 * PING_AFTER).await;
                })
                .await;
            // Only the ping waited. No statement did, whose limit is far longer.
            assert_eq!(unanswered(&answer), 1, "{answer:#?}");
            assert_eq!(logged(&answer, "Retries"), 0, "{answer:#?}");
        }
    }
}

#[tokio::test]
async fn many_silent_connections_cost_one_ping() {
    let under_test =
        FunctionUnderTest::with(Call::Get, |setup| sharing(pinging_briefly(setup), 8, 5));
    let under_test = Arc::new(under_test.await);
    while under_test.proxy.counts().open < 5 {
        under_test.proxy.delay(LATENCY, LATENCY);
        under_test.succeed_at_once(8).await;
        under_test.proxy.delay(Duration::ZERO, Duration::ZERO);
    }
    let answer = under_test
        .survive(async {
            under_test.proxy.strike(Fault::Swallow).await;
            tokio::time::sleep(2 * PING_AFTER).await;
        })
        .await;
    assert_eq!(unanswered(&answer), 1, "{answer:#?}");
    assert_eq!(logged(&answer, "Statements"), 1);
}
