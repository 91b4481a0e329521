//! The model of the database: every acknowledged order in its present state.

use serde_json::{Value, json};
use uuid::Uuid;

/// The orders, in the order in which they were placed.
#[derive(Default)]
pub struct Model {
    pub orders: Vec<Order>,
}

pub struct Order {
    pub id: Uuid,
    pub customer: String,
    pub key: String,
    /// The body of the request.
    pub requested: Value,
    /// The body of the first answer.
    pub placed: Value,
    pub status: &'static str,
    pub version: u32,
}

impl Model {
    /// The positions of the orders that match.
    pub fn positions(&self, matches: impl Fn(&Order) -> bool) -> impl Iterator<Item = usize> {
        let numbered = self.orders.iter().enumerate();
        numbered.filter_map(move |(position, order)| matches(order).then_some(position))
    }

    /// The newest orders of a customer as its list shows them.
    pub fn newest(&self, customer: &str, limit: usize) -> Vec<Value> {
        let mut orders: Vec<&Order> = self
            .orders
            .iter()
            .filter(|order| order.customer == customer)
            .collect();
        orders.sort_by_key(|order| std::cmp::Reverse(order.id));
        orders.truncate(limit);
        orders
            .into_iter()
            .map(|order| {
                let mut body = order.body();
                body.as_object_mut().unwrap().remove("items");
                body
            })
            .collect()
    }
}

impl Order {
    /// The body of a read now, without the time of the last change.
    pub fn body(&self) -> Value {
        let mut body = without_update_time(self.placed.clone());
        body["status"] = json!(self.status);
        body["version"] = json!(self.version);
        body
    }

    /// The status that comes next, if there is one.
    pub fn next_status(&self) -> Option<&'static str> {
        match self.status {
            "pending" => Some("paid"),
            "paid" => Some("shipped"),
            "shipped" => Some("delivered"),
            _ => None,
        }
    }
}

pub fn without_update_time(mut body: Value) -> Value {
    body.as_object_mut().map(|body| body.remove("updated_at"));
    body
}

/// The request for a new order with a few random items.
pub fn random_order(customer: &str, random: &mut fastrand::Rng) -> Value {
    let number = random.usize(1..=5);
    let mut item = |position| {
        json!({
            "sku": format!("SKU-{position}"),
            "quantity": random.u32(1..10),
            "unit_price": cents(random.u64(1..10_000)),
        })
    };
    let items: Vec<Value> = (1..=number).map(&mut item).collect();
    json!({ "customer_id": customer, "currency": "EUR", "items": items })
}

/// The body of the answer to a request, without the id and the times, which the function chooses.
pub fn expected(requested: &Value) -> Value {
    let mut body = requested.clone();
    let total: u64 = requested["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| {
            let price = item["unit_price"].as_str().unwrap().replace('.', "");
            item["quantity"].as_u64().unwrap() * price.parse::<u64>().unwrap()
        })
        .sum();
    body["total"] = json!(cents(total));
    body["status"] = json!("pending");
    body["version"] = json!(1);
    body
}

fn cents(cents: u64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}
