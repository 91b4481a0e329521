//! What the functions tell X-Ray: a subsegment for each secret, login and statement of an
//! invocation.

use std::time::Duration;

use serde_json::{Value, json};
use tests::skipped;
use tests::stand_ins::lambda::TRACE_PARENT;
use tests::stand_ins::lambda::event::Event;
use tokio::net::UdpSocket;
use tokio::time::timeout;

use crate::client::{any_database, customer, function, tea};

/// The subsegments that have arrived at the daemon.
async fn subsegments(daemon: &UdpSocket) -> Vec<Value> {
    let mut found = Vec::new();
    let mut datagram = [0; 4096];
    // The function sends before it answers, and nothing is lost on the way to oneself.
    while let Ok(received) = timeout(Duration::from_millis(200), daemon.recv(&mut datagram)).await {
        let text = std::str::from_utf8(&datagram[..received.unwrap()]).unwrap();
        let (header, document) = text.split_once('\n').unwrap();
        let header: Value = serde_json::from_str(header).unwrap();
        assert_eq!(header, json!({ "format": "json", "version": 1 }));
        found.push(serde_json::from_str(document).unwrap());
    }
    found
}

#[tokio::test]
async fn a_trace_shows_secrets_logins_and_statements() {
    let database = any_database().await;
    let daemon = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = daemon.local_addr().unwrap().to_string();
    let create = function("create-order", &database)
        .env("AWS_XRAY_DAEMON_ADDRESS", address)
        // The warm-up belongs to no trace, so its connection does not serve.
        .env("DATABASE_MAX_IDLE_MS", "1")
        .env("DATABASE_SECRET_MAX_AGE_MS", "1");
    let create = create.start().await.unwrap();
    tokio::time::sleep(Duration::from_millis(10)).await;
    let answer = create.invoke(Event::post("/orders").json(&tea(&customer())));
    let answer = answer.await.unwrap();
    assert_eq!(answer.status, 201, "{answer:?}");

    let subsegments = subsegments(&daemon).await;
    let names = subsegments.iter().map(|one| one["name"].as_str().unwrap());
    let mut names: Vec<_> = names.collect();
    // The secret is already too old again when the login is read.
    names.dedup();
    let expected = [
        "Secrets Manager",
        "connect",
        "START TRANSACTION",
        "INSERT_ORDER",
        "INSERT_ITEMS",
        "COMMIT",
    ];
    assert_eq!(names, expected);
    let ids = subsegments.iter().map(|one| one["id"].as_str().unwrap());
    let mut ids: Vec<_> = ids.collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), subsegments.len(), "{ids:?}");
    for subsegment in &subsegments {
        assert_eq!(subsegment["type"], "subsegment");
        assert_eq!(subsegment["trace_id"], answer.logs[0]["trace_id"]);
        assert_eq!(subsegment["parent_id"], TRACE_PARENT);
        assert_eq!(subsegment["fault"], false);
        let id = subsegment["id"].as_str().unwrap();
        assert!(
            id.len() == 16 && u64::from_str_radix(id, 16).is_ok(),
            "{id}"
        );
        let time = |name: &str| subsegment[name].as_f64().unwrap();
        assert!(time("start_time") <= time("end_time"), "{subsegment}");
    }
}

#[tokio::test]
async fn the_daemon_may_have_an_ipv6_address() {
    let Ok(daemon) = UdpSocket::bind("[::1]:0").await else {
        return skipped("this machine has no IPv6");
    };
    let database = any_database().await;
    let address = daemon.local_addr().unwrap().to_string();
    let health = function("health", &database).env("AWS_XRAY_DAEMON_ADDRESS", address);
    let health = health.start().await.unwrap();
    health.invoke(Event::get("/health?ready")).await.unwrap();
    assert!(!subsegments(&daemon).await.is_empty());
}
