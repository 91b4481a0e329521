//! Rotations while the API's functions serve requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use mysql_async::{Row, prelude::Queryable};
use serde_json::{Value, json};
use tests::stand_ins::lambda::Function;
use tests::stand_ins::lambda::event::Event;
use tokio::sync::RwLock;

use crate::rotation::Rotation;

const CUSTOMER: &str = "cust-1";

/// A function that is invoked again and again.
struct Load {
    function: Function,
    event: fn() -> Event,
    status: u16,
    served: AtomicUsize,
    over: AtomicBool,
    /// An invocation reads it. Who writes it finds every function between two invocations.
    pause: Arc<RwLock<()>>,
}

impl Load {
    async fn serve(&self) {
        while !self.over.load(Ordering::SeqCst) {
            let _pause = self.pause.read().await;
            let answer = self.function.invoke((self.event)()).await.unwrap();
            assert_eq!(answer.status, self.status, "{:?}", answer.logs);
            self.served.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Waits until this many more invocations have been served.
    async fn serves(&self, more: usize) {
        let until = self.served.load(Ordering::SeqCst) + more;
        let limit = Instant::now() + Duration::from_secs(30);
        while self.served.load(Ordering::SeqCst) < until {
            assert!(Instant::now() < limit);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

fn order() -> Event {
    Event::post("/orders").json(&json!({
        "customer_id": CUSTOMER, "currency": "EUR",
        "items": [{ "sku": "TEA-1", "quantity": 2, "unit_price": "4.50" }],
    }))
}

fn list() -> Event {
    Event::get(format!("/customers/{CUSTOMER}/orders"))
}

/// Ends the sessions of a password, as PlanetScale does some minutes after it is deleted.
async fn kill_sessions(rotation: &Rotation, login: &Value) {
    let mut admin = rotation.stack.admin().await.unwrap();
    let sessions: Vec<Row> = admin.query("SHOW PROCESSLIST").await.unwrap();
    for session in sessions {
        let user: String = session.get("User").unwrap();
        if login["username"] == user {
            let id: u64 = session.get("Id").unwrap();
            let _ = admin.query_drop(format!("KILL {id}")).await;
        }
    }
    admin.disconnect().await.unwrap();
}

#[tokio::test]
async fn rotations_fail_no_request_even_when_the_old_sessions_are_killed() {
    let rotation = Rotation::on_planetscale("readwriter").await;
    let pause = Arc::new(RwLock::new(()));
    let load = async |name: &str, event: fn() -> Event, status| {
        let setup = Function::of(&rotation.stack, &rotation.database, name).unwrap();
        Load {
            function: setup
                .env("DATABASE_SECRET_ID", &rotation.secret_id)
                .start()
                .await
                .unwrap(),
            event,
            status,
            served: AtomicUsize::new(0),
            over: AtomicBool::new(false),
            pause: Arc::clone(&pause),
        }
    };
    let create = load("create-order", order, 201).await;
    let read = load("list-orders", list, 200).await;
    let loads = [&create, &read];
    let rotations = async {
        for _ in 0..3 {
            for load in loads {
                load.serves(3).await;
            }
            let old = rotation.current().await;
            rotation.rotate().await;
            for load in loads {
                load.serves(3).await;
            }
            let _pause = pause.write().await;
            kill_sessions(&rotation, &old).await;
        }
        for load in loads {
            load.serves(3).await;
            load.over.store(true, Ordering::SeqCst);
        }
    };
    tokio::join!(create.serve(), read.serve(), rotations);
    let orders = "SELECT COUNT(*) FROM orders";
    let mut conn = rotation.database.connect().await.unwrap();
    let orders: Option<usize> = conn.query_first(orders).await.unwrap();
    conn.disconnect().await.unwrap();
    assert_eq!(orders, Some(create.served.load(Ordering::SeqCst)));
}
