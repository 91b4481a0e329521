//! Insights: rows that a test can set, filter and sort.

use serde_json::{Value, json};
use tests::stand_ins::control_plane::Insights;

use crate::fresh_control_plane::FreshControlPlane;

fn query(sql: &str, count: u64, total_millis: u64) -> Value {
    json!({
        "fingerprint": count.to_string(),
        "statement_type": sql.split(' ').next().unwrap().to_uppercase(),
        "normalized_sql": sql,
        "query_count": count,
        "sum_total_duration_millis": total_millis,
    })
}

#[tokio::test]
async fn queries_are_filtered_and_sorted() {
    let api = FreshControlPlane::start().await;
    let often = "select id from orders where id = ?";
    let slow = "update orders set version = ? where id = ?";
    let insights = Insights {
        queries: vec![query(often, 900, 100), query(slow, 10, 300)],
        ..Insights::default()
    };
    api.control_plane.set_insights(insights).await;
    let path = "/branches/main/insights";
    for (parameters, expected) in [
        ("", &[slow, often][..]),
        ("?sort=count", &[often, slow]),
        ("?sort=count&dir=asc", &[slow, often]),
        ("?type=UPDATE", &[slow]),
        ("?q=version", &[slow]),
    ] {
        let list = api.get(&format!("{path}{parameters}")).await;
        let rows = list["data"].as_array().unwrap().iter();
        let found: Vec<&Value> = rows.map(|row| &row["normalized_sql"]).collect();
        assert_eq!(found, expected, "{parameters}");
    }
    let summary = format!("{path}/10/summary");
    assert_eq!(api.send("GET", &summary, None).await.0, 422);
    let summary = api.get(&format!("{summary}?keyspace=orders")).await;
    assert_eq!(summary["query_count"], 10);
    for empty in ["anomalies", "errors"] {
        let list = api.get(&format!("{path}/{empty}")).await;
        assert_eq!(list["data"], json!([]), "{empty}");
    }
}

#[tokio::test]
async fn a_new_control_plane_has_sample_rows() {
    let api = FreshControlPlane::start().await;
    for list in [
        "/branches/main/insights",
        "/branches/main/insights/anomalies",
        "/branches/main/insights/errors",
        "/schema-recommendations",
    ] {
        let rows = api.get(list).await;
        assert_ne!(rows["data"], json!([]), "{list}");
    }
    let closed = api.get("/schema-recommendations?state=closed").await;
    assert_eq!(closed["data"], json!([]));
}
