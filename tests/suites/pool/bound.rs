//! Many invocations at once share a few connections, in turn, whatever happens to them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use tests::proxy::Fault;
use tests::stand_ins::lambda::Answer;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::task::JoinSet;

use crate::errand::Call;
use crate::function_under_test::{Backend, Scene};

const AT_ONCE: usize = 64;
const BOUND: usize = 5;
const PATIENCE: Duration = Duration::from_secs(60);

async fn scene(call: Call, backend: Backend) -> Arc<Scene> {
    let scene = Scene::with(call, backend, |setup| {
        setup
            .env("AWS_LAMBDA_MAX_CONCURRENCY", AT_ONCE.to_string())
            .env("DATABASE_POOL_MAX", BOUND.to_string())
            .env("DATABASE_STATEMENT_TIMEOUT_MS", "500")
            // The last of so many waits for long on a slow machine.
            .timeout(PATIENCE)
            .env(
                "DATABASE_ACQUIRE_TIMEOUT_MS",
                PATIENCE.as_millis().to_string(),
            )
    });
    Arc::new(scene.await)
}

#[tokio::test]
async fn sixty_four_at_once_never_open_more_than_five() {
    let mut cases = vec![(Call::Create, Backend::one())];
    cases.extend(
        Backend::all()
            .into_iter()
            .map(|backend| (Call::Get, backend)),
    );
    for (call, backend) in cases {
        let scene = scene(call, backend).await;
        let mut rounds = JoinSet::new();
        for _ in 0..AT_ONCE {
            let scene = Arc::clone(&scene);
            rounds.spawn(async move {
                let mut done = 0;
                for _ in 0..5 {
                    let errand = scene.errand().await;
                    let answer = scene.function.invoke(errand.event.clone()).await.unwrap();
                    match answer.status {
                        // Faults may strike a statement and its repetition.
                        503 => {}
                        500 => assert_eq!(answer.body["type"], "/problems/outcome-unknown"),
                        _ => {
                            scene.check(&errand, &answer).await;
                            done += 1;
                        }
                    }
                }
                done
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
        let mut done = 0;
        while !rounds.is_empty() {
            match faults.next().unwrap() {
                Some(fault) => scene.proxy.strike(fault).await,
                // All connections are of an older login at once.
                None => scene.rotate_password().await,
            }
            tokio::time::sleep(Duration::from_millis(150)).await;
            // What was swallowed ends at the server too.
            scene.proxy.strike(Fault::Reset).await;
            tokio::time::sleep(Duration::from_millis(150)).await;
            while let Some(round) = rounds.try_join_next() {
                done += round.unwrap();
            }
        }
        assert!(done > AT_ONCE, "only {done} were done");
        assert!(
            scene.proxy.counts().peak <= BOUND,
            "{:?}",
            scene.proxy.counts()
        );

        // No place was lost.
        scene.proxy.strike(Fault::Reset).await;
        scene.succeed_at_once(AT_ONCE).await;
        scene.wait_until_no_transaction_is_open().await;
    }
}

#[tokio::test]
async fn waiting_is_first_come_first_served() {
    let scene = Scene::with(Call::Get, Backend::one(), |setup| {
        setup
            .env("AWS_LAMBDA_MAX_CONCURRENCY", "16")
            .env("DATABASE_POOL_MAX", "1")
    });
    let scene = Arc::new(scene.await);
    scene.succeed().await;
    let latency = Duration::from_millis(100);
    scene.proxy.delay(latency, latency);
    let mut invocations = JoinSet::new();
    for _ in 0..10 {
        let errand = scene.errand().await;
        let scene = Arc::clone(&scene);
        invocations.spawn(async move {
            let answer = scene.function.invoke(errand.event.clone()).await.unwrap();
            assert_eq!(answer.status, 200);
            began_and_ended(&answer)
        });
        // So that they come one after the other, and sooner than they are served.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut served = invocations.join_all().await;
    served.sort_unstable();
    for (earlier, later) in served.iter().zip(served.iter().skip(1)) {
        // On a busy machine, two may come so close that nobody knows which was first.
        let told_apart = later.0 - earlier.0 > time::Duration::milliseconds(25);
        assert!(!told_apart || earlier.1 < later.1, "{served:?}");
    }
}

/// By the function's own clock.
fn began_and_ended(answer: &Answer) -> (OffsetDateTime, OffsetDateTime) {
    let mut lines = answer.logs.iter();
    let summary = lines.find(|line| !line["duration_ms"].is_null()).unwrap();
    let ended = summary["timestamp"].as_str().unwrap();
    let ended = OffsetDateTime::parse(ended, &Rfc3339).unwrap();
    let took = summary["duration_ms"].as_f64().unwrap();
    (ended - Duration::from_secs_f64(took / 1e3), ended)
}

#[tokio::test]
async fn whose_deadline_is_near_is_answered_in_time() {
    let timeout = Duration::from_millis(1500);
    let scene = Scene::with(Call::Get, Backend::one(), |setup| {
        setup
            .timeout(timeout)
            .env("AWS_LAMBDA_MAX_CONCURRENCY", "16")
            .env("DATABASE_POOL_MAX", "2")
    });
    let scene = Arc::new(scene.await);
    scene.succeed().await;
    let mut errands = Vec::new();
    for _ in 0..16 {
        errands.push(scene.errand().await);
    }
    let mut lock = scene.stack.admin().await.unwrap();
    let schema = scene.database.name();
    lock.query_drop(format!("LOCK TABLES `{schema}`.orders WRITE"))
        .await
        .unwrap();
    let mut invocations = JoinSet::new();
    for errand in errands {
        let scene = Arc::clone(&scene);
        invocations.spawn(async move {
            let started = Instant::now();
            let answer = scene.function.invoke(errand.event.clone()).await.unwrap();
            (answer, started.elapsed())
        });
    }
    for (answer, elapsed) in invocations.join_all().await {
        assert_eq!(answer.status, 503, "{answer:#?}");
        assert!(answer.header("retry-after").is_some());
        assert!(elapsed < timeout, "{elapsed:?}");
    }
    lock.query_drop("UNLOCK TABLES").await.unwrap();
    scene.succeed_at_once(16).await;
}
