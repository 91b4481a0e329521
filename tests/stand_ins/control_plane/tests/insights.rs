//! Insights: rows that a test can set, filter and sort.

use serde_json::{Value, json};
use tests::stand_ins::control_plane::Insights;
use tests::stand_ins::control_plane::fresh_control_plane::FreshControlPlane;

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
    // The rows have only the members that matter here.
    api.control_plane.stop_recording();
    let often = "select id from orders where id = ?";
    let slow = "update orders set version = ? where id = ?";
    let mut ran_once = query(often, 900, 100);
    ran_once["last_run_at"] = json!("2026-11-20T09:00:00Z");
    let insights = Insights {
        queries: vec![ran_once, query(slow, 10, 300)],
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
        (
            "?from=2026-11-20T00:00:00Z&to=2026-11-27T00:00:00Z",
            &[slow, often],
        ),
        ("?from=2026-11-20T10:00:00Z", &[slow]),
        ("?to=2026-11-20T10:00:00Z", &[slow, often]),
    ] {
        let list = api.get(&format!("{path}{parameters}")).await;
        let rows = list["data"].as_array().unwrap().iter();
        let found: Vec<&Value> = rows.map(|row| &row["normalized_sql"]).collect();
        assert_eq!(found, expected, "{parameters}");
    }
    let askew = format!("{path}?from=2026-11-20T00:30:00Z&to=2026-11-27T00:30:00Z");
    assert_eq!(api.send("GET", &askew, None).await.0, 422);
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
