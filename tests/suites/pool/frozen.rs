//! Whatever befalls the connections of a frozen function, its next invocation answers as if
//! nothing had happened. What befalls the whole server is in `outage`.

use std::sync::Arc;
use std::time::Duration;

use tests::proxy::Fault;
use tests::stand_ins::lambda::Answer;

use crate::errand::{Call, logged};
use crate::function_under_test::{Backend, PING_AFTER, Scene, everywhere, pinging};

/// Enough for calls to meet in the pool.
const LATENCY: Duration = Duration::from_millis(50);

/// A fault for every function, with the connection warm and prepared before each. It is met by a
/// statement, and after idling by a ping.
async fn every_call_survives(fault: impl AsyncFn(&Scene)) {
    for (call, backend) in everywhere() {
        for idling in [Duration::ZERO, 2 * PING_AFTER] {
            let scene = match idling {
                Duration::ZERO => Scene::new(call, backend).await,
                _ => Scene::with(call, backend, pinging).await,
            };
            for _ in 0..2 {
                scene.succeed().await;
                let befallen = async {
                    fault(&scene).await;
                    tokio::time::sleep(idling).await;
                };
                scene.survive(befallen).await;
            }
            assert_eq!(scene.proxy.counts().peak, 1);
            scene.wait_until_no_transaction_is_open().await;
        }
    }
}

/// How many pings of an invocation were not answered.
fn unanswered(answer: &Answer) -> usize {
    let messages = answer.logs.iter().map(|line| &line["message"]);
    let of_pings = messages.filter(|message| {
        let message = message.as_str().unwrap_or_default();
        message.starts_with("an idle connection did not answer")
    });
    of_pings.count()
}

#[tokio::test]
async fn connections_reset() {
    every_call_survives(async |scene| scene.proxy.strike(Fault::Reset).await).await;
}

#[tokio::test]
async fn connections_closed_in_order() {
    every_call_survives(async |scene| scene.proxy.strike(Fault::Close).await).await;
}

#[tokio::test]
async fn connections_killed_at_the_server() {
    every_call_survives(async |scene| scene.kill().await).await;
}

#[tokio::test]
async fn the_password_rotated() {
    every_call_survives(async |scene| {
        scene.rotate_password().await;
        scene.kill().await;
    })
    .await;
}

#[tokio::test]
async fn the_flow_swallowed_in_silence() {
    for (call, backend) in everywhere() {
        let scene = Scene::with(call, backend, pinging).await;
        for _ in 0..2 {
            scene.succeed().await;
            let answer = scene
                .survive(async {
                    scene.proxy.strike(Fault::Swallow).await;
                    tokio::time::sleep(2 * PING_AFTER).await;
                })
                .await;
            // No statement waited for its far longer limit.
            assert_eq!(unanswered(&answer), 1, "{answer:#?}");
            assert_eq!(logged(&answer, "retries"), 0, "{answer:#?}");
        }
    }
}

#[tokio::test]
async fn a_flow_swallowed_with_many_idle_connections_costs_one_ping() {
    let scene = Arc::new(
        Scene::with(Call::Get, Backend::one(), |setup| {
            pinging(setup)
                .env("AWS_LAMBDA_MAX_CONCURRENCY", "8")
                .env("DATABASE_POOL_MAX", "5")
        })
        .await,
    );
    while scene.proxy.counts().open < 5 {
        scene.proxy.delay(LATENCY, LATENCY);
        scene.succeed_at_once(8).await;
        scene.proxy.delay(Duration::ZERO, Duration::ZERO);
    }
    let answer = scene
        .survive(async {
            scene.proxy.strike(Fault::Swallow).await;
            tokio::time::sleep(2 * PING_AFTER).await;
        })
        .await;
    assert_eq!(unanswered(&answer), 1, "{answer:#?}");
    assert_eq!(logged(&answer, "statements"), 1);
}
