//! Who may see and change what: callers with IAM all orders, callers with a token their own.

use serde_json::{Value, json};
use tests::stand_ins::lambda::event::Event;

use crate::client::{
    ALL_CUSTOMERS_SCOPE, any_database, change, customer, function, idempotency_key, keyed, path_of,
    place, problem, send, tea,
};

/// Where an event has what the authorizer says of the caller.
const AUTHORIZER: &str = "/requestContext/authorizer";

/// The statuses of the reads of an order of the caller's own customer, and of another's. A stranger
/// must not learn whether an order exists.
type Statuses = (u16, u16);
const OWN: Statuses = (200, 404);
const ALL: Statuses = (200, 200);
const NONE: Statuses = (404, 404);
const REFUSED: Statuses = (401, 401);

fn token(claims: Value) -> Value {
    json!({ "jwt": { "claims": claims, "scopes": null } })
}

fn signer(cognito_identity: Value) -> Value {
    let arn = "arn:aws:iam::123456789012:user/a";
    json!({ "iam": { "userArn": arn, "cognitoIdentity": cognito_identity } })
}

/// Authorizers that have checked nobody.
fn empty() -> Vec<Value> {
    vec![
        json!(null),
        json!({}),
        json!({ "jwt": null, "iam": null, "lambda": null }),
    ]
}

/// Authorizers that name nobody or are of an unknown kind. No setting makes up for that.
fn unknown() -> Vec<Value> {
    vec![
        token(json!({})),
        token(json!(null)),
        token(json!("cust-1")),
        token(json!({ "sub": "" })),
        token(json!({ "sub": null })),
        token(json!({ "sub": 7 })),
        token(json!({ "sub": ["cust-1"] })),
        token(json!({ "scope": "orders:read" })),
        json!({ "lambda": {} }),
        json!({ "lambda": { "sub": "cust-1" } }),
        json!({ "lambda": null, "principalId": "cust-1" }),
        json!({ "iam": {} }),
        json!({ "iam": { "userArn": null } }),
        json!({ "iam": { "userArn": "", "userId": "" } }),
        json!({ "iam": [] }),
        json!({ "iam": "arn:aws:iam::123456789012:user/a" }),
        json!({ "jwt": "token", "iam": { "userArn": "arn:aws:iam::123456789012:user/a" } }),
        json!("iam"),
        json!(["iam"]),
        json!(true),
    ]
}

/// What an authorizer may say of a caller of this customer.
fn authorizers(customer: &str) -> Vec<(Statuses, Vec<Value>)> {
    const SCOPE: &str = ALL_CUSTOMERS_SCOPE;
    let own = vec![
        token(json!({ "sub": customer })),
        token(json!({ "sub": customer, "scope": "openid orders:read" })),
        // The scopes that the route demands. The token need have only one of them.
        json!({ "jwt": { "claims": { "sub": customer }, "scopes": [SCOPE] } }),
    ];
    let similar_scopes = [
        "orders:all",
        "/orders:all",
        "https://evil.example/orders:all",
        &format!("{SCOPE}/"),
        &format!("{SCOPE}:read"),
        &SCOPE.replace("orders:all", "ORDERS:ALL"),
        &format!("x{SCOPE}"),
        &format!("[{SCOPE}"),
        &format!("{SCOPE},openid"),
    ];
    let with_similar_scope = similar_scopes.iter().flat_map(|scope| {
        ["scope", "scp", "roles"].map(|claim| token(json!({ "sub": customer, claim: scope })))
    });
    let with_scope = vec![
        token(json!({ "sub": "office", "scope": format!("openid {SCOPE}") })),
        token(json!({ "sub": "office", "scope": format!("[openid {SCOPE}]") })),
        token(json!({ "sub": "office", "scp": format!("[openid {SCOPE}]") })),
        token(json!({ "sub": "office", "scp": ["openid", SCOPE] })),
        token(json!({ "sub": "office", "scope": 7, "scp": SCOPE })),
        token(json!({ "scope": SCOPE })),
    ];
    let with_iam = vec![
        signer(json!(null)),
        signer(json!({ "amr": null, "identityId": null, "identityPoolId": null })),
        json!({ "iam": { "userArn": "arn:aws:iam::123456789012:user/a" }, "jwt": null, "lambda": null }),
    ];
    let similar_customers = [
        &customer[1..],
        &customer[..customer.len() - 1],
        &format!("{customer}1"),
        &format!("{customer} "),
        &customer.to_uppercase(),
    ];
    let of_others = similar_customers.map(|sub| token(json!({ "sub": sub })));
    let end_users = vec![
        signer(
            json!({ "amr": ["authenticated"], "identityId": "us-east-1:7", "identityPoolId": "p" }),
        ),
        signer(json!({ "amr": null, "identityId": "us-east-1:7", "identityPoolId": null })),
        signer(json!({ "amr": [] })),
        signer(json!("us-east-1:7")),
        signer(json!([])),
        signer(json!(false)),
    ];
    vec![
        (OWN, own),
        (OWN, with_similar_scope.collect()),
        (ALL, with_scope),
        (ALL, with_iam),
        (NONE, of_others.into()),
        (NONE, end_users),
        (REFUSED, empty()),
        (REFUSED, unknown()),
    ]
}

#[tokio::test]
async fn the_authorizer_decides_whose_orders_a_caller_sees() {
    let (own, other) = (
        place(&tea(&customer())).await,
        place(&tea(&customer())).await,
    );
    for (expected, authorizers) in authorizers(own["customer_id"].as_str().unwrap()) {
        for authorizer in authorizers {
            let read = async |order: &Value| {
                let event = Event::get(path_of(order));
                send(event.with_value(AUTHORIZER, authorizer.clone())).await
            };
            let (own, other) = (read(&own).await, read(&other).await);
            assert_eq!((own.status, other.status), expected, "{authorizer}");
            if expected == REFUSED {
                problem(&own, 401);
                assert_eq!(own.header("www-authenticate"), Some("Bearer"));
            }
        }
    }
}

/// Sends every request about an order and its customer, and asserts that they are answered as a read
/// with this status is.
async fn assert_answered(order: &Value, authorizer: &Value, read: u16) {
    let customer = order["customer_id"].as_str().unwrap();
    for (what, event, success, forbidden) in [
        (
            "place",
            Event::post("/orders").json(&tea(customer)),
            201,
            403,
        ),
        (
            "list",
            Event::get(format!("/customers/{customer}/orders")),
            200,
            403,
        ),
        ("read", Event::get(path_of(order)), 200, 404),
        ("change", change(&path_of(order), 1, "paid"), 200, 404),
    ] {
        let answer = send(event.with_value(AUTHORIZER, authorizer.clone())).await;
        let expected = match read {
            200 => success,
            404 => forbidden,
            refused => refused,
        };
        assert_eq!(
            answer.status, expected,
            "{what} by {authorizer}: {answer:?}"
        );
        if expected >= 400 {
            problem(&answer, expected);
        }
    }
    let version = match read {
        200 => 2,
        _ => 1,
    };
    assert_eq!(
        send(Event::get(path_of(order))).await.body["version"],
        version
    );
}

#[tokio::test]
async fn every_call_asks_who_the_caller_is() {
    let customer = customer();
    for (expected, authorizers) in authorizers(&customer) {
        let (own, other) = (
            place(&tea(&customer)).await,
            place(&tea(&self::customer())).await,
        );
        let authorizer = &authorizers[0];
        assert_answered(&own, authorizer, expected.0).await;
        assert_answered(&other, authorizer, expected.1).await;
    }
    for event in [Event::get("/health"), Event::get("/health").function_url()] {
        problem(&send(event.anonymous()).await, 401);
    }
}

#[tokio::test]
async fn a_setting_accepts_requests_without_an_authorizer() {
    let database = any_database().await;
    for (value, status) in [("true", 404), ("false", 401), (" ", 401)] {
        let get = function("get-order", &database).env("ALLOW_UNAUTHENTICATED", value);
        let get = get.start().await.unwrap();
        let path = format!("/orders/{}", uuid::Uuid::now_v7());
        let accepted = empty().into_iter().map(|authorizer| (authorizer, status));
        let refused = unknown().into_iter().map(|authorizer| (authorizer, 401));
        for (authorizer, status) in accepted.chain(refused) {
            let event = Event::get(&path).with_value(AUTHORIZER, authorizer.clone());
            let answer = get.invoke(event).await.unwrap();
            assert_eq!(answer.status, status, "{value:?}: {authorizer}");
        }
        for event in [Event::get(&path), Event::get(&path).function_url()] {
            let answer = get.invoke(event.anonymous()).await.unwrap();
            assert_eq!(answer.status, status, "{value:?}");
        }
    }
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
