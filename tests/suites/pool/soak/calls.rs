//! The calls of clients, and checks of the answers and the database.

use std::collections::BTreeSet;

use mysql_async::prelude::Queryable;
use serde_json::{Value, json};
use tests::proxy::Fault;
use tests::stand_ins::lambda::Answer;
use tests::stand_ins::lambda::event::Event;
use uuid::Uuid;

use super::faults::Faults;
use super::model::{Order, expected, random_order, without_update_time};
use super::{Call, Soak};

/// The most orders on a page.
const PAGE: usize = 10;

impl Soak {
    pub(super) async fn create(&mut self, faults: Faults) {
        let customer = self.customers[self.random.usize(..self.customers.len())].clone();
        let requested = random_order(&customer, &mut self.random);
        let key = format!("key-{}", self.random.u128(..));
        let event = create(&key, &requested);
        let mut answer = self.invoke(Call::Create, &event, faults).await;
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
        assert_eq!(body, expected(&requested));
        let id: Uuid = id.as_str().unwrap().parse().unwrap();
        assert_eq!(placed, [id]);
        assert!(done.is_empty() || done == placed);
        self.model.orders.push(Order {
            id,
            customer,
            key,
            requested,
            placed: answer.body,
            status: "pending",
            version: 1,
        });
    }

    /// Sends an earlier create again, as a client does that got no answer.
    pub(super) async fn replay(&mut self, faults: Faults) {
        if self.model.orders.is_empty() {
            return self.create(faults).await;
        }
        let order = self.random.usize(..self.model.orders.len());
        let Order { key, requested, .. } = &self.model.orders[order];
        let event = create(key, requested);
        let mut answer = self.invoke(Call::Create, &event, faults).await;
        if answer.status != 201 {
            answer = self.repeat(Call::Create, &event).await;
        }
        assert_eq!(answer.status, 201, "{answer:#?}");
        assert_eq!(answer.header("idempotent-replayed"), Some("true"));
        assert_eq!(answer.body, self.model.orders[order].placed);
    }

    pub(super) async fn get(&mut self, faults: Faults) {
        let known = self.model.orders.len();
        // One position more than there are orders: that order does not exist.
        let order = self.random.usize(..=known);
        let id = self.model.orders.get(order).map(|order| order.id);
        let event = Event::get(format!("/orders/{}", id.unwrap_or_else(Uuid::now_v7)));
        let answer = self.read(Call::Get, &event, faults).await;
        match self.model.orders.get(order) {
            None => assert_eq!(answer.status, 404, "{answer:#?}"),
            Some(order) => {
                assert_eq!(answer.status, 200, "{answer:#?}");
                assert_eq!(without_update_time(answer.body), order.body());
            }
        }
    }

    pub(super) async fn list(&mut self, faults: Faults) {
        let customer = self.customers[self.random.usize(..self.customers.len())].clone();
        let event = Event::get(format!("/customers/{customer}/orders?limit={PAGE}"));
        let answer = self.read(Call::List, &event, faults).await;
        assert_eq!(answer.status, 200, "{answer:#?}");
        let orders = answer.body["orders"].as_array().unwrap().iter().cloned();
        let orders: Vec<Value> = orders.map(without_update_time).collect();
        assert_eq!(orders, self.model.newest(&customer, PAGE));
    }

    /// Moves an order to its next status. If no order has a next status, a new one is made first.
    pub(super) async fn update(&mut self, faults: Faults) {
        let open = |order: &Order| order.next_status().is_some();
        let orders: Vec<usize> = self.model.positions(open).collect();
        let order = match orders.as_slice() {
            [] => {
                self.create(Faults::default()).await;
                self.model.orders.len() - 1
            }
            open => open[self.random.usize(..open.len())],
        };

        let Order { id, version, .. } = self.model.orders[order];
        let status = self.model.orders[order].next_status().unwrap();
        let event = Event::patch(format!("/orders/{id}"))
            .header("if-match", format!("\"{version}\""))
            .json(&json!({ "status": status }));
        let mut answer = self.invoke(Call::Update, &event, faults).await;
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

    /// Reads, and repeats the read as a client does if it failed.
    async fn read(&mut self, call: Call, event: &Event, faults: Faults) -> Answer {
        let answer = self.invoke(call, event, faults).await;
        if answer.status == 503 {
            return self.repeat(call, event).await;
        }
        answer
    }

    /// Sends the same event again, without a fault.
    async fn repeat(&mut self, call: Call, event: &Event) -> Answer {
        self.invoke(call, event, Faults::default()).await
    }

    /// The orders that were made with this key.
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

    /// Asserts that the database holds what the model says and nothing else.
    pub(super) async fn verify(&mut self) {
        self.strike(Fault::Reset).await;
        self.wait_until_no_transaction_is_open().await;
        // A function opens a second connection when a read gets no answer.
        let bound = 2 * self.workers.len();
        assert!(self.proxy.counts().peak <= bound);
        let query = "SELECT id, customer_id, status, version, \
                     (SELECT COUNT(*) FROM order_items WHERE order_id = id) FROM orders";
        let found: Vec<([u8; 16], String, String, u32, usize)> =
            self.admin.query(query).await.unwrap();
        let found: BTreeSet<_> = found.into_iter().collect();
        let known = self.model.orders.iter().map(|order| {
            let items = order.requested["items"].as_array().unwrap().len();
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

fn create(key: &str, requested: &Value) -> Event {
    Event::post("/orders")
        .header("idempotency-key", key)
        .json(requested)
}
