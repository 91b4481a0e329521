//! `GET /orders/{order_id}`.

use serde_json::json;
use tests::stand_ins::lambda::event::Event;
use uuid::Uuid;

use crate::client::{
    assert_is_order, assert_refused, change, customer, path_of, place, problem, send, tea,
};

#[tokio::test]
async fn an_order_is_read() {
    let customer = customer();
    let placed = place(&tea(&customer)).await;
    let answer = send(Event::get(path_of(&placed))).await;

    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("etag"), Some("\"1\""));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_is_order(
        &answer.body,
        &json!({
            "customer_id": customer,
            "status": "pending",
            "currency": "EUR",
            "items": [{ "sku": "TEA-1", "quantity": 2, "unit_price": "4.50" }],
            "total": "9.00",
            "version": 1
        }),
    );
    let id = placed["id"].as_str().unwrap();
    let capitals = Event::get(format!("/orders/{}", id.to_uppercase()));
    for event in [capitals, Event::get(path_of(&placed)).function_url()] {
        let answer = send(event).await;
        assert_eq!((answer.status, &answer.body), (200, &placed));
    }
}

#[tokio::test]
async fn a_changed_order_is_sent_to_a_client_with_the_old_version() {
    let path = path_of(&place(&tea(&customer())).await);
    assert_eq!(send(change(&path, 1, "paid")).await.status, 200);
    let answer = send(Event::get(&path).header("if-none-match", "\"1\"")).await;

    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("etag"), Some("\"2\""));
    assert_eq!(answer.body["status"], "paid");
}

#[tokio::test]
async fn the_conditions_of_a_read_decide_its_status() {
    let path = path_of(&place(&tea(&customer())).await);
    let missing = format!("/orders/{}", Uuid::now_v7());
    for (path, name, value, status) in [
        (&path, "if-none-match", "\"1\"", 304),
        (&path, "if-none-match", "W/\"1\"", 304),
        (&path, "if-none-match", "\"7\", \"1\"", 304),
        (&path, "if-none-match", "*", 304),
        (&path, "if-none-match", "\"2\"", 200),
        (&path, "if-none-match", "\"01\"", 200),
        (&path, "if-none-match", "\"another-server's\"", 200),
        (&path, "if-none-match", "\"1\u{e9}\"", 200),
        (&path, "if-none-match", "\"🍵\"", 200),
        (&path, "if-match", "\"1\"", 200),
        (&path, "if-match", "\"7\", \"1\"", 200),
        (&path, "if-match", "*", 200),
        (&path, "if-match", "\"99\"", 412),
        (&path, "if-match", "W/\"1\"", 412),
        (&missing, "if-match", "*", 404),
        (&missing, "if-none-match", "*", 404),
        // It is refused before anybody looks for the order.
        (&missing, "if-none-match", "1", 400),
        (&missing, "if-match", "\"1", 400),
    ] {
        let answer = send(Event::get(path).header(name, value)).await;
        assert_eq!(answer.status, status, "{name}: {value}");
        match (status, name) {
            (304, _) => {
                assert_eq!(answer.header("etag"), Some("\"1\""), "{value}");
                assert_eq!(answer.header("content-type"), None, "{value}");
                assert!(answer.body.is_null(), "{value}");
            }
            (400 | 412, "if-match") => assert_refused(&answer, status, "If-Match"),
            (400, _) => assert_refused(&answer, 400, "If-None-Match"),
            _ => {}
        }
    }
    for (if_match, status) in [("\"1\"", 304), ("\"99\"", 412)] {
        let both = Event::get(&path).header("if-match", if_match);
        let both = send(both.header("if-none-match", "\"1\"")).await;
        assert_eq!(both.status, status);
    }
}

#[tokio::test]
async fn a_slash_at_the_end_of_the_path_is_ignored() {
    let order = place(&tea(&customer())).await;
    let customer = order["customer_id"].as_str().unwrap();
    let list = format!("/customers/{customer}/orders");
    for (event, path) in [
        (Event::get(path_of(&order)), path_of(&order)),
        (Event::get("/health"), "/health".to_owned()),
        (Event::get(&list), list),
        (
            Event::post("/orders").json(&tea(customer)),
            "/orders".to_owned(),
        ),
    ] {
        for event in [event.clone(), event.function_url()] {
            let answer = send(event.with_value("/rawPath", json!(format!("{path}/")))).await;
            assert!(matches!(answer.status, 200 | 201), "{path}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn a_missing_order_is_404() {
    for id in [Uuid::now_v7(), Uuid::new_v4(), Uuid::nil(), Uuid::max()] {
        let answer = send(Event::get(format!("/orders/{id}"))).await;
        assert_eq!(problem(&answer, 404).kind, "not-found");
    }
}

#[tokio::test]
async fn an_id_that_is_not_a_uuid_is_400() {
    let id = Uuid::now_v7();
    for id in [
        "1",
        "abc",
        "-1",
        "null",
        "..",
        "%2e%2e%2fadmin",
        "a%2Fb",
        "0197c1f0%252D7a3e-7c11-9d0e-2f6f3c1d9a55",
        "%00",
        "%F0%9F%8D%B5",
        "%ff",
        "'%20OR%201=1%20--",
        &id.simple().to_string(),
        &format!("{{{id}}}"),
        &format!("urn:uuid:{id}"),
        &format!("{id}0"),
        &format!("{id}%20"),
        &"0".repeat(5000),
    ] {
        for event in [
            Event::get(format!("/orders/{id}")),
            Event::get(format!("/orders/{id}")).function_url(),
        ] {
            assert_refused(&send(event).await, 400, "order_id");
        }
    }
}
