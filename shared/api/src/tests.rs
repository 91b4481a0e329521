use std::{fmt::Display, future::pending};

use lambda_runtime::Context;
use serde_json::{Value, json};

use super::*;
use database::DatabaseError;

mod unexpected_values;

const GET: Route = Route::get("/orders/{order_id}");
const POST: Route = Route::post("/orders");

const OPEN: Settings = Settings {
    allow_unauthenticated: true,
    all_customers_scope: None,
};

/// An event as the gateway sends one (aws_lambda_events' fixtures), for `method` and `path`.
fn event(method: &str, path: &str) -> Value {
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {
            "accept": "*/*",
            "content-type": "application/json",
            "host": "aaaaaaaaaa.execute-api.us-west-2.amazonaws.com",
            "x-amzn-trace-id": "Root=1-5e9f0c65-1de4d666d4dd26aced652b6c",
        },
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "aaaaaaaaaa",
            "domainName": "aaaaaaaaaa.execute-api.us-west-2.amazonaws.com",
            "domainPrefix": "aaaaaaaaaa",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "1.2.3.4",
                "userAgent": "curl/7.58.0",
            },
            "requestId": "LV7fzho-PHcEJPw=",
            "routeKey": "$default",
            "stage": "$default",
            "time": "21/Apr/2020:15:08:21 +0000",
            "timeEpoch": 1_587_481_701_067_i64,
        },
        "isBase64Encoded": false,
    })
}

/// The response for the gateway, as JSON. The event is JSON too.
async fn call<Fut>(
    route: Route,
    event: impl Display,
    left_ms: u64,
    handler: impl FnOnce(Request) -> Fut,
) -> Value
where
    Fut: Future<Output = Result<Answer, Problem>>,
{
    let mut context = Context::default();
    context.request_id = "8476a536-e9f4-11e8-9739-2dfe598c3fcd".to_owned();
    context.deadline = left_ms;
    let event = event.to_string();
    // lambda_runtime parses it the same way.
    let mut parser = serde_json::Deserializer::from_str(&event);
    let event = serde_path_to_error::deserialize(&mut parser)
        .unwrap_or_else(|error| panic!("{event}: {error}"));
    let response = respond(route, &OPEN, LambdaEvent::new(event, context), handler).await;
    serde_json::to_value(response).unwrap()
}

async fn answered(route: Route, event: Value, outcome: Result<Answer, Problem>) -> Value {
    call(route, event, 60_000, |_| async { outcome }).await
}

fn body(response: &Value) -> Value {
    serde_json::from_str(response["body"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn every_problem_has_its_status_and_type() {
    let cases = [
        (Problem::malformed("limit", "x"), 400, "malformed-request"),
        (Problem::unauthorized("nobody"), 401, "unauthorized"),
        (Problem::forbidden(), 403, "forbidden"),
        (Problem::not_found("x"), 404, "not-found"),
        (
            Problem::method_not_allowed("GET"),
            405,
            "method-not-allowed",
        ),
        (Problem::conflict("x"), 409, "conflict"),
        (Problem::stale(), 412, "stale-version"),
        (Problem::too_large(1), 413, "body-too-large"),
        (
            Problem::unsupported_media_type(),
            415,
            "unsupported-media-type",
        ),
        (Problem::invalid("sku", "x"), 422, "invalid-value"),
        (Problem::key_reused(), 422, "idempotency-key-reused"),
        (
            Problem::precondition_required(),
            428,
            "precondition-required",
        ),
        (Problem::internal("x"), 500, "internal"),
        (DatabaseError::Refused.into(), 500, "internal"),
        (DatabaseError::OutcomeUnknown.into(), 500, "outcome-unknown"),
        (DatabaseError::Unavailable.into(), 503, "unavailable"),
        (DatabaseError::OutOfTime.into(), 503, "unavailable"),
    ];
    let readme = include_str!("../../../functions/README.md");
    for (problem, status, slug) in cases {
        let row = format!("| {status} | `{slug}` |");
        assert!(readme.contains(&row), "functions/README.md lacks {row}");
        let response = answered(GET, event("GET", "/orders/7"), Err(problem)).await;
        assert_eq!(response["statusCode"], status, "{slug}");
        assert_eq!(body(&response)["status"], status, "{slug}");
        assert_eq!(body(&response)["type"], format!("/problems/{slug}"));
        assert_eq!(
            response["headers"].get("retry-after").is_some(),
            status == 503,
            "{slug}"
        );
        assert_eq!(
            response["headers"].get("www-authenticate").is_some(),
            status == 401,
            "{slug}"
        );
    }
}

#[tokio::test]
async fn another_path_or_method_does_not_reach_the_handler() {
    for (method, path, status) in [
        ("GET", "/", 404),
        ("GET", "/orders", 404),
        ("GET", "/orders/7/items", 404),
        ("get", "/orders/7", 405),
        ("", "/orders/7", 405),
    ] {
        let response = call(GET, event(method, path), 60_000, |_| async {
            panic!("the handler was called")
        });
        assert_eq!(response.await["statusCode"], status, "{method} {path}");
    }
}

#[tokio::test]
async fn a_panic_is_answered_and_the_next_call_too() {
    let early = call(
        GET,
        event("GET", "/orders/7"),
        60_000,
        |_| -> std::future::Ready<_> { panic!("hunter2") },
    )
    .await;
    let late = call(GET, event("GET", "/orders/7"), 60_000, |_| async {
        tokio::task::yield_now().await;
        panic!("hunter2")
    })
    .await;
    for response in [early, late] {
        assert_eq!(response["statusCode"], 500);
        assert_eq!(body(&response)["type"], "/problems/internal");
        assert!(!response.to_string().contains("hunter2"));
    }
    // A change may have been made before the panic.
    let write = call(POST, event("POST", "/orders"), 60_000, |_| async {
        panic!("hunter2")
    });
    let write = write.await;
    assert_eq!(write["statusCode"], 500);
    assert_eq!(body(&write)["type"], "/problems/outcome-unknown");

    let next = answered(GET, event("GET", "/orders/7"), Ok(Answer::ok(&1))).await;
    assert_eq!(next["statusCode"], 200);
}

#[tokio::test]
async fn a_handler_that_does_not_end_is_stopped() {
    let read = call(GET, event("GET", "/orders/7"), 60, |_| pending()).await;
    assert_eq!(read["statusCode"], 503);
    assert_eq!(read["headers"]["retry-after"], "1");

    // The change that it was about to make may have been made.
    let write = call(POST, event("POST", "/orders"), 60, |_| pending()).await;
    assert_eq!(write["statusCode"], 500);
    assert_eq!(body(&write)["type"], "/problems/outcome-unknown");
}

#[tokio::test]
async fn an_answer_that_cannot_be_written_is_a_500() {
    let no_json = Answer::ok(&std::collections::HashMap::from([((1, 2), 3)]));
    let no_header = Answer::created("/orders/\n", &1);
    let written = Answer::ok(&1).header("etag", "\n");
    for (route, event, answer, problem) in [
        (GET, event("GET", "/orders/7"), no_json, "internal"),
        (GET, event("GET", "/orders/7"), no_header, "internal"),
        (POST, event("POST", "/orders"), written, "outcome-unknown"),
    ] {
        let response = answered(route, event, Ok(answer)).await;
        assert_eq!(response["statusCode"], 500);
        assert_eq!(body(&response)["type"], format!("/problems/{problem}"));
    }
}

#[test]
fn only_payload_format_2_is_an_event() {
    let format_1 = json!({
        "version": "1.0",
        "resource": "/orders/{order_id}",
        "path": "/orders/hunter2",
        "httpMethod": "GET",
        "requestContext": {"httpMethod": "GET", "stage": "live"},
    });
    let mut unversioned = event("GET", "/orders/7");
    unversioned.as_object_mut().unwrap().remove("version");
    for event in [
        format_1,
        unversioned,
        json!({}),
        json!([]),
        json!("hunter2"),
        json!({"headers": {"a": "hunter2\n"}}),
    ] {
        let error = serde_json::from_str::<Event>(&event.to_string())
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains("payload format 2.0"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}
