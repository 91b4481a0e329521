//! `GET /health`: whether the function answers; with `?ready`, whether the database does too.

use std::{collections::BTreeMap, process::ExitCode, time::Duration};

use api::{self, Answer, Problem, Request, Route};
use database::{Database, DatabaseError, Statement};
use lambda::Deadline;

/// No table is read, and so no index.
const PING: Statement = Statement::read("SELECT 1", "");

/// A load balancer asks often, and would rather know soon.
const LIMIT: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    api::serve(Route::get("/health"), health)
}

async fn health(request: Request, database: &'static Database) -> Result<Answer, Problem> {
    let ready = request.query::<String>("ready")?;
    if ready.is_none_or(|value| value == "false") {
        return Ok(status("ok"));
    }
    // Whatever keeps the database from answering, the caller's way on is the same.
    ping(database, request.deadline().or_after(LIMIT))
        .await
        .map_err(Problem::unavailable)?;
    Ok(status("ready"))
}

async fn ping(database: &Database, deadline: Deadline) -> Result<(), DatabaseError> {
    database
        .session(deadline)
        .await?
        .row::<(u8,)>(&PING, ())
        .await?;
    Ok(())
}

fn status(status: &str) -> Answer {
    Answer::ok(&BTreeMap::from([("status", status)]))
}
