//! Query insights: what PlanetScale has measured of the queries in production, and what it recommends.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    ApiError, Calls,
    transport::{ApiRequest, Grants, or_default},
};

const READ: Grants = Grants("read_database");

const HOUR: u64 = 60 * 60;

/// A span of time that begins and ends on the hour. The API refuses others that are longer than 25
/// hours, and answers for up to 365 days back (planetscale/mcp-server, insights-tools.ts).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    /// When it begins.
    pub from: SystemTime,
    /// When it ends.
    pub to: SystemTime,
}

impl Hours {
    /// The span of this length up to the hour in which `now` is.
    pub fn last(hours: u64, now: SystemTime) -> Self {
        let since_1970 = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let to = UNIX_EPOCH + Duration::from_secs(since_1970.as_secs() / HOUR * HOUR);
        let from = to - Duration::from_secs(hours * HOUR);
        Self { from, to }
    }

    /// The span of the same length before this one.
    #[must_use]
    pub fn before(self) -> Self {
        let length = self.to.duration_since(self.from).unwrap_or_default();
        let (from, to) = (self.from - length, self.from);
        Self { from, to }
    }
}

/// What queries are ordered by, the greatest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ranking {
    /// The time that 99 of 100 runs do not exceed.
    P99Latency,
    /// The time of all runs together.
    TotalTime,
    /// Rows read for each row returned.
    RowsReadPerReturned,
    /// Runs that ended with an error.
    ErrorCount,
}

impl Ranking {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::P99Latency,
        Self::TotalTime,
        Self::RowsReadPerReturned,
        Self::ErrorCount,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::P99Latency => "p99Latency",
            Self::TotalTime => "totalTime",
            Self::RowsReadPerReturned => "rowsReadPerReturned",
            Self::ErrorCount => "errorCount",
        }
    }
}

/// What was measured of all runs of a query. Queries that differ only in their values are one.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct QueryStatistics {
    /// Identifies the query within its keyspace.
    pub fingerprint: String,
    /// The keyspace that it ran in.
    #[serde(default, deserialize_with = "or_default")]
    pub keyspace: String,
    /// Its text. PlanetScale has put `?` in place of its values.
    pub normalized_sql: String,
    /// How many times it ran.
    #[serde(default, deserialize_with = "or_default")]
    pub query_count: u64,
    /// How many of these runs ended with an error.
    #[serde(default, deserialize_with = "or_default")]
    pub error_count: u64,
    /// The time that 99 of 100 runs do not exceed, in milliseconds.
    #[serde(default, deserialize_with = "or_default")]
    pub p99_latency: f64,
    /// Its part of the time of all queries, in percent.
    #[serde(default, deserialize_with = "or_default")]
    pub sum_total_duration_percent: f64,
    /// Rows read for each row returned, on average.
    #[serde(default, deserialize_with = "or_default")]
    pub rows_read_per_returned: f64,
    /// Rows read by a run, on average.
    #[serde(default, deserialize_with = "or_default")]
    pub rows_read_per_query: f64,
}

/// A time in which queries were slower than they usually are.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Anomaly {
    /// When it began, as RFC 3339.
    pub period_start: String,
    /// For how many minutes queries were too slow.
    #[serde(default, deserialize_with = "or_default")]
    pub minutes_in_violation: u64,
    /// Whether it goes on.
    #[serde(default, deserialize_with = "or_default")]
    pub active: bool,
    /// The queries that ran more or longer at the same time.
    #[serde(default, deserialize_with = "or_default")]
    pub correlations: Vec<Correlation>,
}

/// A query that goes with an anomaly.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Correlation {
    /// How closely, up to 1.
    pub r: f64,
    /// The query's text, without its values.
    pub normalized_sql: String,
}

/// Errors of queries with the same message.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct QueryError {
    /// What Vitess or MySQL said. It may repeat the query with its values.
    pub error_message: String,
    /// How many there were.
    #[serde(default, deserialize_with = "or_default")]
    pub error_count: u64,
}

/// A change of the schema that PlanetScale recommends.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Recommendation {
    /// What it is about, such as `Index by_status on table orders is unused`.
    pub title: String,
    /// Its page.
    #[serde(default, deserialize_with = "or_default")]
    pub html_url: String,
    /// When PlanetScale has made it, as RFC 3339.
    pub created_at: String,
}

impl Calls<'_> {
    /// Reads the first hundred queries of a branch. The API has no second page of them, whatever its
    /// document says (planetscale/mcp-server, insights-tools.ts).
    ///
    /// # Errors
    ///
    /// [`ApiError`].
    pub async fn queries(
        &self,
        branch: &str,
        hours: Hours,
        ranking: Ranking,
    ) -> Result<Vec<QueryStatistics>, ApiError> {
        let path = ["branches", branch, "insights"];
        let request = ApiRequest::get("reading query insights", &path, READ)
            .query("sort", Some(ranking.as_str()))
            .query("dir", Some("desc"));
        self.first_page(within(request, hours)).await
    }

    /// Reads a branch's anomalies.
    ///
    /// # Errors
    ///
    /// [`ApiError`].
    pub async fn anomalies(&self, branch: &str, hours: Hours) -> Result<Vec<Anomaly>, ApiError> {
        let path = ["branches", branch, "insights", "anomalies"];
        let request = ApiRequest::get("reading anomalies", &path, READ);
        self.first_page(within(request, hours)).await
    }

    /// Reads the errors of a branch's queries in the last 24 hours. The API keeps no longer span of
    /// them (planetscale/mcp-server, insights-tools.ts).
    ///
    /// # Errors
    ///
    /// [`ApiError`].
    pub async fn query_errors(&self, branch: &str) -> Result<Vec<QueryError>, ApiError> {
        let path = ["branches", branch, "insights", "errors"];
        let request = ApiRequest::get("reading errors of queries", &path, READ);
        self.first_page(request.query("period", Some("1d"))).await
    }

    /// Reads the recommendations that nobody has applied or dismissed.
    ///
    /// # Errors
    ///
    /// [`ApiError`].
    pub async fn recommendations(&self) -> Result<Vec<Recommendation>, ApiError> {
        let path = ["schema-recommendations"];
        let request = ApiRequest::get("reading schema recommendations", &path, READ);
        self.list(request.query("state", Some("open"))).await
    }
}

fn within<'r>(request: ApiRequest<'r>, hours: Hours) -> ApiRequest<'r> {
    // Formatting fails only for years that a clock does not have.
    let text = |time: SystemTime| OffsetDateTime::from(time).format(&Rfc3339).ok();
    request
        .query("from", text(hours.from).as_deref())
        .query("to", text(hours.to).as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_begin_and_end_on_the_hour() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let last = Hours::last(2, at(10 * HOUR + 1234));
        let (from, to) = (at(8 * HOUR), at(10 * HOUR));
        assert_eq!(last, Hours { from, to });
        let (from, to) = (at(6 * HOUR), at(8 * HOUR));
        assert_eq!(last.before(), Hours { from, to });
    }
}
