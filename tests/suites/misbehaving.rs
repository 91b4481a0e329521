//! A function that goes wrong on demand, for the tests of the pool. It is built like any other.

use std::process::ExitCode;
use std::time::Duration;

use api::{self, Answer, Problem, Request, Route};
use database::{Database, DatabaseError, Session, Statement, Transaction};
use orders::statements::INSERT_ITEMS;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

/// So long that a statement is sent, and that [`SLOW`] has not answered.
const A_MOMENT: Duration = Duration::from_millis(20);

static SLOW: Statement = Statement::read(
    "SLOW",
    "SELECT /*vt+ CONSOLIDATOR=disabled */ 'not yours' FROM (SELECT SLEEP(0.05)) AS slow",
    "",
);

static ECHO: Statement = Statement::read("ECHO", "SELECT ?", "");

#[derive(Deserialize)]
struct Asked {
    /// What is read from the database and answered.
    marker: String,
    mishap: Mishap,
}

/// What happens before.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mishap {
    None,
    PanicInStatement,
    PanicInTransaction,
    DropStatement,
    DropTransaction,
    HangInTransaction,
}

fn main() -> ExitCode {
    api::serve(Route::post("/orders"), misbehave)
}

async fn misbehave(request: Request, database: &'static Database) -> Result<Answer, Problem> {
    let Asked { marker, mishap } = request.json()?;
    let mut session = database.session(request.deadline()).await?;
    match mishap {
        Mishap::None => {}
        Mishap::PanicInStatement => {
            tokio::select! {
                // On a slow machine, both may be ready at once.
                biased;
                () = sleep(A_MOMENT) => panic!("in a statement"),
                _ = session.row::<String>(&SLOW, ()) => {}
            }
        }
        Mishap::DropStatement => {
            // Nobody waits for its rows, which are on their way.
            let _ = timeout(A_MOMENT, session.row::<String>(&SLOW, ())).await;
        }
        Mishap::PanicInTransaction => {
            in_transaction(&mut session, || panic!("in a transaction")).await?;
        }
        Mishap::DropTransaction => {
            let written = Notify::new();
            tokio::select! {
                ended = in_transaction(&mut session, || written.notify_one()) => ended?,
                () = written.notified() => {}
            }
        }
        Mishap::HangInTransaction => in_transaction(&mut session, || {}).await?,
    }
    let read: Option<String> = session.row(&ECHO, (marker,)).await?;
    Ok(Answer::ok(&json!({ "marker": read })))
}

/// Writes a row and never ends. If the row can't be written, the answer is a 409, which no test expects.
async fn in_transaction(session: &mut Session<'_>, then: impl Fn()) -> Result<(), Problem> {
    let then = &then;
    let item = || (Uuid::now_v7().into_bytes(), "cust-1", 0, "TEA-1", 1, "4.50");
    let write = |mut transaction: Transaction| async move {
        transaction.execute(&INSERT_ITEMS, item()).await?;
        then();
        std::future::pending::<Result<(), DatabaseError>>().await
    };
    let ended = session.transaction(write).await;
    ended.map_err(|error| Problem::conflict(error.to_string()))
}
