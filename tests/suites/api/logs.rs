//! What the functions log: JSON lines, one summary for each invocation, and nothing confidential.

use serde_json::{Value, json};
use tests::stand_ins::lambda::event::Event;
use tests::stand_ins::lambda::{Answer, log_lines};

use crate::client::{
    any_database, assert_has_form, customer, function, idempotency_key, path_of, tea,
};

/// The summary line of the invocation. There must be exactly one.
fn summary(answer: &Answer) -> &Value {
    let mut summaries = answer
        .logs
        .iter()
        .filter(|line| line.get("Route").is_some());
    let summary = summaries.next().expect("a summary");
    assert_eq!(summaries.next(), None, "a second summary");
    summary
}

#[tokio::test]
async fn an_invocation_has_one_summary_line() {
    let database = any_database().await;
    let get = function("get-order", &database).start().await.unwrap();
    let missing = format!("/orders/{}", uuid::Uuid::now_v7());
    for (event, status, problem) in [
        (Event::get(missing), 404, "not-found"),
        (Event::get("/orders/1"), 400, "malformed-request"),
        (Event::new("DELETE", "/orders/1"), 405, "method-not-allowed"),
    ] {
        let answer = get.invoke(event).await.unwrap();
        let line = summary(&answer);

        assert_eq!(line["level"], "INFO");
        assert_eq!(line["request_id"], answer.request_id);
        assert_eq!(line["message"], "answered");
        assert_eq!(line["Route"], "GET /orders/{order_id}");
        assert_eq!(line["status"], status);
        assert_eq!(line["problem"], problem);
        assert_eq!(line["function_name"], "get-order");
        assert_eq!(line["Retries"], 0);
        assert!(line["Duration"].as_f64().unwrap() > 0.0, "{line}");
        assert!(line["Statements"].is_u64(), "{line}");
    }
}

#[tokio::test]
async fn only_the_first_invocation_is_a_cold_start() {
    let database = any_database().await;
    let health = function("health", &database).start().await.unwrap();
    for cold in [true, false, false] {
        let answer = health.invoke(Event::get("/health")).await.unwrap();
        assert_eq!(summary(&answer)["cold_start"], cold);
    }
}

/// A read is one statement, even of a page or of an order with its items. That each is one round
/// trip is tested by counting on the wire (`tests/suites/pool/round_trips.rs`).
#[tokio::test]
async fn the_summary_counts_the_statements() {
    let database = any_database().await;
    let create = function("create-order", &database).start().await.unwrap();
    let get = function("get-order", &database).start().await.unwrap();
    let list = function("list-orders", &database).start().await.unwrap();
    let update = function("update-order", &database).start().await.unwrap();
    let health = function("health", &database).start().await.unwrap();
    let customer = customer();
    let mut order = tea(&customer);
    order["items"] = json!(vec![order["items"][0].clone(); 100]);
    let post = || Event::post("/orders").json(&order);
    let placed = create.invoke(post()).await.unwrap();
    assert_eq!(placed.status, 201);
    let path = path_of(&placed.body);
    let change = Event::patch(&path).header("if-match", "\"1\"");
    let change = change.json(&json!({ "status": "paid" }));
    let page = format!("/customers/{customer}/orders");

    for (call, answer, statements) in [
        // BEGIN, two INSERTs, COMMIT.
        ("create", create.invoke(post()).await.unwrap(), 4),
        ("read", get.invoke(Event::get(&path)).await.unwrap(), 1),
        (
            "read again",
            get.invoke(Event::get(&path)).await.unwrap(),
            1,
        ),
        ("list", list.invoke(Event::get(&page)).await.unwrap(), 1),
        (
            "list again",
            list.invoke(Event::get(&page)).await.unwrap(),
            1,
        ),
        ("change", update.invoke(change).await.unwrap(), 2),
        (
            "ready",
            health.invoke(Event::get("/health?ready")).await.unwrap(),
            1,
        ),
        (
            "alive",
            health.invoke(Event::get("/health")).await.unwrap(),
            0,
        ),
    ] {
        let line = summary(&answer);
        assert_eq!(line["Statements"], statements, "{call}");
        let names_one = line["slowest_statement"].is_string();
        assert_eq!(names_one, statements > 0, "{call}: {line}");
        assert_eq!(line["Retries"], 0, "{call}");
    }
}

#[tokio::test]
async fn every_line_is_a_json_object_that_begins_with_the_same_keys() {
    let database = any_database().await;
    let create = function("create-order", &database).env("AWS_LAMBDA_LOG_LEVEL", "TRACE");
    let create = create.start().await.unwrap();
    for event in [
        Event::post("/orders").json(&tea(&customer())),
        Event::post("/orders").json(&json!({})),
        Event::new("HEAD", "/orders"),
    ] {
        create.invoke(event).await.unwrap();
    }
    let output = create.stop().await.unwrap().output;

    let lines = log_lines(&output);
    assert_eq!(lines.len(), output.lines().count(), "{output}");
    for line in lines {
        let timestamp = line["timestamp"].as_str().expect("a timestamp");
        assert_has_form(timestamp, "0000-00-00T00:00:00.000Z");
        let level = line["level"].as_str().expect("a level");
        assert!(
            ["TRACE", "DEBUG", "INFO", "WARN", "ERROR"].contains(&level),
            "{line}"
        );
        assert!(line["message"].is_string(), "{line}");
        assert_eq!(line["function_name"], "create-order");
        assert!(line["cold_start"].is_boolean(), "{line}");
        if line.get("request_id").is_some() {
            let trace = line["trace_id"].as_str().expect("a trace id");
            assert!(trace.starts_with("1-") && trace.len() == 35, "{trace}");
        }
    }
}

#[tokio::test]
async fn lambda_sets_the_level() {
    let database = any_database().await;
    for (level, summed_up) in [
        ("TRACE", true),
        ("debug", true),
        ("INFO", true),
        ("", true),
        ("WARN", false),
        ("ERROR", false),
        ("FATAL", false),
    ] {
        let health = function("health", &database)
            .env("AWS_LAMBDA_LOG_LEVEL", level)
            .without("METRICS_NAMESPACE");
        let health = health.start().await.unwrap();
        let answer = health.invoke(Event::get("/health")).await.unwrap();
        assert_eq!(
            !answer.logs.is_empty(),
            summed_up,
            "{level}: {:?}",
            answer.logs
        );
    }
}

/// At the most detailed level, after good and bad calls of all kinds, the log contains no value of
/// a client, no login and nothing that is sent to the server.
#[tokio::test]
async fn no_line_contains_a_value_or_a_secret() {
    let database = any_database().await;
    let start = async |name| {
        let setup = function(name, &database).env("AWS_LAMBDA_LOG_LEVEL", "TRACE");
        setup.start().await.unwrap()
    };
    let create = start("create-order").await;
    let get = start("get-order").await;
    let list = start("list-orders").await;
    let update = start("update-order").await;
    let key = format!("hunter2-{}", idempotency_key());
    let keyed = |order: &Value| {
        Event::post("/orders")
            .header("idempotency-key", &key)
            .header("authorization", "Bearer hunter2-token")
            .header("cookie", "session=hunter2-cookie")
            .json(order)
    };
    let mut order = tea("hunter2-customer");
    order["items"][0]["sku"] = json!("hunter2-sku");
    let placed = create.invoke(keyed(&order)).await.unwrap();
    let path = path_of(&placed.body);
    let mut answers = vec![placed, create.invoke(keyed(&order)).await.unwrap()];
    order["items"][0]["unit_price"] = json!("4.51");
    answers.push(create.invoke(keyed(&order)).await.unwrap());
    order["items"][0]["unit_price"] = json!("hunter2-price");
    answers.push(create.invoke(keyed(&order)).await.unwrap());
    answers.push(
        create
            .invoke(keyed(&json!({ "hunter2-field": 1 })))
            .await
            .unwrap(),
    );
    answers.push(create.invoke(keyed(&json!("hunter2-text"))).await.unwrap());
    answers.push(get.invoke(Event::get(&path)).await.unwrap());
    answers.push(get.invoke(Event::get("/orders/hunter2-id")).await.unwrap());
    for query in [
        "",
        "?cursor=hunter2-cursor",
        "?status=hunter2",
        "?limit=hunter2",
    ] {
        let event = Event::get(format!("/customers/hunter2-customer/orders{query}"));
        answers.push(list.invoke(event).await.unwrap());
    }
    for status in ["paid", "hunter2-status"] {
        let event = Event::patch(&path).header("if-match", "*");
        let event = event.json(&json!({ "status": status }));
        answers.push(update.invoke(event).await.unwrap());
    }

    let statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    let expected = [
        201, 201, 422, 422, 400, 400, 200, 400, 200, 400, 400, 400, 200, 422,
    ];
    assert_eq!(statuses, expected);
    for function in [create, get, list, update] {
        let output = function.stop().await.unwrap().output;
        for told in [
            "hunter2",
            "SELECT ",
            "INSERT ",
            "UPDATE ",
            database.password(),
            "Authorization",
            "aws_secret",
        ] {
            assert!(!output.contains(told), "{told}: {output}");
        }
    }
}
