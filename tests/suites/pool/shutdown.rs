//! At the end of the execution environment the server hears goodbye on every connection.

use std::sync::Arc;
use std::time::Duration;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tests::proxy::Fault;
use tests::stack::Stack;
use tests::stand_ins::lambda::Function;
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use crate::errand::Call;
use crate::function_under_test::{Backend, CUSTOMER, Scene, everywhere};

/// Lambda kills so long after SIGTERM where an external extension is present (aws-samples,
/// graceful-shutdown-with-aws-lambda).
const GRACE: Duration = Duration::from_millis(300);

/// How long the server may take to notice anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// Ends the function as Lambda does, and asserts that it ended by itself and well.
async fn end(function: Function) {
    // A function that is dropped, since its time is up, is killed.
    let exit = timeout(GRACE, function.stop()).await;
    let exit = exit.expect("it ends before it is killed").unwrap();
    assert!(exit.status.success(), "{exit:?}");
}

/// The server's log of all commands, while the value lives and until it is [ended](Self::end).
struct GeneralLog(Conn);

impl GeneralLog {
    async fn start() -> Self {
        let mut admin = Stack::from_env().unwrap().admin().await.unwrap();
        for statement in [
            // What a run that was killed has left, with the same numbers.
            "TRUNCATE mysql.general_log",
            "SET GLOBAL log_output = 'TABLE'",
            "SET GLOBAL general_log = ON",
        ] {
            admin.query_drop(statement).await.unwrap();
        }
        Self(admin)
    }

    /// Those of the connections that said goodbye; waits for all of them.
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

/// A function of `call` with its connection.
async fn one(call: Call) -> Scene {
    let scene = Scene::new(call, Backend::one()).await;
    scene.succeed().await;
    scene
}

/// A function of `call` with as many connections as it may have.
async fn many(call: Call) -> Scene {
    let scene = Scene::with(call, Backend::one(), |setup| {
        setup
            .env("AWS_LAMBDA_MAX_CONCURRENCY", "16")
            .env("DATABASE_POOL_MAX", "5")
    });
    let scene = Arc::new(scene.await);
    while scene.proxy.counts().open < 5 {
        scene.succeed_at_once(16).await;
    }
    Arc::into_inner(scene).unwrap()
}

#[tokio::test]
async fn every_connection_is_closed_in_order() {
    let mut log = GeneralLog::start().await;
    let mut quits = Vec::new();
    for scene in [
        one(Call::Get).await,
        one(Call::List).await,
        one(Call::Create).await,
        one(Call::Update).await,
        many(Call::Get).await,
        many(Call::Create).await,
    ] {
        let mut connections = scene.connections().await;
        connections.sort_unstable();
        end(scene.function).await;
        quits.push((log.quit(&connections).await, connections));
    }
    log.end().await;
    for (quit, connections) in quits {
        assert!(!connections.is_empty());
        assert_eq!(quit, connections);
    }
}

#[tokio::test]
async fn vtgate_hears_goodbye_on_every_connection() {
    for call in Call::ALL {
        let scene = Scene::new(call, Backend::StandIn).await;
        scene.succeed().await;
        let vtgate = scene.database.vtgate().unwrap();
        let (before, open) = (vtgate.farewells(), scene.proxy.counts().open);
        assert!(open > 0);
        end(scene.function).await;
        wait_until(async || vtgate.farewells() == before + open).await;
    }
}

#[tokio::test]
async fn a_frozen_function_ends_when_it_goes_on() {
    for (call, backend) in everywhere() {
        let scene = Scene::new(call, backend).await;
        scene.succeed().await;
        scene.function.freeze().unwrap();
        scene.function.thaw().unwrap();
        end(scene.function).await;
        wait_until(async || scene.proxy.counts().open == 0).await;
    }
}

#[tokio::test]
async fn a_server_that_does_not_answer_holds_nothing_up() {
    for scene in [one(Call::Create).await, many(Call::Get).await] {
        scene.proxy.strike(Fault::Swallow).await;
        end(scene.function).await;
    }
}

#[tokio::test]
async fn an_invocation_under_way_leaves_nothing_half_written() {
    let scene = Scene::new(Call::Create, Backend::one()).await;
    scene.succeed().await;
    let errand = scene.errand().await;

    // The same key, not yet committed: the function's order waits for what becomes of this one.
    let mut other = scene.stack.admin().await.unwrap();
    let schema = scene.database.name();
    other.query_drop(format!("USE `{schema}`")).await.unwrap();
    other.query_drop("START TRANSACTION").await.unwrap();
    let order = "INSERT INTO orders VALUES (?, ?, 'pending', 'EUR', 9, 1, UNHEX(SHA2(?, 256)), NULL, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))";
    let id = Uuid::now_v7();
    other
        .exec_drop(order, (id.as_bytes(), CUSTOMER, &errand.key))
        .await
        .unwrap();

    let before = scene.proxy.counts().round_trips;
    tokio::select! {
        answer = scene.function.invoke(errand.event.clone()) => panic!("{answer:#?}"),
        () = async {
            // START TRANSACTION was answered, and the order is on its way.
            wait_until(async || scene.proxy.counts().round_trips > before).await;
            sleep(Duration::from_millis(50)).await;
        } => {}
    }
    let Scene {
        database,
        stack,
        function,
        ..
    } = scene;
    end(function).await;
    other.query_drop("ROLLBACK").await.unwrap();

    let mut admin = stack.admin().await.unwrap();
    let limit = Instant::now() + PATIENCE;
    loop {
        let left = match database.vitess() {
            Some(vitess) => vitess.sessions(database.username()).await.unwrap(),
            None => database.connections(&mut admin).await.unwrap().len(),
        };
        if left == 0 {
            break;
        }
        assert!(Instant::now() < limit, "a connection stays");
        sleep(Duration::from_millis(10)).await;
    }
    let placed = "SELECT COUNT(*) FROM orders WHERE idempotency_key = UNHEX(SHA2(?, 256))";
    let placed: Option<u64> = other.exec_first(placed, (&errand.key,)).await.unwrap();
    assert_eq!(placed, Some(0));
}

async fn wait_until(condition: impl AsyncFn() -> bool) {
    let limit = Instant::now() + PATIENCE;
    while !condition().await {
        assert!(Instant::now() < limit, "it never happened");
        sleep(Duration::from_millis(10)).await;
    }
}
