//! What PlanetScale sees of a branch's queries: statistics, anomalies, errors and recommendations.
//!
//! The server behind keeps no statistics that would match, so these are rows that a test or a
//! person can [set](super::ControlPlane::set_insights), and some of the template's own statements
//! where nobody has.

mod health;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::DATABASE;
use super::branches;
use super::call::{Answer, Call, Refusal, Total, ok};
use super::state::{Time, new_id};

pub use health::{
    Anomaly, QueryError, Recommendation, anomalies, anomaly, errors, recommendations,
};

/// Everything that the insights tell, the same for every branch.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Insights {
    /// Statistics of queries.
    pub queries: Vec<Query>,
    /// Times in which the database was not well.
    pub anomalies: Vec<Anomaly>,
    /// Errors that queries ended with.
    pub errors: Vec<QueryError>,
    /// What to change in the schema.
    pub recommendations: Vec<Recommendation>,
}

/// The statistics of all queries of one form.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Query {
    /// The form, with `?` in place of values.
    pub sql: String,
    /// The table.
    pub table: String,
    /// The index that is used.
    pub index: Option<String>,
    /// How often it ran.
    pub count: u64,
    /// How often it failed.
    pub errors: u64,
    /// Rows read in all.
    pub rows_read: u64,
    /// Rows returned in all.
    pub rows_returned: u64,
    /// Rows changed in all.
    pub rows_affected: u64,
    /// Milliseconds in all.
    pub total_millis: u64,
    /// Milliseconds of the 50th percentile.
    pub p50: f64,
    /// Milliseconds of the 99th percentile.
    pub p99: f64,
    /// Milliseconds of the slowest.
    pub max: f64,
}

impl Insights {
    /// What a database like the template's shows on a quiet day.
    pub(super) fn sample() -> Self {
        let by_id = Query {
            sql: "select * from orders where id = ?".to_owned(),
            table: "orders".to_owned(),
            index: Some("PRIMARY".to_owned()),
            count: 4200,
            errors: 0,
            rows_read: 4200,
            rows_returned: 4200,
            rows_affected: 0,
            total_millis: 2940,
            p50: 0.6,
            p99: 2.1,
            max: 9.8,
        };
        let by_customer = Query {
            sql: "select * from orders where customer_id = ? order by id desc limit ?".to_owned(),
            index: Some("by_customer".to_owned()),
            count: 900,
            errors: 3,
            rows_read: 18_000,
            rows_returned: 18_000,
            total_millis: 1980,
            p50: 1.9,
            p99: 7.4,
            max: 48.0,
            ..by_id.clone()
        };
        Self {
            queries: vec![by_id, by_customer.clone()],
            anomalies: vec![Anomaly {
                minutes_ago: 180,
                minutes: 7,
                active: false,
                sql: by_customer.sql,
            }],
            errors: vec![QueryError {
                message: "target: orders.-.primary: vttablet: rpc error: code = Aborted desc = \
                          transaction: (exceeded timeout: 20s)"
                    .to_owned(),
                count: 3,
                total_millis: 60_012,
            }],
            recommendations: vec![Recommendation {
                kind: "unused_index".to_owned(),
                title: "Index by_customer_status on table orders is unused".to_owned(),
                table: "orders".to_owned(),
                ddl: "ALTER TABLE `orders` DROP KEY `by_customer_status`".to_owned(),
            }],
        }
    }

    pub(super) fn open_recommendations(&self) -> usize {
        self.recommendations.len()
    }
}

impl Query {
    /// The same for the same form, as Vitess' is.
    fn fingerprint(&self) -> String {
        fingerprint(&self.sql)
    }

    fn kind(&self) -> String {
        let word = self.sql.split_whitespace().next().unwrap_or_default();
        word.to_uppercase()
    }

    #[expect(clippy::cast_precision_loss, reason = "averages are not exact")]
    fn view(&self, all_millis: u64) -> Value {
        let runs = self.count.max(1) as f64;
        let per = |sum: u64| sum as f64 / runs;
        let percent = 100.0 * self.total_millis as f64 / all_millis.max(1) as f64;
        let index = self.index.as_ref().map(
            |index| json!({"index_name": index, "table_name": self.table, "count": self.count}),
        );
        let mut view = json!({
            "id": self.fingerprint(),
            "fingerprint": self.fingerprint(),
            "statement_type": self.kind(),
            "keyspace": DATABASE,
            "normalized_sql": self.sql,
            "syntax_highlighted_sql": super::html(&self.sql),
            "multishard": false,
            "query_count": self.count,
            "error_count": self.errors,
            "tables": [self.table],
            "qualified_tables": [format!("{DATABASE}.{}", self.table)],
            "table_keyspaces": [],
            "index_usages": index.into_iter().collect::<Vec<_>>(),
            "routing_index_usages": [],
            "sum_shard_queries": self.count,
            "max_shard_queries": 1,
            "avg_shard_queries": 1.0,
            "avg_parallel_workers": 0.0,
            "sum_rows_read": self.rows_read,
            "sum_rows_affected": self.rows_affected,
            "sum_rows_returned": self.rows_returned,
            "rows_read_per_returned": self.rows_read as f64 / self.rows_returned.max(1) as f64,
            "rows_read_per_query": per(self.rows_read),
            "rows_returned_per_query": per(self.rows_returned),
            "rows_affected_per_query": per(self.rows_affected),
            "sum_total_duration_millis": self.total_millis,
            "sum_total_duration_percent": percent,
            "last_run_at": Time::now(),
            "time_per_query": per(self.total_millis),
            "p50_latency": self.p50,
            "p99_latency": self.p99,
            "max_latency": self.max,
        });
        // What MySQL or this stack does not measure.
        const WHOLE: [&str; 14] = [
            "sum_cpu_duration_millis",
            "sum_io_duration_millis",
            "egress_bytes",
            "max_egress_bytes",
            "ingress_bytes",
            "max_ingress_bytes",
            "blocks_read",
            "blocks_hit",
            "blocks_dirtied",
            "blocks_written",
            "traffic_control_warnings",
            "traffic_control_throttled",
            "traffic_control_checked",
            "sum_cpu_duration_percent",
        ];
        const FRACTIONS: [&str; 4] = [
            "sum_io_duration_percent",
            "egress_bytes_per_query",
            "ingress_bytes_per_query",
            "block_cache_hit_ratio",
        ];
        if let Some(view) = view.as_object_mut() {
            view.extend(WHOLE.map(|name| (name.to_owned(), json!(0))));
            view.extend(FRACTIONS.map(|name| (name.to_owned(), json!(0.0))));
        }
        view
    }
}

/// Milliseconds as a number that can be compared.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "times are small"
)]
fn micros(millis: f64) -> u64 {
    (1000.0 * millis).round() as u64
}

fn fingerprint(text: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    let bytes = digest.as_ref().iter().take(8);
    bytes.map(|byte| format!("{byte:02x}")).collect()
}

pub fn queries(call: &Call<'_>, branch: &str) -> Result<Answer, Refusal> {
    branches::find(call, branch)?;
    let part = call.parameter("q").unwrap_or_default();
    let kind = call.parameter("type");
    let all = &call.state.insights.queries;
    let all_millis = all.iter().map(|query| query.total_millis).sum();
    let mut found: Vec<&Query> = all
        .iter()
        .filter(|query| query.sql.contains(part) && kind.is_none_or(|kind| query.kind() == kind))
        .collect();
    let key = |query: &Query| match call.parameter("sort") {
        Some("p99Latency") => micros(query.p99),
        Some("maxLatency") => micros(query.max),
        Some("count") => query.count,
        Some("errorCount") => query.errors,
        Some("rowsRead") => query.rows_read,
        Some("rowsReturned") => query.rows_returned,
        Some("rowsAffected") => query.rows_affected,
        _ => query.total_millis,
    };
    found.sort_by_key(|query| key(query));
    if call.parameter("dir") != Some("asc") {
        found.reverse();
    }
    let views = found.iter().map(|query| query.view(all_millis)).collect();
    call.page(views, Total::Untold)
}

fn find<'c>(call: &'c Call<'_>, branch: &str, fingerprint: &str) -> Result<&'c Query, Refusal> {
    branches::find(call, branch)?;
    match call.parameter("keyspace") {
        Some(DATABASE) => {}
        Some(_) => return Err(Refusal::NotFound),
        None => return Err(Refusal::unprocessable("Keyspace is required")),
    }
    let mut queries = call.state.insights.queries.iter();
    queries
        .find(|query| query.fingerprint() == fingerprint)
        .ok_or(Refusal::NotFound)
}

pub fn summary(call: &Call<'_>, branch: &str, fingerprint: &str) -> Result<Answer, Refusal> {
    let query = find(call, branch, fingerprint)?;
    Ok(ok(query.view(query.total_millis)))
}

/// The slowest run of the queries of one form.
pub fn runs(call: &Call<'_>, branch: &str, fingerprint: &str) -> Result<Answer, Refusal> {
    let query = find(call, branch, fingerprint)?;
    let now = Time::now();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "milliseconds"
    )]
    let millis = query.max.round() as u64;
    let run = json!({
        "id": new_id(),
        "password": {},
        "tags": [],
        "fingerprint": query.fingerprint(),
        "started_at": now,
        "statement_type": query.kind(),
        "keyspace": DATABASE,
        "tables": [query.table],
        "username": "planetscale",
        "remote_address": "127.0.0.1",
        "shard_queries": 1,
        "rows_read": query.rows_read / query.count.max(1),
        "rows_affected": query.rows_affected / query.count.max(1),
        "rows_returned": query.rows_returned / query.count.max(1),
        "total_duration_millis": millis,
        "error_message": "",
        "normalized_sql": query.sql,
        "syntax_highlighted_sql": super::html(&query.sql),
        "created_at": now,
        "updated_at": now,
        "explainable": query.kind() == "SELECT",
        "truncated": false,
    });
    call.page(vec![run], Total::Untold)
}
