//! Checks that the production branch has a recent backup, and begins one if it has none.
//!
//! A schedule calls it. It does not wait for a backup: PlanetScale knows the state, so the next call
//! goes on from there. The function's `README.md` says what to do about failures.

mod backups;
mod own;
mod report;

use std::{num::NonZeroU32, process::ExitCode};

use lambda::{
    metrics::{self, Metric},
    operation::{self, Failure, Invocation},
};
use planetscale::{PlanetScale, Retention};
use serde::Deserialize;

use backups::Backups;
use report::Report;

/// What the schedule asks for.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Policy {
    /// A backup that was taken longer ago is too old.
    max_age_hours: NonZeroU32,
    /// How long the backups that the function makes are kept.
    retention: Retention,
}

fn main() -> ExitCode {
    operation::serve(back_up_database)
}

async fn back_up_database(
    Invocation { input, deadline }: Invocation<Policy>,
    planetscale: &'static PlanetScale,
) -> Result<Report, Failure> {
    let api = planetscale.until(deadline);
    let read = Backups::read(api, planetscale.production_branch()).await;
    let mut backups = read.inspect_err(|_| metrics::add(Metric::BackupFailed, 1))?;
    let checked = backups.keep(input).await;
    let report = Report::of(&backups);
    report.publish();
    checked?;
    Ok(report)
}
