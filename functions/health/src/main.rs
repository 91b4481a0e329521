//! `GET /health`: whether the function answers and, with `?ready`, whether the database does.

use std::{collections::BTreeMap, process::ExitCode, time::Duration};

use api::{Answer, Problem, Request, Route};
use database::Database;

/// A load balancer asks often, and wants to know soon.
const LIMIT: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    api::serve(Route::get("/health"), health)
}

async fn health(request: Request, database: &'static Database) -> Result<Answer, Problem> {
    let mut status = "ok";
    if request.asks_for("ready") {
        let deadline = request.deadline().or_after(LIMIT);
        let session = database.session(deadline).await;
        let mut session = session.map_err(Problem::unavailable)?;
        let readable = orders::can_be_read(&mut session).await;
        readable.map_err(Problem::unavailable)?;
        status = "ready";
    }
    Ok(Answer::ok(&BTreeMap::from([("status", status)])))
}
