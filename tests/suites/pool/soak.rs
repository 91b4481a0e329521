//! Hundreds of invocations of all functions on one database, with random faults between them and
//! during them, held against a model of what must be in the database.
//!
//! `SOAK_INVOCATIONS` says how many, `SOAK_SEED` which. The functions are frozen whenever they
//! have nothing to do, as Lambda does it; the server is the test's own.

mod calls;
mod faults;
mod model;
mod needs;
mod tally;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fastrand::Rng;
use mysql_async::Conn;
use tests::proxy::{Fault, Hold, Proxy, Reception};
use tests::stack::{FreshDatabase, PrivateServer, Stack};
use tests::stand_ins::lambda::event::Event;
use tests::stand_ins::lambda::{Answer, Function};

use crate::function_under_test::secret;
use faults::{Between, Deed, Trouble, admin};
use model::Model;
use needs::Needs;
use tally::Tally;

/// What runs where nothing else is said.
const INVOCATIONS: usize = 500;
const SEED: u64 = 20_260_310;

/// What an invocation is told it has, and must not exceed.
const TIMEOUT: Duration = Duration::from_secs(6);

/// An idle connection is pinged after this.
const PING_AFTER: Duration = Duration::from_millis(50);

/// What is asked of which function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Call {
    Create,
    Get,
    List,
    Update,
}

impl Call {
    const ALL: [Self; 4] = [Self::Create, Self::Get, Self::List, Self::Update];

    fn function(self) -> &'static str {
        match self {
            Self::Create => "create-order",
            Self::Get => "get-order",
            Self::List => "list-orders",
            Self::Update => "update-order",
        }
    }

    /// The round trips of a call on a warm connection.
    fn flights(self) -> usize {
        match self {
            Self::Create => 4,
            Self::Get | Self::List => 1,
            Self::Update => 2,
        }
    }

    fn is_write(self) -> bool {
        matches!(self, Self::Create | Self::Update)
    }
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
                // A statement that is lost in silence is to leave time to be sent again.
                .env("DATABASE_STATEMENT_TIMEOUT_MS", "1200")
                .env("DATABASE_CONNECT_TIMEOUT_MS", "1500");
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

    /// A call, most often with a fault, and its repetition by the client where one is needed.
    async fn step(&mut self) {
        let kind = self.random.u8(..10);
        let call = match kind {
            0..=2 => Call::Get,
            3..=4 => Call::List,
            5..=6 => Call::Update,
            _ => Call::Create,
        };
        let trouble = Trouble::choose(&mut self.random, call);
        if trouble.wants_warmth() {
            self.ask(kind, Trouble::default()).await;
        }
        self.ask(kind, trouble).await;
    }

    async fn ask(&mut self, kind: u8, trouble: Trouble) {
        match kind {
            0..=2 => self.get(trouble).await,
            3..=4 => self.list(trouble).await,
            5..=6 => self.update(trouble).await,
            7 => self.replay(trouble).await,
            _ => self.create(trouble).await,
        }
    }

    /// One invocation. It fails in the way that is promised, and only where a fault during the
    /// invocation excuses it.
    async fn invoke(&mut self, call: Call, event: &Event, trouble: Trouble) -> Answer {
        self.invocations += 1;
        if let Some(between) = trouble.between {
            self.befall(between).await;
        }
        let hold = trouble.during.and_then(|during| during.lay(&self.proxy));
        let warm = self.workers[&call].warm;
        let started = Instant::now();
        let answer = self.thaw_with(call, event, trouble, hold).await;
        let took = started.elapsed();
        self.workers[&call].function.freeze().unwrap();
        let struck = trouble.during.is_some() && !self.proxy.lift_ambush();
        let case = format!(
            "invocation {}: {call:?}, {trouble:?}, struck {struck}, warm {warm}: {answer:#?}",
            self.invocations
        );
        assert!(took < TIMEOUT, "{took:?} for {case}");
        let outage = trouble.during.map(|during| during.deed) == Some(Deed::Outage);
        match (answer.status, answer.body["type"].as_str()) {
            (200 | 201, None) => {}
            (404, Some("/problems/not-found")) if call == Call::Get => {}
            (503, _) if struck && (call.is_write() || !warm || outage) => {
                assert!(answer.header("retry-after").is_some(), "{case}");
            }
            (500, Some("/problems/outcome-unknown")) if struck && call.is_write() => {}
            _ => panic!("{case}"),
        }
        let met = trouble.during.filter(|_| struck);
        self.tally
            .count(call, trouble.between, met, warm, answer.status);
        if self.invocations.is_multiple_of(1000) {
            println!("{} invocations", self.invocations);
        }

        if let Some(worker) = self.workers.get_mut(&call) {
            worker.warm = !struck;
        }
        let silent = matches!(trouble.between, Some(Between::Swallow | Between::Silence));
        if struck || silent {
            // What was swallowed comes to the server's notice only now.
            self.strike(Fault::Reset).await;
            self.wait_until_no_transaction_is_open().await;
        }
        answer
    }

    /// Lets a frozen function go on with an event. What lasts ends meanwhile.
    async fn thaw_with(
        &mut self,
        call: Call,
        event: &Event,
        trouble: Trouble,
        hold: Option<Hold>,
    ) -> Answer {
        let worker = &self.workers[&call];
        let lasting = trouble.between.filter(|between| between.lasts());
        let meanwhile = async {
            worker.function.thaw().unwrap();
            if let Some(between) = lasting {
                tokio::time::sleep(Duration::from_millis(100)).await;
                between.end(&self.proxy, &mut self.admin).await;
            }
            if let (Some(during), Some(hold)) = (trouble.during, hold) {
                let strike = during.strike(hold, &self.proxy, &self.database, &mut self.admin);
                strike.await;
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
        self.proxy.receive(Reception::Relay).await.unwrap();
        answer.unwrap()
    }

    /// What each function needs when it has just answered, and nothing is in the way.
    async fn needs(&mut self) -> Vec<Needs> {
        self.strike(Fault::Reset).await;
        for kind in [0, 3, 9, 5] {
            self.ask(kind, Trouble::default()).await;
        }
        let functions = self.workers.values().map(|worker| &worker.function);
        functions
            .filter_map(|function| Needs::of(function.pid()))
            .collect()
    }
}
