//! A fault in the middle of an invocation gives the right answer or the right error, within the
//! deadline; nothing is half written, and the next invocation works.

use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use serde_json::json;
use tests::proxy::{At, Fault};
use tests::stand_ins::lambda::event::Event;
use tokio::task::JoinSet;

use crate::errand::{Call, logged};
use crate::function_under_test::{Backend, Scene, everywhere};

/// What an invocation is told it has.
const TIMEOUT: Duration = Duration::from_secs(6);

/// More flights than any call needs on a connection that is warm.
const FLIGHTS: usize = 6;

async fn scene(call: Call, backend: Backend, fault: Fault) -> Scene {
    // A swallowed statement is to leave time to be sent again.
    let limit = if fault == Fault::Swallow {
        "700"
    } else {
        "1500"
    };
    Scene::with(call, backend, |setup| {
        setup
            .timeout(TIMEOUT)
            .env("DATABASE_STATEMENT_TIMEOUT_MS", limit)
            // A slow machine is not to be taken for a flow that went silent.
            .env("DATABASE_PING_TIMEOUT_MS", limit)
    })
    .await
}

/// Lays an ambush on the `flight`-th flight of an invocation and asserts what must hold. Answers
/// whether there was such a flight.
async fn struck(scene: &Scene, call: Call, flight: usize, at: At, fault: Fault) -> bool {
    // Every statement is prepared, so that flights are statements.
    scene.succeed().await;
    scene.succeed().await;
    let errand = scene.errand().await;
    scene.proxy.ambush(flight, at, fault);
    let started = Instant::now();
    let answer = scene.function.invoke(errand.event.clone()).await.unwrap();
    let case = format!("{call:?}, flight {flight}, {at:?}, {fault:?}: {answer:#?}");
    assert!(started.elapsed() < TIMEOUT, "{case}");
    let met = !scene.proxy.lift_ambush();
    // What was swallowed comes to the server's notice only now.
    scene.proxy.strike(Fault::Reset).await;
    scene.wait_until_no_transaction_is_open().await;
    scene.judge(&errand, &answer).await;
    scene.succeed().await;
    met
}

async fn every_flight_is_struck(fault: Fault) {
    let mut scenes = JoinSet::new();
    for (call, backend) in everywhere() {
        scenes.spawn(async move {
            let scene = scene(call, backend, fault).await;
            for at in [At::BeforeServer, At::Answer(0), At::Answer(10)] {
                let mut flights = 0;
                while flights < FLIGHTS && struck(&scene, call, flights + 1, at, fault).await {
                    flights += 1;
                }
                assert!(
                    (1..FLIGHTS).contains(&flights),
                    "{call:?} has {flights} flights"
                );
            }
        });
    }
    scenes.join_all().await;
}

#[tokio::test]
async fn connections_reset() {
    every_flight_is_struck(Fault::Reset).await;
}

#[tokio::test]
async fn connections_closed_in_order() {
    every_flight_is_struck(Fault::Close).await;
}

#[tokio::test]
async fn the_flow_swallowed_in_silence() {
    every_flight_is_struck(Fault::Swallow).await;
}

#[tokio::test]
async fn a_lost_answer_to_commit_never_makes_two_orders_of_one_key() {
    for backend in Backend::all() {
        let scene = scene(Call::Create, backend, Fault::Swallow).await;
        for fault in [Fault::Reset, Fault::Close, Fault::Swallow] {
            scene.succeed().await;
            scene.succeed().await;
            let errand = scene.errand().await;
            // START TRANSACTION, the order, its items, COMMIT.
            scene.proxy.ambush(4, At::Answer(0), fault);
            let first = scene.function.invoke(errand.event.clone()).await.unwrap();
            assert!(!scene.proxy.lift_ambush());
            let placed = scene.placed(&errand.key).await;
            assert_eq!(placed.len(), 1, "COMMIT was done: {first:#?}");
            let again = scene.function.invoke(errand.event.clone()).await.unwrap();
            assert_eq!(again.status, 201, "{again:#?}");
            assert_eq!(again.header("idempotent-replayed"), Some("true"));
            assert_eq!(again.body["id"], json!(placed[0].to_string()));
            assert_eq!(scene.placed(&errand.key).await, placed);
        }
    }
}

#[tokio::test]
async fn an_answer_that_stops_half_way_leaves_no_connection_beside_the_bound() {
    for backend in Backend::all() {
        let scene = Scene::with(Call::Get, backend, |setup| {
            setup
                .timeout(Duration::from_secs(30))
                .env("DATABASE_STATEMENT_TIMEOUT_MS", "2000")
                .env("DATABASE_POOL_MAX", "1")
        })
        .await;
        let order = Event::get(format!("/orders/{}", scene.place_large().await));
        for _ in 0..2 {
            let answer = scene.function.invoke(order.clone()).await.unwrap();
            assert_eq!(answer.status, 200, "{answer:#?}");
        }
        // The columns and many rows have come, and some are under way for ever.
        scene.proxy.ambush(1, At::Answer(17_000), Fault::Swallow);
        let answer = scene.function.invoke(order).await.unwrap();
        assert!(!scene.proxy.lift_ambush());
        assert_eq!(answer.status, 200, "{answer:#?}");
        assert_eq!(logged(&answer, "retries"), 1, "{answer:#?}");
        assert_eq!(scene.proxy.counts().ever, 2);
        assert_eq!(scene.proxy.counts().peak, 1);
    }
}

#[tokio::test]
async fn a_read_that_the_server_stops_is_not_sent_again() {
    for backend in Backend::all() {
        let scene = Scene::with(Call::Get, backend, |setup| {
            setup.env("DATABASE_STATEMENT_TIMEOUT_MS", "300")
        })
        .await;
        if scene.is_mariadb().await {
            return;
        }
        scene.succeed().await;
        let errand = scene.errand().await;
        let mut lock = scene.stack.admin().await.unwrap();
        let lock_orders = format!("LOCK TABLES `{}`.orders WRITE", scene.database.name());
        lock.query_drop(lock_orders).await.unwrap();
        let answer = scene.function.invoke(errand.event.clone()).await.unwrap();
        lock.query_drop("UNLOCK TABLES").await.unwrap();
        assert_eq!(answer.status, 503, "{answer:#?}");
        assert_eq!(logged(&answer, "retries"), 0, "{answer:#?}");
        scene.succeed().await;
        assert_eq!(scene.proxy.counts().ever, 1);
    }
}

#[tokio::test]
async fn the_time_for_a_new_connection_is_told_as_such() {
    let scene = Scene::new(Call::Get, Backend::one()).await;
    scene.succeed().await;
    scene.succeed().await;
    let errand = scene.errand().await;
    let latency = Duration::from_millis(20);
    scene.proxy.delay(latency, latency);
    scene.proxy.ambush(1, At::BeforeServer, Fault::Reset);
    let answer = scene.function.invoke(errand.event.clone()).await.unwrap();
    scene.check(&errand, &answer).await;
    let mut lines = answer.logs.iter();
    let wait = lines.find_map(|line| line["connection_wait_ms"].as_f64());
    assert!(wait.unwrap() >= 20.0, "{answer:#?}");
}
