//! A flow that goes silent right after it was used costs one short wait, and no invocation fails. A
//! slow flow is not mistaken for a silent one.
//!
//! Here a statement's limit is longer than the invocation. So an invocation that waited for it would
//! fail.

use std::sync::Arc;
use std::time::Duration;

use database::{DatabaseError, Session, Statement};
use lambda::Deadline;
use lambda::clock::SystemClock;
use mysql_async::prelude::Queryable;
use tests::eventually_holds;
use tests::proxy::{At, Fault};
use tests::stand_ins::lambda::Setup;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::direct::DirectPool;
use crate::function_under_test::{FunctionUnderTest, is_vitess};
use crate::request::{Call, logged};

/// The time since the last answer.
const JUST_NOW: Duration = Duration::from_millis(10);

const TIMEOUT: Duration = Duration::from_secs(20);

/// How long a flow is silent before the server is asked, in milliseconds.
const SILENCE: &str = "300";

fn patient(setup: Setup) -> Setup {
    setup
        .timeout(TIMEOUT)
        .env("DATABASE_STATEMENT_TIMEOUT_MS", "60000")
        .env("DATABASE_PING_TIMEOUT_MS", SILENCE)
}

#[tokio::test]
async fn every_function_survives_a_flow_that_just_went_silent() {
    let mut functions = JoinSet::new();
    for call in Call::ALL {
        functions.spawn(async move {
            let under_test = FunctionUnderTest::with(call, patient).await;
            for _ in 0..3 {
                under_test.succeed().await;
                let request = under_test.new_request().await;
                sleep(JUST_NOW).await;
                under_test.proxy.strike(Fault::Swallow).await;
                let answer = under_test.invoke(&request).await;
                under_test.assert_success(&request, &answer).await;
                assert_eq!(logged(&answer, "Retries"), 1, "{answer:#?}");
                // Only now does the server notice the swallowed connections.
                under_test.proxy.strike(Fault::Reset).await;
            }
            assert!(under_test.proxy.counts().peak <= 2);
        });
    }
    functions.join_all().await;
}

#[tokio::test]
async fn a_read_is_repeated_when_its_answer_is_lost_silently() {
    let under_test = FunctionUnderTest::with(Call::Get, patient).await;
    under_test.succeed().await;
    under_test.succeed().await;
    let request = under_test.new_request().await;
    under_test.proxy.ambush(1, At::Answer(0), Fault::Swallow);
    let answer = under_test.invoke(&request).await;
    assert!(!under_test.proxy.lift_ambush());
    under_test.assert_success(&request, &answer).await;
}

#[tokio::test]
async fn a_slow_read_is_sent_once() {
    let under_test = FunctionUnderTest::with(Call::Get, patient).await;
    under_test.succeed().await;
    let request = under_test.new_request().await;
    let mut lock = under_test.database.lock_orders().await.unwrap();
    let unlocked = async {
        under_test.wait_until_blocked().await;
        // The function asks more than once whether the flow is silent. This is midway between its
        // questions after 650 ms and after 1050 ms.
        sleep(Duration::from_millis(800)).await;
        lock.query_drop("UNLOCK TABLES").await.unwrap();
    };
    let (answer, ()) = tokio::join!(under_test.function.invoke(request.event.clone()), unlocked);
    let answer = answer.unwrap();
    under_test.assert_success(&request, &answer).await;
    assert_eq!(logged(&answer, "Retries"), 0, "{answer:#?}");
    assert_eq!(logged(&answer, "Statements"), 1, "{answer:#?}");
}

static READ: Statement = Statement::read("READ", "SELECT COUNT(*) FROM order_items", "PRIMARY");
const WRITE: Statement = Statement::write(
    "WRITE",
    "INSERT INTO order_items (order_id, customer_id, position, sku, quantity, unit_price) \
     VALUES (?, ?, ?, ?, ?, ?)",
);

impl DirectPool {
    async fn patient() -> Self {
        let settings = [
            ("DATABASE_STATEMENT_TIMEOUT_MS", "60000"),
            ("DATABASE_PING_AFTER_MS", "3600000"),
            ("DATABASE_PING_TIMEOUT_MS", SILENCE),
        ];
        Self::new(Arc::new(SystemClock), &settings).await
    }

    async fn session(&self) -> Session<'_> {
        self.pool.session(Deadline::after(TIMEOUT)).await.unwrap()
    }

    /// A session on a connection that answered a moment ago and is silent now.
    async fn silent_session(&self) -> Session<'_> {
        let counted: Option<u64> = self.session().await.row(&READ, ()).await.unwrap();
        assert!(counted.is_some());
        sleep(JUST_NOW).await;
        self.proxy.strike(Fault::Swallow).await;
        self.session().await
    }
}

#[tokio::test]
async fn a_slow_read_of_the_schema_is_not_taken_for_lost() {
    const SLOW: Statement = Statement::read(
        "SLOW",
        "SELECT SLEEP(1) + COUNT(*) FROM information_schema.SCHEMATA",
        "",
    );
    let pool = DirectPool::patient().await;
    let counted: Option<u64> = pool.session().await.row(&SLOW, ()).await.unwrap();
    assert!(counted.is_some());
}

/// vtgate does so during a failover and at a cutover, and the server's list does not show it.
#[tokio::test]
async fn a_read_that_is_held_back_is_waited_for() {
    let pool = DirectPool::patient().await;
    // Two connections on which the read is prepared, so that the flights can be told apart.
    let (mut one, mut other) = (pool.session().await, pool.session().await);
    for session in [&mut one, &mut other] {
        assert_eq!(session.row(&READ, ()).await, Ok(Some(0_u64)));
    }
    drop((one, other));
    let mut session = pool.session().await;
    let held_back = async {
        let first = pool.proxy.hold(1, At::BeforeServer);
        eventually_holds("the read is held", async || first.is_reached()).await;
        // Before the read is sent again, the server is asked what it runs.
        let second = pool.proxy.hold(2, At::BeforeServer);
        eventually_holds("it is sent again", async || second.is_reached()).await;
        let connections = pool.proxy.counts().ever;
        // Long enough to ask again, which would take one more connection.
        sleep(Duration::from_secs(1)).await;
        connections
    };
    let (counted, connections) = tokio::join!(session.row(&READ, ()), held_back);
    assert_eq!(counted, Ok(Some(0_u64)));
    // Vitess' list also shows the reads of other tests, so the second flight may be one more question.
    if !is_vitess() {
        assert_eq!(pool.proxy.counts().ever, connections);
    }
}

#[tokio::test]
async fn the_first_statement_of_a_session_survives_a_silent_flow() {
    let pool = DirectPool::patient().await;
    let item = |position: u8| ([7_u8; 16], "cust-1", position, "TEA-1", 1, "4.50");

    let mut session = pool.silent_session().await;
    assert_eq!(session.execute(&WRITE, item(0)).await, Ok(1));
    drop(session);

    let mut session = pool.silent_session().await;
    let written: Result<u64, DatabaseError> = session
        .transaction(|mut transaction| async move { transaction.execute(&WRITE, item(1)).await })
        .await;
    assert_eq!(written, Ok(1));
    drop(session);

    let mut session = pool.silent_session().await;
    assert_eq!(session.row(&READ, ()).await, Ok(Some(2_u64)));
    drop(session);
    pool.proxy.strike(Fault::Reset).await;
    drop(pool.database);
}
