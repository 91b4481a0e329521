//! `POST /orders` with an `Idempotency-Key`: a repeated request places no second order.

use std::sync::Arc;

use serde_json::json;
use tests::stand_ins::lambda::event::Event;
use tokio::task::JoinSet;

use crate::client::{
    any_database, assert_refused, change, customer, function, idempotency_key, keyed, send, tea,
};

#[tokio::test]
async fn the_same_key_and_order_again_is_the_same_answer() {
    let customer = customer();
    let event = keyed(&idempotency_key(), &tea(&customer));
    let first = send(event.clone()).await;
    let second = send(event).await;

    assert_eq!((first.status, second.status), (201, 201));
    assert_eq!(second.body, first.body);
    for name in ["location", "etag", "content-type"] {
        assert_eq!(second.header(name), first.header(name), "{name}");
    }
    assert_eq!(first.header("idempotent-replayed"), None);
    assert_eq!(second.header("idempotent-replayed"), Some("true"));
    assert_eq!(number_of_orders(&customer).await, 1);
}

#[tokio::test]
async fn the_same_order_in_other_json_is_a_replay() {
    let customer = customer();
    let key = idempotency_key();
    let keyed = |body: String| {
        Event::post("/orders")
            .header("content-type", "application/json")
            .header("idempotency-key", &key)
            .body(body)
    };
    let first = send(keyed(tea(&customer).to_string())).await;
    let other = format!(
        r#" {{"items": [{{"unit_price": "4.5", "quantity": 2, "sku": "\u0054EA-1"}}],
              "currency": "EUR", "customer_id": "{customer}"}} "#
    );
    let second = send(keyed(other)).await;

    assert_eq!(second.status, 201, "{second:?}");
    assert_eq!(second.body, first.body);
}

#[tokio::test]
async fn a_replay_gives_the_first_answer_after_a_change() {
    let event = keyed(&idempotency_key(), &tea(&customer()));
    let first = send(event.clone()).await;
    let paid = change(first.header("location").unwrap(), 1, "paid");
    assert_eq!(send(paid).await.status, 200);
    let second = send(event).await;

    assert_eq!(second.body, first.body);
    assert_eq!(second.header("etag"), Some("\"1\""));
}

#[tokio::test]
async fn the_same_key_with_another_order_is_422() {
    let mut order = tea(&customer());
    let key = idempotency_key();
    assert_eq!(send(keyed(&key, &order)).await.status, 201);
    order["items"][0]["quantity"] = json!(3);
    let answer = send(keyed(&key, &order)).await;

    assert_refused(&answer, 422, "Idempotency-Key");
}

#[tokio::test]
async fn a_key_belongs_to_one_customer() {
    let key = format!("{:k<255}", idempotency_key());
    for customer in [customer(), customer()] {
        let answer = send(keyed(&key, &tea(&customer))).await;
        assert_eq!(answer.status, 201);
        assert_eq!(answer.header("idempotent-replayed"), None);
    }
}

#[tokio::test]
async fn keys_that_differ_in_case_are_different() {
    let customer = customer();
    let key = idempotency_key();
    for key in [&key, &key.to_uppercase(), &format!("\"{key}\"")] {
        let answer = send(keyed(key, &tea(&customer))).await;
        assert_eq!(answer.header("idempotent-replayed"), None);
    }
    assert_eq!(number_of_orders(&customer).await, 3);
}

#[tokio::test]
async fn an_invalid_key_is_400() {
    for key in ["", " ", "a b", "këy", "🔑", &"k".repeat(256)] {
        let answer = send(keyed(key, &tea(&customer()))).await;
        assert_refused(&answer, 400, "Idempotency-Key");
    }
}

#[tokio::test]
async fn simultaneous_requests_with_one_key_place_one_order() {
    let database = any_database().await;
    let setup = function("create-order", &database).env("AWS_LAMBDA_MAX_CONCURRENCY", "8");
    let function = Arc::new(setup.start().await.unwrap());
    let event = keyed(&idempotency_key(), &tea(&customer()));

    let mut requests = JoinSet::new();
    for _ in 0..24 {
        let (function, event) = (function.clone(), event.clone());
        requests.spawn(async move { function.invoke(event).await.unwrap() });
    }
    let answers = requests.join_all().await;

    for answer in &answers {
        assert_eq!(answer.status, 201, "{answer:?}");
        assert_eq!(answer.body, answers[0].body);
    }
    let replays = answers
        .iter()
        .filter(|answer| answer.header("idempotent-replayed").is_some());
    assert_eq!(replays.count(), 23);
}

/// The number of orders on the first page of a customer's list.
async fn number_of_orders(customer: &str) -> usize {
    let list = send(Event::get(format!("/customers/{customer}/orders"))).await;
    list.body["orders"].as_array().unwrap().len()
}
