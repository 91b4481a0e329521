//! The limits of Vitess' tablets, met on real Vitess: the rows of an answer, the transactions at once,
//! and the time of a transaction. These tests do nothing without `cargo dev test --vitess`.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use tests::proxy::At;
use tests::stack::Stack;
use tests::stand_ins::lambda::event::Event;
use tokio::time::sleep;

use crate::errand::{Call, logged};
use crate::function_under_test::{Backend, CUSTOMER, Scene};

/// A function before a Vitess with these flags; none without Vitess.
async fn before_vitess(call: Call, flags: &[&str]) -> Option<Scene> {
    if !Stack::from_env().unwrap().is_vitess() {
        return None;
    }
    let scene = Scene::with(call, Backend::Vitess, |setup| {
        setup.timeout(Duration::from_secs(10))
    })
    .await;
    scene
        .database
        .vitess()
        .unwrap()
        .restart(flags)
        .await
        .unwrap();
    scene.succeed().await;
    Some(scene)
}

#[tokio::test]
async fn more_rows_than_a_tablet_gives_are_an_error_that_keeps_the_connection() {
    let flags = ["--queryserver-config-max-result-size=20"];
    let Some(scene) = before_vitess(Call::List, &flags).await else {
        return;
    };
    for _ in 0..30 {
        scene.place().await;
    }
    let connections = scene.proxy.counts().ever;
    let many = Event::get(format!("/customers/{CUSTOMER}/orders?limit=25"));
    let answer = scene.function.invoke(many).await.unwrap();
    assert_eq!(answer.status, 500, "{answer:#?}");
    assert!(
        !answer.body.to_string().contains("Row count"),
        "{answer:#?}"
    );
    scene.succeed().await;
    assert_eq!(scene.proxy.counts().ever, connections);
}

#[tokio::test]
async fn a_full_transaction_pool_is_waited_for() {
    let flags = [
        "--queryserver-config-transaction-cap=1",
        "--queryserver-config-txpool-timeout=50ms",
    ];
    let Some(scene) = before_vitess(Call::Create, &flags).await else {
        return;
    };
    let database = &scene.database;
    let vitess = database.vitess().unwrap();
    let other = vitess.connect(database.username(), database.password());
    let mut other = other.await.unwrap();
    for lasts in [Duration::from_millis(500), Duration::from_secs(15)] {
        for statement in ["BEGIN", "SELECT COUNT(*) FROM orders"] {
            other.query_drop(statement).await.unwrap();
        }
        let errand = scene.errand().await;
        let (answer, ()) = tokio::join!(scene.function.invoke(errand.event.clone()), async {
            sleep(lasts).await;
            other.query_drop("ROLLBACK").await.unwrap();
        });
        let answer = answer.unwrap();
        assert!(logged(&answer, "retries") > 0, "{answer:#?}");
        scene.judge(&errand, &answer).await;
        let status = if lasts < Duration::from_secs(10) {
            201
        } else {
            503
        };
        assert_eq!(answer.status, status, "{answer:#?}");
    }
    scene.succeed().await;
}

#[tokio::test]
async fn a_transaction_that_a_tablet_ends_is_run_again() {
    let flags = ["--queryserver-config-transaction-timeout=500ms"];
    let Some(scene) = before_vitess(Call::Create, &flags).await else {
        return;
    };
    // The order is written, its items not yet, and COMMIT not either.
    for flight in [3, 4] {
        let errand = scene.errand().await;
        let hold = scene.proxy.hold(flight, At::BeforeServer);
        let (answer, ()) = tokio::join!(scene.function.invoke(errand.event.clone()), async {
            sleep(Duration::from_secs(2)).await;
            assert!(hold.is_reached());
            drop(hold);
        });
        let answer = answer.unwrap();
        // After a COMMIT that failed, the function asks by the key what has become of the order.
        assert!(flight == 4 || logged(&answer, "retries") > 0, "{answer:#?}");
        scene.judge(&errand, &answer).await;
        assert_eq!(scene.placed(&errand.key).await.len(), 1, "{answer:#?}");
        scene.wait_until_no_transaction_is_open().await;
    }
}
