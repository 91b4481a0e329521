//! What PlanetScale has measured of the queries in production, compared with the week before.
//!
//! Nothing is kept between two reviews: PlanetScale answers for the week before as well.

use std::{collections::BTreeMap, fmt, time::SystemTime};

use database::without_values;
use lambda::Deadline;
use orders::statements;
use planetscale::{ApiError, Hours, PlanetScale, QueryStatistics, Ranking};
use serde::Serialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    report::{count, listed},
    sql,
};

/// A query that takes longer than this, in milliseconds, in one of a hundred runs is slow.
const SLOW: f64 = 250.0;

/// A query with fewer runs is no finding: its slowest run is one of a hundred by chance, and somebody
/// may have typed it.
const FEW_RUNS: u64 = 20;

/// A query reads too much if it reads more rows than the first for each one that it returns, and more
/// than the second in one run.
const ROWS_PER_RETURNED: f64 = 100.0;
const ROWS_PER_RUN: f64 = 1000.0;

/// A query fails too often if more of its runs fail, in percent. Some errors are usual, such as the
/// duplicate key of a repeated request.
const FAILED_PERCENT: f64 = 1.0;

/// What has grown by this factor since the week before is worse, and what has shrunk by it better.
const FACTOR: f64 = 1.5;

/// So many queries are in the report although nothing is wrong with them: those with the most time.
const MOST: usize = 20;

/// The least correlation of a query with an anomaly that is worth naming.
const CORRELATED: f64 = 0.5;

/// What PlanetScale knows of a week of the branch.
#[derive(Debug, Serialize)]
pub struct Production {
    /// Queries, those with the most total time first.
    pub queries: Vec<Query>,
    pub anomalies: Vec<Anomaly>,
    pub recommendations: Vec<Recommendation>,
    /// The errors of the last 24 hours, the most frequent first.
    pub errors: Vec<QueryError>,
}

/// A query, and what is wrong with it.
#[derive(Debug, Serialize)]
pub struct Query {
    /// Its name in the catalogue, or else its text without values.
    pub name: String,
    pub fingerprint: String,
    pub keyspace: String,
    pub runs: u64,
    /// Its part of the time of all queries.
    pub percent_of_time: f64,
    pub p99_ms: f64,
    pub rows_read_per_returned: f64,
    pub findings: Vec<Finding>,
}

/// One thing that is, or was, wrong with a query.
#[derive(Debug, Serialize)]
pub struct Finding {
    pub measure: Measure,
    pub now: f64,
    /// None if the query was not among the first of any ranking in the week before.
    pub before: Option<f64>,
    pub change: Change,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// The time in milliseconds that 99 of 100 runs do not exceed.
    P99Latency,
    RowsReadPerReturned,
    /// Runs that ended with an error, in percent.
    FailedPercent,
}

/// What has become of a finding since the week before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// The query was not among the first of any ranking in the week before.
    New,
    /// It has grown by [`FACTOR`], or it was not bad in the week before.
    Worse,
    Same,
    Better,
}

#[derive(Debug, Serialize)]
pub struct Anomaly {
    pub from: String,
    pub minutes: u64,
    pub active: bool,
    /// The queries that go with it.
    pub queries: Vec<String>,
}

#[derive(Debug, Serialize)]
pub struct Recommendation {
    pub title: String,
    pub url: String,
    /// Whether PlanetScale has made it within the week.
    pub is_new: bool,
}

#[derive(Debug, Serialize)]
pub struct QueryError {
    /// The message without values.
    pub message: String,
    pub count: u64,
}

impl Query {
    /// Whether it is slow, whatever it was before.
    pub fn is_slow(&self) -> bool {
        let mut findings = self.findings.iter();
        findings.any(|one| one.measure == Measure::P99Latency && one.now > SLOW)
    }
}

/// Reads everything, and compares it with the week before.
pub async fn review(
    planetscale: &PlanetScale,
    hours: Hours,
    deadline: Deadline,
) -> Result<Production, ApiError> {
    let (api, branch) = (planetscale.until(deadline), planetscale.production_branch());
    let (now, before, anomalies, errors, recommendations) = tokio::try_join!(
        measured(planetscale, hours, deadline),
        measured(planetscale, hours.before(), deadline),
        api.anomalies(branch, hours),
        api.query_errors(branch),
        api.recommendations(),
    )?;
    let mut queries: Vec<_> = now.values().map(|now| compared(now, &before)).collect();
    queries.sort_by(|one, other| other.percent_of_time.total_cmp(&one.percent_of_time));
    let mut rank = 0;
    queries.retain(|query| {
        rank += 1;
        rank <= MOST || !query.findings.is_empty()
    });
    let mut errors: Vec<_> = errors.into_iter().map(QueryError::from).collect();
    errors.sort_by_key(|error| std::cmp::Reverse(error.count));
    Ok(Production {
        queries,
        errors,
        anomalies: anomalies.into_iter().map(Anomaly::from).collect(),
        recommendations: recommendations
            .into_iter()
            .map(|one| Recommendation {
                is_new: is_after(&one.created_at, hours.from),
                title: one.title,
                url: one.html_url,
            })
            .collect(),
    })
}

/// The statistics of each query, by its fingerprint and keyspace.
type Measured = BTreeMap<(String, String), QueryStatistics>;

async fn measured(
    planetscale: &PlanetScale,
    hours: Hours,
    deadline: Deadline,
) -> Result<Measured, ApiError> {
    let mut measured = Measured::new();
    for ranking in Ranking::ALL {
        let (api, branch) = (planetscale.until(deadline), planetscale.production_branch());
        for query in api.queries(branch, hours, ranking).await? {
            let key = (query.fingerprint.clone(), query.keyspace.clone());
            measured.insert(key, query);
        }
    }
    Ok(measured)
}

fn compared(now: &QueryStatistics, before: &Measured) -> Query {
    let before = before.get(&(now.fingerprint.clone(), now.keyspace.clone()));
    Query {
        name: name(&now.normalized_sql),
        fingerprint: now.fingerprint.clone(),
        keyspace: now.keyspace.clone(),
        runs: now.query_count,
        percent_of_time: now.sum_total_duration_percent,
        p99_ms: now.p99_latency,
        rows_read_per_returned: now.rows_read_per_returned,
        findings: Measure::ALL
            .into_iter()
            .filter_map(|measure| measure.finding(now, before))
            .collect(),
    }
}

/// The query's name in the catalogue, or else its text without values.
fn name(normalized_sql: &str) -> String {
    let canonical = sql::canonical(normalized_sql);
    let statement = statements::ALL
        .into_iter()
        .find(|statement| sql::canonical(statement.sql()) == canonical);
    match statement {
        Some(statement) => statement.name().to_owned(),
        None => sql::shown(normalized_sql),
    }
}

impl Measure {
    const ALL: [Self; 3] = [
        Self::P99Latency,
        Self::RowsReadPerReturned,
        Self::FailedPercent,
    ];

    fn of(self, query: &QueryStatistics) -> f64 {
        match self {
            Self::P99Latency => query.p99_latency,
            Self::RowsReadPerReturned => query.rows_read_per_returned,
            Self::FailedPercent => {
                100.0 * query.error_count as f64 / query.query_count.max(1) as f64
            }
        }
    }

    fn is_bad(self, query: &QueryStatistics) -> bool {
        let value = self.of(query);
        let is_beyond = match self {
            Self::P99Latency => value > SLOW,
            Self::RowsReadPerReturned => {
                value > ROWS_PER_RETURNED && query.rows_read_per_query > ROWS_PER_RUN
            }
            Self::FailedPercent => value > FAILED_PERCENT,
        };
        is_beyond && query.query_count >= FEW_RUNS
    }

    fn finding(self, now: &QueryStatistics, before: Option<&QueryStatistics>) -> Option<Finding> {
        let is_bad = self.is_bad(now);
        let was_bad = before.is_some_and(|before| self.is_bad(before));
        if !is_bad && !was_bad {
            return None;
        }
        let (now, before) = (self.of(now), before.map(|before| self.of(before)));
        let change = match before {
            None => Change::New,
            Some(before) if is_bad && (!was_bad || now >= FACTOR * before) => Change::Worse,
            Some(before) if !is_bad || now * FACTOR <= before => Change::Better,
            Some(_) => Change::Same,
        };
        Some(Finding {
            measure: self,
            now,
            before,
            change,
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let now = count(self.now);
        match self.measure {
            Measure::P99Latency => write!(f, "takes {now} ms in one of a hundred runs")?,
            Measure::RowsReadPerReturned => write!(f, "reads {now} rows for each row returned")?,
            Measure::FailedPercent => write!(f, "fails in {now} % of its runs")?,
        }
        match self.before {
            Some(before) => write!(f, " (the week before: {})", count(before)),
            None => f.write_str(" (not among the first queries of the week before)"),
        }
    }
}

impl fmt::Display for Anomaly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, minutes, .. } = self;
        write!(f, "{from}: slower than usual for {minutes} minutes")?;
        if self.active {
            f.write_str(" until now")?;
        }
        match self.queries.as_slice() {
            [] => Ok(()),
            queries => write!(f, ", together with {}", listed(queries)),
        }
    }
}

impl From<planetscale::Anomaly> for Anomaly {
    fn from(anomaly: planetscale::Anomaly) -> Self {
        let correlated = anomaly.correlations.iter();
        let correlated = correlated.filter(|query| query.r >= CORRELATED);
        Self {
            from: anomaly.period_start,
            minutes: anomaly.minutes_in_violation,
            active: anomaly.active,
            queries: correlated
                .map(|query| name(&query.normalized_sql))
                .collect(),
        }
    }
}

impl From<planetscale::QueryError> for QueryError {
    fn from(error: planetscale::QueryError) -> Self {
        Self {
            message: without_values(&error.error_message),
            count: error.error_count,
        }
    }
}

/// Whether a time in RFC 3339 is not before another.
fn is_after(text: &str, time: SystemTime) -> bool {
    let parsed = OffsetDateTime::parse(text, &Rfc3339);
    parsed.is_ok_and(|parsed| parsed >= OffsetDateTime::from(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(p99_latency: f64, rows_read_per_returned: f64, error_count: u64) -> QueryStatistics {
        QueryStatistics {
            fingerprint: "1".to_owned(),
            keyspace: "orders".to_owned(),
            normalized_sql: "select 1".to_owned(),
            query_count: 1000,
            error_count,
            p99_latency,
            sum_total_duration_percent: 1.0,
            rows_read_per_returned,
            rows_read_per_query: 5000.0,
        }
    }

    fn change(
        measure: Measure,
        now: &QueryStatistics,
        before: Option<&QueryStatistics>,
    ) -> Option<Change> {
        measure.finding(now, before).map(|found| found.change)
    }

    #[test]
    fn a_query_is_compared_with_the_week_before() {
        let taking = |p99| query(p99, 1.0, 0);
        for (now, before, expected) in [
            (240.0, None, None),
            (260.0, None, Some(Change::New)),
            (900.0, Some(260.0), Some(Change::Worse)),
            (300.0, Some(260.0), Some(Change::Same)),
            (300.0, Some(240.0), Some(Change::Worse)),
            (300.0, Some(900.0), Some(Change::Better)),
            (20.0, Some(260.0), Some(Change::Better)),
        ] {
            let (taken, took) = (taking(now), before.map(taking));
            let found = change(Measure::P99Latency, &taken, took.as_ref());
            assert_eq!(found, expected, "{now} {before:?}");
        }
    }

    #[test]
    fn rows_and_errors_are_judged_too() {
        for (measure, good, bad) in [
            (
                Measure::RowsReadPerReturned,
                query(1.0, 99.0, 0),
                query(1.0, 500.0, 0),
            ),
            (
                Measure::FailedPercent,
                query(1.0, 1.0, 10),
                query(1.0, 1.0, 30),
            ),
        ] {
            assert_eq!(change(measure, &good, None), None, "{measure:?}");
            let found = change(measure, &bad, Some(&good));
            assert_eq!(found, Some(Change::Worse), "{measure:?}");
        }
    }

    #[test]
    fn a_rare_query_is_no_finding_and_worse_once_it_is_frequent_although_it_was_slower() {
        let mut rare = query(5000.0, 5000.0, 19);
        rare.query_count = 19;
        for measure in Measure::ALL {
            assert_eq!(change(measure, &rare, None), None, "{measure:?}");
        }
        let found = change(Measure::P99Latency, &query(2000.0, 1.0, 0), Some(&rare));
        assert_eq!(found, Some(Change::Worse));
    }

    #[test]
    fn an_error_is_shown_without_the_statement_and_its_values() {
        let error = QueryError::from(planetscale::QueryError {
            error_message: "Duplicate entry 'cust-1-x' for key 'orders.by_idempotency_key' (errno 1062) (CallerID: a): Sql: \"insert…\", BindVars: {v1: \"cust-1\"}".to_owned(),
            error_count: 3,
        });
        assert!(!error.message.contains("cust-1"), "{}", error.message);
        assert!(
            error.message.contains("by_idempotency_key"),
            "{}",
            error.message
        );
    }
}
