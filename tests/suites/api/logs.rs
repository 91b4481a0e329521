//! What the functions log: JSON lines, one summary for each invocation, and nothing confidential.

use serde_json::{Value, json};
use tests::stand_ins::lambda::event::Event;
use tests::stand_ins::lambda::{Answer, log_lines};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::client::{
    Api, any_database, assert_has_form, change, customer, function, idempotency_key, keyed,
    path_of, tea,
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
    let api = Api::on(any_database().await);
    let missing = format!("/orders/{}", uuid::Uuid::now_v7());
    for (event, status, problem) in [
        (Event::get(missing), 404, "not-found"),
        (Event::get("/orders/1"), 400, "malformed-request"),
        (Event::new("DELETE", "/orders/1"), 405, "method-not-allowed"),
    ] {
        let answer = api.send(event).await;
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
async fn every_line_is_a_json_object_that_begins_with_the_same_keys() {
    let start = OffsetDateTime::now_utc() - time::Duration::MILLISECOND;
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
        let time = OffsetDateTime::parse(timestamp, &Rfc3339).unwrap();
        assert!(
            (start..=OffsetDateTime::now_utc()).contains(&time),
            "{line}"
        );
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
        ("VERBOSE", true),
        ("WARN", false),
        ("ERROR", false),
        ("FATAL", false),
    ] {
        let health = function("health", &database)
            .env("AWS_LAMBDA_LOG_LEVEL", level)
            // Without metrics, the summary is a line like any other.
            .env("METRICS_NAMESPACE", "");
        let health = health.start().await.unwrap();
        let answer = health.invoke(Event::get("/health")).await.unwrap();
        let summaries: Vec<_> = answer.logs.iter().map(|line| &line["Route"]).collect();
        let expected = match summed_up {
            true => vec!["GET /health"],
            false => vec![],
        };
        assert_eq!(summaries, expected, "{level}: {:?}", answer.logs);
        assert!(answer.logs.iter().all(|line| line.get("_aws").is_none()));
    }
}

/// At the most detailed level, after good and bad calls of all kinds, the log contains no value of
/// a client, no login and nothing that is sent to the server.
#[tokio::test]
async fn no_line_contains_a_value_or_a_secret() {
    let api = Api::with(any_database().await, |setup| {
        setup.env("AWS_LAMBDA_LOG_LEVEL", "TRACE")
    });
    let key = format!("hunter2-{}", idempotency_key());
    let post = |order: &Value| {
        let event = keyed(&key, order).header("authorization", "Bearer hunter2-token");
        event.header("cookie", "session=hunter2-cookie")
    };
    let mut order = tea("hunter2-customer");
    order["items"][0]["sku"] = json!("hunter2-sku");
    let placed = api.send(post(&order)).await;
    assert_eq!(placed.status, 201);
    let path = path_of(&placed.body);
    let priced = |price: &str| {
        let mut order = order.clone();
        order["items"][0]["unit_price"] = json!(price);
        post(&order)
    };
    let list = |query: &str| Event::get(format!("/customers/hunter2-customer/orders{query}"));
    for (event, status) in [
        (post(&order), 201),
        (priced("4.51"), 422),
        (priced("hunter2-price"), 422),
        (post(&json!({ "hunter2-field": 1 })), 400),
        (post(&json!("hunter2-text")), 400),
        (Event::get(&path), 200),
        (Event::get("/orders/hunter2-id"), 400),
        (list(""), 200),
        (list("?cursor=hunter2-cursor"), 400),
        (list("?status=hunter2"), 400),
        (list("?limit=hunter2"), 400),
        (change(&path, 1, "paid"), 200),
        (change(&path, 2, "hunter2-status"), 422),
    ] {
        let answer = api.send(event).await;
        assert_eq!(answer.status, status, "{answer:?}");
    }

    let password = api.database.password().to_owned();
    let output = api.stop().await;
    assert!(output.contains("answered"), "{output}");
    for told in [
        "hunter2",
        "SELECT ",
        "INSERT ",
        "UPDATE ",
        &password,
        "Authorization",
        "aws_secret",
    ] {
        assert!(!output.contains(told), "{told}: {output}");
    }
}
