//! The report: as a text for people, and as JSON for the log.

use std::{fmt::Display, time::SystemTime};

use lambda::metrics::{self, Metric};
use planetscale::{Hours, PlanetScale};
use serde::Serialize;
use time::OffsetDateTime;

use crate::{
    catalogue,
    production::{Change, Production},
};

/// The most lines of a section. The log has all of them.
const MOST: usize = 8;

/// Everything that a review has found.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The database and its branch.
    database: String,
    /// The days on which the week begins and ends, in UTC.
    from: String,
    to: String,
    statements: Vec<catalogue::Finding>,
    #[serde(flatten)]
    production: Production,
}

/// The report as a text.
#[derive(Debug, Serialize)]
pub struct Answer {
    /// What it comes to, in one line.
    pub subject: String,
    pub text: String,
}

impl Report {
    pub fn new(
        planetscale: &PlanetScale,
        hours: Hours,
        statements: Vec<catalogue::Finding>,
        production: Production,
    ) -> Self {
        let (name, branch) = (planetscale.database_name(), planetscale.production_branch());
        Self {
            database: format!("{name}/{branch}"),
            from: day(hours.from),
            to: day(hours.to),
            statements,
            production,
        }
    }

    /// Whether somebody should read it: something is wrong, and it is new, has become worse, or is a
    /// statement that does not do what the catalogue says.
    pub fn is_worth_sending(&self) -> bool {
        !self.news().is_empty()
    }

    /// Adds it to the invocation's line of the log, and counts what has a metric.
    pub fn log(&self) {
        let without_index = self.statements.iter();
        let without_index = without_index.filter(|finding| finding.is_without_index());
        let slow = self.production.queries.iter();
        let slow = slow.filter(|query| query.is_slow());
        for (metric, number) in [
            (Metric::QueriesWithoutIndex, without_index.count()),
            (Metric::SlowQueries, slow.count()),
        ] {
            metrics::add(metric, u32::try_from(number).unwrap_or(u32::MAX));
        }
        metrics::property("report", serde_json::to_value(self).unwrap_or_default());
    }

    pub fn answer(&self) -> Answer {
        let news = match self.news() {
            news if news.is_empty() => "nothing is wrong".to_owned(),
            news => news.join(", "),
        };
        let Production {
            queries,
            anomalies,
            recommendations,
            errors,
        } = &self.production;
        let changed = |wanted: &[Change]| {
            let findings = queries.iter().flat_map(|query| {
                let findings = query.findings.iter();
                let findings = findings.filter(move |finding| wanted.contains(&finding.change));
                findings.map(move |finding| format!("{} {finding}", query.name))
            });
            findings.collect::<Vec<_>>()
        };
        let recommended = |is_new| {
            let recommended = recommendations
                .iter()
                .filter(move |one| one.is_new == is_new);
            recommended.map(|one| format!("{}: {}", one.title, one.url))
        };
        let most_time = queries.iter().take(3).map(|query| {
            let (percent, p99) = (count(query.percent_of_time), count(query.p99_ms));
            let (name, runs) = (&query.name, group(query.runs));
            format!("{percent} % for {name}, {runs} runs, 99 % of them within {p99} ms")
        });
        let sections = [
            section("Statements with bad plans", &self.statements),
            section("New or worse", changed(&[Change::New, Change::Worse])),
            section("Times in which the database was slow", anomalies),
            section("PlanetScale has a new recommendation", recommended(true)),
            section("Better", changed(&[Change::Better])),
            section("As the week before", changed(&[Change::Same])),
            section("PlanetScale still recommends", recommended(false)),
            section(
                "Errors of the last 24 hours",
                errors
                    .iter()
                    .map(|error| format!("{} × {}", group(error.count), error.message)),
            ),
            section("Where the time goes", most_time),
        ];
        let sections: Vec<_> = sections.into_iter().flatten().collect();
        let Self {
            database, from, to, ..
        } = self;
        let title = format!("Queries of {database} from {from} to {to}");
        Answer {
            subject: format!("{database}: {news}"),
            text: format!("{title}: {news}.\n{}", sections.concat()),
        }
    }

    /// What is worth a mail, in a few words each.
    fn news(&self) -> Vec<String> {
        let Production {
            queries,
            anomalies,
            recommendations,
            ..
        } = &self.production;
        let worse = queries.iter().filter(|query| {
            let mut findings = query.findings.iter();
            findings.any(|finding| matches!(finding.change, Change::New | Change::Worse))
        });
        let recommended = recommendations.iter().filter(|one| one.is_new);
        let news = [
            (
                self.statements.len(),
                "statement with a bad plan",
                "statements with bad plans",
            ),
            (worse.count(), "query new or worse", "queries new or worse"),
            (anomalies.len(), "slow time", "slow times"),
            (
                recommended.count(),
                "new recommendation",
                "new recommendations",
            ),
        ];
        let news = news.into_iter().filter(|(number, ..)| *number > 0);
        news.map(|(number, one, many)| match number {
            1 => format!("1 {one}"),
            _ => format!("{number} {many}"),
        })
        .collect()
    }
}

/// A title and its lines; nothing where there are none.
fn section(title: &str, lines: impl IntoIterator<Item = impl Display>) -> Option<String> {
    let mut lines: Vec<_> = lines
        .into_iter()
        .map(|line| format!("- {line}\n"))
        .collect();
    if let Some(more @ 1..) = lines.len().checked_sub(MOST) {
        lines.truncate(MOST);
        lines.push(format!("- and {more} more in the log\n"));
    }
    (!lines.is_empty()).then(|| format!("\n{title}\n{}", lines.concat()))
}

fn day(time: SystemTime) -> String {
    OffsetDateTime::from(time).date().to_string()
}

/// A number as people write it: `4,860`, `2.4`.
pub fn count(number: f64) -> String {
    if number < 9.95 {
        return format!("{number:.1}").trim_end_matches(".0").to_owned();
    }
    group(number.round() as u64)
}

fn group(number: u64) -> String {
    match number / 1000 {
        0 => number.to_string(),
        thousands => format!("{},{:03}", group(thousands), number % 1000),
    }
}

/// `a, b and c`.
pub fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [others @ .., last] => format!("{} and {last}", others.join(", ")),
    }
}
