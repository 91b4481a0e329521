//! Query insights: rows that are filtered, sorted and paged, but never measured.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use super::call::{Answer, Call, Refusal, Total, ok};
use super::{DATABASE, branches};

/// The rows of the insights, as the API returns them. They are the same for every branch.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Insights {
    /// Statistics of queries that differ only in their values.
    pub queries: Vec<Value>,
    /// Single runs of queries.
    pub runs: Vec<Value>,
    /// Times in which the database was unusually slow.
    pub anomalies: Vec<Value>,
    /// Errors of queries.
    pub errors: Vec<Value>,
    /// Recommended changes of the schema.
    pub recommendations: Vec<Value>,
}

impl Insights {
    /// A quiet day of a database like the template's, which is yesterday.
    pub(super) fn sample() -> Self {
        let yesterday = (OffsetDateTime::now_utc() - Duration::DAY)
            .date()
            .to_string();
        let sample = include_str!("insights/sample.json").replace("2026-11-20", &yesterday);
        serde_json::from_str(&sample).unwrap_or_default()
    }
}

fn text<'r>(row: &'r Value, member: &str) -> &'r str {
    row.get(member).and_then(Value::as_str).unwrap_or_default()
}

/// The rows whose `member` has this value. All rows if there is no value.
fn matching(rows: &[Value], member: &str, value: Option<&str>) -> Vec<Value> {
    let rows = rows.iter();
    rows.filter(|row| value.is_none_or(|value| text(row, member) == value))
        .cloned()
        .collect()
}

/// The rows within `from` and `to` of the call, by the time in `member`. A row without that time is in
/// every span. A span of more than 25 hours must begin and end on the hour (planetscale/mcp-server,
/// insights-tools.ts).
fn within(call: &Call<'_>, rows: &[Value], member: &str) -> Result<Vec<Value>, Refusal> {
    let time = |text: &str| OffsetDateTime::parse(text, &Rfc3339).ok();
    let asked = |name| {
        let text = call.parameter(name);
        text.map(|text| time(text).ok_or_else(|| Refusal::unprocessable("Invalid time")))
            .transpose()
    };
    let (from, to) = (asked("from")?, asked("to")?);
    if let (Some(from), Some(to)) = (from, to)
        && to - from > 25 * Duration::HOUR
        && [from, to]
            .iter()
            .any(|end| end.unix_timestamp() % 3600 != 0)
    {
        return Err(Refusal::unprocessable("Range must be aligned to the hour"));
    }
    let is_within = |row: &&Value| {
        time(text(row, member))
            .is_none_or(|at| from.is_none_or(|from| from <= at) && to.is_none_or(|to| at < to))
    };
    Ok(rows.iter().filter(is_within).cloned().collect())
}

fn the_one(rows: &[Value], member: &str, value: &str) -> Result<Answer, Refusal> {
    let found = matching(rows, member, Some(value)).into_iter().next();
    found.map(ok).ok_or(Refusal::NotFound)
}

pub fn queries(call: &Call<'_>, branch: &str) -> Result<Answer, Refusal> {
    branches::find(call, branch)?;
    let part = call.parameter("q").unwrap_or_default();
    let kind = call.parameter("type");
    let rows = within(call, &call.records.insights.queries, "last_run_at")?;
    let mut rows = matching(&rows, "statement_type", kind);
    rows.retain(|row| text(row, "normalized_sql").contains(part));
    let member = match call.parameter("sort") {
        Some("p99Latency") => "p99_latency",
        Some("maxLatency") => "max_latency",
        Some("count") => "query_count",
        Some("errorCount") => "error_count",
        Some("rowsReadPerReturned") => "rows_read_per_returned",
        Some("rowsRead") => "sum_rows_read",
        Some("rowsReturned") => "sum_rows_returned",
        Some("rowsAffected") => "sum_rows_affected",
        _ => "sum_total_duration_millis",
    };
    let number = |row: &Value| row.get(member).and_then(Value::as_f64).unwrap_or_default();
    rows.sort_by(|one, other| number(one).total_cmp(&number(other)));
    if call.parameter("dir") != Some("asc") {
        rows.reverse();
    }
    call.page(rows, Total::Untold)
}

fn check_keyspace(call: &Call<'_>) -> Result<(), Refusal> {
    match call.parameter("keyspace") {
        Some(DATABASE) => Ok(()),
        Some(_) => Err(Refusal::NotFound),
        None => Err(Refusal::unprocessable("Keyspace is required")),
    }
}

pub fn summary(call: &Call<'_>, branch: &str, fingerprint: &str) -> Result<Answer, Refusal> {
    branches::find(call, branch)?;
    check_keyspace(call)?;
    the_one(&call.records.insights.queries, "fingerprint", fingerprint)
}

pub fn runs(call: &Call<'_>, branch: &str, fingerprint: &str) -> Result<Answer, Refusal> {
    branches::find(call, branch)?;
    check_keyspace(call)?;
    let insights = &call.records.insights;
    the_one(&insights.queries, "fingerprint", fingerprint)?;
    let runs = matching(&insights.runs, "fingerprint", Some(fingerprint));
    call.page(runs, Total::Untold)
}

pub fn anomalies(call: &Call<'_>, branch: &str) -> Result<Answer, Refusal> {
    branches::find(call, branch)?;
    let rows = within(call, &call.records.insights.anomalies, "period_start")?;
    call.page(rows, Total::Untold)
}

pub fn anomaly(call: &Call<'_>, branch: &str, id: &str) -> Result<Answer, Refusal> {
    branches::find(call, branch)?;
    the_one(&call.records.insights.anomalies, "id", id)
}

pub fn errors(call: &Call<'_>, branch: &str) -> Result<Answer, Refusal> {
    branches::find(call, branch)?;
    let part = call.parameter("q").unwrap_or_default();
    let mut rows = call.records.insights.errors.clone();
    rows.retain(|row| text(row, "error_message").contains(part));
    call.page(rows, Total::Untold)
}

pub fn recommendations(call: &Call<'_>) -> Result<Answer, Refusal> {
    let all = &call.records.insights.recommendations;
    let rows = matching(all, "state", call.parameter("state"));
    call.page(rows, Total::Told)
}
