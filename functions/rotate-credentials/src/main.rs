//! One step of a rotation of the database's login, as Secrets Manager calls it.
//!
//! The function's `README.md` describes the steps, the errors and what to do about them. A step may be
//! repeated, and continues what a run that died has left.

mod branch_passwords;
mod connect;
mod error;
mod event;
mod rights;
mod rotation;
mod server;
mod two_users;
mod version;

use std::process::ExitCode;

use lambda::operation::{self, Failure, Invocation};

use event::{Done, Event};
use server::Server;

fn main() -> ExitCode {
    operation::serve(rotate_credentials)
}

/// Where PlanetScale's names are set (`planetscale::settings`), the server is PlanetScale.
async fn rotate_credentials(
    Invocation { input, deadline }: Invocation<Event>,
    server: Server,
) -> Result<Done, Failure> {
    let step = input.step;
    let done = rotation::carry_out(input, server, deadline).await?;
    tracing::info!(%step, done, "carried out a step");
    Ok(Done { step, done })
}
