//! `GET /health`.

use tests::stand_ins::lambda::event::Event;

use crate::client::{any_database, assert_unavailable, function, problem, send};

#[tokio::test]
async fn a_service_that_is_alive_is_200() {
    let answer = send(Event::get("/health")).await;

    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn a_service_that_is_ready_is_200() {
    for url in ["/health?ready", "/health?ready=", "/health?ready=true"] {
        assert_eq!(send(Event::get(url)).await.status, 200, "{url}");
    }
}

#[tokio::test]
async fn every_authorized_caller_may_ask_for_health() {
    for event in [
        Event::get("/health?ready"),
        Event::get("/health?ready").jwt("cust-1", ""),
        Event::get("/health?ready").function_url(),
    ] {
        assert_eq!(send(event).await.status, 200);
    }
}

#[tokio::test]
async fn a_monitor_may_use_head() {
    for event in [
        Event::new("HEAD", "/health"),
        Event::new("HEAD", "/health?ready"),
        Event::new("HEAD", "/health").function_url(),
    ] {
        let answer = send(event).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert!(answer.body.is_null(), "{answer:?}");
    }
}

#[tokio::test]
async fn without_a_database_the_service_is_alive_but_not_ready() {
    let database = any_database().await;
    let setup = function("health", &database)
        .without("DATABASE_SECRET_ID")
        .env("DATABASE_URL", "mysql://nobody:nothing@127.0.0.1:1/orders");
    let health = setup.start().await.unwrap();

    let alive = health.invoke(Event::get("/health")).await.unwrap();
    assert_eq!(alive.status, 200);
    let ready = health.invoke(Event::get("/health?ready")).await.unwrap();
    assert_unavailable(&ready);
}

#[tokio::test]
async fn without_ready_the_database_is_not_asked() {
    let answer = send(Event::get("/health")).await;
    let summary = answer.logs.last().unwrap();
    assert_eq!(summary["Statements"], 0);
}

#[tokio::test]
async fn another_method_is_405() {
    for method in ["DELETE", "POST"] {
        let answer = send(Event::new(method, "/health")).await;
        assert_eq!(answer.status, 405, "{method}");
        problem(&answer, 405);
    }
}
