//! Who may see and change what: callers with IAM all orders, callers with a token their own.

use serde_json::{Value, json};
use tests::stand_ins::lambda::event::Event;

use crate::client::{
    ALL_CUSTOMERS_SCOPE, any_database, change, customer, function, idempotency_key, keyed, path_of,
    place, problem, send, tea,
};

/// Every request about an order and its customer.
fn requests_about(order: &Value) -> Vec<(&'static str, Event)> {
    let customer = order["customer_id"].as_str().unwrap();
    vec![
        ("place", Event::post("/orders").json(&tea(customer))),
        ("list", Event::get(format!("/customers/{customer}/orders"))),
        ("read", Event::get(path_of(order))),
        ("change", change(&path_of(order), 1, "paid")),
    ]
}

#[tokio::test]
async fn a_caller_may_do_everything_with_its_own_customers() {
    let all = format!("openid {ALL_CUSTOMERS_SCOPE}");
    let own: fn(Event, &str, &str) -> Event = |event, customer, _| event.jwt(customer, "openid");
    let with_scope: fn(Event, &str, &str) -> Event = |event, _, all| event.jwt("office", all);
    let with_iam: fn(Event, &str, &str) -> Event = |event, _, _| event;
    for caller in [own, with_scope, with_iam] {
        let customer = customer();
        let order = place(&tea(&customer)).await;
        for (what, event) in requests_about(&order) {
            let answer = send(caller(event, &customer, &all)).await;
            assert!(matches!(answer.status, 200 | 201), "{what}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn a_token_may_do_nothing_with_another_customer() {
    let order = place(&tea(&customer())).await;
    for (what, event) in requests_about(&order) {
        let answer = send(event.jwt(&customer(), "openid orders:read")).await;
        // A stranger must not learn whether an order exists.
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
async fn a_strangers_order_looks_like_a_missing_one() {
    let order = place(&tea(&customer())).await;
    let own = customer();
    let nothing = path_of(&json!({ "id": uuid::Uuid::now_v7().to_string() }));
    for path in [path_of(&order), nothing] {
        let read = send(Event::get(&path).jwt(&own, "")).await;
        // Neither a condition nor a change that would be refused anyway may show a difference.
        let tagged = Event::get(&path).header("if-none-match", "*");
        let tagged = send(tagged.jwt(&own, "")).await;
        let change = send(change(&path, 9, "delivered").jwt(&own, "")).await;
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
async fn a_token_that_names_nobody_is_401() {
    let order = place(&tea(&customer())).await;
    for (_, event) in requests_about(&order) {
        let answer = send(event.claims(json!({ "scope": "orders:read" }))).await;
        problem(&answer, 401);
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    }
}

#[tokio::test]
async fn an_end_user_of_an_identity_pool_may_do_nothing() {
    let order = place(&tea(&customer())).await;
    let iam = json!({ "iam": {
        "accessKey": "ASIAIOSFODNN7EXAMPLE",
        "userArn": "arn:aws:sts::123456789012:assumed-role/app/CognitoIdentityCredentials",
        "cognitoIdentity": { "amr": ["authenticated"], "identityId": "us-east-1:3f2a6c0e" }
    } });
    for (what, event) in requests_about(&order) {
        let expected = match what {
            "place" | "list" => 403,
            _ => 404,
        };
        problem(&send(event.authorizer(iam.clone())).await, expected);
    }
    assert_eq!(send(Event::get(path_of(&order))).await.body, order);
}

#[tokio::test]
async fn a_request_without_an_authorizer_is_401() {
    let order = place(&tea(&customer())).await;
    for (_, event) in requests_about(&order) {
        let lambda = json!({ "lambda": { "sub": "a" } });
        for event in [
            event.clone().anonymous(),
            event.clone().function_url().anonymous(),
            event.clone().authorizer(lambda),
        ] {
            problem(&send(event).await, 401);
        }
    }
    problem(&send(Event::get("/health").anonymous()).await, 401);
}

#[tokio::test]
async fn a_setting_accepts_requests_without_an_authorizer() {
    let database = any_database().await;
    for (value, status) in [("true", 404), ("false", 401), ("", 401)] {
        let get = function("get-order", &database).env("ALLOW_UNAUTHENTICATED", value);
        let get = get.start().await.unwrap();
        let path = format!("/orders/{}", uuid::Uuid::now_v7());
        for event in [
            Event::get(&path).anonymous(),
            Event::get(&path).anonymous().function_url(),
        ] {
            assert_eq!(get.invoke(event).await.unwrap().status, status, "{value:?}");
        }
        let unknown = Event::get(&path).authorizer(json!({ "lambda": {} }));
        assert_eq!(get.invoke(unknown).await.unwrap().status, 401, "{value:?}");
    }
}

#[tokio::test]
async fn a_base_path_of_a_custom_domain_changes_no_route() {
    let customer = customer();
    let order = place(&tea(&customer)).await;
    for (path, event) in [
        ("/v1/orders", Event::post("/orders").json(&tea(&customer))),
        ("/orders/", Event::post("/orders").json(&tea(&customer))),
        ("/v1/health", Event::get("/health")),
        ("/v1/x", Event::get(format!("/customers/{customer}/orders"))),
        ("/v1/orders/1", Event::get(path_of(&order))),
    ] {
        let answer = send(event.with_value("/rawPath", json!(path))).await;
        assert!(matches!(answer.status, 200 | 201), "{path}: {answer:?}");
    }
}

#[tokio::test]
async fn placing_for_another_customer_is_refused_with_a_known_or_new_key() {
    let customer = customer();
    let event = keyed(&idempotency_key(), &tea(&customer));
    assert_eq!(send(event.clone()).await.status, 201);
    problem(&send(event.jwt("somebody-else", "")).await, 403);
}
