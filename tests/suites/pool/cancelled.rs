//! A statement or transaction that was given up never leaks into the next invocation.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tests::stack::Stack;
use tests::stand_ins::lambda::event::Event;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::function_under_test::{FunctionUnderTest, millis, sharing};
use crate::request::{Call, logged};

/// How long a statement may take.
const LIMIT: Duration = Duration::from_millis(500);

#[tokio::test]
async fn no_invocation_sees_the_rows_of_one_that_timed_out() {
    let mut functions = JoinSet::new();
    for call in [Call::Get, Call::List, Call::Update] {
        functions.spawn(late_answers(call));
    }
    functions.join_all().await;
}

async fn late_answers(call: Call) {
    // Far longer than the limit, because a slow machine is late to give up.
    let late = Duration::from_secs(3);
    let under_test = FunctionUnderTest::with(call, |setup| {
        setup
            .env("DATABASE_STATEMENT_TIMEOUT_MS", millis(LIMIT))
            .env("DATABASE_POOL_MAX", "1")
    })
    .await;
    for _ in 0..20 {
        under_test.succeed().await;
        // The statement is done, but its answer arrives when nobody waits for it any more.
        let request = under_test.new_request().await;
        under_test.proxy.delay(Duration::ZERO, late);
        let answers = under_test.proxy.counts().round_trips;
        let answered = async {
            while under_test.proxy.counts().round_trips == answers {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let mut invocation = pin!(under_test.function.invoke(request.event.clone()));
        let answer = tokio::select! {
            answer = &mut invocation => answer,
            // This answer is on its way for long. When the function has given up and sends the
            // statement again, the next one comes at once.
            () = answered => {
                under_test.proxy.delay(Duration::ZERO, Duration::ZERO);
                invocation.await
            }
        };
        let answer = answer.unwrap();
        assert!(logged(&answer, "Retries") > 0, "{answer:#?}");
        under_test.assert_success(&request, &answer).await;
    }
    // The pool's only slot was not lost.
    under_test.succeed().await;
    under_test.wait_until_no_transaction_is_open().await;
}

#[tokio::test]
async fn concurrent_invocations_see_only_their_own_rows() {
    let at_once = 16;
    let under_test = FunctionUnderTest::with(Call::Get, |setup| {
        sharing(setup, at_once, 4).env("DATABASE_STATEMENT_TIMEOUT_MS", millis(LIMIT))
    });
    let under_test = Arc::new(under_test.await);
    let late = Duration::from_millis(1000);
    let (mut done, mut retries) = (0, 0);
    let rounds = async {
        for _ in 0..20 {
            let mut invocations = JoinSet::new();
            for _ in 0..at_once {
                let under_test = Arc::clone(&under_test);
                invocations.spawn(async move {
                    let request = under_test.new_request().await;
                    let answer = under_test.invoke(&request).await;
                    let done = answer.status != 503;
                    if done {
                        under_test.assert_success(&request, &answer).await;
                    }
                    (u64::from(done), logged(&answer, "Retries"))
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
            for delay in [late, Duration::ZERO] {
                under_test.proxy.delay(Duration::ZERO, delay);
                tokio::time::sleep(LIMIT).await;
            }
        }
    };
    tokio::select! {
        () = rounds => {}
        () = lateness => {}
    }
    assert!(done > 0, "no invocation succeeded");
    assert!(retries > 0, "no statement was given up");
    under_test.proxy.delay(Duration::ZERO, Duration::ZERO);
    under_test.succeed_at_once(at_once).await;
}

/// What the misbehaving function does before it reads and returns a marker, and the status of its
/// answer.
const MISHAPS: [(&str, u16); 4] = [
    ("panic_in_statement", 500),
    ("panic_in_transaction", 500),
    ("drop_statement", 200),
    ("drop_transaction", 200),
];

/// The function that misbehaves on demand, with this many connections.
async fn misbehaving(at_once: usize, connections: usize) -> Arc<FunctionUnderTest> {
    let program = Stack::from_env().unwrap().example("misbehaving");
    let under_test = FunctionUnderTest::with(Call::Create, |setup| {
        sharing(setup, at_once, connections)
            .program(program)
            .timeout(Duration::from_secs(30))
            // On a slow machine, many connections at once take longer than the usual limits.
            .env("DATABASE_ACQUIRE_TIMEOUT_MS", "20000")
            .env("DATABASE_CONNECT_TIMEOUT_MS", "20000")
    });
    Arc::new(under_test.await)
}

/// Makes it misbehave, and asserts that a successful answer has the caller's own marker.
async fn misbehave(under_test: &FunctionUnderTest, (mishap, status): (&str, u16)) {
    let marker = Uuid::now_v7().to_string();
    let event = Event::post("/orders").json(&json!({ "marker": marker, "mishap": mishap }));
    let answer = under_test.function.invoke(event).await.unwrap();
    assert_eq!(answer.status, status, "{mishap}: {answer:#?}");
    if status == 200 {
        assert_eq!(answer.body["marker"], json!(marker), "{mishap}");
    }
}

async fn assert_nothing_left_behind(under_test: &FunctionUnderTest, connections: usize) {
    assert!(under_test.proxy.counts().peak <= connections);
    under_test.wait_until_no_transaction_is_open().await;
    assert_eq!(under_test.items().await, 0);
}

#[tokio::test]
async fn a_handler_that_panics_or_is_dropped_leaves_nothing_behind() {
    // If an only slot were lost, every later invocation would fail.
    for (at_once, connections, rounds) in [(1, 1, 120), (16, 4, 20)] {
        let under_test = misbehaving(at_once, connections).await;
        let mut workers = JoinSet::new();
        for worker in 0..at_once {
            let under_test = Arc::clone(&under_test);
            workers.spawn(async move {
                for mishap in MISHAPS.into_iter().cycle().skip(worker).take(rounds) {
                    misbehave(&under_test, mishap).await;
                    misbehave(&under_test, ("none", 200)).await;
                }
            });
        }
        workers.join_all().await;
        assert_nothing_left_behind(&under_test, connections).await;
    }
}

#[tokio::test]
async fn a_handler_that_is_cut_off_at_its_deadline_leaves_nothing_behind() {
    let program = Stack::from_env().unwrap().example("misbehaving");
    let under_test = FunctionUnderTest::with(Call::Create, |setup| {
        setup
            .program(program)
            .timeout(Duration::from_secs(3))
            .env("DATABASE_POOL_MAX", "1")
    })
    .await;
    for _ in 0..5 {
        misbehave(&under_test, ("hang_in_transaction", 500)).await;
        misbehave(&under_test, ("none", 200)).await;
    }
    assert_nothing_left_behind(&under_test, 1).await;
}
