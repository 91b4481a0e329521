//! When Lambda ends the execution environment, the function says goodbye on every connection.

use std::sync::Arc;
use std::time::Duration;

use lambda::process::catch_panic;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tests::eventually_holds;
use tests::proxy::Fault;
use tests::stack::Stack;
use tests::stand_ins::lambda::Function;
use tokio::time::{Instant, sleep, timeout};

use crate::function_under_test::{FunctionUnderTest, sharing};
use crate::request::Call;

/// The time between SIGTERM and SIGKILL on Lambda with an external extension (aws-samples,
/// graceful-shutdown-with-aws-lambda).
const GRACE: Duration = Duration::from_millis(300);

/// How long the server may take to notice anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// Stops the function as Lambda does, and returns whether it exits by itself in this time. If it does,
/// it must be without an error.
async fn ends_within(limit: Duration, function: Function) -> bool {
    // When the time is up, the function is dropped, which kills it.
    let Ok(exit) = timeout(limit, function.stop()).await else {
        return false;
    };
    let exit = exit.unwrap();
    assert!(exit.status.success(), "{exit:?}");
    true
}

/// Stops a function in a test in which it does not matter how fast it ends.
async fn end(function: Function) {
    let ended = ends_within(Duration::from_secs(10), function).await;
    assert!(ended, "it does not end by itself");
}

/// Asserts that one of three functions ends before Lambda would kill it. On a slow machine, not every
/// one does.
async fn assert_ends_in_time(start: impl AsyncFn() -> FunctionUnderTest) {
    for _ in 0..3 {
        let under_test = start().await;
        let ended = ends_within(GRACE, under_test.function).await;
        eventually_holds("every connection is closed", async || {
            under_test.proxy.counts().open == 0
        })
        .await;
        if ended {
            return;
        }
    }
    panic!("no function ends before it is killed");
}

/// The server's log of all commands, from [`start`](Self::start) to [`end`](Self::end).
struct GeneralLog(Conn);

impl GeneralLog {
    async fn start() -> Self {
        let mut admin = Stack::from_env().unwrap().admin().await.unwrap();
        for statement in [
            // An earlier run that was killed may have left entries with the same connection ids.
            "TRUNCATE mysql.general_log",
            "SET GLOBAL log_output = 'TABLE'",
            "SET GLOBAL general_log = ON",
        ] {
            admin.query_drop(statement).await.unwrap();
        }
        Self(admin)
    }

    /// Waits until these connections have said goodbye, and returns those that did.
    async fn quit(&mut self, connections: &[u64]) -> Vec<u64> {
        let query = "SELECT thread_id FROM mysql.general_log WHERE command_type = 'Quit'";
        let limit = Instant::now() + PATIENCE;
        loop {
            let mut quit: Vec<u64> = self.0.query(query).await.unwrap();
            quit.retain(|id| connections.contains(id));
            quit.sort_unstable();
            if quit.len() == connections.len() || Instant::now() > limit {
                return quit;
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    async fn end(mut self) {
        for statement in ["SET GLOBAL general_log = OFF", "TRUNCATE mysql.general_log"] {
            self.0.query_drop(statement).await.unwrap();
        }
    }
}

/// The function of `call`, with one connection.
async fn one(call: Call) -> FunctionUnderTest {
    let under_test = FunctionUnderTest::new(call).await;
    under_test.succeed().await;
    under_test
}

/// The function of `call`, with as many connections as it may have.
async fn many(call: Call) -> FunctionUnderTest {
    let under_test = FunctionUnderTest::with(call, |setup| sharing(setup, 16, 5));
    let under_test = Arc::new(under_test.await);
    while under_test.proxy.counts().open < 5 {
        under_test.succeed_at_once(16).await;
    }
    Arc::into_inner(under_test).unwrap()
}

/// Ends functions, and returns the connections that said goodbye and those that each function had.
async fn goodbyes(log: &mut GeneralLog) -> Vec<(Vec<u64>, Vec<u64>)> {
    let mut quits = Vec::new();
    for under_test in [
        one(Call::Get).await,
        one(Call::List).await,
        one(Call::Create).await,
        one(Call::Update).await,
        many(Call::Get).await,
        many(Call::Create).await,
    ] {
        let mut connections = under_test.connections().await;
        connections.sort_unstable();
        end(under_test.function).await;
        quits.push((log.quit(&connections).await, connections));
    }
    quits
}

#[tokio::test]
async fn every_connection_says_goodbye_to_mysql() {
    let mut log = GeneralLog::start().await;
    // A log that stayed on would slow down all other tests.
    let quits = catch_panic(Box::pin(goodbyes(&mut log))).await;
    log.end().await;
    let Ok(quits) = quits else {
        panic!("a function did not end, and the test's output says why");
    };
    for (quit, connections) in quits {
        assert!(!connections.is_empty());
        assert_eq!(quit, connections);
    }
}

#[tokio::test]
async fn every_connection_says_goodbye_to_vtgate() {
    for call in Call::ALL {
        let under_test = FunctionUnderTest::before_stand_in(call).await;
        under_test.succeed().await;
        let vtgate = under_test.database.vtgate().unwrap();
        let (before, open) = (vtgate.farewells(), under_test.proxy.counts().open);
        assert!(open > 0);
        end(under_test.function).await;
        eventually_holds("every connection says goodbye", async || {
            vtgate.farewells() == before + open
        })
        .await;
    }
}

#[tokio::test]
async fn a_thawed_function_stops_in_time() {
    for call in Call::ALL {
        let thawed = async || {
            let under_test = one(call).await;
            under_test.function.freeze().unwrap();
            under_test.function.thaw().unwrap();
            under_test
        };
        assert_ends_in_time(thawed).await;
    }
}

#[tokio::test]
async fn a_silent_server_does_not_delay_the_shutdown() {
    for has_many in [false, true] {
        let silent = async || {
            let under_test = match has_many {
                true => many(Call::Get).await,
                false => one(Call::Create).await,
            };
            under_test.proxy.strike(Fault::Swallow).await;
            under_test
        };
        assert_ends_in_time(silent).await;
    }
}

#[tokio::test]
async fn a_shutdown_during_an_invocation_leaves_nothing_half_written() {
    let under_test = FunctionUnderTest::new(Call::Create).await;
    under_test.succeed().await;
    let request = under_test.new_request().await;

    // The server has answered START TRANSACTION, and the order waits.
    let mut lock = under_test.database.lock_orders().await.unwrap();
    tokio::select! {
        answer = under_test.invoke(&request) => panic!("{answer:#?}"),
        () = under_test.wait_until_blocked() => {}
    }
    let FunctionUnderTest {
        database, function, ..
    } = under_test;
    end(function).await;
    lock.query_drop("UNLOCK TABLES").await.unwrap();

    eventually_holds("the server ends the connection", async || {
        database.open_connections().await.unwrap() == 0
    })
    .await;
    let mut admin = database.connect_as_admin().await.unwrap();
    let placed = "SELECT COUNT(*) FROM orders WHERE idempotency_key = UNHEX(SHA2(?, 256))";
    let placed: Option<u64> = admin.exec_first(placed, (&request.key,)).await.unwrap();
    assert_eq!(placed, Some(0));
}
