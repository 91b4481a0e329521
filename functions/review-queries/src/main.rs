//! Reviews the queries of the production branch, and reports what is wrong with them.
//!
//! The function's `README.md` describes what it looks at, a report, and what to do about it.

mod catalogue;
mod plan;
mod production;
mod report;
mod sql;
mod topic;

use std::{process::ExitCode, time::SystemTime};

use database::Database;
use lambda::operation::{self, Failure, Invocation};
use planetscale::{Hours, PlanetScale};
use serde::Deserialize;

use report::{Answer, Report};

/// The hours that a review looks at. It compares them with as many hours before.
const WEEK: u64 = 7 * 24;

/// The schedule's event. Nothing in it is read.
#[derive(Deserialize)]
struct Start {}

fn main() -> ExitCode {
    operation::serve(review_queries)
}

async fn review_queries(
    Invocation { deadline, .. }: Invocation<Start>,
    (database, planetscale): (&'static Database, &'static PlanetScale),
) -> Result<Answer, Failure> {
    let hours = Hours::last(WEEK, SystemTime::now());
    let production = production::review(planetscale, hours, deadline).await?;
    let statements = catalogue::review(database, deadline).await?;
    let report = Report::new(planetscale, hours, statements, production);
    report.log();
    let answer = report.answer();
    if report.is_worth_sending() {
        topic::publish(&answer).await?;
    }
    Ok(answer)
}
