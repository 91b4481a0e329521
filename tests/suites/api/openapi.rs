//! The examples in the API's document are tried. That every answer keeps to the document is checked
//! wherever a test calls a function.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tests::openapi::{Content, Document};
use tests::stand_ins::lambda::event::Event;
use uuid::Uuid;

use crate::client::{
    any_database, change, customer, function, idempotency_key, keyed, path_of, place, send, tea,
};

/// The problems whose examples no request can bring about.
const FAULTS: [&str; 2] = ["/problems/internal", "/problems/outcome-unknown"];

/// The operations, in the sequence of the examples' story: an order is placed, read and paid, and
/// then it is in the list.
const STORY: [(&str, &str); 5] = [
    ("post", "/orders"),
    ("get", "/orders/{order_id}"),
    ("patch", "/orders/{order_id}"),
    ("get", "/customers/{customer_id}/orders"),
    ("get", "/health"),
];

/// A parameter's value as a client writes it.
fn written(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// The value with each id and each time replaced by what it is.
fn form(value: &Value) -> Value {
    match value {
        Value::String(text) if text.parse::<Uuid>().is_ok() => json!("an id"),
        Value::String(text) if text.starts_with("20") && text.ends_with('Z') => json!("a time"),
        Value::Array(values) => values.iter().map(form).collect(),
        Value::Object(members) => {
            let members = members.iter();
            let members = members.map(|(name, value)| (name.clone(), form(value)));
            Value::Object(members.collect())
        }
        other => other.clone(),
    }
}

fn example(content: &Content) -> &Value {
    content.examples().next().expect("an example")
}

#[tokio::test]
async fn the_examples_of_requests_have_the_answers_of_the_examples() {
    let document = Document::of_the_api().unwrap();
    let operations = document.paths.values();
    let operations = operations.flat_map(|methods| methods.keys());
    let with_a_body = operations.filter(|method| *method != "head");
    assert_eq!(with_a_body.count(), STORY.len());
    let (customer, key) = (customer(), idempotency_key());
    let mut id = None;
    for (method, path) in STORY {
        let operation = &document.paths[path][method];
        // What every run needs anew.
        let fill = |name: &str, value: &Value| match (name, &id) {
            ("customer_id", _) => customer.clone(),
            ("Idempotency-Key", _) => key.clone(),
            ("order_id", Some(id)) => written(id),
            _ => written(value),
        };
        let given = operation.parameters.iter();
        let given: Vec<_> = given
            .filter_map(|parameter| {
                let value = fill(&parameter.name, parameter.example.as_ref()?);
                Some((parameter.place.as_str(), &parameter.name, value))
            })
            .collect();
        let of_path = given.iter().filter(|(place, ..)| *place == "path");
        let url = of_path.fold(path.to_owned(), |url, (_, name, value)| {
            url.replace(&format!("{{{name}}}"), value)
        });
        let mut event = Event::new(&method.to_uppercase(), url);
        for (place, name, value) in &given {
            event = match *place {
                "query" => event.query(name, value),
                "header" => event.header(name, value),
                _ => event,
            };
        }
        let customers = |value: &Value| -> Value {
            let text = value.to_string().replace("cust-0042", &customer);
            serde_json::from_str(&text).unwrap()
        };
        if let Some(body) = &operation.request_body {
            event = event.json(&customers(example(&body.content["application/json"])));
        }
        let answer = send(event).await;

        let (status, response) = operation.responses.first_key_value().unwrap();
        assert_eq!(answer.status.to_string(), *status, "{answer:?}");
        let expected = customers(example(&response.content["application/json"]));
        assert_eq!(form(&answer.body), form(&expected), "{method} {path}");
        id = id.or(answer.body.get("id").cloned());
    }
}

#[tokio::test]
async fn the_examples_of_problems_are_answers() {
    let order = place(&tea(&customer())).await;
    let path = path_of(&order);
    let mut exact = tea(&customer());
    exact["items"][0]["unit_price"] = json!("4.505");
    let key = idempotency_key();
    let of_key = |quantity: u32| {
        let mut order = order.clone();
        order["items"][0]["quantity"] = json!(quantity);
        let draft = ["customer_id", "currency", "items"].map(|name| (name, order[name].clone()));
        keyed(&key, &json!(BTreeMap::from(draft)))
    };
    let large = Event::post("/orders").header("content-type", "application/json");
    let mut answers = Vec::new();
    for event in [
        Event::get("/orders/7"),
        Event::get(&path).anonymous(),
        Event::get("/customers/cust-0042/orders").jwt("cust-0043", ""),
        Event::get(format!("/orders/{}", Uuid::now_v7())),
        Event::new("DELETE", "/orders"),
        change(&path, 1, "delivered"),
        change(&path, 7, "paid"),
        change(&path, 1, "lost"),
        Event::patch(&path).json(&json!({ "status": "paid" })),
        large.body("x".repeat(1024 * 1024)),
        Event::post("/orders").body(tea("cust-0042").to_string()),
        Event::post("/orders").json(&exact),
        of_key(1),
        of_key(2),
    ] {
        answers.push(send(event).await);
    }
    let unreachable = function("health", &any_database().await)
        .without("DATABASE_SECRET_ID")
        .env("DATABASE_URL", "mysql://nobody:nothing@127.0.0.1:1/orders");
    let unreachable = unreachable.start().await.unwrap();
    answers.push(
        unreachable
            .invoke(Event::get("/health?ready"))
            .await
            .unwrap(),
    );

    let without_id = |problem: &Value| -> Map<String, Value> {
        let mut members = problem.as_object().cloned().unwrap();
        members.remove("request_id");
        members
    };
    let answers: Vec<_> = answers
        .iter()
        .map(|answer| without_id(&answer.body))
        .collect();
    let contents = Document::of_the_api().unwrap().responses();
    let contents = contents.filter_map(|response| response.content.get("application/problem+json"));
    for example in contents.flat_map(Content::examples) {
        let example = without_id(example);
        let is_fault = FAULTS.iter().any(|kind| example["type"] == *kind);
        assert!(is_fault || answers.contains(&example), "{example:?}");
    }
}
