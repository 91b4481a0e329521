//! The limits of Vitess' tablets, on real Vitess: the rows of an answer, the connections and the
//! transactions at once, and the time of a transaction. These tests only run with `cargo dev test --vitess`.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use tests::proxy::At;
use tests::stand_ins::lambda::event::Event;
use tokio::time::sleep;

use crate::function_under_test::{CUSTOMER, FunctionUnderTest, is_vitess};
use crate::request::{Call, logged};

/// A function in front of a Vitess with these flags; none if the test run has no Vitess.
async fn before_vitess(call: Call, flags: &[&str]) -> Option<FunctionUnderTest> {
    if !is_vitess() {
        return None;
    }
    let under_test =
        FunctionUnderTest::with(call, |setup| setup.timeout(Duration::from_secs(10))).await;
    under_test
        .database
        .vitess()
        .unwrap()
        .restart(flags)
        .await
        .unwrap();
    under_test.succeed().await;
    Some(under_test)
}

#[tokio::test]
async fn an_answer_with_too_many_rows_is_an_error_that_keeps_the_connection() {
    let flags = ["--queryserver-config-max-result-size=20"];
    let Some(under_test) = before_vitess(Call::List, &flags).await else {
        return;
    };
    for _ in 0..30 {
        under_test.insert_order().await;
    }
    let connections = under_test.proxy.counts().ever;
    let many = Event::get(format!("/customers/{CUSTOMER}/orders?limit=25"));
    let answer = under_test.function.invoke(many).await.unwrap();
    assert_eq!(answer.status, 500, "{answer:#?}");
    assert!(
        !answer.body.to_string().contains("Row count"),
        "{answer:#?}"
    );
    under_test.succeed().await;
    assert_eq!(under_test.proxy.counts().ever, connections);
}

#[tokio::test]
async fn a_function_waits_for_a_full_transaction_pool() {
    let flags = [
        "--queryserver-config-transaction-cap=1",
        "--queryserver-config-txpool-timeout=50ms",
    ];
    let Some(under_test) = before_vitess(Call::Create, &flags).await else {
        return;
    };
    let database = &under_test.database;
    let vitess = database.vitess().unwrap();
    let other = vitess.connect(database.username(), database.password());
    let mut other = other.await.unwrap();
    for lasts in [Duration::from_millis(500), Duration::from_secs(15)] {
        for statement in ["BEGIN", "SELECT COUNT(*) FROM orders"] {
            other.query_drop(statement).await.unwrap();
        }
        let request = under_test.new_request().await;
        let (answer, ()) = tokio::join!(under_test.function.invoke(request.event.clone()), async {
            sleep(lasts).await;
            other.query_drop("ROLLBACK").await.unwrap();
        });
        let answer = answer.unwrap();
        assert!(logged(&answer, "Retries") > 0, "{answer:#?}");
        under_test.assert_truthful(&request, &answer).await;
        let status = if lasts < Duration::from_secs(10) {
            201
        } else {
            503
        };
        assert_eq!(answer.status, status, "{answer:#?}");
    }
    under_test.succeed().await;
}

#[tokio::test]
async fn a_function_waits_for_a_tablet_whose_connections_are_all_taken() {
    let flags = [
        "--queryserver-config-pool-size=1",
        "--queryserver-config-query-pool-timeout=50ms",
    ];
    let Some(under_test) = before_vitess(Call::Get, &flags).await else {
        return;
    };
    let database = &under_test.database;
    let vitess = database.vitess().unwrap();
    let others = vitess.connect(database.username(), database.password());
    let mut others = others.await.unwrap();
    let request = under_test.new_request().await;
    let (answer, ()) = tokio::join!(
        async {
            // The other one comes first.
            sleep(Duration::from_millis(500)).await;
            under_test.invoke(&request).await
        },
        async { others.query_drop("SELECT SLEEP(2)").await.unwrap() }
    );
    assert!(logged(&answer, "Retries") > 0, "{answer:#?}");
    under_test.assert_success(&request, &answer).await;
}

#[tokio::test]
async fn a_transaction_that_a_tablet_ends_is_run_again() {
    let flags = ["--queryserver-config-transaction-timeout=500ms"];
    let Some(under_test) = before_vitess(Call::Create, &flags).await else {
        return;
    };
    // The third flight writes the items, and the fourth is COMMIT.
    for flight in [3, 4] {
        let request = under_test.new_request().await;
        let hold = under_test.proxy.hold(flight, At::BeforeServer);
        let (answer, ()) = tokio::join!(under_test.function.invoke(request.event.clone()), async {
            sleep(Duration::from_secs(2)).await;
            assert!(hold.is_reached());
            drop(hold);
        });
        let answer = answer.unwrap();
        // After a COMMIT that failed, the function looks for the order by its key.
        assert!(flight == 4 || logged(&answer, "Retries") > 0, "{answer:#?}");
        under_test.assert_truthful(&request, &answer).await;
        assert_eq!(
            under_test.placed(&request.key).await.len(),
            1,
            "{answer:#?}"
        );
        under_test.wait_until_no_transaction_is_open().await;
    }
}
