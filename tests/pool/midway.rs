//! A fault in the middle of an invocation gives the right answer or the right error, within the
//! deadline; nothing is half written, and the next invocation works.

use std::time::{Duration, Instant};

use serde_json::json;
use stack::function::Answer;
use stack::proxy::{At, Fault};

use crate::errand::{Call, Errand};
use crate::scene::{Backend, Scene, everywhere};

/// What an invocation is told it has.
const TIMEOUT: Duration = Duration::from_secs(3);

/// More flights than any call needs on a connection that is warm.
const FLIGHTS: usize = 6;

async fn scene(call: Call, backend: Backend) -> Scene {
    Scene::with(call, backend, |setup| {
        setup
            .timeout(TIMEOUT)
            // A swallowed statement is to leave time to be sent again.
            .env("DATABASE_STATEMENT_TIMEOUT_MS", "400")
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
    judge(scene, call, &errand, &answer, &case).await;
    scene.succeed().await;
    met
}

/// Asserts that the answer is the truth.
async fn judge(scene: &Scene, call: Call, errand: &Errand, answer: &Answer, case: &str) {
    let read = matches!(call, Call::Get | Call::List);
    match (answer.status, answer.body["type"].as_str()) {
        (status, None) if status == call.success() => scene.check(errand, answer).await,
        // A read is sent again, in time.
        _ if read => panic!("{case}"),
        (503, _) => assert_eq!(done(scene, call, errand).await, 0, "{case}"),
        (500, Some("/problems/outcome-unknown")) => {
            let done = done(scene, call, errand).await;
            assert!(done <= 1, "{case}");
            if call == Call::Create {
                // The same key again makes it one order, whatever has become of the first.
                let again = scene.function.invoke(errand.event.clone()).await.unwrap();
                assert_eq!(again.status, 201, "{case}");
                assert_eq!(
                    again.header("idempotent-replayed"),
                    (done == 1).then_some("true"),
                    "{case}"
                );
                assert_eq!(scene.placed(&errand.key).await.len(), 1, "{case}");
            }
        }
        _ => panic!("{case}"),
    }
}

/// How often the database did what was asked for.
async fn done(scene: &Scene, call: Call, errand: &Errand) -> usize {
    if call == Call::Create {
        return scene.placed(&errand.key).await.len();
    }
    scene.changes(errand.id.unwrap()).await
}

async fn every_flight_is_struck(fault: Fault) {
    for (call, backend) in everywhere() {
        let scene = scene(call, backend).await;
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
    }
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
    for backend in Backend::ALL {
        let scene = scene(Call::Create, backend).await;
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
