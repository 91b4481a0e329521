//! The migrations are applied to the branch.
//!
//! Who applies holds the branch by a password that it has made: the one made first goes on, who
//! comes later waits until it is deleted, or has expired because its maker died. So two runs never
//! apply at the same time.
//!
//! The branch has a ledger of its own, whose rows are deployed nowhere: they are written when the
//! last statement has been run. A branch without them that is not as production is was left half
//! way, and is made anew.

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use database::settings::{LoginSource, PoolSettings, Settings};
use database::{Database, DatabaseError, Login, Session, Statement};
use lambda::clock::SystemClock;
use planetscale::{NewPassword, Password, Role};
use schema::{Ledger, LedgerError, ledger};

use crate::{
    failure::StepError,
    production::Production,
    schema::Schema,
    state::{Outcome, State},
};

/// Longer than an invocation may take, so that the password lives as long as its maker.
const TTL: Duration = Duration::from_secs(10 * 60);

/// For another run's password to go: it is deleted, or it expires.
const LIMIT: Duration = Duration::from_secs(30 * 60);

/// What the names of these passwords begin with; the execution's name follows.
const PREFIX: &str = "migrate-schema-";

/// Of a branch that differs from production in nothing but what the migrations change.
const HALF: &str = "has only a part of the migrations: an attempt to apply them was cut off, as by a statement that takes longer than two minutes, or all of them longer than five";

/// Applies what is not on the branch yet.
pub async fn apply(state: State, production: &Production) -> Result<State, StepError> {
    match apply_alone(&state, production).await {
        Ok(Applied::All) => Ok(state.then(Outcome::Done)),
        Ok(Applied::Waiting) => match state.wait("another run to apply the migrations", LIMIT) {
            Err(StepError::TooLong { .. }) => Err(StepError::AnotherAtWork(
                "another run is applying the same migrations: see whether it lives".to_owned(),
            )),
            waiting => waiting,
        },
        Ok(Applied::Half(error)) => {
            production.remove_branch(&state.branch).await?;
            state.recreate(error)
        }
        // Another run may have deleted the branch, for it has deployed it or makes it anew.
        Err(error) if production.find_branch(&state.branch).await?.is_none() => {
            state.recreate(error)
        }
        Err(error) => Err(error),
    }
}

async fn apply_alone(state: &State, production: &Production) -> Result<Applied, StepError> {
    let api = production.api();
    let new = NewPassword {
        name: format!("{PREFIX}{}", state.execution),
        role: Role::Admin,
        ttl: Some(TTL),
    };
    let password = api.create_password(&state.branch, &new).await?;
    let applied = match is_first(state, &password, production).await {
        Ok(true) => apply_as(state, &password, production).await,
        Ok(false) => Ok(Applied::Waiting),
        Err(error) => Err(error),
    };
    let deleted = api.delete_password(&state.branch, &password.id).await;
    // What went wrong before says more.
    let applied = applied?;
    deleted?;
    Ok(applied)
}

enum Applied {
    /// The branch has all of them.
    All,
    /// Another run is at it.
    Waiting,
    /// The branch is neither as production is nor as it should become.
    Half(StepError),
}

/// Whether nobody else was at work when the password was made. What an earlier attempt of this
/// execution has left does not count, and is deleted.
async fn is_first(
    state: &State,
    own: &Password,
    production: &Production,
) -> Result<bool, StepError> {
    let mut first = true;
    for other in production.api().passwords(&state.branch).await? {
        if other.id == own.id || other.expired || !other.name.starts_with(PREFIX) {
            continue;
        }
        if other.name == own.name {
            let calls = production.api();
            match calls.delete_password(&state.branch, &other.id).await {
                Err(error) if !error.is_not_found() => return Err(error.into()),
                _ => {}
            }
        } else if other.created_at <= own.created_at {
            first = false;
        }
    }
    Ok(first)
}

async fn apply_as(
    state: &State,
    password: &Password,
    production: &Production,
) -> Result<Applied, StepError> {
    let database = connect(password, production)?;
    let outcome = apply_on(&database, state, production).await;
    database.close().await;
    outcome
}

async fn apply_on(
    database: &Database,
    state: &State,
    production: &Production,
) -> Result<Applied, StepError> {
    let mut session = database
        .session(production.deadline)
        .await
        .map_err(of_branch)?;
    let migrations = state.plan.migrations(&production.migrations)?;
    let applied = Ledger::read(&mut session).await.map_err(ledger_of_branch)?;
    let mut missing = 0;
    for migration in &migrations {
        missing += usize::from(!applied.has(migration)?);
    }
    if missing == 0 {
        return Ok(Applied::All);
    }
    let on_branch = Schema::of(&state.branch, production).await?;
    let in_production = Schema::of(production.branch(), production).await?;
    let tables = on_branch.differing(&in_production);
    if !tables.is_empty() {
        let changes = state.plan.changes(&production.migrations)?;
        let is_planned = |table: &String| changes.tables().any(|planned| planned == table);
        return Ok(Applied::Half(match tables.iter().all(is_planned) {
            true => StepError::Branch(HALF),
            false => StepError::StaleBranch {
                tables: tables.join(", "),
            },
        }));
    }
    for step in state.plan.steps(&production.migrations)? {
        run(&mut session, &step.place, step.sql).await?;
    }
    for migration in migrations {
        ledger::record(&mut session, migration)
            .await
            .map_err(ledger_of_branch)?;
    }
    Ok(Applied::All)
}

async fn run(session: &mut Session<'_>, place: &str, sql: String) -> Result<(), StepError> {
    match session.execute(&Statement::ddl(sql), ()).await {
        Ok(_) => Ok(()),
        Err(DatabaseError::Refused) => Err(StepError::Statement {
            place: place.to_owned(),
        }),
        Err(error) => Err(of_branch(error)),
    }
}

/// A connection with the password, under the TLS rules of all others.
fn connect(password: &Password, production: &Production) -> Result<Database, StepError> {
    let plain_text = password.plain_text.clone();
    let (host, port) = address(&password.access_host_url)?;
    let login = Login {
        host,
        port,
        username: password.username.clone(),
        password: plain_text.ok_or(StepError::Password("it does not say it"))?,
        database: Some(production.planetscale.database_name().to_owned()),
    };
    let settings = Settings::from_env().map_err(|faults| StepError::Input(faults.to_string()))?;
    let pool = PoolSettings {
        max: NonZeroUsize::MIN,
        connect_timeout: Duration::from_secs(10),
        statement_timeout: Duration::from_secs(120),
        ..settings.pool
    };
    let settings = Settings {
        login: LoginSource::Fixed(login),
        pool,
        ..settings
    };
    Ok(Database::new(settings, Arc::new(SystemClock)))
}

/// `host` or `host:port`.
fn address(text: &str) -> Result<(String, u16), StepError> {
    match text.rsplit_once(':') {
        None => Ok((text.to_owned(), Login::DEFAULT_PORT)),
        Some((host, port)) => match port.parse() {
            Ok(port) => Ok((host.to_owned(), port)),
            Err(_) => Err(StepError::Password("its port is no number")),
        },
    }
}

fn of_branch(error: DatabaseError) -> StepError {
    StepError::Database {
        of: "branch's",
        error,
    }
}

fn ledger_of_branch(error: LedgerError) -> StepError {
    match error {
        LedgerError::Database(error) => of_branch(error),
        error => StepError::Ledger(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_taken_from_the_host_where_it_has_one() {
        let aws = "aws.connect.psdb.cloud";
        assert_eq!(address(aws).unwrap(), (aws.to_owned(), 3306));
        let local = ("127.0.0.1".to_owned(), 4000);
        assert_eq!(address("127.0.0.1:4000").unwrap(), local);
        assert!(address("127.0.0.1:x").is_err());
    }
}
