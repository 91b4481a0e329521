//! A login to a branch that lives no longer than the step that uses it.

use std::{sync::Arc, time::Duration};

use database::{Database, Login, settings::Settings};
use lambda::clock::SystemClock;
use planetscale::{Connecting, NewPassword, Password, Role};
use schema::Snapshot;

use crate::{
    error::{ErrorName, Result, StepError},
    production::Production,
};

/// Longer than an invocation may take, so that a password outlives its step, and an attempt that
/// was cut off is over when its password has expired.
const TTL: Duration = Duration::from_secs(10 * 60);

/// A password of a branch, and a pool of one connection.
pub struct BranchLogin<'c> {
    branch: &'c str,
    production: &'c Production,
    pub password: Password,
    pub database: Database,
}

impl<'c> BranchLogin<'c> {
    pub async fn create(
        branch: &'c str,
        name: String,
        role: Role,
        production: &'c Production,
    ) -> Result<Self> {
        let new = NewPassword {
            name,
            role,
            ttl: Some(TTL),
            connecting: Connecting::default(),
        };
        let password = production.api().create_password(branch, &new).await?;
        match connect(&password, production) {
            Ok(database) => Ok(Self {
                branch,
                production,
                password,
                database,
            }),
            // While it is there, other runs wait for this one.
            Err(error) => delete(branch, &password, Err(error), production).await,
        }
    }

    /// Closes the connection and deletes the password.
    pub async fn end<T>(self, used: Result<T>) -> Result<T> {
        self.database.close().await;
        delete(self.branch, &self.password, used, self.production).await
    }
}

/// Deletes a password. What went wrong in its use says more than what goes wrong here.
async fn delete<T>(
    branch: &str,
    password: &Password,
    used: Result<T>,
    production: &Production,
) -> Result<T> {
    let deleted = production.api().delete_password(branch, &password.id).await;
    let used = used?;
    deleted?;
    Ok(used)
}

/// The schema of a branch.
pub async fn snapshot(branch: &str, production: &Production) -> Result<Snapshot> {
    let name = "read-schema".to_owned();
    let login = BranchLogin::create(branch, name, Role::Reader, production).await?;
    let read = async {
        let mut session = login.database.session(production.deadline).await?;
        Snapshot::read(&mut session).await
    };
    let read = read.await.map_err(StepError::of_branch);
    login.end(read).await
}

/// A pool under the TLS rules of all others. Statements that define a table may take long.
fn connect(password: &Password, production: &Production) -> Result<Database> {
    let plain_text = password.plain_text.clone();
    let (host, port) = address(&password.access_host_url)?;
    let login = Login {
        host,
        port,
        username: password.username.clone(),
        password: plain_text.ok_or_else(|| unusable("its text is missing"))?,
        database: production.planetscale.keyspace().to_owned(),
    };
    let settings = Settings::of_login(login);
    let mut settings = settings.map_err(|faults| ErrorName::WrongInput.because(faults))?;
    settings.pool.connect_timeout = Duration::from_secs(10);
    settings.pool.statement_timeout = Duration::from_secs(120);
    Ok(Database::new(settings, Arc::new(SystemClock)))
}

/// `host` or `host:port`.
fn address(text: &str) -> Result<(String, u16)> {
    let Some((host, port)) = text.rsplit_once(':') else {
        return Ok((text.to_owned(), Login::DEFAULT_PORT));
    };
    let port = port.parse();
    let port = port.map_err(|_| unusable("its host has no valid port"))?;
    Ok((host.to_owned(), port))
}

fn unusable(why: &str) -> StepError {
    let message = format!("PlanetScale gives a password that can't be used: {why}");
    ErrorName::PlanetScaleRefused.because(message)
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
