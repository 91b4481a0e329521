//! Who may see and change what: callers with IAM all orders, callers with a token their own.

use serde_json::{Value, json};
use tests::stand_ins::lambda::event::Event;

use crate::client::{
    ALL_CUSTOMERS_SCOPE, any_database, customer, function, idempotency_key, path_of, place,
    problem, send, tea,
};

/// Every request about an order and its customer.
fn requests_about(order: &Value) -> Vec<(&'static str, Event)> {
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
    for (what, event) in requests_about(&order) {
        let answer = send(event.jwt(&customer, "openid")).await;
        assert!(matches!(answer.status, 200 | 201), "{what}: {answer:?}");
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
    for (what, event) in requests_about(&order) {
        let scopes = format!("openid {ALL_CUSTOMERS_SCOPE}");
        let answer = send(event.jwt("back-office", &scopes)).await;
        assert!(matches!(answer.status, 200 | 201), "{what}: {answer:?}");
    }
}

#[tokio::test]
async fn a_scope_that_only_looks_similar_does_not_count() {
    let order = place(&tea(&customer())).await;
    for scope in [
        "orders:all",
        "/orders:all",
        "https://evil.example/orders:all",
        "https://orders.example/orders:all:read",
        "https://orders.example/orders:al",
        "https://orders.example/ORDERS:ALL",
        "xhttps://orders.example/orders:all",
    ] {
        let answer = send(Event::get(path_of(&order)).jwt("somebody", scope)).await;
        assert_eq!(answer.status, 404, "{scope}");
    }
}

#[tokio::test]
async fn without_a_configured_scope_no_token_acts_for_all_customers() {
    let database = any_database().await;
    let list = function("list-orders", &database).start().await.unwrap();
    for scope in ["", "orders:all", ALL_CUSTOMERS_SCOPE] {
        let event = Event::get("/customers/cust-1/orders").jwt("somebody", scope);
        let answer = list.invoke(event).await.unwrap();
        assert_eq!(answer.status, 403, "{scope:?}");
    }
}

#[tokio::test]
async fn a_subject_must_equal_the_customer_exactly() {
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
        for (what, event) in requests_about(&order) {
            let answer = send(event.claims(claims.clone())).await;
            assert_eq!(answer.status, 401, "{what} with {claims}");
            problem(&answer, 401);
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        }
    }
}

/// A caller that IAM has checked, with this identity in a Cognito identity pool.
fn iam(cognito_identity: Value) -> Value {
    json!({ "iam": {
        "accessKey": "ASIAIOSFODNN7EXAMPLE",
        "userArn": "arn:aws:sts::123456789012:assumed-role/app/CognitoIdentityCredentials",
        "cognitoIdentity": cognito_identity
    } })
}

#[tokio::test]
async fn an_end_user_of_an_identity_pool_may_do_nothing() {
    let order = place(&tea(&customer())).await;
    let identity = "us-east-1:3f2a6c0e-7a3e-4c11-9d0e-2f6f3c1d9a55";
    for amr in [
        json!(null),
        json!(["unauthenticated"]),
        json!(["authenticated"]),
    ] {
        for (what, event) in requests_about(&order) {
            let cognito = json!({ "amr": amr, "identityId": identity, "identityPoolId": null });
            let answer = send(event.authorizer(iam(cognito))).await;
            let expected = match what {
                "place" | "list" => 403,
                _ => 404,
            };
            problem(&answer, expected);
        }
    }
    assert_eq!(send(Event::get(path_of(&order))).await.body, order);
}

#[tokio::test]
async fn a_request_without_an_authorizer_is_401() {
    let order = place(&tea(&customer())).await;
    for (what, event) in requests_about(&order) {
        for event in [
            event.clone().anonymous(),
            event.clone().function_url().anonymous(),
            event.clone().authorizer(json!({})),
            event
                .clone()
                .authorizer(json!({ "jwt": null, "iam": null })),
            event
                .clone()
                .authorizer(json!({ "lambda": { "sub": "a" } })),
            event.clone().authorizer(json!({ "iam": {} })),
        ] {
            let answer = send(event).await;
            assert_eq!(answer.status, 401, "{what}");
            problem(&answer, 401);
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
async fn fields_that_nobody_reads_do_not_fail_a_call() {
    let order = place(&tea(&customer())).await;
    let own = order["customer_id"].as_str().unwrap();
    for (pointer, value) in [
        ("/headers/x-odd", json!("a\u{1}b\n")),
        ("/headers/user-agent", json!("\u{0}")),
        ("/headers/x-odd", json!(["a"])),
        ("/headers/x odd:", json!("a")),
        ("/cookies", json!(null)),
        ("/stageVariables", json!({ "a": null })),
        ("/multiValueHeaders", json!(7)),
        ("/requestContext/timeEpoch", json!("now")),
        ("/requestContext/http/sourceIp", json!(null)),
        ("/requestContext/authentication", json!([])),
        (
            "/requestContext/authorizer/jwt/claims/email_verified",
            json!(true),
        ),
        (
            "/requestContext/authorizer/jwt/claims/groups",
            json!({ "a": [1] }),
        ),
        ("/requestContext/authorizer/jwt/scopes", json!("openid")),
        ("/requestContext/authorizer/iam", json!(null)),
        ("/isBase64Encoded", json!(null)),
    ] {
        for (what, event) in requests_about(&order).into_iter().take(3) {
            let event = event.jwt(own, "openid").with_value(pointer, value.clone());
            let answer = send(event).await;
            let answered = matches!(answer.status, 200 | 201);
            assert!(answered, "{what} with {value} at {pointer}: {answer:?}");
        }
    }
    let signed = iam(json!({ "amr": null, "identityId": null, "identityPoolId": null }));
    let read = Event::get(path_of(&order)).authorizer(signed);
    assert_eq!(send(read).await.status, 200);
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
async fn iam_may_do_everything() {
    let order = place(&tea(&customer())).await;
    for (what, event) in requests_about(&order) {
        let answer = send(event).await;
        assert!(matches!(answer.status, 200 | 201), "{what}: {answer:?}");
    }
}

#[tokio::test]
async fn placing_for_another_customer_is_refused_with_a_known_or_new_key() {
    let customer = customer();
    let event = Event::post("/orders")
        .header("idempotency-key", idempotency_key())
        .json(&tea(&customer));
    assert_eq!(send(event.clone()).await.status, 201);
    problem(&send(event.jwt("somebody-else", "")).await, 403);
}
