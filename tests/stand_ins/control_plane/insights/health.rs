//! What is wrong, or was: anomalies, errors and recommendations.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::fingerprint;
use crate::stand_ins::control_plane::call::{Answer, Call, Refusal, Total, ok};
use crate::stand_ins::control_plane::state::Time;
use crate::stand_ins::control_plane::{DATABASE, branches, database, html};

/// A time in which the database was not well.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Anomaly {
    /// How many minutes ago it began.
    pub minutes_ago: u64,
    /// How many minutes it lasted.
    pub minutes: u64,
    /// Whether it still lasts.
    pub active: bool,
    /// The query that slowed down with it, as in [`Query::sql`](super::Query::sql).
    pub sql: String,
}

/// An error that queries ended with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct QueryError {
    /// What it said.
    pub message: String,
    /// How often.
    pub count: u64,
    /// Milliseconds in all.
    pub total_millis: u64,
}

/// What to change in the schema.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Recommendation {
    /// One of the contract's types, as in `unused_index`.
    pub kind: String,
    /// What is wrong.
    pub title: String,
    /// Where.
    pub table: String,
    /// What would help.
    pub ddl: String,
}

impl Anomaly {
    fn id(&self) -> String {
        fingerprint(&format!("{} {}", self.minutes_ago, self.sql))
    }

    fn view(&self, since: Time) -> Value {
        let minutes = |count: u64| Duration::from_secs(60 * count);
        let start = since.before(minutes(self.minutes_ago));
        let end = start.after(minutes(self.minutes));
        json!({
            "id": self.id(),
            "period_start": start,
            "period_end": end,
            "minutes_in_violation": self.minutes,
            "active": self.active,
            "duration": 60 * self.minutes,
            "metrics_start": start.before(minutes(60)),
            "metrics_end": end.after(minutes(60)),
            "correlations": [{
                "id": fingerprint(&self.sql),
                "r": 0.97,
                "keyspace": DATABASE,
                "fingerprint": fingerprint(&self.sql),
                "normalized_sql": self.sql,
                "syntax_highlighted_sql": html(&self.sql),
                "tablet_type": "primary",
            }],
        })
    }
}

pub fn anomalies(call: &Call<'_>, branch: &str) -> Result<Answer, Refusal> {
    branches::find(call, branch)?;
    let now = Time::now();
    let anomalies = call.state.insights.anomalies.iter();
    call.page(
        anomalies.map(|anomaly| anomaly.view(now)).collect(),
        Total::Untold,
    )
}

pub fn anomaly(call: &Call<'_>, branch: &str, id: &str) -> Result<Answer, Refusal> {
    branches::find(call, branch)?;
    let mut anomalies = call.state.insights.anomalies.iter();
    let found = anomalies.find(|anomaly| anomaly.id() == id);
    Ok(ok(found.ok_or(Refusal::NotFound)?.view(Time::now())))
}

pub fn errors(call: &Call<'_>, branch: &str) -> Result<Answer, Refusal> {
    branches::find(call, branch)?;
    let part = call.parameter("q").unwrap_or_default();
    let errors = call.state.insights.errors.iter();
    let found = errors.filter(|error| error.message.contains(part));
    let views = found.map(|error| {
        json!({
            "id": fingerprint(&error.message),
            "error_fingerprint": fingerprint(&error.message),
            "started_at": Time::now(),
            "total_duration_millis": error.total_millis,
            "time_per_query": error.total_millis / error.count.max(1),
            "error_count": error.count,
            "error_message": error.message,
        })
    });
    call.page(views.collect(), Total::Untold)
}

pub fn recommendations(call: &Call<'_>) -> Result<Answer, Refusal> {
    let since = call.state.settings.created_at;
    let all = call.state.insights.recommendations.iter();
    let views = all.enumerate().map(|(at, recommendation)| {
        json!({
            "id": fingerprint(&recommendation.ddl),
            "html_url": database::page(&format!("recommendations/{}", at + 1)),
            "title": recommendation.title,
            "table_name": recommendation.table,
            "keyspace": DATABASE,
            "ddl_statement": recommendation.ddl,
            "number": at + 1,
            "state": "open",
            "recommendation_type": recommendation.kind,
            "created_at": since,
            "updated_at": since,
            "applied_at": null,
            "dismissed_at": null,
            "closed_by_deploy_request": null,
            "dismissed_by": null,
        })
    });
    let open = call.parameter("state") != Some("closed");
    call.page(views.filter(|_| open).collect(), Total::Told)
}
