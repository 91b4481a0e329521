//! How a function starts and ends: what stops it at start, what it prepares for the first event,
//! and what it leaves behind.

use tests::stand_ins::lambda::event::Event;
use tests::stand_ins::lambda::{Exit, Setup, log_lines};

use crate::client::{fresh_database, function};
use crate::server::connections_become;

const FUNCTIONS: [&str; 5] = [
    "create-order",
    "get-order",
    "list-orders",
    "update-order",
    "health",
];

/// Asserts that the function does not start and logs one error, and returns its message.
async fn refusal(setup: Setup) -> String {
    let Exit { status, output } = setup.run().await.unwrap();
    assert!(!status.success(), "{output}");
    let lines = log_lines(&output);
    assert_eq!(
        lines.len(),
        output.lines().count(),
        "not only log lines: {output}"
    );
    let errors: Vec<_> = lines
        .iter()
        .filter(|line| line["level"] == "ERROR")
        .collect();
    assert_eq!(errors.len(), 1, "{output}");
    errors[0]["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn without_a_login_no_function_starts() {
    let database = fresh_database().await;
    for name in FUNCTIONS {
        let message = refusal(function(name, &database).without("DATABASE_SECRET_ID")).await;
        assert!(message.contains("DATABASE_SECRET_ID"), "{name}: {message}");
        assert!(message.contains("DATABASE_URL"), "{name}: {message}");
    }
}

#[tokio::test]
async fn one_line_names_every_wrong_setting_and_no_value() {
    let database = fresh_database().await;
    let wrong = [
        ("DATABASE_URL", "mysql://root:hunter2@/orders"),
        ("DATABASE_CA_FILE", "/nowhere/hunter2.pem"),
        ("DATABASE_POOL_MAX", "0"),
        ("DATABASE_STATEMENT_TIMEOUT_MS", "hunter2"),
        ("DATABASE_PING_AFTER_MS", "-1"),
        ("DATABASE_MAX_AGE_MS", "1h"),
    ];
    let setup = function("get-order", &database).without("DATABASE_SECRET_ID");
    let setup = wrong
        .iter()
        .fold(setup, |setup, (name, value)| setup.env(name, *value));
    let message = refusal(setup).await;

    for (name, _) in wrong {
        assert!(message.contains(name), "{name} is missing in {message}");
    }
    assert!(!message.contains("hunter2"), "{message}");
}

#[tokio::test]
async fn only_the_wrong_setting_is_named() {
    let database = fresh_database().await;
    let number = "must be a whole number from 1 to 999";
    let time = "must be a whole number of milliseconds from 1 to 86400000";
    for (name, value, reason) in [
        ("DATABASE_POOL_MAX", "0", number),
        ("DATABASE_POOL_MAX", "-1", number),
        ("DATABASE_POOL_MAX", "two", number),
        ("DATABASE_POOL_MAX", "1000", number),
        ("DATABASE_POOL_MAX", "18446744073709551615", number),
        ("DATABASE_CONNECT_TIMEOUT_MS", "0", time),
        ("DATABASE_ACQUIRE_TIMEOUT_MS", "1.5", time),
        ("DATABASE_MAX_IDLE_MS", "86400001", time),
        ("DATABASE_MAX_IDLE_MS", "99999999999", time),
        (
            "DATABASE_CA_FILE",
            "/nowhere",
            "names a file that can't be read",
        ),
        (
            "DATABASE_CA_FILE",
            "/dev/null",
            "names a file without a PEM certificate",
        ),
    ] {
        let message = refusal(function("health", &database).env(name, value)).await;
        let expected = format!("{name} {reason}");
        assert!(message.contains(&expected), "{name}={value}: {message}");
        assert_eq!(message.matches("DATABASE_").count(), 1, "{message}");
    }
    for (name, value) in [
        ("ALLOW_UNAUTHENTICATED", "yes"),
        ("ALLOW_UNAUTHENTICATED", "TRUE"),
        ("ALLOW_UNAUTHENTICATED", "truee"),
        ("ALLOW_UNAUTHENTICATED", "0"),
        ("ALL_CUSTOMERS_SCOPE", "orders:all orders:read"),
        ("ALL_CUSTOMERS_SCOPE", "a\"b"),
        ("ALL_CUSTOMERS_SCOPE", "a\\b"),
        ("ALL_CUSTOMERS_SCOPE", "alle-aufträge"),
    ] {
        let message = refusal(function("health", &database).env(name, value)).await;
        assert!(message.contains(name), "{name}={value}: {message}");
        assert!(!message.contains("DATABASE_"), "{message}");
        assert!(!message.contains(value), "{message}");
    }
}

#[tokio::test]
async fn a_function_started_by_hand_says_what_to_use() {
    let database = fresh_database().await;
    let setup = function("get-order", &database).without("AWS_LAMBDA_RUNTIME_API");
    let message = refusal(setup).await;
    assert!(message.contains("AWS_LAMBDA_RUNTIME_API"), "{message}");
    assert!(message.contains("cargo lambda watch"), "{message}");
}

#[tokio::test]
async fn a_function_connects_before_the_first_event() {
    let database = fresh_database().await;
    for name in FUNCTIONS {
        // Longer than the default, for a slow machine.
        let setup = function(name, &database).env("DATABASE_CONNECT_TIMEOUT_MS", "8000");
        let function = setup.start().await.unwrap();
        connections_become(&database, 1).await;
        function.stop().await.unwrap();
        connections_become(&database, 0).await;
    }
}

#[tokio::test]
async fn a_url_replaces_a_secret() {
    let database = fresh_database().await;
    let health = function("health", &database)
        .without("DATABASE_SECRET_ID")
        .env("DATABASE_URL", database.url())
        .env("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://127.0.0.1:1");
    let health = health.start().await.unwrap();
    let answer = health.invoke(Event::get("/health?ready")).await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
}
