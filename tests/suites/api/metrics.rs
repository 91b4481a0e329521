//! What the functions write for CloudWatch: one line for each invocation in the embedded metric
//! format, with every metric of the API under the fault that it measures.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use boon::{Compiler, Schemas};
use lambda::metrics::Metric;
use serde_json::{Value, json};
use tests::proxy::{At, Fault, Proxy};
use tests::stack::FreshDatabase;
use tests::stand_ins::lambda::event::Event;
use tests::stand_ins::lambda::{Answer, Function, Setup};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::client::{customer, fresh_database, function, stack, tea};

/// The format's schema, as CloudWatch publishes it.
const SCHEMA: &str = include_str!("metrics/embedded_metric_format.json");

/// The metrics that only operations of the database write.
const OF_OPERATIONS: [Metric; 6] = [
    Metric::BackupAge,
    Metric::BackupFailed,
    Metric::RotationFailed,
    Metric::SchemaChangeFailed,
    Metric::QueriesWithoutIndex,
    Metric::SlowQueries,
];

/// The metrics of an invocation by name, each with its value or the sum of its values. There must be
/// exactly one line with metrics, and CloudWatch must be able to read it.
fn metrics(answer: &Answer) -> BTreeMap<String, f64> {
    let mut lines = answer.logs.iter().filter(|line| line.get("_aws").is_some());
    let line = lines.next().expect("a line with metrics");
    assert_eq!(lines.next(), None, "a second line with metrics");

    let mut schemas = Schemas::new();
    let mut compiler = Compiler::new();
    let schema = serde_json::from_str(SCHEMA).unwrap();
    compiler.add_resource("emf.json", schema).unwrap();
    let schema = compiler.compile("emf.json", &mut schemas).unwrap();
    schemas
        .validate(line, schema)
        .unwrap_or_else(|error| panic!("{error}: {line}"));

    let [directive] = line["_aws"]["CloudWatchMetrics"]
        .as_array()
        .unwrap()
        .as_slice()
    else {
        panic!("more than one directive: {line}")
    };
    assert_eq!(directive["Namespace"], "local");
    let dimensions = json!([["FunctionName"], ["FunctionName", "Route"]]);
    assert_eq!(directive["Dimensions"], dimensions);
    assert_eq!(line["FunctionName"], line["function_name"]);
    assert!(line["Route"].as_str().unwrap().contains(" /"), "{line}");

    let definitions = directive["Metrics"].as_array().unwrap().iter();
    let metrics = definitions.map(|definition| {
        let name = definition["Name"].as_str().unwrap();
        let metric = Metric::ALL.iter().find(|metric| metric.name() == name);
        assert_eq!(definition["Unit"], metric.unwrap().unit(), "{name}");
        // The schema does not hold what the text of the specification says of the values.
        let values = match &line[name] {
            Value::Array(values) => values.clone(),
            value => vec![value.clone()],
        };
        assert!((1..=100).contains(&values.len()), "{line}");
        (
            name.to_owned(),
            values.iter().map(|value| value.as_f64().unwrap()).sum(),
        )
    });
    let metrics: BTreeMap<String, f64> = metrics.collect();
    assert_eq!(line["cold_start"], metrics["ColdStart"] == 1.0, "{line}");
    metrics
}

/// A function whose connections pass through a proxy.
async fn behind_proxy(name: &str, database: &FreshDatabase) -> (Setup, Proxy) {
    let proxy = Proxy::start(database.address()).await.unwrap();
    let secret = database.secret_with(&[
        ("host", json!(proxy.address().ip())),
        ("port", json!(proxy.address().port())),
    ]);
    let id = stack().new_secret(&secret).await.unwrap();
    (
        function(name, database).env("DATABASE_SECRET_ID", id),
        proxy,
    )
}

/// Reads an order that does not exist.
async fn read(get_order: &Function) -> Answer {
    let event = Event::get(format!("/orders/{}", Uuid::now_v7()));
    get_order.invoke(event).await.unwrap()
}

#[tokio::test]
async fn each_metric_of_the_api_is_written_under_what_it_measures() {
    let database = fresh_database().await;
    let mut written = BTreeSet::new();
    let mut expect = |answer: &Answer, expected: &[(Metric, f64)]| {
        let found = metrics(answer);
        for (metric, value) in expected {
            assert_eq!(
                found.get(metric.name()),
                Some(value),
                "{metric:?}: {found:?}"
            );
        }
        written.extend(
            found
                .into_iter()
                .filter(|(_, value)| *value > 0.0)
                .map(|(name, _)| name),
        );
    };

    // The warm-up fetches the secret and connects, and the first invocation counts that.
    let (setup, proxy) = behind_proxy("get-order", &database).await;
    let get = setup.start().await.unwrap();
    expect(
        &read(&get).await,
        &[
            (Metric::ColdStart, 1.0),
            (Metric::SecretRefreshed, 1.0),
            (Metric::ConnectionsOpened, 1.0),
            (Metric::Statements, 1.0),
            (Metric::Status4xx, 1.0),
            (Metric::Status5xx, 0.0),
        ],
    );
    let warm = read(&get).await;
    expect(&warm, &[(Metric::ColdStart, 0.0), (Metric::Retries, 0.0)]);
    let names: Vec<_> = metrics(&warm).into_keys().collect();
    let always = [
        "ColdStart",
        "ConnectionWait",
        "Duration",
        "Retries",
        "StatementDuration",
        "Statements",
        "Status4xx",
        "Status5xx",
    ];
    assert_eq!(names, always);

    proxy.strike(Fault::Reset).await;
    let lost = read(&get).await;
    expect(
        &lost,
        &[
            (Metric::Retries, 1.0),
            (Metric::ConnectionsDiscarded, 1.0),
            (Metric::ConnectionsOpened, 1.0),
        ],
    );
    let causes = |answer: &Answer| {
        let mut lines = answer.logs.iter();
        lines.find_map(|line| line.get("discarded_because").cloned())
    };
    assert_eq!(causes(&lost), Some(json!(["failed"])));

    proxy.refuse().await;
    proxy.strike(Fault::Reset).await;
    expect(
        &read(&get).await,
        &[(Metric::DatabaseUnavailable, 1.0), (Metric::Status5xx, 1.0)],
    );

    let (setup, proxy) = behind_proxy("get-order", &database).await;
    let get = setup
        .env("DATABASE_PING_AFTER_MS", "1")
        .start()
        .await
        .unwrap();
    read(&get).await;
    tokio::time::sleep(Duration::from_millis(10)).await;
    proxy.strike(Fault::Reset).await;
    let pinged = read(&get).await;
    expect(&pinged, &[(Metric::PingFailed, 1.0)]);
    assert_eq!(causes(&pinged), Some(json!(["ping failed"])));

    // The fourth flight is COMMIT. Its answer is lost, and nobody can look whether it was done.
    let (setup, proxy) = behind_proxy("create-order", &database).await;
    let create = setup.start().await.unwrap();
    let post = || Event::post("/orders").json(&tea(&customer()));
    assert_eq!(create.invoke(post()).await.unwrap().status, 201);
    proxy.ambush(4, At::Answer(0), Fault::Reset);
    proxy.refuse().await;
    let unknown = create.invoke(post()).await.unwrap();
    expect(
        &unknown,
        &[(Metric::OutcomeUnknown, 1.0), (Metric::Status5xx, 1.0)],
    );

    // The warm-up is refused, again and again, and nothing of that is lost.
    let wrong = database.secret_with(&[("password", json!("wrong"))]);
    let id = stack().new_secret(&wrong).await.unwrap();
    let refused = function("get-order", &database).env("DATABASE_SECRET_ID", id);
    let refused = refused
        .env("DATABASE_CONNECT_TIMEOUT_MS", "3000")
        .start()
        .await
        .unwrap();
    let answer = read(&refused).await;
    let found = metrics(&answer);
    assert!(
        found["LoginRefused"] >= 2.0 && found["DatabaseUnavailable"] >= 2.0,
        "{found:?}"
    );
    expect(&answer, &[]);

    let of_api = Metric::ALL
        .iter()
        .filter(|metric| !OF_OPERATIONS.contains(metric));
    let missing: Vec<_> = of_api
        .filter(|metric| !written.contains(metric.name()))
        .collect();
    assert!(missing.is_empty(), "never written: {missing:?}");
}

#[tokio::test]
async fn metrics_are_written_at_every_level_and_lambda_keeps_their_line() {
    let database = fresh_database().await;
    for (set, level) in [
        ("", "INFO"),
        ("TRACE", "INFO"),
        ("warn", "WARN"),
        ("FATAL", "FATAL"),
    ] {
        let health = function("health", &database).env("AWS_LAMBDA_LOG_LEVEL", set);
        let health = health.start().await.unwrap();
        let answer = health.invoke(Event::get("/health")).await.unwrap();
        assert_eq!(metrics(&answer)["ColdStart"], 1.0);
        let line = answer.logs.iter().find(|line| line.get("_aws").is_some());
        assert_eq!(line.unwrap()["level"], level);
    }
}

#[tokio::test]
async fn invocations_at_the_same_time_count_apart() {
    let database = fresh_database().await;
    let get = function("get-order", &database)
        .env("AWS_LAMBDA_MAX_CONCURRENCY", "8")
        // On a slow machine, as many connections at once take long.
        .env("DATABASE_CONNECT_TIMEOUT_MS", "5000");
    let get = std::sync::Arc::new(get.start().await.unwrap());
    let mut invocations = JoinSet::new();
    for number in 0..40 {
        let get = get.clone();
        let (path, statements) = match number % 2 {
            0 => (format!("/orders/{}", Uuid::now_v7()), 1.0),
            _ => ("/orders/1".to_owned(), 0.0),
        };
        invocations.spawn(async move {
            let answer = get.invoke(Event::get(&path)).await.unwrap();
            let found = metrics(&answer);
            assert_eq!(found["Statements"], statements, "{path}");
            found["ColdStart"]
        });
    }
    let cold: f64 = invocations.join_all().await.into_iter().sum();
    assert_eq!(cold, 1.0);
}
