//! A client of the API, and the assertions that hold for every answer.

use serde_json::{Value, json};
use tests::stack::{FreshDatabase, Route, Stack};
use tests::stand_ins::lambda::event::Event;
use tests::stand_ins::lambda::{Answer, Function, Setup};
use tokio::sync::OnceCell;
use uuid::Uuid;

/// The scope that lets a token act for all customers.
pub const ALL_CUSTOMERS_SCOPE: &str = "https://orders.example/orders:all";

/// An API: a schema, and each function of the template, started on first use.
pub struct Api {
    pub database: FreshDatabase,
    functions: Vec<(tests::stack::Function, OnceCell<Function>)>,
    set_up: fn(Setup) -> Setup,
}

impl Api {
    /// An API on this database.
    pub fn on(database: FreshDatabase) -> Self {
        Self::with(database, |setup| setup)
    }

    /// The same with changed settings.
    pub fn with(database: FreshDatabase, set_up: fn(Setup) -> Setup) -> Self {
        let stack = stack();
        let functions = stack.template().functions().iter().cloned();
        let functions = functions.map(|declared| (declared, OnceCell::new()));
        Self {
            database,
            functions: functions.collect(),
            set_up,
        }
    }

    /// Sends a request to the function that the template routes it to. If no route has the method, the
    /// request goes to the first function with its path, as through a function URL.
    pub async fn send(&self, event: Event) -> Answer {
        let answer = self.send_if_routed(event).await;
        answer.expect("a route of the template has this path")
    }

    async fn send_if_routed(&self, event: Event) -> Option<Answer> {
        let routed = |by: fn(&Event, &Route) -> bool| {
            let mut functions = self.functions.iter();
            functions.find(|(declared, _)| declared.routes.iter().any(|route| by(&event, route)))
        };
        let (declared, running) =
            routed(Event::matches_route).or_else(|| routed(Event::matches_path))?;
        let start = || async {
            let setup = function(&declared.binary, &self.database);
            (self.set_up)(setup).start().await.unwrap()
        };
        let running = running.get_or_init(start).await;
        let answer = running.invoke(event).await.unwrap();
        assert_reveals_no_secret(&answer, &self.database);
        let request_id = Some(answer.request_id.as_str());
        assert_eq!(answer.header("x-request-id"), request_id);
        Some(answer)
    }

    /// Stops its functions, and returns all that they have written.
    pub async fn stop(self) -> String {
        let mut outputs = String::new();
        for (_, running) in self.functions {
            if let Some(function) = running.into_inner() {
                outputs += &function.stop().await.unwrap().output;
            }
        }
        outputs
    }
}

/// The API that the tests share.
async fn shared() -> &'static Api {
    static API: OnceCell<Api> = OnceCell::const_new();
    API.get_or_init(|| async {
        Api::with(any_database().await, |setup| {
            setup.env("ALL_CUSTOMERS_SCOPE", ALL_CUSTOMERS_SCOPE)
        })
    })
    .await
}

/// Sends a request to the API that the tests share.
pub async fn send(event: Event) -> Answer {
    shared().await.send(event).await
}

/// The same. `None` if no route has the path.
pub async fn send_if_routed(event: Event) -> Option<Answer> {
    shared().await.send_if_routed(event).await
}

/// The stack of this test run.
pub fn stack() -> Stack {
    Stack::from_env().unwrap()
}

/// A schema that the test may break. It is behind Vitess if the test run asks for that.
pub async fn fresh_database() -> FreshDatabase {
    stack().fresh_database_of_run().await.unwrap()
}

/// A schema for functions that only this test uses and that break nothing: the database of the test
/// run if it has one, else a fresh schema.
pub async fn any_database() -> FreshDatabase {
    match stack().existing_database().await.unwrap() {
        Some(given) => given,
        None => fresh_database().await,
    }
}

/// A function that only this test uses. It is not started yet.
pub fn function(name: &str, database: &FreshDatabase) -> Setup {
    let setup = Function::of(&stack(), database, name).unwrap();
    // A read on a slow machine must not look like a silent flow, about which the function asks.
    setup.env("DATABASE_PING_TIMEOUT_MS", "3000")
}

/// A customer that no other test uses.
pub fn customer() -> String {
    format!("cust-{}", Uuid::now_v7())
}

/// An idempotency key that no other test and no earlier run has used. A database may outlive a run,
/// and then it has the keys of all runs.
pub fn idempotency_key() -> String {
    format!("key-{}", Uuid::now_v7())
}

/// The order in the documentation: two teas for nine euros.
pub fn tea(customer: &str) -> Value {
    json!({
        "customer_id": customer,
        "currency": "EUR",
        "items": [{ "sku": "TEA-1", "quantity": 2, "unit_price": "4.50" }]
    })
}

/// The request that places this order, with an idempotency key.
pub fn keyed(key: &str, order: &Value) -> Event {
    Event::post("/orders")
        .header("idempotency-key", key)
        .json(order)
}

/// The request that gives this version of an order another status.
pub fn change(path: &str, version: u64, status: &str) -> Event {
    Event::patch(path)
        .header("if-match", format!("\"{version}\""))
        .json(&json!({ "status": status }))
}

/// Places an order and returns it.
pub async fn place(order: &Value) -> Value {
    let answer = send(Event::post("/orders").json(order)).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.body
}

/// The path of an order.
pub fn path_of(order: &Value) -> String {
    format!("/orders/{}", order["id"].as_str().unwrap())
}

/// Asserts that `body` is an order with exactly the fields in `known`, and an id and times of the
/// right form.
pub fn assert_is_order(body: &Value, known: &Value) {
    let mut rest = body.as_object().cloned().expect("an order is an object");
    let mut text = |name: &str| match rest.remove(name) {
        Some(Value::String(text)) => text,
        other => panic!("{name} is {other:?}"),
    };
    let id: Uuid = text("id").parse().expect("the id is a UUID");
    assert_eq!(id.get_version_num(), 7, "the id is a UUIDv7");
    let (created, updated) = (text("created_at"), text("updated_at"));
    for time in [&created, &updated] {
        assert_has_form(time, "0000-00-00T00:00:00.000000Z");
    }
    assert!(created <= updated, "{created} is later than {updated}");
    assert_eq!(&Value::Object(rest), known);
}

/// Asserts that `text` has this form, in which 0 stands for any digit.
pub fn assert_has_form(text: &str, form: &str) {
    let found: String = text
        .chars()
        .map(|letter| if letter.is_ascii_digit() { '0' } else { letter })
        .collect();
    assert_eq!(found, form, "{text:?}");
}

/// The parts of an error that differ between problems.
#[derive(Debug)]
pub struct Problem {
    /// The last part of its type: `/problems/not-found` is `not-found`.
    pub kind: String,
    /// The field that was wrong, if there is one.
    pub field: Option<String>,
    /// What is wrong, for people.
    pub detail: String,
}

/// Asserts that the answer is an error with this status in the form of all errors (RFC 9457), and
/// returns the parts that differ.
#[track_caller]
pub fn problem(answer: &Answer, status: u16) -> Problem {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json")
    );
    let mut rest = answer.body.as_object().cloned().expect("an object");
    assert_eq!(rest.remove("status"), Some(json!(status)));
    assert_eq!(rest.remove("request_id"), Some(json!(answer.request_id)));
    let mut text = |name: &str| match rest.remove(name) {
        Some(Value::String(text)) if !text.is_empty() => Some(text),
        None => None,
        other => panic!("{name} is {other:?}"),
    };
    assert!(text("title").is_some(), "{answer:?}");
    let kind = text("type").expect("a type");
    let problem = Problem {
        kind: kind
            .strip_prefix("/problems/")
            .expect("a type under /problems/")
            .to_owned(),
        field: text("field"),
        detail: text("detail").expect("a detail"),
    };
    assert!(rest.is_empty(), "the problem also holds {rest:?}");
    problem
}

/// Asserts that the answer is an error with this status about this field.
#[track_caller]
pub fn assert_refused(answer: &Answer, status: u16, field: &str) {
    let problem = problem(answer, status);
    assert_eq!(problem.field.as_deref(), Some(field), "{problem:?}");
}

/// Asserts that the service is not available and says when to try again.
#[track_caller]
pub fn assert_unavailable(answer: &Answer) {
    problem(answer, 503);
    let seconds = answer.header("retry-after").map(str::parse::<u32>);
    assert!(matches!(seconds, Some(Ok(1..))), "{seconds:?}");
}

/// Asserts that neither the answer nor the log contains the password or any SQL.
pub fn assert_reveals_no_secret(answer: &Answer, database: &FreshDatabase) {
    let told = format!("{} {:?} {:?}", answer.body, answer.headers, answer.logs);
    assert!(!told.contains(database.password()), "{told}");
    let lower = told.to_lowercase();
    for statement in orders::statements::ALL {
        // The verb is skipped because a read's time limit follows it. The piece is too long to
        // appear by chance. Vitess repeats words in lower case.
        let piece: String = statement.sql().chars().skip(7).take(20).collect();
        assert!(!lower.contains(&piece.to_lowercase()), "{told}");
    }
}
