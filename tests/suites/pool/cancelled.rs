//! What was given up never leaks into what comes after it.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tests::stack::Stack;
use tests::stand_ins::lambda::event::Event;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::errand::{Call, logged};
use crate::function_under_test::{Backend, Scene};

/// What a statement may take, and what one takes whose answer comes too late.
const LIMIT: Duration = Duration::from_millis(500);
const LATE: Duration = Duration::from_millis(1000);

#[tokio::test]
async fn no_invocation_sees_the_rows_of_one_that_timed_out() {
    let mut scenes = JoinSet::new();
    for backend in Backend::all() {
        for call in [Call::Get, Call::List, Call::Update] {
            scenes.spawn(late_answers(call, backend));
        }
    }
    scenes.join_all().await;
}

async fn late_answers(call: Call, backend: Backend) {
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
        // The statement is done, and its answer is on its way when nobody waits for it any more.
        let errand = scene.errand().await;
        scene.proxy.delay(Duration::ZERO, LATE);
        let connections = scene.proxy.counts().ever;
        let given_up = async {
            while scene.proxy.counts().ever == connections {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let mut invocation = pin!(scene.function.invoke(errand.event.clone()));
        let answer = tokio::select! {
            answer = &mut invocation => answer,
            // It is sent again.
            () = given_up => {
                scene.proxy.delay(Duration::ZERO, Duration::ZERO);
                invocation.await
            }
        };
        let answer = answer.unwrap();
        assert!(logged(&answer, "retries") > 0, "{answer:#?}");
        scene.check(&errand, &answer).await;
    }
    // The one place of the pool is still there.
    scene.succeed().await;
    scene.wait_until_no_transaction_is_open().await;
}

#[tokio::test]
async fn many_at_once_see_only_their_own_rows() {
    let at_once = 16;
    let scene = Scene::with(Call::Get, Backend::one(), |setup| {
        setup
            .env("AWS_LAMBDA_MAX_CONCURRENCY", at_once.to_string())
            .env("DATABASE_POOL_MAX", "4")
            .env(
                "DATABASE_STATEMENT_TIMEOUT_MS",
                LIMIT.as_millis().to_string(),
            )
    });
    let scene = Arc::new(scene.await);
    let (mut done, mut retries) = (0, 0);
    let rounds = async {
        for _ in 0..20 {
            let mut invocations = JoinSet::new();
            for _ in 0..at_once {
                let scene = Arc::clone(&scene);
                invocations.spawn(async move {
                    let errand = scene.errand().await;
                    let answer = scene.function.invoke(errand.event.clone()).await.unwrap();
                    let done = answer.status != 503;
                    if done {
                        scene.check(&errand, &answer).await;
                    }
                    (u64::from(done), logged(&answer, "retries"))
                });
            }
            for answer in invocations.join_all().await {
                done += answer.0;
                retries += answer.1;
            }
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
    assert!(done > 0, "none was done");
    assert!(retries > 0, "none was given up");
    scene.proxy.delay(Duration::ZERO, Duration::ZERO);
    scene.succeed_at_once(at_once).await;
}

/// What the tests' own function does before it reads and answers a marker.
const MISHAPS: [(&str, u16); 4] = [
    ("panic_in_statement", 500),
    ("panic_in_transaction", 500),
    ("drop_statement", 200),
    ("drop_transaction", 200),
];

/// The function that goes wrong on demand, with that many connections.
async fn misbehaving(backend: Backend, at_once: usize, connections: usize) -> Arc<Scene> {
    let program = Stack::from_env().unwrap().example("misbehaving");
    let scene = Scene::with(Call::Create, backend, |setup| {
        setup
            .program(program)
            .timeout(Duration::from_secs(6))
            .env("AWS_LAMBDA_MAX_CONCURRENCY", at_once.to_string())
            .env("DATABASE_POOL_MAX", connections.to_string())
    });
    Arc::new(scene.await)
}

/// Lets it go wrong, and asserts that who is answered reads what is his own.
async fn go_wrong(scene: &Scene, (mishap, status): (&str, u16)) {
    let marker = Uuid::now_v7().to_string();
    let event = Event::post("/orders").json(&json!({ "marker": marker, "mishap": mishap }));
    let answer = scene.function.invoke(event).await.unwrap();
    assert_eq!(answer.status, status, "{mishap}: {answer:#?}");
    if status == 200 {
        assert_eq!(answer.body["marker"], json!(marker), "{mishap}");
    }
}

async fn nothing_is_left_behind(scene: &Scene, connections: usize) {
    assert!(scene.proxy.counts().peak <= connections);
    scene.wait_until_no_transaction_is_open().await;
    assert_eq!(scene.items().await, 0);
}

#[tokio::test]
async fn a_handler_that_panics_or_is_dropped_leaves_nothing_behind() {
    for backend in Backend::all() {
        // Were the one place lost, no later invocation would have any.
        let scene = misbehaving(backend, 1, 1).await;
        for mishap in MISHAPS.into_iter().cycle().take(120) {
            go_wrong(&scene, mishap).await;
            go_wrong(&scene, ("none", 200)).await;
        }
        nothing_is_left_behind(&scene, 1).await;
    }
}

#[tokio::test]
async fn many_handlers_that_panic_or_are_dropped_leave_nothing_behind() {
    let scene = misbehaving(Backend::one(), 16, 4).await;
    let mut workers = JoinSet::new();
    for worker in 0..16 {
        let scene = Arc::clone(&scene);
        workers.spawn(async move {
            for mishap in MISHAPS.into_iter().cycle().skip(worker).take(20) {
                go_wrong(&scene, mishap).await;
                go_wrong(&scene, ("none", 200)).await;
            }
        });
    }
    workers.join_all().await;
    nothing_is_left_behind(&scene, 4).await;
}

#[tokio::test]
async fn a_handler_that_is_cut_at_its_end_leaves_nothing_behind() {
    for backend in Backend::all() {
        let program = Stack::from_env().unwrap().example("misbehaving");
        let scene = Scene::with(Call::Create, backend, |setup| {
            setup
                .program(program)
                .timeout(Duration::from_secs(1))
                .env("DATABASE_POOL_MAX", "1")
        })
        .await;
        for _ in 0..5 {
            go_wrong(&scene, ("hang_in_transaction", 500)).await;
            go_wrong(&scene, ("none", 200)).await;
        }
        nothing_is_left_behind(&scene, 1).await;
    }
}
