//! What was given up never leaks into what comes after it.

use std::sync::Arc;
use std::time::Duration;

use crate::errand::{Call, logged};
use crate::scene::{Backend, Scene};

/// What a statement may take, and what one takes whose answer comes too late.
const LIMIT: Duration = Duration::from_millis(200);
const LATE: Duration = Duration::from_millis(400);

#[tokio::test]
async fn no_invocation_sees_the_rows_of_one_that_timed_out() {
    for backend in Backend::ALL {
        for call in [Call::Get, Call::List, Call::Update] {
            let scene = Scene::with(call, backend, |setup| {
                setup
                    .env(
                        "DATABASE_STATEMENT_TIMEOUT_MS",
                        LIMIT.as_millis().to_string(),
                    )
                    .env("DATABASE_POOL_MAX", "1")
            })
            .await;
            for _ in 0..20 {
                scene.succeed().await;
                // The statement is done, and its answer is on its way when nobody waits for it
                // any more.
                let errand = scene.errand().await;
                scene.proxy.delay(Duration::ZERO, LATE);
                let (answer, ()) =
                    tokio::join!(scene.function.invoke(errand.event.clone()), async {
                        tokio::time::sleep(LIMIT).await;
                        scene.proxy.delay(Duration::ZERO, Duration::ZERO);
                    });
                let answer = answer.unwrap();
                assert!(logged(&answer, "retries") > 0, "{answer:#?}");
                scene.check(&errand, &answer).await;
            }
            // The one place of the pool is still there.
            scene.succeed().await;
            scene.wait_until_no_transaction_is_open().await;
        }
    }
}

#[tokio::test]
async fn many_at_once_see_only_their_own_rows() {
    let at_once = 16;
    let scene = Scene::with(Call::Get, Backend::Server, |setup| {
        setup
            .env("AWS_LAMBDA_MAX_CONCURRENCY", at_once.to_string())
            .env("DATABASE_POOL_MAX", "4")
            .env(
                "DATABASE_STATEMENT_TIMEOUT_MS",
                LIMIT.as_millis().to_string(),
            )
    });
    let scene = Arc::new(scene.await);
    let rounds = async {
        for _ in 0..20 {
            let mut invocations = tokio::task::JoinSet::new();
            for _ in 0..at_once {
                let scene = Arc::clone(&scene);
                invocations.spawn(async move {
                    let errand = scene.errand().await;
                    let answer = scene.function.invoke(errand.event.clone()).await.unwrap();
                    if answer.status != 503 {
                        scene.check(&errand, &answer).await;
                    }
                });
            }
            invocations.join_all().await;
        }
    };
    let lateness = async {
        loop {
            for late in [LATE, Duration::ZERO] {
                scene.proxy.delay(Duration::ZERO, late);
                tokio::time::sleep(LIMIT).await;
            }
        }
    };
    tokio::select! {
        () = rounds => {}
        () = lateness => {}
    }
    scene.proxy.delay(Duration::ZERO, Duration::ZERO);
    scene.succeed_at_once(at_once).await;
}
