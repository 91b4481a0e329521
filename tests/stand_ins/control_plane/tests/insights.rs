//! Insights: rows that can be set, found and sorted.

use serde_json::{Value, json};
use tests::stand_ins::control_plane::{Insights, Query};

use crate::fresh_control_plane::Scene;

fn query(sql: &str, count: u64, total_millis: u64) -> Query {
    Query {
        sql: sql.to_owned(),
        table: "orders".to_owned(),
        index: None,
        count,
        errors: 0,
        rows_read: 10 * count,
        rows_returned: count,
        rows_affected: 0,
        total_millis,
        p50: 1.0,
        p99: 2.0,
        max: 3.0,
    }
}

#[tokio::test]
async fn queries_are_found_and_sorted() {
    let scene = Scene::new().await;
    let often = "select id from orders where id = ?";
    let slow = "update orders set version = ? where id = ?";
    scene
        .plane
        .set_insights(Insights {
            queries: vec![query(often, 900, 100), query(slow, 10, 300)],
            ..Insights::default()
        })
        .await;
    let sql = |list: &Value| -> Vec<Value> {
        let rows = list["data"].as_array().unwrap().iter();
        rows.map(|row| row["normalized_sql"].clone()).collect()
    };
    let insights = "/branches/main/insights";
    let by_time = scene.get(insights).await;
    assert_eq!(sql(&by_time), [slow, often]);
    assert_eq!(by_time["data"][0]["sum_total_duration_percent"], 75.0);
    assert_eq!(
        sql(&scene.get(&format!("{insights}?sort=count")).await),
        [often, slow]
    );
    assert_eq!(
        sql(&scene.get(&format!("{insights}?sort=count&dir=asc")).await),
        [slow, often]
    );
    assert_eq!(
        sql(&scene.get(&format!("{insights}?type=UPDATE")).await),
        [slow]
    );
    assert_eq!(
        sql(&scene.get(&format!("{insights}?q=version")).await),
        [slow]
    );

    let fingerprint = by_time["data"][0]["fingerprint"].as_str().unwrap();
    let summary = format!("{insights}/{fingerprint}/summary");
    assert_eq!(scene.send("GET", &summary, None).await.0, 422);
    let summary = scene.get(&format!("{summary}?keyspace=orders")).await;
    assert_eq!(
        (&summary["query_count"], &summary["rows_read_per_returned"]),
        (&json!(10), &json!(10.0))
    );
    for empty in ["anomalies", "errors"] {
        assert_eq!(
            scene.get(&format!("{insights}/{empty}")).await["data"],
            json!([])
        );
    }
}

#[tokio::test]
async fn there_is_something_to_see_where_nobody_has_set_it() {
    let scene = Scene::new().await;
    for list in [
        "/branches/main/insights",
        "/branches/main/insights/anomalies",
        "/branches/main/insights/errors",
        "/schema-recommendations",
    ] {
        assert!(
            !scene.get(list).await["data"].as_array().unwrap().is_empty(),
            "{list}"
        );
    }
    assert_eq!(
        scene.get("/schema-recommendations?state=closed").await["data"],
        json!([])
    );
}
