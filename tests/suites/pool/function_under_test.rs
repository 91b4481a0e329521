//! A function on its own schema, with the proxy of faults between.

use std::sync::Arc;
use std::time::Duration;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use serde_json::{Value, json};
use tests::proxy::Proxy;
use tests::stack::{FreshDatabase, Stack};
use tests::stand_ins::lambda::event::Event;
use tests::stand_ins::lambda::{Answer, Function, Setup};
use tests::stand_ins::vtgate::Vtgate;
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::errand::Call;

/// Idling for longer than this is followed by a ping where a test wants that by [`pinging`].
pub const PING_AFTER: Duration = Duration::from_millis(50);

/// The one customer of a scene.
pub const CUSTOMER: &str = "cust-1";

/// A function under test and all around it.
pub struct Scene {
    pub database: FreshDatabase,
    pub stack: Stack,
    /// Of the administrator, with the schema in use.
    direct: Mutex<Conn>,
    pub proxy: Proxy,
    pub function: Function,
    pub call: Call,
    secret_id: String,
}

/// What the function's connections end at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// The server itself.
    Server,
    /// The stand-in of vtgate, with the server behind it, for errors on demand.
    StandIn,
    /// Vitess, with the server behind it.
    Vitess,
}

impl Backend {
    /// All that the test run is about: Vitess, if it has one.
    pub fn all() -> Vec<Self> {
        match Stack::from_env().unwrap().is_vitess() {
            true => vec![Self::Vitess],
            false => vec![Self::Server],
        }
    }

    /// A schema of its own there.
    pub async fn fresh_database(self, stack: &Stack) -> FreshDatabase {
        let database = match self {
            Self::Server => stack.fresh_database().await,
            Self::StandIn => stack.fresh_keyspace().await,
            Self::Vitess => stack.fresh_database_on_vitess().await,
        };
        database.unwrap()
    }

    /// Whether MySQL's `wait_timeout` ends connections of the functions. Behind Vitess it ends those
    /// of the tablets alone.
    pub fn ends_idle_connections(self) -> bool {
        self != Self::Vitess
    }

    /// The one that a test takes to which it makes no difference.
    pub fn one() -> Self {
        match Stack::from_env().unwrap().is_vitess() {
            true => Self::Vitess,
            false => Self::Server,
        }
    }
}

impl Scene {
    /// Starts the function of `call` with its usual settings.
    pub async fn new(call: Call, backend: Backend) -> Self {
        Self::with(call, backend, |setup| setup).await
    }

    /// Starts the function of `call` with settings changed.
    pub async fn with(call: Call, backend: Backend, change: impl FnOnce(Setup) -> Setup) -> Self {
        Self::on(&Stack::from_env().unwrap(), call, backend, change).await
    }

    /// The same with another stack than that of the test run.
    pub async fn on(
        stack: &Stack,
        call: Call,
        backend: Backend,
        change: impl FnOnce(Setup) -> Setup,
    ) -> Self {
        let database = backend.fresh_database(stack).await;
        let proxy = Proxy::start(database.address()).await.unwrap();
        let secret = secret(&proxy, &database, database.password());
        let secret_id = stack.new_secret(&secret).await.unwrap();
        let setup = Function::of(stack, &database, call.function())
            .unwrap()
            .env("DATABASE_SECRET_ID", &secret_id)
            // A ping would be a flight of its own, which a slow machine adds anywhere.
            .env("DATABASE_PING_AFTER_MS", "3600000");
        let function = change(setup).start().await.unwrap();
        let direct = direct(stack, &database).await;
        Self {
            database,
            stack: stack.clone(),
            direct: Mutex::new(direct),
            proxy,
            function,
            call,
            secret_id,
        }
    }

    /// The stand-in of vtgate that the function's connections end at.
    pub fn vtgate(&self) -> &Vtgate {
        self.database.vtgate().unwrap()
    }

    /// Asks once, and asserts that the answer is as it should be.
    pub async fn succeed(&self) -> Answer {
        let errand = self.errand().await;
        let answer = self.function.invoke(errand.event.clone()).await.unwrap();
        self.check(&errand, &answer).await;
        answer
    }

    /// Freezes the function, does something to it, and asserts that the next event is answered
    /// as if nothing had happened. The process goes on when the event is there, as on Lambda.
    pub async fn survive<F: Future<Output = ()>>(&self, fault: F) -> Answer {
        let errand = self.errand().await;
        self.function.freeze().unwrap();
        fault.await;
        let answer = self.thaw_with(errand.event.clone()).await;
        self.check(&errand, &answer).await;
        answer
    }

    /// Lets a frozen function go on with an event.
    pub async fn thaw_with(&self, event: Event) -> Answer {
        // The first poll of `invoke` hands the event to the Runtime API.
        let (answer, ()) = tokio::join!(self.function.invoke(event), async {
            self.function.thaw().unwrap();
        });
        answer.unwrap()
    }

    /// Asks so often at once, and asserts that every answer is as it should be.
    pub async fn succeed_at_once(self: &Arc<Self>, times: usize) {
        let mut invocations = JoinSet::new();
        for _ in 0..times {
            let scene = Arc::clone(self);
            invocations.spawn(async move { scene.succeed().await });
        }
        invocations.join_all().await;
    }

    /// A connection of an administrator, another one when the last was lost with the server.
    async fn direct(&self) -> MutexGuard<'_, Conn> {
        let mut connection = self.direct.lock().await;
        if connection.ping().await.is_err() {
            *connection = direct(&self.stack, &self.database).await;
        }
        connection
    }

    /// How often an order was changed.
    pub async fn changes(&self, id: Uuid) -> usize {
        let query = "SELECT version - 1 FROM orders WHERE id = ?";
        let mut direct = self.direct().await;
        let changes: Option<usize> = direct.exec_first(query, (id.as_bytes(),)).await.unwrap();
        changes.unwrap()
    }

    /// Writes an order by hand, and gives its id.
    pub async fn place(&self) -> Uuid {
        let id = Uuid::now_v7();
        let mut direct = self.direct().await;
        direct
            .exec_drop(
                "INSERT INTO orders VALUES (?, ?, 'pending', 'EUR', 9, 1, NULL, NULL, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))",
                (id.as_bytes(), CUSTOMER),
            )
            .await
            .unwrap();
        direct
            .exec_drop(
                "INSERT INTO order_items VALUES (?, 0, 'TEA-1', 2, 4.5)",
                (id.as_bytes(),),
            )
            .await
            .unwrap();
        id
    }

    /// Writes an order whose answer is longer than what MySQL and TLS send at once, and gives its
    /// id.
    pub async fn place_large(&self) -> Uuid {
        let id = Uuid::now_v7();
        let mut direct = self.direct().await;
        direct
            .exec_drop(
                "INSERT INTO orders VALUES (?, REPEAT('c', 64), 'pending', 'EUR', 450, 1, NULL, NULL, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))",
                (id.as_bytes(),),
            )
            .await
            .unwrap();
        let items = (0..100).map(|position| (id.as_bytes(), position));
        direct
            .exec_batch(
                "INSERT INTO order_items VALUES (?, ?, REPEAT('S', 64), 1, 4.5)",
                items,
            )
            .await
            .unwrap();
        id
    }

    /// Whether the server is one that passes over MySQL's limit for a SELECT.
    pub async fn is_mariadb(&self) -> bool {
        let mut direct = self.direct().await;
        let version: Option<String> = direct.query_first("SELECT VERSION()").await.unwrap();
        version.unwrap().contains("MariaDB")
    }

    /// The orders that were placed with a key, each with all of its items.
    pub async fn placed(&self, key: &str) -> Vec<Uuid> {
        let mut direct = self.direct().await;
        let rows: Vec<([u8; 16], u32)> = direct
            .exec(
                "SELECT o.id, COUNT(i.position) FROM orders o LEFT JOIN order_items i ON i.order_id = o.id \
                 WHERE o.customer_id = ? AND o.idempotency_key = UNHEX(SHA2(?, 256)) GROUP BY o.id",
                (CUSTOMER, key),
            )
            .await
            .unwrap();
        for (_, items) in &rows {
            assert_eq!(*items, 2, "an order without all of its items");
        }
        rows.into_iter()
            .map(|(id, _)| Uuid::from_bytes(id))
            .collect()
    }

    /// How many line items there are, of whatever order.
    pub async fn items(&self) -> u64 {
        let query = "SELECT COUNT(*) FROM order_items";
        let items: Option<u64> = self.direct().await.query_first(query).await.unwrap();
        items.unwrap_or_default()
    }

    /// The connections of the function's user at the server.
    pub async fn connections(&self) -> Vec<u64> {
        let mut direct = self.direct().await;
        self.database.connections(&mut direct).await.unwrap()
    }

    /// Waits until a statement of the function waits for a table that another has locked.
    pub async fn wait_until_blocked(&self) {
        let mut direct = self.direct().await;
        while self
            .database
            .waiting_for_a_table(&mut direct)
            .await
            .unwrap()
            == 0
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Ends every connection of the function at the server, and waits until they are gone.
    pub async fn kill(&self) {
        let mut direct = self.direct().await;
        let killed = self.database.kill_connections(&mut direct).await;
        killed.unwrap();
    }

    /// Ends the connections that the function has now; those that follow are left alone.
    pub async fn kill_once(&self) {
        let mut direct = self.direct().await;
        let killed = self.database.kill_connections_once(&mut direct).await;
        killed.unwrap();
    }

    /// Waits until no transaction is open that has touched the tables.
    pub async fn wait_until_no_transaction_is_open(&self) {
        let mut direct = self.direct().await;
        // A transaction holds its tables' definitions until it ends.
        direct
            .query_drop("LOCK TABLES orders WRITE, order_items WRITE")
            .await
            .expect("a transaction stays open");
        direct.query_drop("UNLOCK TABLES").await.unwrap();
    }

    /// Puts other text in the place of the function's secret.
    pub async fn change_secret(&self, text: &str) {
        let changed = self.stack.change_secret(&self.secret_id, text).await;
        changed.unwrap();
    }

    /// Gives the user a new password: the old one is refused at once, and the secret follows.
    pub async fn rotate_password(&self) {
        let password = Uuid::new_v4().simple().to_string();
        self.database.change_password(&password).await.unwrap();
        let secret = secret(&self.proxy, &self.database, &password);
        self.change_secret(&secret).await;
    }
}

/// Has idle connections pinged.
pub fn pinging(setup: Setup) -> Setup {
    setup.env("DATABASE_PING_AFTER_MS", PING_AFTER.as_millis().to_string())
}

/// An administrator's connection with the schema in use.
async fn direct(stack: &Stack, database: &FreshDatabase) -> Conn {
    let mut direct = stack.admin().await.unwrap();
    let schema = format!("USE `{}`", database.name());
    direct.query_drop(schema).await.unwrap();
    direct
}

/// Every function, on everything that it can end at.
pub fn everywhere() -> impl Iterator<Item = (Call, Backend)> {
    Call::ALL.into_iter().flat_map(|call| {
        Backend::all()
            .into_iter()
            .map(move |backend| (call, backend))
    })
}

/// The login as the functions read it, by way of the proxy.
pub fn secret(proxy: &Proxy, database: &FreshDatabase, password: &str) -> String {
    let login: Value = json!({
        "host": proxy.address().ip(),
        "port": proxy.address().port(),
        "username": database.username(),
        "password": password,
        "dbname": database.name(),
    });
    login.to_string()
}
