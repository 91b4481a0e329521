//! `GET /health`.

use serde_json::json;
use tests::stand_ins::lambda::event::Event;

use crate::client::send;

#[tokio::test]
async fn only_with_ready_the_database_is_asked() {
    for (event, statements) in [
        (Event::get("/health"), 0),
        (Event::get("/health?ready"), 1),
        (Event::get("/health?ready="), 1),
        (Event::get("/health?ready=true"), 1),
        (Event::get("/health?ready").jwt("cust-1", ""), 1),
        (Event::get("/health?ready").function_url(), 1),
    ] {
        let case = format!("{event:?}");
        let answer = send(event).await;
        assert_eq!(answer.status, 200, "{case}");
        assert_eq!(
            answer.header("content-type"),
            Some("application/json"),
            "{case}"
        );
        let mut lines = answer.logs.iter();
        let summary = lines.find(|line| line.get("Route").is_some()).unwrap();
        assert_eq!(summary["Statements"], json!(statements), "{case}");
        let names_one = summary["slowest_statement"].is_string();
        assert_eq!(names_one, statements > 0, "{case}: {summary}");
    }
}
