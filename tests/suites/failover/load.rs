//! Clients that place, read and pay orders, and repeat what was answered with an error, as clients
//! do.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};
use serde_json::{Value, json};
use tests::stack::FreshDatabase;
use tests::stand_ins::lambda::event::Event;
use tests::stand_ins::lambda::{Answer, Function};
use tests::vitess::cluster::Cluster;
use tokio::task::JoinSet;
use tokio::time::sleep;
use uuid::Uuid;

use crate::A_WHILE;

/// How many clients there are, each of which waits for its answer.
const CLIENTS: usize = 4;

/// How long replicas may take until they have everything.
const PATIENCE: Duration = Duration::from_secs(30);

const FUNCTIONS: [&str; 4] = ["create-order", "get-order", "list-orders", "update-order"];

pub struct Load {
    clients: Arc<Clients>,
    /// The orders that were acknowledged as paid.
    paid: BTreeSet<Uuid>,
}

struct Clients {
    functions: BTreeMap<&'static str, Function>,
    ended: AtomicBool,
    _database: FreshDatabase,
}

/// Whether what was answered with errors may have been done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doubt {
    None,
    MayBeDone,
}

impl Load {
    /// Starts the functions, each for as many calls at once as there are clients.
    pub async fn on(cluster: &Cluster) -> Self {
        let database = cluster.database().await.unwrap();
        let mut functions = BTreeMap::new();
        for name in FUNCTIONS {
            let setup = Function::of(cluster.stack(), &database, name).unwrap();
            let setup = setup.env("AWS_LAMBDA_MAX_CONCURRENCY", CLIENTS.to_string());
            functions.insert(name, setup.start().await.unwrap());
        }
        Self {
            clients: Arc::new(Clients {
                functions,
                ended: AtomicBool::new(false),
                _database: database,
            }),
            paid: BTreeSet::new(),
        }
    }

    /// Calls the functions from a while before something happens until a while after it has happened.
    pub async fn during(&mut self, happens: impl Future<Output = ()>) {
        let mut shopping = JoinSet::new();
        for number in 0..CLIENTS {
            let clients = Arc::clone(&self.clients);
            shopping.spawn(async move { clients.shop(number).await });
        }
        sleep(A_WHILE).await;
        happens.await;
        sleep(A_WHILE).await;
        self.clients.ended.store(true, Ordering::SeqCst);
        for paid in shopping.join_all().await {
            assert!(!paid.is_empty());
            self.paid.extend(paid);
        }
    }

    /// Asserts that on the primary's server, and soon on the others that replicate it, there are exactly
    /// the orders that were acknowledged, each once, with both of its items and paid.
    pub async fn verify(&self, cluster: &Cluster) {
        // A replica follows the primary, so the primary has to be right first.
        let mut tablets: Vec<_> = cluster.replicating().collect();
        tablets.sort_by_key(|tablet| *tablet != cluster.primary());
        for tablet in tablets {
            let mut server = cluster.connect_to_server(tablet).await.unwrap();
            let began = Instant::now();
            while let Err(wrong) = self.compare(&mut server).await {
                let may_follow = tablet != cluster.primary() && began.elapsed() < PATIENCE;
                let replication: Option<Row> =
                    server.query_first("SHOW REPLICA STATUS").await.unwrap();
                assert!(may_follow, "tablet {tablet}: {wrong} {replication:?}");
                sleep(Duration::from_millis(200)).await;
            }
        }
    }

    async fn compare(&self, server: &mut Conn) -> Result<(), String> {
        const ORDERS: &str = "SELECT o.id, o.status, o.version, COUNT(i.position) FROM orders o \
                              LEFT JOIN order_items i ON i.order_id = o.id GROUP BY o.id";
        const ORPHANS: &str =
            "SELECT COUNT(*) FROM order_items WHERE order_id NOT IN (SELECT id FROM orders)";
        let orders: Vec<([u8; 16], String, u32, u32)> = server.query(ORDERS).await.unwrap();
        let orphans: Option<u64> = server.query_first(ORPHANS).await.unwrap();
        let ids: BTreeSet<_> = orders
            .iter()
            .map(|order| Uuid::from_bytes(order.0))
            .collect();
        let lost: Vec<_> = self.paid.difference(&ids).collect();
        let unheard_of: Vec<_> = ids.difference(&self.paid).collect();
        let is_whole = |(_, status, version, items): &(_, String, u32, u32)| {
            (status.as_str(), *version, *items) == ("paid", 2, 2)
        };
        let broken: Vec<_> = orders.iter().filter(|order| !is_whole(order)).collect();
        let right = lost.is_empty() && unheard_of.is_empty() && broken.is_empty();
        match right && orphans == Some(0) {
            true => Ok(()),
            false => Err(format!(
                "lost {lost:?}, unheard of {unheard_of:?}, broken {broken:?}, orphans {orphans:?}"
            )),
        }
    }
}

impl Clients {
    /// Places one order after the other. Returns those that are paid.
    async fn shop(&self, number: usize) -> Vec<Uuid> {
        let customer = format!("cust-{number}");
        let mut paid = Vec::new();
        while !self.ended.load(Ordering::SeqCst) {
            let id = self.place(&customer).await;
            let path = format!("/orders/{id}");
            let read = self.read("get-order", Event::get(&path)).await;
            assert_eq!(read["id"], json!(id));
            self.pay(&path).await;
            let list = format!("/customers/{customer}/orders?limit=1");
            let newest = &self.read("list-orders", Event::get(list)).await["orders"][0];
            let seen = ["id", "status", "version"].map(|name| &newest[name]);
            assert_eq!(json!(seen), json!([id, "paid", 2]));
            paid.push(id);
        }
        paid
    }

    async fn place(&self, customer: &str) -> Uuid {
        let place = Event::post("/orders")
            .header("idempotency-key", Uuid::now_v7().to_string())
            .json(&json!({
                "customer_id": customer,
                "currency": "EUR",
                "items": [
                    { "sku": "TEA-1", "quantity": 2, "unit_price": "4.50" },
                    { "sku": "CUP-1", "quantity": 1, "unit_price": "7.00" },
                ],
            }));
        let (placed, doubt) = self.repeat("create-order", &place).await;
        assert_eq!(placed.status, 201, "{placed:#?}");
        // What was answered with 503 was not done.
        let replayed = placed.header("idempotent-replayed").is_some();
        assert!(!replayed || doubt == Doubt::MayBeDone, "{placed:#?}");
        placed.body["id"].as_str().unwrap().parse().unwrap()
    }

    async fn pay(&self, path: &str) {
        let pay = Event::patch(path)
            .header("if-match", "\"1\"")
            .json(&json!({ "status": "paid" }));
        let (paid, doubt) = self.repeat("update-order", &pay).await;
        match (paid.status, doubt) {
            (200, _) => assert_eq!(paid.body["version"], 2, "{paid:#?}"),
            // It was done by a call whose outcome was unknown. The list shows it.
            (412, Doubt::MayBeDone) => {}
            _ => panic!("{doubt:?} {paid:#?}"),
        }
    }

    async fn read(&self, function: &'static str, event: Event) -> Value {
        let (read, doubt) = self.repeat(function, &event).await;
        assert_eq!((read.status, doubt), (200, Doubt::None), "{read:#?}");
        read.body
    }

    /// Sends an event until the answer is neither of the two errors that the fault table of the
    /// database allows: 503, after which nothing was done, and an unknown outcome of a write.
    async fn repeat(&self, function: &'static str, event: &Event) -> (Answer, Doubt) {
        let mut doubt = Doubt::None;
        loop {
            let answer = self.functions[function]
                .invoke(event.clone())
                .await
                .unwrap();
            match (answer.status, answer.body["type"].as_str()) {
                (503, _) => assert!(answer.header("retry-after").is_some(), "{answer:#?}"),
                (500, Some("/problems/outcome-unknown")) => doubt = Doubt::MayBeDone,
                (500.., _) => panic!("{function}: {answer:#?}"),
                _ => return (answer, doubt),
            }
            sleep(Duration::from_millis(100)).await;
        }
    }
}
