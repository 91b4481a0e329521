//! Hundreds of invocations of all functions on one database, with random faults between them and
//! during them. Answers and database are compared with a model.
//!
//! `SOAK_INVOCATIONS` sets the number of invocations, and `SOAK_SEED` the random seed. As on Lambda,
//! the functions are frozen while they have nothing to do. The server is the test's own.

mod calls;
mod faults;
mod model;
mod resources;
mod tally;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fastrand::Rng;
use mysql_async::Conn;
use tests::proxy::{Fault, Hold, Proxy};
use tests::stack::{FreshDatabase, PrivateServer, Stack};
use tests::stand_ins::lambda::event::Event;
use tests::stand_ins::lambda::{Answer, Function};

use crate::function_under_test::secret;
use crate::request::Call;
use faults::{Between, FaultKind, Faults, admin};
use model::Model;
use resources::Resources;
use tally::Tally;

/// The defaults.
const INVOCATIONS: usize = 500;
const SEED: u64 = 20_260_310;

/// The timeout of an invocation, which it must not exceed.
const TIMEOUT: Duration = Duration::from_secs(15);

/// A connection is pinged when it was idle for longer than this.
const PING_AFTER: Duration = Duration::from_millis(50);

#[tokio::test]
async fn random_faults_lose_or_double_no_order() {
    let invocations = setting("SOAK_INVOCATIONS").unwrap_or(INVOCATIONS);
    let seed = setting("SOAK_SEED").unwrap_or(SEED);
    println!("SOAK_INVOCATIONS={invocations} SOAK_SEED={seed}");
    let mut soak = Soak::start(seed).await;

    let warm = invocations / 4;
    while soak.invocations < warm {
        soak.step().await;
    }
    let before = soak.resources().await;
    while soak.invocations < invocations {
        soak.step().await;
    }
    let after = soak.resources().await;

    println!(
        "{:?}\nafter {warm}: {before:?}\nat the end: {after:?}",
        soak.tally
    );
    soak.verify().await;
    if invocations >= INVOCATIONS {
        soak.tally.assert_complete();
    }
    for (before, after) in before.iter().zip(&after) {
        assert!(after.files <= before.files + FILES, "{before:?} {after:?}");
        assert!(
            after.memory <= before.memory + MEMORY,
            "{before:?} {after:?}"
        );
    }
}

/// This many more file descriptors are no leak: a connection to the database and one to Secrets
/// Manager, which may be open at one moment and not at another.
const FILES: usize = 2;

/// This many KiB more are no leak: an allocator keeps memory from its peaks.
const MEMORY: usize = 2048;

fn setting<T: std::str::FromStr>(variable: &str) -> Option<T> {
    let value = std::env::var(variable).ok()?;
    let number = value.parse().ok();
    Some(number.unwrap_or_else(|| panic!("{variable} must be a number, not {value:?}")))
}

struct Worker {
    function: Function,
    /// It has a connection that no fault has hit.
    warm: bool,
}

/// Fields are dropped in their order: the server last.
struct Soak {
    random: Rng,
    model: Model,
    customers: Vec<String>,
    workers: BTreeMap<Call, Worker>,
    proxy: Proxy,
    secret_id: String,
    admin: Conn,
    invocations: usize,
    tally: Tally,
    database: FreshDatabase,
    server: PrivateServer,
}

impl Soak {
    async fn start(seed: u64) -> Self {
        let server = PrivateServer::start(&Stack::from_env().unwrap()).await;
        let server = server.unwrap();
        let stack = server.stack();
        let database = stack.fresh_database().await.unwrap();
        let proxy = Proxy::start(stack.server()).await.unwrap();
        let secret = secret(&proxy, &database, database.password());
        let secret_id = stack.new_secret(&secret).await.unwrap();
        let mut workers = BTreeMap::new();
        for call in Call::ALL {
            let setup = Function::of(stack, &database, call.function())
                .unwrap()
                .timeout(TIMEOUT)
                .env("DATABASE_SECRET_ID", &secret_id)
                .env("DATABASE_PING_AFTER_MS", PING_AFTER.as_millis().to_string())
                // After a statement that was lost silently there must be time to send it again.
                .env("DATABASE_STATEMENT_TIMEOUT_MS", "1200")
                .env("DATABASE_CONNECT_TIMEOUT_MS", "5000");
            let function = setup.start().await.unwrap();
            function.freeze().unwrap();
            let warm = false;
            workers.insert(call, Worker { function, warm });
        }
        let mut random = Rng::with_seed(seed);
        Self {
            model: Model::default(),
            customers: (0..5).map(|_| format!("cust-{}", random.u32(..))).collect(),
            random,
            workers,
            proxy,
            secret_id,
            admin: admin(&server, &database).await,
            invocations: 0,
            tally: Tally::default(),
            database,
            server,
        }
    }

    /// Makes a random call, most often with a fault, and repeats it as a client does if it failed.
    async fn step(&mut self) {
        let kind = self.random.u8(..10);
        let call = match kind {
            0..=2 => Call::Get,
            3..=4 => Call::List,
            5..=6 => Call::Update,
            _ => Call::Create,
        };
        let faults = Faults::choose(&mut self.random, call);
        if faults.needs_warm_connection() {
            self.send(kind, Faults::default()).await;
        }
        self.send(kind, faults).await;
    }

    async fn send(&mut self, kind: u8, faults: Faults) {
        match kind {
            0..=2 => self.get(faults).await,
            3..=4 => self.list(faults).await,
            5..=6 => self.update(faults).await,
            7 => self.replay(faults).await,
            _ => self.create(faults).await,
        }
    }

    /// Invokes a function. It may only fail if a fault during the invocation excuses that, and only in
    /// the way that is promised.
    async fn invoke(&mut self, call: Call, event: &Event, faults: Faults) -> Answer {
        self.invocations += 1;
        if let Some(between) = faults.between {
            self.cause(between).await;
        }
        let hold = faults.during.and_then(|during| during.prepare(&self.proxy));
        let warm = self.workers[&call].warm;
        let started = Instant::now();
        let answer = self.thaw_with(call, event, faults, hold).await;
        let took = started.elapsed();
        self.workers[&call].function.freeze().unwrap();
        let struck = faults.during.is_some() && !self.proxy.lift_ambush();
        let case = format!(
            "invocation {}: {call:?}, {faults:?}, struck {struck}, warm {warm}: {answer:#?}",
            self.invocations
        );
        assert!(took < TIMEOUT, "{took:?} for {case}");
        let outage = faults.during.map(|during| during.kind) == Some(FaultKind::Outage);
        match (answer.status, answer.body["type"].as_str()) {
            (200 | 201, None) => {}
            (404, Some("/problems/not-found")) if call == Call::Get => {}
            (503, _) if struck && (call.is_write() || !warm || outage) => {
                assert!(answer.header("retry-after").is_some(), "{case}");
            }
            (500, Some("/problems/outcome-unknown")) if struck && call.is_write() => {}
            _ => panic!("{case}"),
        }
        let met = faults.during.filter(|_| struck);
        self.tally
            .count(call, faults.between, met, warm, answer.status);
        if self.invocations.is_multiple_of(1000) {
            println!("{} invocations", self.invocations);
        }

        if let Some(worker) = self.workers.get_mut(&call) {
            worker.warm = !struck;
        }
        let silent = matches!(faults.between, Some(Between::Swallow | Between::Silence));
        if struck || silent {
            // Only now does the server notice the swallowed connections.
            self.strike(Fault::Reset).await;
            self.wait_until_no_transaction_is_open().await;
        }
        answer
    }

    /// Thaws a frozen function with an event. Meanwhile a fault that lasts ends.
    async fn thaw_with(
        &mut self,
        call: Call,
        event: &Event,
        faults: Faults,
        hold: Option<Hold>,
    ) -> Answer {
        let worker = &self.workers[&call];
        let lasting = faults.between.filter(|between| between.lasts());
        let meanwhile = async {
            worker.function.thaw().unwrap();
            if let Some(between) = lasting {
                tokio::time::sleep(Duration::from_millis(100)).await;
                between.end(&self.proxy, &mut self.admin).await;
            }
            if let (Some(during), Some(hold)) = (faults.during, hold) {
                let fault = during.cause_on(hold, &self.proxy, &self.database, &mut self.admin);
                fault.await;
            }
        };
        let invocation = worker.function.invoke(event.clone());
        tokio::pin!(invocation);
        // The first poll of the invocation hands the event to the Runtime API.
        let answer = tokio::select! {
            biased;
            answer = &mut invocation => Some(answer),
            () = meanwhile => None,
        };
        let answer = match answer {
            Some(answer) => answer,
            None => invocation.await,
        };
        if let Some(between) = lasting {
            between.end(&self.proxy, &mut self.admin).await;
        }
        self.proxy.relay().unwrap();
        answer.unwrap()
    }

    /// The resources of each function after an answer without faults.
    async fn resources(&mut self) -> Vec<Resources> {
        self.strike(Fault::Reset).await;
        for kind in [0, 3, 9, 5] {
            self.send(kind, Faults::default()).await;
        }
        let functions = self.workers.values().map(|worker| &worker.function);
        functions
            .filter_map(|function| Resources::of(function.pid()))
            .collect()
    }
}
