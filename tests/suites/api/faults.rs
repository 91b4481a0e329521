//! What clients see when something behind the functions is broken: a timely answer in the usual
//! form that reveals nothing internal. When the fault is gone, the functions work again.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use serde_json::{Value, json};
use tests::stack::FreshDatabase;
use tests::stand_ins::lambda::event::Event;
use tests::stand_ins::lambda::{Answer, Function, Setup};
use uuid::Uuid;

use crate::client::{
    Api, assert_reveals_no_secret, assert_unavailable, change, customer, fresh_database, function,
    path_of, problem, stack, tea,
};
use crate::server::{as_admin, limit_connections, take_only_connection, unlock};

/// A function whose secret has this content.
async fn with_secret(name: &str, database: &FreshDatabase, secret: &str) -> Setup {
    let id = stack().new_secret(secret).await.unwrap();
    function(name, database).env("DATABASE_SECRET_ID", id)
}

/// A function that gives up soon. More patience would not change the result.
fn impatient(setup: Setup) -> Setup {
    setup
        .env("DATABASE_CONNECT_TIMEOUT_MS", "500")
        .env("DATABASE_STATEMENT_TIMEOUT_MS", "500")
}

/// Reads an order that does not exist. If nothing is broken, the answer is 404.
async fn read(get_order: &Function) -> Answer {
    let event = Event::get(format!("/orders/{}", Uuid::now_v7()));
    get_order.invoke(event).await.unwrap()
}

/// Reads until the log contains this text. Each read must fail. One is enough, unless the machine
/// is so slow that the log says only that time ran out.
async fn read_until_logged(get_order: &Function, text: &str) {
    for _ in 0..10 {
        assert_unavailable(&read(get_order).await);
        if get_order.output().unwrap().contains(text) {
            return;
        }
    }
    panic!("no {text:?} in:\n{}", get_order.output().unwrap());
}

/// Calls again and again, like a client that was told to retry.
async fn until_it_works(function: &Function, call: impl AsyncFn() -> Answer) -> Answer {
    for _ in 0..50 {
        let answer = call().await;
        if answer.status != 503 {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!(
        "it stays unavailable; it wrote:\n{}",
        function.output().unwrap()
    );
}

async fn read_until_it_works(get_order: &Function) -> Answer {
    until_it_works(get_order, async || read(get_order).await).await
}

#[tokio::test]
async fn without_a_database_every_call_is_503() {
    let database = fresh_database().await;
    let secret = database.secret_with(&[("port", json!(1))]);
    let order = format!("/orders/{}", Uuid::now_v7());
    for (name, event) in [
        (
            "create-order",
            Event::post("/orders").json(&tea(&customer())),
        ),
        ("get-order", Event::get(&order)),
        ("list-orders", Event::get("/customers/cust-1/orders")),
        ("update-order", change(&order, 1, "paid")),
        ("health", Event::get("/health?ready")),
    ] {
        let setup = impatient(with_secret(name, &database, &secret).await);
        // The cause is logged at this level too, under the id of the invocation.
        let setup = setup.env("AWS_LAMBDA_LOG_LEVEL", "WARN");
        let answer = setup.start().await.unwrap().invoke(event).await.unwrap();
        assert_eq!(answer.status, 503, "{name}");
        assert_unavailable(&answer);
        assert_reveals_no_secret(&answer, &database);
        let mut lines = answer.logs.iter();
        let line = lines.find(|line| line.get("cause").is_some());
        let line = line.unwrap_or_else(|| panic!("{name}: {answer:?}"));
        assert_eq!(line["level"], "WARN", "{name}");
        assert_eq!(line["cause"], "the database is not available", "{name}");
    }
}

#[tokio::test]
async fn what_needs_no_database_is_answered_without_one() {
    let database = fresh_database().await;
    let secret = database.secret_with(&[("port", json!(1))]);
    let get = impatient(with_secret("get-order", &database, &secret).await);
    let get = get.start().await.unwrap();
    let malformed = get.invoke(Event::get("/orders/1")).await.unwrap();
    problem(&malformed, 400);
    let delete = Event::new("DELETE", "/orders/1");
    let method = get.invoke(delete).await.unwrap();
    problem(&method, 405);
    let health = impatient(with_secret("health", &database, &secret).await);
    let health = health.start().await.unwrap();
    let alive = health.invoke(Event::get("/health")).await.unwrap();
    assert_eq!(alive.status, 200);
}

#[tokio::test]
async fn an_unusable_secret_is_503_and_the_log_says_why() {
    let database = fresh_database().await;
    let database = &database;
    let with = |field: &str, value: Value| database.secret_with(&[(field, value)]);
    for (secret, logged) in [
        ("hunter2".to_owned(), "not a JSON object"),
        (r#"["hunter2"]"#.to_owned(), "not a JSON object"),
        (r#"{"password": "hunter2""#.to_owned(), "not a JSON object"),
        (with("password", json!(null)), "`password`"),
        (with("password", json!("")), "`password`"),
        (with("password", json!(7)), "`password`"),
        (with("host", json!(null)), "`host`"),
        (with("username", json!(null)), "`username`"),
        (with("port", json!("hunter2")), "`port`"),
        (with("password", json!("hunter2")), "error 1045"),
        // 1045, or MySQL asks for another kind of login to hide that the user does not exist.
        (with("username", json!("hunter2")), "user"),
        (with("dbname", json!("nowhere")), "error 104"),
    ] {
        let get = with_secret("get-order", database, &secret).await;
        let get = get.start().await.unwrap();
        read_until_logged(&get, logged).await;

        let output = get.output().unwrap();
        for secret in ["hunter2", database.password()] {
            assert!(!output.contains(secret), "{logged}: {output}");
        }
    }
}

#[tokio::test]
async fn a_missing_secret_is_503() {
    let database = fresh_database().await;
    let get = function("get-order", &database).env("DATABASE_SECRET_ID", "no-such-secret");
    let get = get.start().await.unwrap();
    read_until_logged(&get, "ResourceNotFoundException").await;
}

#[tokio::test]
async fn without_a_secrets_manager_the_answer_is_503() {
    let database = fresh_database().await;
    let setup = impatient(function("get-order", &database))
        .env("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://127.0.0.1:1");
    let get = setup.start().await.unwrap();
    assert_unavailable(&read(&get).await);
}

#[tokio::test]
async fn a_server_with_an_untrusted_certificate_is_503() {
    let database = fresh_database().await;
    let get = function("get-order", &database).without("DATABASE_CA_FILE");
    let get = get.start().await.unwrap();
    read_until_logged(&get, "certificate").await;
}

#[tokio::test]
async fn a_corrected_secret_is_used_without_a_restart() {
    let database = fresh_database().await;
    for (field, value) in [
        ("password", json!("wrong")),
        ("password", json!(null)),
        ("port", json!(1)),
    ] {
        let wrong = database.secret_with(&[(field, value)]);
        let id = stack().new_secret(&wrong).await.unwrap();
        let setup = impatient(function("get-order", &database))
            .env("DATABASE_SECRET_ID", &id)
            .env("DATABASE_SECRET_MAX_AGE_MS", "1");
        let get = setup.start().await.unwrap();
        assert_unavailable(&read(&get).await);

        let changed = stack().change_secret(&id, &database.secret()).await;
        changed.unwrap();
        assert_eq!(read_until_it_works(&get).await.status, 404, "{field}");
        assert!(
            !get.output().unwrap().contains(database.password()),
            "{field}"
        );
    }
}

#[tokio::test]
async fn a_server_without_free_connections_is_503_until_one_is_free() {
    let database = fresh_database().await;
    limit_connections(&database, 1).await;
    let taken = take_only_connection(&database).await;

    let setup = impatient(function("get-order", &database));
    let get = setup.start().await.unwrap();
    assert_unavailable(&read(&get).await);
    limit_connections(&database, 0).await;
    taken.disconnect().await.unwrap();
    assert_eq!(read_until_it_works(&get).await.status, 404);
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_503_and_changes_nothing() {
    let database = fresh_database().await;
    let setup = impatient(function("create-order", &database));
    let create = setup.start().await.unwrap();
    let order = Event::post("/orders").json(&tea("cust-1"));
    let post = async || create.invoke(order.clone()).await.unwrap();
    let lock = database.lock_orders().await.unwrap();
    assert_unavailable(&post().await);
    unlock(lock).await;

    let after = until_it_works(&create, post).await;
    assert_eq!(after.status, 201, "{after:?}");
    let mut connection = database.connect().await.unwrap();
    let orders: Vec<u8> = connection.query("SELECT 1 FROM orders").await.unwrap();
    assert_eq!(orders.len(), 1);
}

#[tokio::test]
async fn a_schema_that_does_not_fit_the_code_is_500_without_details() {
    let database = fresh_database().await;
    let get = function("get-order", &database).start().await.unwrap();
    let health = function("health", &database).start().await.unwrap();
    for schema in database.schemas() {
        as_admin(format!("DROP TABLE `{schema}`.order_items")).await;
    }
    let answer = read(&get).await;
    // Such a service is not ready either.
    assert_unavailable(&health.invoke(Event::get("/health?ready")).await.unwrap());
    let alive = health.invoke(Event::get("/health")).await.unwrap();
    assert_eq!(alive.status, 200);

    let problem = problem(&answer, 500);
    assert_reveals_no_secret(&answer, &database);
    let told = problem.detail;
    for inside in ["order_items", database.name(), "1146", "42S02", "SQL", "DB"] {
        assert!(!told.contains(inside), "{told}");
    }
    let logged = Value::from(answer.logs).to_string();
    assert!(logged.contains("error 1146"), "{logged}");
}

#[tokio::test]
async fn an_invalid_order_in_the_table_is_500_and_the_log_names_it() {
    let api = Api::on(fresh_database().await);
    let placed = api.send(Event::post("/orders").json(&tea("cust-1"))).await;
    let placed = placed.body;
    for schema in api.database.schemas() {
        as_admin(format!("UPDATE `{schema}`.orders SET currency = 'XXX'")).await;
    }

    for answer in [
        api.send(Event::get(path_of(&placed))).await,
        api.send(Event::get("/customers/cust-1/orders")).await,
    ] {
        problem(&answer, 500);
        let logged = Value::from(answer.logs).to_string();
        assert!(logged.contains(placed["id"].as_str().unwrap()), "{logged}");
        assert!(logged.contains("currency"), "{logged}");
    }
}
