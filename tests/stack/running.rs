//! The running stack, as tests use it.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::access::{Access, ConnectError, Login};
use crate::migrations::{self, MigrationError};
use crate::secrets::{Secrets, SecretsError};
use crate::template::{Template, TemplateError};

/// The variable in which `cargo dev test` tells the tests where the stack is, as JSON.
pub(crate) const VARIABLE: &str = "LOCAL_STACK";

/// What the names of the tests' schemas and users begin with.
const PREFIX: &str = "test_";

/// ER_CANNOT_CONVERT_STRING.
const CANNOT_CONVERT_STRING: u16 = 3854;

/// The stack that `cargo dev test` started for this test run.
#[derive(Debug, Clone)]
pub struct Stack {
    access: Access,
    template: Template,
    secrets: Secrets,
}

/// Why the stack can't be used. Its `Debug` is the same sentence, so that `unwrap` shows it.
#[derive(thiserror::Error)]
pub enum StackError {
    /// There is no running stack.
    #[error("no stack is running for this test: start the tests with `cargo dev test`")]
    NotRunning,
    /// The template can't be read, or does not have what was asked for.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The server does not let us in.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The server refused a statement.
    #[error("the server: {0}")]
    Statement(#[from] mysql_async::Error),
    /// The migrations can't be applied.
    #[error(transparent)]
    Migration(#[from] MigrationError),
    /// The Secrets Manager refused.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
}

impl fmt::Debug for StackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Stack {
    /// The running stack. Fails with a sentence that says how to run the tests when there is
    /// none.
    pub fn from_env() -> Result<Self, StackError> {
        let access = std::env::var(VARIABLE).map_err(|_| StackError::NotRunning)?;
        let access: Access = serde_json::from_str(&access).map_err(|_| StackError::NotRunning)?;
        Ok(Self {
            template: Template::read()?,
            secrets: Secrets::at(&access.secrets_url),
            access,
        })
    }

    /// Where the server listens: 127.0.0.1 and its port. TLS is required; its certificate is
    /// for 127.0.0.1, ::1 and localhost.
    pub fn server(&self) -> SocketAddr {
        self.access.server
    }

    /// The PEM file of the CA that signed the server's certificate (`DATABASE_CA_FILE`).
    pub fn ca_file(&self) -> &Path {
        &self.access.ca_file
    }

    /// The endpoint of the Secrets Manager (`AWS_ENDPOINT_URL_SECRETS_MANAGER`).
    pub fn secrets_url(&self) -> &str {
        &self.access.secrets_url
    }

    /// The built program of a function, debug profile.
    pub fn binary(&self, function: &str) -> PathBuf {
        self.access.programs.join(function)
    }

    /// moto's server, the program.
    pub(crate) fn moto_server(&self) -> &Path {
        &self.access.moto_server
    }

    /// `template.yaml`.
    pub fn template(&self) -> &Template {
        &self.template
    }

    /// A connection over TLS as an administrator of the whole server: to see and kill others'
    /// connections, to lock tables, to change users.
    pub async fn admin(&self) -> Result<Conn, StackError> {
        Ok(self.access.connect_as_admin(None).await?)
    }

    /// A new schema with the migrations applied and nothing in it, a user that may read and
    /// write (and nothing else) in it, and a secret with the user's login.
    pub async fn fresh_database(&self) -> Result<FreshDatabase, StackError> {
        let id = uuid::Uuid::new_v4().simple().to_string();
        // MySQL takes 32 characters for a user's name at most.
        let name = format!("{PREFIX}{}", id.get(..16).unwrap_or(&id));
        let login = Login::new(&name, &name);

        let mut admin = self.admin().await?;
        let database = FreshDatabase {
            stack: self.clone(),
            login,
            secret_id: name,
        };
        for statement in database.login.statements() {
            admin.query_drop(statement).await?;
        }
        admin
            .query_drop(format!("USE `{}`", database.name()))
            .await?;
        migrations::apply(&mut admin, &crate::root().join("shared/migrations")).await?;
        admin.disconnect().await?;

        let secret = database.login.secret(self.server());
        self.secrets.create(&database.secret_id, &secret).await?;
        Ok(database)
    }

    /// Stores `value`, whatever it is, as a new secret and returns its id. It goes with the stack.
    pub async fn new_secret(&self, value: &str) -> Result<String, StackError> {
        let id = format!("{PREFIX}{}", uuid::Uuid::new_v4().simple());
        self.secrets.create(&id, value).await?;
        Ok(id)
    }

    /// Gives the secret a new current version, as a rotation does.
    pub async fn change_secret(&self, id: &str, value: &str) -> Result<(), StackError> {
        Ok(self.secrets.change(id, value).await?)
    }
}

/// A schema of one test; it and its user are gone when the value is dropped.
#[derive(Debug)]
pub struct FreshDatabase {
    stack: Stack,
    login: Login,
    secret_id: String,
}

impl FreshDatabase {
    /// The schema's name.
    pub fn name(&self) -> &str {
        &self.login.schema
    }

    /// Its user's name.
    pub fn username(&self) -> &str {
        &self.login.username
    }

    /// Its user's password.
    pub fn password(&self) -> &str {
        &self.login.password
    }

    /// The id of the secret with its user's login (`DATABASE_SECRET_ID`).
    pub fn secret_id(&self) -> &str {
        &self.secret_id
    }

    /// The same as a URL (`DATABASE_URL`).
    pub fn url(&self) -> String {
        self.login.url(self.stack.server())
    }

    /// The way to the stack that it is in.
    pub(crate) fn access(&self) -> &Access {
        &self.stack.access
    }

    /// A connection over TLS as its user.
    pub async fn connect(&self) -> Result<Conn, StackError> {
        let Login {
            username,
            password,
            schema,
        } = &self.login;
        Ok(self
            .stack
            .access
            .connect(username, password, Some(schema))
            .await?)
    }

    /// The connections of its user at the server, as an [administrator](Stack::admin) sees them.
    pub async fn connections(&self, admin: &mut Conn) -> Result<Vec<u64>, StackError> {
        let user = self.username();
        let query = format!("SELECT id FROM information_schema.processlist WHERE user = '{user}'");
        loop {
            match admin.query(&query).await {
                // MySQL lists nothing while a statement with bytes in it, which are no text, runs
                // on any connection: when that is over, then.
                Err(mysql_async::Error::Server(error)) if error.code == CANNOT_CONVERT_STRING => {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                answer => return Ok(answer?),
            }
        }
    }

    /// Ends all connections of its user, as a failover does, and waits until they are gone.
    pub async fn kill_connections(&self, admin: &mut Conn) -> Result<(), StackError> {
        loop {
            let connections = self.connections(admin).await?;
            if connections.is_empty() {
                return Ok(());
            }
            for id in connections {
                // It may have gone by itself in the meantime.
                let _ = admin.query_drop(format!("KILL {id}")).await;
            }
        }
    }

    /// The environment that `template.yaml` gives the function, filled in for this schema, with
    /// what Lambda adds that the function needs (region, credentials) and what leads it to this
    /// stack. Without the variables of the Runtime API.
    pub fn environment(&self, function: &str) -> Result<BTreeMap<String, String>, StackError> {
        let deployed = BTreeMap::from([("DATABASE_SECRET_ID".to_owned(), self.secret_id.clone())]);
        let mut environment = self
            .stack
            .template
            .function(function)?
            .environment(&deployed)?;
        environment.extend(self.stack.access.environment());
        Ok(environment)
    }
}

impl Drop for FreshDatabase {
    /// What can't be dropped now, because a lost connection still locks it, the next
    /// `cargo dev test` drops.
    fn drop(&mut self) {
        let access = self.stack.access.clone();
        let name = self.login.schema.clone();
        // A runtime of its own: this may be dropped inside another one.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async {
                let mut admin = access
                    .connect_as_admin(None)
                    .await
                    .map_err(std::io::Error::other)?;
                remove(&mut admin, &name)
                    .await
                    .map_err(std::io::Error::other)
            })
        });
        let _ = dropped.join();
    }
}

/// Drops what test runs that were killed have left on the server.
pub(crate) async fn remove_leftovers(admin: &mut Conn) -> Result<(), mysql_async::Error> {
    remove_those(admin, |name| name.starts_with(PREFIX)).await
}

/// Drops a test's schema and user, and those that a control plane has made for it.
async fn remove(admin: &mut Conn, name: &str) -> Result<(), mysql_async::Error> {
    let derived = format!("{name}_");
    remove_those(admin, |other| other == name || other.starts_with(&derived)).await
}

/// Drops the users and schemas that are `doomed` by their names.
pub(crate) async fn remove_those(
    admin: &mut Conn,
    doomed: impl Fn(&str) -> bool,
) -> Result<(), mysql_async::Error> {
    let users: Vec<String> = admin.query("SELECT user FROM mysql.user").await?;
    let schemas: Vec<String> = admin.query("SHOW DATABASES").await?;
    admin
        .query_drop("SET SESSION lock_wait_timeout = 5")
        .await?;
    for user in users.iter().filter(|user| doomed(user)) {
        admin
            .query_drop(format!("DROP USER IF EXISTS '{user}'@'%'"))
            .await?;
    }
    for schema in schemas.iter().filter(|schema| doomed(schema)) {
        admin
            .query_drop(format!("DROP DATABASE IF EXISTS `{schema}`"))
            .await?;
    }
    Ok(())
}
