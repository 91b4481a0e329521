//! The review of the queries: the function's own program asks a real server for its plans and a
//! stand-in of PlanetScale's control plane for its insights, and reports to a topic of moto.

mod reviewed;
mod topic;

use serde_json::{Value, json};
use tests::stand_ins::control_plane::Insights;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use reviewed::Reviewed;

/// A value that PlanetScale should not show, and a report never does.
const VALUE: &str = "cust-0815";

#[tokio::test]
async fn a_healthy_database_is_nothing_to_speak_of() {
    let reviewed = Reviewed::new().await;
    // On an empty schema a scan is as good as an index.
    for orders in [0, 3000] {
        reviewed.place(orders).await;
        let report = reviewed.review().await;
        assert!(report.contains("nothing is wrong"), "{orders}: {report}");
    }
    assert_eq!(reviewed.topic.messages().await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_dropped_index_is_named_with_the_statements_that_need_it() {
    let reviewed = Reviewed::new().await;
    let drop = "ALTER TABLE orders DROP KEY by_idempotency_key, DROP KEY by_customer_status";
    reviewed.change(drop).await;
    let report = reviewed.review().await;
    assert!(report.contains("2 statements with bad plans"), "{report}");
    for line in [
        "- FIND_BY_KEY: there is no index by_idempotency_key\n",
        "- LIST_ORDERS_OF_STATUS: fails, because there is no index by_customer_status\n",
    ] {
        assert!(report.contains(line), "{report}");
    }
    for healthy in ["FIND_ORDER:", "LIST_ORDERS:"] {
        assert!(!report.contains(healthy), "{report}");
    }
    let message = reviewed.topic.message().await;
    assert_eq!(message["Message"], json!(report));
    let subject = message["Subject"].as_str().unwrap();
    assert_eq!(subject, "orders/main: 2 statements with bad plans");

    // With more rows, the report also says what is done in place of the index.
    reviewed
        .change("ALTER TABLE orders DROP KEY by_customer")
        .await;
    reviewed.place(3000).await;
    let report = reviewed.review().await;
    let line = "- FIND_BY_KEY: there is no index by_idempotency_key; reads all of orders, ";
    assert!(report.contains(line), "{report}");
}

#[tokio::test]
async fn insights_are_compared_with_the_week_before() {
    let reviewed = Reviewed::new().await;
    let list = "select id, customer_id, `status`, currency, total, version, created_at, updated_at \
                from orders force index (by_customer) where customer_id = ? and id < ? order by id desc limit ?";
    let counting = format!("select count(*) from orders where customer_id = '{VALUE}'");
    let update = "update orders set version = ? where id = ?";
    let (this_week, week_before) = (days_ago(2), days_ago(9));
    let message = format!("Duplicate entry '{VALUE}' for key 'orders.by_customer' (CallerID: x)");
    reviewed
        .control_plane
        .set_insights(Insights {
            queries: vec![
                query("1", list, &this_week, (480.0, 1.0, 0)),
                query("1", list, &week_before, (31.0, 1.0, 0)),
                query("2", &counting, &this_week, (40.0, 5400.0, 0)),
                query("3", update, &this_week, (5.0, 1.0, 1)),
                query("3", update, &week_before, (900.0, 1.0, 1)),
            ],
            anomalies: vec![json!({
                "id": "a", "period_start": this_week, "period_end": this_week, "minutes_in_violation": 7,
                "active": false, "duration": 420, "metrics_start": this_week, "metrics_end": this_week,
                "correlations": [{
                    "id": "1", "r": 0.97, "keyspace": "orders", "fingerprint": "1", "normalized_sql": list,
                    "syntax_highlighted_sql": list, "tablet_type": "primary",
                }],
            })],
            errors: vec![json!({
                "id": "e", "error_fingerprint": "e", "started_at": this_week, "total_duration_millis": 1,
                "time_per_query": 1, "error_count": 3, "error_message": message,
            })],
            recommendations: vec![
                recommendation("Index by_customer on table orders is unused", &this_week),
                recommendation("Table notes is unused", &week_before),
            ],
            ..Insights::default()
        })
        .await;
    let report = reviewed.review().await;
    for line in [
        "New or worse\n\
         - LIST_ORDERS takes 480 ms in one of a hundred runs (the week before: 31)\n\
         - select count(*) from orders where customer_id = ? reads 5,400 rows for each row returned (not among the first queries of the week before)\n",
        "slower than usual for 7 minutes, together with LIST_ORDERS\n",
        "new recommendation\n- Index by_customer on table orders is unused: https://",
        "Better\n- update orders set version = ? where id = ? takes 5 ms in one of a hundred runs (the week before: 900)\n",
        "still recommends\n- Table notes is unused: https://",
        "- 3 × Duplicate entry … for key 'orders.by_customer'\n",
        "Where the time goes\n- 20 % for ",
    ] {
        assert!(report.contains(line), "{line}\nis not in\n{report}");
    }
    assert_eq!(reviewed.topic.message().await["Message"], json!(report));
    assert!(!reviewed.logs().contains(VALUE));
    // The whole report is in the invocation's line of the log.
    let lines = tests::stand_ins::lambda::log_lines(&reviewed.logs());
    let line = lines.iter().find(|line| line.get("report").is_some());
    let line = line.unwrap();
    assert_eq!(
        (&line["SlowQueries"], &line["QueriesWithoutIndex"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(line["report"]["queries"].as_array().unwrap().len(), 3);
    assert_eq!(line["report"]["database"], "orders/main");
}

#[tokio::test]
async fn what_only_got_better_is_nothing_to_speak_of() {
    let reviewed = Reviewed::new().await;
    let sql = "select 1";
    let queries = vec![
        query("1", sql, &days_ago(2), (300.0, 1.0, 0)),
        query("1", sql, &days_ago(9), (900.0, 1.0, 0)),
    ];
    let insights = Insights {
        queries,
        ..Insights::default()
    };
    reviewed.control_plane.set_insights(insights).await;
    let report = reviewed.review().await;
    assert!(
        report.contains("Better\n- select ? takes 300 ms"),
        "{report}"
    );
    assert_eq!(reviewed.topic.messages().await, Vec::<Value>::new());
}

#[tokio::test]
async fn an_error_says_what_to_do() {
    let reviewed = Reviewed::new().await;
    reviewed
        .control_plane
        .revoke(&reviewed.token, "read_database")
        .await;
    let error = reviewed.fail().await;
    assert_eq!(error.name, "NotAllowed");
    assert!(error.message.contains("read_database"), "{}", error.message);

    let reviewed = Reviewed::new().await;
    reviewed.topic.delete().await;
    reviewed
        .change("ALTER TABLE orders DROP KEY by_customer")
        .await;
    let error = reviewed.fail().await;
    assert_eq!(error.name, "NotPublished");
}

#[tokio::test]
async fn without_a_topic_the_report_is_in_the_log_alone() {
    let reviewed = Reviewed::without_topic().await;
    reviewed
        .change("ALTER TABLE orders DROP KEY by_customer")
        .await;
    let report = reviewed.review().await;
    // It does not fail, because MySQL takes the name for the beginning of by_customer_status.
    let line = "- LIST_ORDERS: there is no index by_customer\n";
    assert!(report.contains(line), "{report}");
    assert_eq!(reviewed.topic.messages().await, Vec::<Value>::new());
    assert!(reviewed.logs().contains("by_customer"));
}

fn days_ago(days: i64) -> String {
    let time = OffsetDateTime::now_utc() - Duration::days(days);
    time.format(&Rfc3339).unwrap()
}

/// A query that ran a thousand times, with its p99 latency, rows read for each row returned and
/// errors.
fn query(fingerprint: &str, sql: &str, ran: &str, (p99, rows, errors): (f64, f64, u64)) -> Value {
    // All that the document requires stands in the sample.
    let sample = include_str!("../../stand_ins/control_plane/insights/sample.json");
    let mut query: Value = serde_json::from_str::<Value>(sample).unwrap()["queries"][0].take();
    for (field, value) in [
        ("id", json!(fingerprint)),
        ("fingerprint", json!(fingerprint)),
        ("normalized_sql", json!(sql)),
        ("syntax_highlighted_sql", json!(sql)),
        ("last_run_at", json!(ran)),
        ("query_count", json!(1000)),
        ("error_count", json!(errors)),
        ("p99_latency", json!(p99)),
        ("rows_read_per_returned", json!(rows)),
        ("rows_read_per_query", json!(rows)),
        ("sum_total_duration_percent", json!(20.0)),
    ] {
        query[field] = value;
    }
    query
}

fn recommendation(title: &str, created: &str) -> Value {
    json!({
        "id": title, "html_url": "https://app.planetscale.com/local/orders/recommendations/1", "title": title,
        "table_name": "orders", "keyspace": "orders", "ddl_statement": "ALTER TABLE orders", "number": 1,
        "state": "open", "recommendation_type": "unused_index", "created_at": created, "updated_at": created,
        "applied_at": null, "dismissed_at": null, "closed_by_deploy_request": null, "dismissed_by": null,
    })
}
