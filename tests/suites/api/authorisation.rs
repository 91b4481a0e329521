//! Who may see and change what: the whole world by IAM, one's own by a token.

use serde_json::{Value, json};
use tests::stand_ins::lambda::event::Event;

use crate::client::{customer, idempotency_key, path_of, place, problem, send, tea};

/// Everything that can be done with an order and its customer.
fn everything(order: &Value) -> Vec<(&'static str, Event)> {
    let customer = order["customer_id"].as_str().unwrap();
    let change = Event::patch(path_of(order)).header("if-match", "\"1\"");
    vec![
        ("place", Event::post("/orders").json(&tea(customer))),
        ("list", Event::get(format!("/customers/{customer}/orders"))),
        ("read", Event::get(path_of(order))),
        ("change", change.json(&json!({ "status": "paid" }))),
    ]
}

#[tokio::test]
async fn a_token_may_do_everything_with_its_own_customer() {
    let customer = customer();
    let order = place(&tea(&customer)).await;
    for (what, event) in everything(&order) {
        let answer = send(event.jwt(&customer, "openid")).await;
        assert!(matches!(answer.status, 200 | 201), "{what}: {answer:?}");
    }
}

#[tokio::test]
async fn a_token_may_do_nothing_with_another_customer() {
    let order = place(&tea(&customer())).await;
    for (what, event) in everything(&order) {
        let answer = send(event.jwt(&customer(), "openid orders:read")).await;
        // Whether an order is there is nothing that a stranger should learn.
        let expected = match what {
            "place" | "list" => 403,
            _ => 404,
        };
        assert_eq!(answer.status, expected, "{what}");
        problem(&answer, expected);
    }
    let read = send(Event::get(path_of(&order))).await;
    assert_eq!(read.body, order, "it was changed");
}

#[tokio::test]
async fn a_strangers_order_cannot_be_told_from_none() {
    let order = place(&tea(&customer())).await;
    let own = customer();
    let nothing = path_of(&json!({ "id": uuid::Uuid::now_v7().to_string() }));
    for path in [path_of(&order), nothing] {
        let read = send(Event::get(&path).jwt(&own, "")).await;
        // Neither by a condition, nor by a change that would be refused for another reason.
        let tagged = Event::get(&path).header("if-none-match", "*");
        let tagged = send(tagged.jwt(&own, "")).await;
        let change = Event::patch(&path).header("if-match", "\"9\"");
        let change = change.json(&json!({ "status": "delivered" }));
        let change = send(change.jwt(&own, "")).await;
        for answer in [read, tagged, change] {
            let found = problem(&answer, 404);
            assert_eq!(found.kind, "not-found");
            assert_eq!(
                found.detail,
                problem(&send(Event::get(&path).jwt(&own, "")).await, 404).detail
            );
        }
    }
}

#[tokio::test]
async fn a_token_for_all_customers_may_do_everything() {
    let order = place(&tea(&customer())).await;
    for (what, event) in everything(&order) {
        let answer = send(event.jwt("back-office", "openid orders:all")).await;
        assert!(matches!(answer.status, 200 | 201), "{what}: {answer:?}");
    }
}

#[tokio::test]
async fn a_scope_that_only_looks_like_it_does_not_count() {
    let order = place(&tea(&customer())).await;
    for scope in [
        "orders",
        "orders:all:read",
        "ORDERS:ALL",
        "orders:al",
        "xorders:all",
    ] {
        let answer = send(Event::get(path_of(&order)).jwt("somebody", scope)).await;
        assert_eq!(answer.status, 404, "{scope}");
    }
}

#[tokio::test]
async fn a_customer_in_other_letters_is_another() {
    let customer = customer();
    let order = place(&tea(&customer)).await;
    for sub in [
        customer.to_uppercase(),
        format!("{customer} "),
        customer[..20].to_owned(),
    ] {
        let answer = send(Event::get(path_of(&order)).jwt(&sub, "")).await;
        assert_eq!(answer.status, 404, "{sub:?}");
    }
}

#[tokio::test]
async fn a_token_that_names_nobody_is_401() {
    let order = place(&tea(&customer())).await;
    for claims in [
        json!({}),
        json!({ "sub": "" }),
        json!({ "scope": "orders:read" }),
    ] {
        for (what, event) in everything(&order) {
            let answer = send(event.claims(claims.clone())).await;
            assert_eq!(answer.status, 401, "{what} with {claims}");
            problem(&answer, 401);
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        }
    }
}

#[tokio::test]
async fn iam_may_do_everything() {
    let order = place(&tea(&customer())).await;
    for (what, event) in everything(&order) {
        let answer = send(event).await;
        assert!(matches!(answer.status, 200 | 201), "{what}: {answer:?}");
    }
}

#[tokio::test]
async fn a_request_to_place_for_another_is_refused_whether_its_key_is_known_or_not() {
    let customer = customer();
    let event = Event::post("/orders")
        .header("idempotency-key", idempotency_key())
        .json(&tea(&customer));
    assert_eq!(send(event.clone()).await.status, 201);
    problem(&send(event.jwt("somebody-else", "")).await, 403);
}
