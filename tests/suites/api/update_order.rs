//! `PATCH /orders/{order_id}`.

use serde_json::{Value, json};
use tests::stand_ins::lambda::event::Event;
use uuid::Uuid;

use crate::client::{
    any_database, assert_is_order, assert_refused, change, customer, function, path_of, place,
    problem, send, tea,
};

const STATUSES: [&str; 5] = ["pending", "paid", "shipped", "delivered", "cancelled"];

/// A new order, moved on to `status`.
async fn order_that_is(status: &str) -> Value {
    let way: &[&str] = match status {
        "pending" => &[],
        "paid" => &["paid"],
        "shipped" => &["paid", "shipped"],
        "delivered" => &["paid", "shipped", "delivered"],
        _ => &["cancelled"],
    };
    let mut order = place(&tea(&customer())).await;
    for status in way {
        let version = order["version"].as_u64().unwrap();
        let answer = send(change(&path_of(&order), version, status)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        order = answer.body;
    }
    order
}

#[tokio::test]
async fn an_order_is_paid() {
    let customer = customer();
    let placed = place(&tea(&customer)).await;
    let answer = send(change(&path_of(&placed), 1, "paid")).await;

    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("etag"), Some("\"2\""));
    assert_is_order(
        &answer.body,
        &json!({
            "customer_id": customer,
            "status": "paid",
            "currency": "EUR",
            "items": [{ "sku": "TEA-1", "quantity": 2, "unit_price": "4.50" }],
            "total": "9.00",
            "version": 2
        }),
    );
    assert_eq!(answer.body["created_at"], placed["created_at"]);
    assert!(answer.body["updated_at"].as_str() > placed["updated_at"].as_str());

    let read = send(Event::get(path_of(&placed))).await;
    assert_eq!(read.body, answer.body);
    assert_eq!(read.header("etag"), Some("\"2\""));
}

#[tokio::test]
async fn only_allowed_changes_of_status_succeed() {
    for from in STATUSES {
        for to in STATUSES {
            let order = order_that_is(from).await;
            let version = order["version"].as_u64().unwrap();
            let answer = send(change(&path_of(&order), version, to)).await;

            let allowed = matches!(
                (from, to),
                ("pending", "paid" | "cancelled")
                    | ("paid", "shipped" | "cancelled")
                    | ("shipped", "delivered")
            );
            let expected = if allowed { 200 } else { 409 };
            assert_eq!(answer.status, expected, "from {from} to {to}");
            if !allowed {
                let detail = problem(&answer, 409).detail;
                assert!(detail.contains(from) && detail.contains(to), "{detail}");
                assert_eq!(send(Event::get(path_of(&order))).await.body, order);
            }
        }
    }
}

#[tokio::test]
async fn the_conditions_of_a_change_decide_its_status() {
    let path = path_of(&order_that_is("paid").await);
    for (if_match, if_none_match, status, field) in [
        (None, None, 428, "If-Match"),
        (Some(""), None, 412, "If-Match"),
        (Some("\"1\""), None, 412, "If-Match"),
        (Some("\"3\""), None, 412, "If-Match"),
        (Some("\"4294967296\""), None, 412, "If-Match"),
        (Some("\"other\""), None, 412, "If-Match"),
        (Some("\"2\u{e9}\""), None, 412, "If-Match"),
        (Some("W/\"2\""), None, 412, "If-Match"),
        (Some("2"), None, 400, "If-Match"),
        (Some("\"2"), None, 400, "If-Match"),
        (Some("\"1\" \"2\""), None, 400, "If-Match"),
        (Some("é"), None, 400, "If-Match"),
        (Some("\"2\u{1}\""), None, 400, "If-Match"),
        (Some("\"2\""), Some("*"), 412, ""),
        (Some("\"2\""), Some("W/\"2\""), 412, ""),
        (Some("\"2\""), Some("\"1\", \"2\""), 412, ""),
        (Some("\"2\""), Some("2"), 400, "If-None-Match"),
    ] {
        let event = Event::patch(&path).json(&json!({ "status": "shipped" }));
        let headers = [("if-match", if_match), ("if-none-match", if_none_match)].into_iter();
        let event = headers.fold(event, |event, (name, value)| match value {
            Some(value) => event.header(name, value),
            None => event,
        });
        match field {
            "" => drop(problem(&send(event).await, status)),
            field => assert_refused(&send(event).await, status, field),
        }
    }
    assert_eq!(send(Event::get(&path)).await.body["version"], 2);
    for (status, tag, excluded) in [
        ("shipped", "\"1\", \"2\"", "\"1\""),
        ("delivered", "*", "\"2\""),
    ] {
        let event = Event::patch(&path).header("if-match", tag);
        let event = event.header("if-none-match", excluded);
        assert_eq!(
            send(event.json(&json!({ "status": status }))).await.status,
            200
        );
    }
}

#[tokio::test]
async fn a_missing_order_is_404_and_an_id_that_is_no_uuid_is_400() {
    let missing = change(&format!("/orders/{}", Uuid::now_v7()), 1, "paid");
    problem(&send(missing).await, 404);
    for id in ["1", "abc", "a%2Fb", "%00"] {
        let answer = send(change(&format!("/orders/{id}"), 1, "paid")).await;
        assert_refused(&answer, 400, "order_id");
    }
}

#[tokio::test]
async fn a_body_of_the_wrong_shape_is_400_and_changes_nothing() {
    let path = path_of(&place(&tea(&customer())).await);
    for (body, field) in [
        ("{}", "status"),
        (r#"{"status": ["paid"]}"#, "status"),
        (r#"{"status": "paid", "version": 9}"#, "version"),
    ] {
        let event = Event::patch(&path)
            .header("if-match", "\"1\"")
            .header("content-type", "application/json")
            .body(body);
        let problem = problem(&send(event).await, 400);
        assert_eq!(problem.field.as_deref(), Some(field), "{body}");
    }
    assert_eq!(send(Event::get(&path)).await.body["version"], 1);
}

#[tokio::test]
async fn an_unknown_status_is_422() {
    let path = path_of(&place(&tea(&customer())).await);
    for status in [
        "",
        "open",
        "PAID",
        " paid",
        "paid\u{0}",
        "🍵",
        "'; DROP TABLE orders; --",
    ] {
        assert_refused(&send(change(&path, 1, status)).await, 422, "status");
    }
}

#[tokio::test]
async fn one_of_two_simultaneous_changes_wins() {
    let database = any_database().await;
    let setup = function("update-order", &database).env("AWS_LAMBDA_MAX_CONCURRENCY", "2");
    let (create, update) = (function("create-order", &database), setup);
    let (create, update) = (create.start().await.unwrap(), update.start().await.unwrap());
    for _ in 0..10 {
        let order = create.invoke(Event::post("/orders").json(&tea(&customer())));
        let path = path_of(&order.await.unwrap().body);
        let (pay, cancel) = tokio::join!(
            update.invoke(change(&path, 1, "paid")),
            update.invoke(change(&path, 1, "cancelled")),
        );
        let (pay, cancel) = (pay.unwrap(), cancel.unwrap());

        let mut statuses = [pay.status, cancel.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 412]);
    }
}
