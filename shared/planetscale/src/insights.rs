//! What PlanetScale has seen of a branch's queries. It keeps seven days (its docs, Plans).

use serde::Deserialize;
use time::{OffsetDateTime, serde::rfc3339};

use super::{
    ApiError, Calls,
    open_enum::open_enum,
    transport::{Grants, Request, or_default},
};

const READ: Grants = Grants("read_database or read_databases");

open_enum! {
    /// The time up to now that is looked at.
    Period {
        /// A quarter of an hour.
        QuarterHour = "15m",
        /// An hour.
        Hour = "1h",
        /// Six hours.
        SixHours = "6h",
        /// A day.
        Day = "1d",
        /// Seven days.
        Week = "7d",
    }
}

/// All queries of one pattern. Times are in milliseconds.
#[derive(Debug, Clone, Deserialize)]
pub struct Query {
    /// What the pattern is known by.
    pub fingerprint: String,
    /// The statement without its values.
    pub normalized_sql: String,
    /// SELECT, INSERT, UPDATE or DELETE, mostly.
    #[serde(default, deserialize_with = "or_default")]
    pub statement_type: String,
    /// The keyspace.
    #[serde(default, deserialize_with = "or_default")]
    pub keyspace: String,
    /// The tables.
    #[serde(default, deserialize_with = "or_default")]
    pub tables: Vec<String>,
    /// How many there were.
    pub query_count: u64,
    /// How many of them failed.
    #[serde(default, deserialize_with = "or_default")]
    pub error_count: u64,
    /// The time of the one in the middle.
    #[serde(default, deserialize_with = "or_default")]
    pub p50_latency: f64,
    /// The time that all but one in a hundred keep within.
    #[serde(default, deserialize_with = "or_default")]
    pub p99_latency: f64,
    /// The time of all.
    #[serde(default, deserialize_with = "or_default")]
    pub sum_total_duration_millis: u64,
    /// The rows that all have read.
    #[serde(default, deserialize_with = "or_default")]
    pub sum_rows_read: u64,
    /// The rows that all have returned.
    #[serde(default, deserialize_with = "or_default")]
    pub sum_rows_returned: u64,
}

/// A time in which the branch was slower than it should be.
#[derive(Debug, Clone, Deserialize)]
pub struct Anomaly {
    /// Its id.
    pub id: String,
    /// When it began.
    #[serde(with = "rfc3339")]
    pub period_start: OffsetDateTime,
    /// When it ended, or was last seen.
    #[serde(with = "rfc3339")]
    pub period_end: OffsetDateTime,
    /// Whether it lasts.
    #[serde(default, deserialize_with = "or_default")]
    pub active: bool,
}

/// All errors of one kind.
#[derive(Debug, Clone, Deserialize)]
pub struct QueryError {
    /// What the kind is known by.
    pub error_fingerprint: String,
    /// The message. It may hold values of statements.
    pub error_message: String,
    /// How many there were.
    pub error_count: u64,
}

impl Calls<'_> {
    /// The query patterns of a period, those that took most time first.
    ///
    /// # Errors
    ///
    /// [`ApiError`].
    pub async fn queries(&self, branch: &str, period: &Period) -> Result<Vec<Query>, ApiError> {
        let path = ["branches", branch, "insights"];
        let request = Request::get("reading the queries of a branch", &path, READ)
            .query("period", Some(period.as_str()))
            .query("sort", Some("totalTime"))
            .query("dir", Some("desc"));
        self.list(request).await
    }

    /// The anomalies of a period.
    ///
    /// # Errors
    ///
    /// [`ApiError`].
    pub async fn anomalies(&self, branch: &str, period: &Period) -> Result<Vec<Anomaly>, ApiError> {
        let path = ["branches", branch, "insights", "anomalies"];
        let request = Request::get("reading the anomalies of a branch", &path, READ);
        self.list(request.query("period", Some(period.as_str())))
            .await
    }

    /// The errors of a period.
    ///
    /// # Errors
    ///
    /// [`ApiError`].
    pub async fn query_errors(
        &self,
        branch: &str,
        period: &Period,
    ) -> Result<Vec<QueryError>, ApiError> {
        let path = ["branches", branch, "insights", "errors"];
        let request = Request::get("reading the errors of a branch's queries", &path, READ);
        self.list(request.query("period", Some(period.as_str())))
            .await
    }
}
