//! Hundreds of invocations of all functions on one database, with random faults between them and
//! during them, held against a model of what must be in the database.
//!
//! `SOAK_INVOCATIONS` says how many, `SOAK_SEED` which. The functions are frozen whenever they
//! have nothing to do, as Lambda does it.

mod faults;
mod model;
mod needs;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use fastrand::Rng;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use serde_json::{Value, json};
use stack::event::Event;
use stack::function::{Answer, Function};
use stack::proxy::{At, Fault, Proxy, Reception};
use stack::{FreshDatabase, Stack};
use uuid::Uuid;

use faults::{BETWEEN, Between, secret};
use model::{Model, Order, ask, expected, without_update_time};
use needs::Needs;

/// What runs where nothing else is said.
const INVOCATIONS: usize = 500;
const SEED: u64 = 20_260_310;

/// What an invocation is told it has, and must not exceed.
const TIMEOUT: Duration = Duration::from_secs(4);

/// An idle connection is pinged after this.
const PING_AFTER: Duration = Duration::from_millis(50);

/// The most orders on a page that is asked for.
const PAGE: usize = 10;

/// What is asked of which function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Call {
    Create,
    Get,
    List,
    Update,
}

#[tokio::test]
async fn nothing_is_wrong_lost_or_doubled_whatever_happens() {
    let invocations = setting("SOAK_INVOCATIONS").unwrap_or(INVOCATIONS);
    let seed = setting("SOAK_SEED").unwrap_or(SEED);
    println!("SOAK_INVOCATIONS={invocations} SOAK_SEED={seed}");
    let mut soak = Soak::start(seed).await;

    let warm = invocations / 4;
    while soak.invocations < warm {
        soak.step().await;
    }
    let before = soak.needs().await;
    while soak.invocations < invocations {
        soak.step().await;
    }
    let after = soak.needs().await;

    println!(
        "{:#?}\nafter {warm}: {before:?}\nat the end: {after:?}",
        soak.tally
    );
    soak.verify().await;
    for (before, after) in before.iter().zip(&after) {
        assert!(after.files <= before.files + FILES, "{before:?} {after:?}");
        assert!(
            after.memory <= before.memory + MEMORY,
            "{before:?} {after:?}"
        );
    }
}

/// How many file descriptors more are no leak: a connection each to the database and to the
/// Secrets Manager, which one moment has and another has not.
const FILES: usize = 2;

/// How many KiB more are no leak: what an allocator keeps of its peaks.
const MEMORY: usize = 2048;

fn setting<T: std::str::FromStr>(variable: &str) -> Option<T> {
    let value = std::env::var(variable).ok()?;
    let number = value.parse().ok();
    Some(number.unwrap_or_else(|| panic!("{variable} is to be a number, not {value:?}")))
}

struct Worker {
    function: Function,
    /// It has a connection on which nothing has happened.
    warm: bool,
}

struct Soak {
    random: Rng,
    model: Model,
    customers: Vec<String>,
    workers: BTreeMap<Call, Worker>,
    proxy: Proxy,
    database: FreshDatabase,
    stack: Stack,
    secret_id: String,
    admin: Conn,
    invocations: usize,
    /// How often there was what answer.
    tally: BTreeMap<String, usize>,
}

impl Soak {
    async fn start(seed: u64) -> Self {
        let stack = Stack::from_env().unwrap();
        let database = stack.fresh_database().await.unwrap();
        let proxy = Proxy::start(stack.server()).await.unwrap();
        let secret = secret(&proxy, &database, database.password());
        let secret_id = stack.new_secret(&secret).await.unwrap();
        let mut workers = BTreeMap::new();
        for (call, name) in [
            (Call::Create, "create-order"),
            (Call::Get, "get-order"),
            (Call::List, "list-orders"),
            (Call::Update, "update-order"),
        ] {
            let setup = Function::of(&stack, &database, name)
                .unwrap()
                .timeout(TIMEOUT)
                .env("DATABASE_SECRET_ID", &secret_id)
                .env("DATABASE_PING_AFTER_MS", PING_AFTER.as_millis().to_string())
                // A swallowed statement is to leave time to be sent again.
                .env("DATABASE_STATEMENT_TIMEOUT_MS", "400")
                .env("DATABASE_CONNECT_TIMEOUT_MS", "1500");
            let function = setup.start().await.unwrap();
            function.freeze().unwrap();
            let warm = false;
            workers.insert(call, Worker { function, warm });
        }
        let mut admin = stack.admin().await.unwrap();
        let schema = format!("USE `{}`", database.name());
        admin.query_drop(schema).await.unwrap();
        let patience = "SET SESSION lock_wait_timeout = 20";
        admin.query_drop(patience).await.unwrap();
        let mut random = Rng::with_seed(seed);
        Self {
            model: Model::default(),
            customers: (0..5).map(|_| format!("cust-{}", random.u32(..))).collect(),
            random,
            workers,
            proxy,
            database,
            stack,
            secret_id,
            admin,
            invocations: 0,
            tally: BTreeMap::new(),
        }
    }

    /// A call, most often with a fault, and its repetition by the client where one is needed.
    async fn step(&mut self) {
        let between = self.random.u8(..4) == 0;
        let between = between.then(|| BETWEEN[self.random.usize(..BETWEEN.len())]);
        if self.random.u8(..3) == 0 {
            let faults = [Fault::Reset, Fault::Close, Fault::Swallow];
            let fault = faults[self.random.usize(..faults.len())];
            let at = match self.random.u8(..3) {
                0 => At::BeforeServer,
                1 => At::Answer(0),
                _ => At::Answer(self.random.usize(1..200)),
            };
            // Where no call gets so far, it waits for the next.
            self.proxy.ambush(self.random.usize(1..=5), at, fault);
        }
        let open: Vec<usize> = (0..self.model.orders.len())
            .filter(|order| self.model.orders[*order].next_status().is_some())
            .collect();
        match self.random.u8(..10) {
            0..=2 => self.get(between).await,
            3..=4 => self.list(between).await,
            5..=6 if !open.is_empty() => {
                let order = open[self.random.usize(..open.len())];
                self.update(order, between).await;
            }
            7 => self.replay(between).await,
            _ => self.create(between).await,
        }
    }

    async fn create(&mut self, between: Option<Between>) {
        let customer = self.customers[self.random.usize(..self.customers.len())].clone();
        let asked = ask(&customer, &mut self.random);
        let key = format!("key-{}", self.random.u128(..));
        let event = create(&key, &asked);
        let mut answer = self.invoke(Call::Create, &event, between).await;
        let done = self.placed(&customer, &key).await;
        assert!(done.len() <= 1, "{done:?} for one key");
        match answer.status {
            201 => assert_eq!(done.len(), 1, "{answer:#?}"),
            503 => assert!(done.is_empty(), "{answer:#?}"),
            _ => {}
        }
        if answer.status != 201 {
            answer = self.repeat(Call::Create, &event).await;
            let replayed = (done.len() == 1).then_some("true");
            assert_eq!(answer.header("idempotent-replayed"), replayed);
        }
        assert_eq!(answer.status, 201, "{answer:#?}");
        let placed = self.placed(&customer, &key).await;
        let mut body = without_update_time(answer.body.clone());
        body.as_object_mut().unwrap().remove("created_at");
        let id = body.as_object_mut().unwrap().remove("id").unwrap();
        assert_eq!(body, expected(&asked));
        let id: Uuid = id.as_str().unwrap().parse().unwrap();
        assert_eq!(placed, [id]);
        assert!(done.is_empty() || done == placed);
        self.model.orders.push(Order {
            id,
            customer,
            key,
            asked,
            placed: answer.body,
            status: "pending",
            version: 1,
        });
    }

    /// An earlier request again, by a client that has not heard of the answer.
    async fn replay(&mut self, between: Option<Between>) {
        if self.model.orders.is_empty() {
            return self.create(between).await;
        }
        let order = self.random.usize(..self.model.orders.len());
        let Order { key, asked, .. } = &self.model.orders[order];
        let event = create(key, asked);
        let mut answer = self.invoke(Call::Create, &event, between).await;
        if answer.status != 201 {
            answer = self.repeat(Call::Create, &event).await;
        }
        assert_eq!(answer.status, 201, "{answer:#?}");
        assert_eq!(answer.header("idempotent-replayed"), Some("true"));
        assert_eq!(answer.body, self.model.orders[order].placed);
    }

    async fn get(&mut self, between: Option<Between>) {
        let known = self.model.orders.len();
        // One more than there are: what nobody has placed.
        let order = self.random.usize(..=known);
        let id = self.model.orders.get(order).map(|order| order.id);
        let event = Event::get(format!("/orders/{}", id.unwrap_or_else(Uuid::now_v7)));
        let answer = self.read(Call::Get, &event, between).await;
        match self.model.orders.get(order) {
            None => assert_eq!(answer.status, 404, "{answer:#?}"),
            Some(order) => {
                assert_eq!(answer.status, 200, "{answer:#?}");
                assert_eq!(without_update_time(answer.body), order.body());
            }
        }
    }

    async fn list(&mut self, between: Option<Between>) {
        let customer = self.customers[self.random.usize(..self.customers.len())].clone();
        let event = Event::get(format!("/customers/{customer}/orders?limit={PAGE}"));
        let answer = self.read(Call::List, &event, between).await;
        assert_eq!(answer.status, 200, "{answer:#?}");
        let orders = answer.body["orders"].as_array().unwrap().iter().cloned();
        let orders: Vec<Value> = orders.map(without_update_time).collect();
        assert_eq!(orders, self.model.newest(&customer, PAGE));
    }

    async fn update(&mut self, order: usize, between: Option<Between>) {
        let Order { id, version, .. } = self.model.orders[order];
        let status = self.model.orders[order].next_status().unwrap();
        let event = Event::patch(format!("/orders/{id}"))
            .header("if-match", format!("\"{version}\""))
            .json(&json!({ "status": status }));
        let mut answer = self.invoke(Call::Update, &event, between).await;
        let found = self.version(id).await;
        match answer.status {
            200 => assert_eq!(found, version + 1, "{answer:#?}"),
            503 => assert_eq!(found, version, "{answer:#?}"),
            _ => assert!([version, version + 1].contains(&found), "{answer:#?}"),
        }
        if found == version {
            answer = self.repeat(Call::Update, &event).await;
            assert_eq!(self.version(id).await, version + 1);
        }
        let order = &mut self.model.orders[order];
        (order.status, order.version) = (status, version + 1);
        if answer.status == 200 {
            assert_eq!(without_update_time(answer.body), order.body());
        }
    }

    /// A read, which the client repeats when it must.
    async fn read(&mut self, call: Call, event: &Event, between: Option<Between>) -> Answer {
        let answer = self.invoke(call, event, between).await;
        if answer.status == 503 {
            return self.repeat(call, event).await;
        }
        answer
    }

    /// The same again, with no fault in the way.
    async fn repeat(&mut self, call: Call, event: &Event) -> Answer {
        assert!(!self.proxy.is_ambush_laid());
        self.invoke(call, event, None).await
    }

    /// One invocation. It fails in the way that is promised, and only where a fault during the
    /// invocation excuses it.
    async fn invoke(&mut self, call: Call, event: &Event, between: Option<Between>) -> Answer {
        self.invocations += 1;
        if let Some(between) = between {
            self.befall(between).await;
        }
        let endangered = self.proxy.is_ambush_laid();
        let worker = &self.workers[&call];
        let started = Instant::now();
        // The first poll of `invoke` hands the event to the Runtime API.
        let (answer, ()) = tokio::join!(worker.function.invoke(event.clone()), async {
            worker.function.thaw().unwrap();
            if between == Some(Between::Refuse) {
                tokio::time::sleep(Duration::from_millis(100)).await;
                self.proxy.receive(Reception::Relay).await.unwrap();
            }
        });
        let took = started.elapsed();
        let answer = answer.unwrap();
        worker.function.freeze().unwrap();
        let struck = endangered && !self.proxy.is_ambush_laid();
        let case = format!(
            "invocation {}: {call:?} after {between:?}, struck {struck}: {answer:#?}",
            self.invocations
        );
        assert!(took < TIMEOUT, "{took:?} for {case}");
        let write = matches!(call, Call::Create | Call::Update);
        match (answer.status, answer.body["type"].as_str()) {
            (200 | 201, None) => {}
            (404, Some("/problems/not-found")) if call == Call::Get => {}
            (503, _) if struck && (write || !worker.warm) => {
                assert!(answer.header("retry-after").is_some(), "{case}");
            }
            (500, Some("/problems/outcome-unknown")) if struck && write => {}
            _ => panic!("{case}"),
        }
        let fault = between.map_or_else(|| "nothing".to_owned(), |fault| format!("{fault:?}"));
        let during = if struck { "and a fault" } else { "alone" };
        let outcome = format!("{call:?} after {fault} {during}: {}", answer.status);
        *self.tally.entry(outcome).or_default() += 1;
        if self.invocations.is_multiple_of(1000) {
            println!("{} invocations", self.invocations);
        }

        if let Some(worker) = self.workers.get_mut(&call) {
            worker.warm = !struck;
        }
        if struck || between == Some(Between::Swallow) {
            // What was swallowed comes to the server's notice only now.
            self.strike(Fault::Reset).await;
            self.wait_until_no_transaction_is_open().await;
        }
        answer
    }

    /// The orders that were placed with a key.
    async fn placed(&mut self, customer: &str, key: &str) -> Vec<Uuid> {
        let query =
            "SELECT id FROM orders WHERE customer_id = ? AND idempotency_key = UNHEX(SHA2(?, 256))";
        let ids: Vec<[u8; 16]> = self.admin.exec(query, (customer, key)).await.unwrap();
        ids.into_iter().map(Uuid::from_bytes).collect()
    }

    async fn version(&mut self, id: Uuid) -> u32 {
        let query = "SELECT version FROM orders WHERE id = ?";
        let version = self.admin.exec_first(query, (id.as_bytes(),)).await;
        version.unwrap().unwrap()
    }

    /// What each function needs when it has just answered, and nothing is in the way.
    async fn needs(&mut self) -> Vec<Needs> {
        self.strike(Fault::Reset).await;
        // Meets an ambush that is still laid.
        while self.proxy.is_ambush_laid() {
            self.get(None).await;
        }
        self.get(None).await;
        self.list(None).await;
        self.create(None).await;
        let newest = self.model.orders.len() - 1;
        self.update(newest, None).await;
        let functions = self.workers.values().map(|worker| &worker.function);
        functions
            .filter_map(|function| Needs::of(function.pid()))
            .collect()
    }

    /// Asserts that the database holds what the model says and nothing else.
    async fn verify(&mut self) {
        self.strike(Fault::Reset).await;
        self.wait_until_no_transaction_is_open().await;
        assert!(self.proxy.counts().peak <= self.workers.len());
        let query = "SELECT id, customer_id, status, version, \
                     (SELECT COUNT(*) FROM order_items WHERE order_id = id) FROM orders";
        let found: Vec<([u8; 16], String, String, u32, usize)> =
            self.admin.query(query).await.unwrap();
        let found: BTreeSet<_> = found.into_iter().collect();
        let known = self.model.orders.iter().map(|order| {
            let items = order.asked["items"].as_array().unwrap().len();
            let (customer, status) = (order.customer.clone(), order.status.to_owned());
            (
                order.id.into_bytes(),
                customer,
                status,
                order.version,
                items,
            )
        });
        assert_eq!(found, known.collect());
        let query =
            "SELECT COUNT(*) FROM order_items WHERE order_id NOT IN (SELECT id FROM orders)";
        let stray: Option<u64> = self.admin.query_first(query).await.unwrap();
        assert_eq!(stray, Some(0));
    }
}

fn create(key: &str, asked: &Value) -> Event {
    Event::post("/orders")
        .header("idempotency-key", key)
        .json(asked)
}
