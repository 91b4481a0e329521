//! A flow that goes silent right after it was used costs one short wait and fails nothing. What is
//! merely slow is not taken for silent.
//!
//! The limit of a statement is longer here than the invocation: what waited for it would fail.

use std::sync::Arc;
use std::time::Duration;

use database::settings::Settings;
use database::{Database, DatabaseError, Session, Statement};
use lambda::Deadline;
use lambda::clock::SystemClock;
use mysql_async::prelude::Queryable;
use tests::proxy::{At, Fault, Proxy};
use tests::stack::{FreshDatabase, Stack};
use tests::stand_ins::lambda::Setup;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::errand::{Call, logged};
use crate::function_under_test::{Backend, Scene, everywhere, secret};

/// Since the last answer.
const JUST_NOW: Duration = Duration::from_millis(10);

const TIMEOUT: Duration = Duration::from_secs(20);

fn patient(setup: Setup) -> Setup {
    setup
        .timeout(TIMEOUT)
        .env("DATABASE_STATEMENT_TIMEOUT_MS", "60000")
}

#[tokio::test]
async fn functions_whose_flow_went_silent_just_now() {
    let mut scenes = JoinSet::new();
    for (call, backend) in everywhere() {
        scenes.spawn(async move {
            let scene = Scene::with(call, backend, patient).await;
            for _ in 0..3 {
                scene.succeed().await;
                let errand = scene.errand().await;
                sleep(JUST_NOW).await;
                scene.proxy.strike(Fault::Swallow).await;
                let answer = scene.function.invoke(errand.event.clone()).await.unwrap();
                scene.check(&errand, &answer).await;
                assert_eq!(logged(&answer, "retries"), 1, "{answer:#?}");
                // What was swallowed comes to the server's notice only now.
                scene.proxy.strike(Fault::Reset).await;
            }
            assert!(scene.proxy.counts().peak <= 2);
        });
    }
    scenes.join_all().await;
}

#[tokio::test]
async fn a_read_whose_answer_is_lost_in_silence() {
    for backend in Backend::all() {
        let scene = Scene::with(Call::Get, backend, patient).await;
        scene.succeed().await;
        scene.succeed().await;
        let errand = scene.errand().await;
        scene.proxy.ambush(1, At::Answer(0), Fault::Swallow);
        let answer = scene.function.invoke(errand.event.clone()).await.unwrap();
        assert!(!scene.proxy.lift_ambush());
        scene.check(&errand, &answer).await;
    }
}

#[tokio::test]
async fn a_slow_read_is_sent_once() {
    for backend in Backend::all() {
        let scene = Scene::with(Call::Get, backend, patient).await;
        scene.succeed().await;
        let errand = scene.errand().await;
        let mut lock = scene.stack.admin().await.unwrap();
        let lock_orders = format!("LOCK TABLES `{}`.orders WRITE", scene.database.name());
        lock.query_drop(lock_orders).await.unwrap();
        let unlocked = async {
            scene.wait_until_blocked().await;
            // Long enough to be asked for more than once.
            sleep(Duration::from_secs(1)).await;
            lock.query_drop("UNLOCK TABLES").await.unwrap();
        };
        let (answer, ()) = tokio::join!(scene.function.invoke(errand.event.clone()), unlocked);
        let answer = answer.unwrap();
        scene.check(&errand, &answer).await;
        assert_eq!(logged(&answer, "retries"), 0, "{answer:#?}");
        assert_eq!(logged(&answer, "statements"), 1, "{answer:#?}");
    }
}

const READ: Statement = Statement::read("SELECT COUNT(*) FROM order_items", "");
const WRITE: Statement = Statement::write(
    "INSERT INTO order_items (order_id, position, sku, quantity, unit_price) VALUES (?, ?, ?, ?, ?)",
);

/// The pool itself, on a schema of its own.
struct Pool {
    database: FreshDatabase,
    proxy: Proxy,
    pool: Database,
}

impl Pool {
    async fn new(backend: Backend) -> Self {
        let stack = Stack::from_env().unwrap();
        let database = backend.fresh_database(&stack).await;
        let proxy = Proxy::start(database.address()).await.unwrap();
        let secret = secret(&proxy, &database, database.password());
        let secret_id = stack.new_secret(&secret).await.unwrap();
        let environment = database.environment("get-order").unwrap();
        let settings = Settings::read(|name| match name {
            "DATABASE_SECRET_ID" => Some(secret_id.clone()),
            "DATABASE_STATEMENT_TIMEOUT_MS" => Some("60000".to_owned()),
            "DATABASE_PING_AFTER_MS" => Some("3600000".to_owned()),
            _ => environment.get(name).cloned(),
        });
        let pool = Database::new(settings.unwrap(), Arc::new(SystemClock));
        Self {
            database,
            proxy,
            pool,
        }
    }

    async fn session(&self) -> Session<'_> {
        self.pool.session(Deadline::after(TIMEOUT)).await.unwrap()
    }

    /// A session of a connection that answered just now, and is silent.
    async fn silent_session(&self) -> Session<'_> {
        let counted: Option<u64> = self.session().await.row(&READ, ()).await.unwrap();
        assert!(counted.is_some());
        sleep(JUST_NOW).await;
        self.proxy.strike(Fault::Swallow).await;
        self.session().await
    }
}

#[tokio::test]
async fn what_a_session_does_first_on_a_silent_flow() {
    for backend in Backend::all() {
        let pool = Pool::new(backend).await;
        let item = |position: u8| ([7_u8; 16], position, "TEA-1", 1, "4.50");

        let mut session = pool.silent_session().await;
        assert_eq!(session.execute(&WRITE, item(0)).await, Ok(1));
        drop(session);

        let mut session = pool.silent_session().await;
        let written: Result<u64, DatabaseError> = session
            .transaction(
                |mut transaction| async move { transaction.execute(&WRITE, item(1)).await },
            )
            .await;
        assert_eq!(written, Ok(1));
        drop(session);

        let mut session = pool.silent_session().await;
        assert_eq!(session.row(&READ, ()).await, Ok(Some(2_u64)));
        drop(session);
        pool.proxy.strike(Fault::Reset).await;
        drop(pool.database);
    }
}
