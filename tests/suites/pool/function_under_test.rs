//! A function under test with a database of its own, and the fault proxy between the two.

use std::sync::Arc;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Value};
use orders::statements::{INSERT_ITEMS, INSERT_ORDER};
use serde_json::json;
use tests::eventually_holds;
use tests::proxy::Proxy;
use tests::stack::{FreshDatabase, Stack};
use tests::stand_ins::lambda::event::Event;
use tests::stand_ins::lambda::{Answer, Function, Setup};
use tests::stand_ins::vtgate::Vtgate;
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::request::{Call, Request};

/// With [`pinging`], a connection is pinged when it was idle for longer than this.
pub const PING_AFTER: Duration = Duration::from_millis(50);

/// The customer of all orders here.
pub const CUSTOMER: &str = "cust-1";

/// A function, its database, and what a test needs to disturb them.
pub struct FunctionUnderTest {
    pub database: FreshDatabase,
    pub stack: Stack,
    /// The administrator's connection to the server, with the schema in use.
    direct: Mutex<Conn>,
    pub proxy: Proxy,
    pub function: Function,
    pub call: Call,
    secret_id: String,
}

impl FunctionUnderTest {
    /// Starts the function of `call` with its usual settings.
    pub async fn new(call: Call) -> Self {
        Self::with(call, |setup| setup).await
    }

    /// Starts the function of `call` with changed settings.
    pub async fn with(call: Call, change: impl FnOnce(Setup) -> Setup) -> Self {
        Self::on(&Stack::from_env().unwrap(), call, change).await
    }

    /// The same on another stack than that of the test run.
    pub async fn on(stack: &Stack, call: Call, change: impl FnOnce(Setup) -> Setup) -> Self {
        let database = stack.fresh_database_of_run().await.unwrap();
        Self::start(stack, database, call, change).await
    }

    /// The same with the stand-in of vtgate, which answers errors on demand.
    pub async fn before_stand_in(call: Call) -> Self {
        let stack = Stack::from_env().unwrap();
        let database = stack.fresh_keyspace().await.unwrap();
        Self::start(&stack, database, call, |setup| setup).await
    }

    async fn start(
        stack: &Stack,
        database: FreshDatabase,
        call: Call,
        change: impl FnOnce(Setup) -> Setup,
    ) -> Self {
        let proxy = Proxy::start(database.address()).await.unwrap();
        let secret = secret(&proxy, &database, database.password());
        let secret_id = stack.new_secret(&secret).await.unwrap();
        let setup = Function::of(stack, &database, call.function())
            .unwrap()
            .env("DATABASE_SECRET_ID", &secret_id)
            // A ping is a flight of its own, which would come at any place on a slow machine.
            .env("DATABASE_PING_AFTER_MS", "3600000")
            // A slow machine takes long to connect, too, and its flows look as if they were silent.
            .env("DATABASE_CONNECT_TIMEOUT_MS", "5000")
            .env("DATABASE_PING_TIMEOUT_MS", "3000");
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

    /// The stand-in of vtgate. Only a function started by [`before_stand_in`](Self::before_stand_in)
    /// has one.
    pub fn vtgate(&self) -> &Vtgate {
        self.database.vtgate().unwrap()
    }

    /// Sends a request to the function.
    pub async fn invoke(&self, request: &Request) -> Answer {
        self.function.invoke(request.event.clone()).await.unwrap()
    }

    /// Invokes the function once, and asserts that the answer is right.
    pub async fn succeed(&self) -> Answer {
        let request = self.new_request().await;
        let answer = self.invoke(&request).await;
        self.assert_success(&request, &answer).await;
        answer
    }

    /// Freezes the function, causes a fault, and asserts that the next event is answered as if
    /// nothing had happened. As on Lambda, the process thaws when the event arrives.
    pub async fn survive<F: Future<Output = ()>>(&self, fault: F) -> Answer {
        let request = self.new_request().await;
        self.function.freeze().unwrap();
        fault.await;
        let answer = self.thaw_with(request.event.clone()).await;
        self.assert_success(&request, &answer).await;
        answer
    }

    /// Thaws a frozen function with an event.
    pub async fn thaw_with(&self, event: Event) -> Answer {
        // The first poll of `invoke` hands the event to the Runtime API.
        let (answer, ()) = tokio::join!(self.function.invoke(event), async {
            self.function.thaw().unwrap();
        });
        answer.unwrap()
    }

    /// Invokes the function this many times at once, and asserts that every answer is right.
    pub async fn succeed_at_once(self: &Arc<Self>, times: usize) {
        let mut invocations = JoinSet::new();
        for _ in 0..times {
            let under_test = Arc::clone(self);
            invocations.spawn(async move { under_test.succeed().await });
        }
        invocations.join_all().await;
    }

    /// The administrator's connection. It is replaced if it was lost with the server.
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

    /// Inserts an order without the function, and returns its id.
    pub async fn insert_order(&self) -> Uuid {
        self.insert(CUSTOMER, "TEA-1", 1).await
    }

    /// Inserts an order whose answer is longer than what MySQL and TLS send at once, and returns
    /// its id.
    pub async fn insert_large_order(&self) -> Uuid {
        self.insert(&"c".repeat(64), &"S".repeat(64), 100).await
    }

    async fn insert(&self, customer: &str, sku: &str, items: u8) -> Uuid {
        let id = Uuid::now_v7();
        let now = "2026-11-22 09:00:00";
        let (id_of, none) = (id.as_bytes(), Value::NULL);
        let order = (
            id_of,
            customer,
            "pending",
            "EUR",
            items,
            1,
            none.clone(),
            none,
            now,
            now,
        );
        let rows = (0..items).flat_map(|position| -> [Value; 6] {
            let (id, sku) = (id_of.into(), sku.into());
            [
                id,
                customer.into(),
                position.into(),
                sku,
                1.into(),
                1.into(),
            ]
        });
        let rows: Vec<Value> = rows.collect();
        let (mut direct, mut to_vitess);
        let connection: &mut Conn = match self.stack.is_sharded() {
            true => {
                let mut connected = self.database.connect_as_admin().await;
                // A tablet serves again a moment after its server has come back.
                for _ in 0..400 {
                    if connected.is_ok() {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    connected = self.database.connect_as_admin().await;
                }
                to_vitess = connected.unwrap();
                &mut to_vitess
            }
            false => {
                direct = self.direct().await;
                &mut direct
            }
        };
        let (insert_order, insert_items) = (INSERT_ORDER, INSERT_ITEMS.with_rows(items.into()));
        let inserted = connection.exec_drop(insert_order.sql(), order).await;
        inserted.unwrap();
        let inserted = connection.exec_drop(insert_items.sql(), rows).await;
        inserted.unwrap();
        id
    }

    /// Whether the server is MariaDB, which ignores MySQL's time limit for a SELECT.
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

    /// How many line items there are, of all orders.
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

    /// Waits until a statement of the function is blocked by a table lock.
    pub async fn wait_until_blocked(&self) {
        eventually_holds("a statement waits for a table", async || {
            let mut direct = self.direct().await;
            let waiting = self.database.waiting_for_a_table(&mut direct).await;
            waiting.unwrap() > 0
        })
        .await;
    }

    /// Kills every connection of the function at the server, and waits until they are gone.
    pub async fn kill(&self) {
        let mut direct = self.direct().await;
        let killed = self.database.kill_connections(&mut direct).await;
        killed.unwrap();
    }

    /// Kills the connections that the function has now, and leaves later ones alone.
    pub async fn kill_once(&self) {
        let mut direct = self.direct().await;
        let killed = self.database.kill_connections_once(&mut direct).await;
        killed.unwrap();
    }

    /// Waits until no open transaction has touched the tables.
    pub async fn wait_until_no_transaction_is_open(&self) {
        let mut direct = self.direct().await;
        // A transaction locks the definitions of its tables until it ends.
        direct
            .query_drop("LOCK TABLES orders WRITE, order_items WRITE")
            .await
            .expect("a transaction stays open");
        direct.query_drop("UNLOCK TABLES").await.unwrap();
    }

    /// Replaces the text of the function's secret.
    pub async fn change_secret(&self, text: &str) {
        let changed = self.stack.change_secret(&self.secret_id, text).await;
        changed.unwrap();
    }

    /// Gives the user a new password and updates the secret. The old password is refused at once.
    pub async fn rotate_password(&self) {
        let password = Uuid::new_v4().simple().to_string();
        self.database.change_password(&password).await.unwrap();
        let secret = secret(&self.proxy, &self.database, &password);
        self.change_secret(&secret).await;
    }
}

/// Makes the function ping idle connections.
pub fn pinging(setup: Setup) -> Setup {
    setup.env("DATABASE_PING_AFTER_MS", millis(PING_AFTER))
}

/// Lets the function have so many invocations at once, on so many connections.
pub fn sharing(setup: Setup, invocations: usize, connections: usize) -> Setup {
    setup
        .env("AWS_LAMBDA_MAX_CONCURRENCY", invocations.to_string())
        .env("DATABASE_POOL_MAX", connections.to_string())
}

/// A setting in milliseconds.
pub fn millis(time: Duration) -> String {
    time.as_millis().to_string()
}

/// An administrator's connection with the schema in use.
async fn direct(stack: &Stack, database: &FreshDatabase) -> Conn {
    let mut direct = stack.admin().await.unwrap();
    let schema = format!("USE `{}`", database.name());
    direct.query_drop(schema).await.unwrap();
    direct
}

/// Whether the functions of this test run reach the server through Vitess.
pub fn is_vitess() -> bool {
    Stack::from_env().unwrap().is_vitess()
}

/// The secret that leads a function to the database through the proxy.
pub fn secret(proxy: &Proxy, database: &FreshDatabase, password: &str) -> String {
    database.secret_with(&[
        ("host", json!(proxy.address().ip())),
        ("port", json!(proxy.address().port())),
        ("password", json!(password)),
    ])
}
