//! Many concurrent invocations share a few connections and take turns, whatever happens to them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use serde_json::Value;
use tests::proxy::Fault;
use tests::stand_ins::lambda::Answer;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::task::JoinSet;

use crate::function_under_test::{FunctionUnderTest, millis, sharing};
use crate::request::Call;

const AT_ONCE: usize = 64;
const BOUND: usize = 5;
const PATIENCE: Duration = Duration::from_secs(60);

async fn start(call: Call) -> Arc<FunctionUnderTest> {
    let under_test = FunctionUnderTest::with(call, |setup| {
        sharing(setup, AT_ONCE, BOUND)
            // What is swallowed ends with the next reset. A short limit would end what is merely slow:
            // on two shards, an order is two transactions of MySQL.
            .env("DATABASE_STATEMENT_TIMEOUT_MS", millis(PATIENCE))
            // On a slow machine, the last of so many invocations waits long.
            .timeout(PATIENCE)
            .env("DATABASE_ACQUIRE_TIMEOUT_MS", millis(PATIENCE))
    });
    Arc::new(under_test.await)
}

#[tokio::test]
async fn sixty_four_invocations_never_open_more_than_five_connections() {
    for call in [Call::Create, Call::Get] {
        let under_test = start(call).await;
        let done = Arc::new(AtomicUsize::new(0));
        let mut rounds = JoinSet::new();
        for _ in 0..AT_ONCE {
            let (under_test, done) = (Arc::clone(&under_test), Arc::clone(&done));
            rounds.spawn(async move {
                for _ in 0..5 {
                    let request = under_test.new_request().await;
                    let answer = under_test.invoke(&request).await;
                    match answer.status {
                        // A fault may hit a statement and then its repetition.
                        503 => {}
                        500 => assert_eq!(answer.body["type"], "/problems/outcome-unknown"),
                        _ => {
                            under_test.assert_success(&request, &answer).await;
                            done.fetch_add(1, Ordering::SeqCst);
                        }
                    }
                }
            });
        }
        let mut faults = [
            Some(Fault::Reset),
            Some(Fault::Swallow),
            None,
            Some(Fault::Close),
        ]
        .into_iter()
        .cycle();
        let done = || done.load(Ordering::SeqCst);
        while !rounds.is_empty() {
            let before = done();
            match faults.next().unwrap() {
                Some(fault) => under_test.proxy.strike(fault).await,
                // All connections have an older login at once.
                None => under_test.rotate_password().await,
            }
            tokio::time::sleep(Duration::from_millis(150)).await;
            // Ends the swallowed connections at the server too.
            under_test.proxy.strike(Fault::Reset).await;
            tokio::time::sleep(Duration::from_millis(150)).await;
            // On a slow machine, nothing would ever succeed between two faults.
            let limit = Instant::now() + Duration::from_secs(5);
            while done() == before && Instant::now() < limit {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            while let Some(round) = rounds.try_join_next() {
                round.unwrap();
            }
        }
        assert!(done() > AT_ONCE, "only {} succeeded", done());
        assert!(
            under_test.proxy.counts().peak <= BOUND,
            "{:?}",
            under_test.proxy.counts()
        );

        // No slot of the pool was lost.
        under_test.proxy.strike(Fault::Reset).await;
        under_test.succeed_at_once(AT_ONCE).await;
        under_test.wait_until_no_transaction_is_open().await;
    }
}

#[tokio::test]
async fn waiting_is_first_come_first_served() {
    let under_test = FunctionUnderTest::with(Call::Get, |setup| {
        sharing(setup, 16, 1)
            .timeout(PATIENCE)
            .env("DATABASE_ACQUIRE_TIMEOUT_MS", "20000")
    });
    let under_test = Arc::new(under_test.await);
    under_test.succeed().await;
    let latency = Duration::from_millis(100);
    under_test.proxy.delay(latency, latency);
    let mut invocations = JoinSet::new();
    for _ in 0..10 {
        let request = under_test.new_request().await;
        let under_test = Arc::clone(&under_test);
        invocations.spawn(async move {
            let answer = under_test.invoke(&request).await;
            assert_eq!(answer.status, 200);
            began_and_ended(&answer)
        });
        // They come one after the other, and faster than they are served.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut served = invocations.join_all().await;
    served.sort_unstable();
    for (earlier, later) in served.iter().zip(served.iter().skip(1)) {
        // On a busy machine, two may come too close together to tell which was first.
        let told_apart = later.0 - earlier.0 > time::Duration::milliseconds(25);
        assert!(!told_apart || earlier.1 < later.1, "{served:?}");
    }
}

/// When the invocation began and ended, by the function's own clock.
fn began_and_ended(answer: &Answer) -> (OffsetDateTime, OffsetDateTime) {
    let (summary, took) = summary(answer);
    let ended = summary["timestamp"].as_str().unwrap();
    let ended = OffsetDateTime::parse(ended, &Rfc3339).unwrap();
    (ended - took, ended)
}

/// The log line that sums up the invocation, and how long the function says that it took.
fn summary(answer: &Answer) -> (&Value, Duration) {
    let mut lines = answer.logs.iter();
    let summary = lines.find(|line| !line["Duration"].is_null()).unwrap();
    let took = summary["Duration"].as_f64().unwrap();
    (summary, Duration::from_secs_f64(took / 1e3))
}

#[tokio::test]
async fn an_invocation_that_waits_is_answered_before_its_deadline() {
    let timeout = Duration::from_millis(1500);
    let under_test =
        FunctionUnderTest::with(Call::Get, |setup| sharing(setup, 16, 2).timeout(timeout));
    let under_test = Arc::new(under_test.await);
    under_test.succeed().await;
    let mut requests = Vec::new();
    for _ in 0..16 {
        requests.push(under_test.new_request().await);
    }
    let mut lock = under_test.database.lock_orders().await.unwrap();
    let mut invocations = JoinSet::new();
    for request in requests {
        let under_test = Arc::clone(&under_test);
        invocations.spawn(async move { under_test.invoke(&request).await });
    }
    for answer in invocations.join_all().await {
        assert_eq!(answer.status, 503, "{answer:#?}");
        assert!(answer.header("retry-after").is_some());
        let (_, took) = summary(&answer);
        assert!(took < timeout, "{took:?}");
    }
    lock.query_drop("UNLOCK TABLES").await.unwrap();
    under_test.succeed_at_once(16).await;
}
