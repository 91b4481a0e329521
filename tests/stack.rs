//! The local stack: a MySQL-compatible server with TLS, a Secrets Manager, and the functions
//! as `template.yaml` declares them.
//!
//! `cargo dev` starts and stops it, for `cargo dev` and `cargo dev test`. Tests use the one that runs
//! through [`Stack`]:
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! let stack = tests::stack::Stack::from_env()?;
//! let database = stack.fresh_database().await?;
//! let program = stack.binary("get-order");
//! let environment = database.environment("get-order")?;
//! # Ok(()) }
//! ```
//!
//! Every [`FreshDatabase`] is a schema of its own with its own user and secret, so tests run
//! beside each other.

pub(crate) mod access;
pub(crate) mod background;
pub(crate) mod database;
pub(crate) mod file;
pub(crate) mod migrations;
pub(crate) mod process;
pub(crate) mod progress;
pub mod secrets;
pub(crate) mod server;
pub(crate) mod template;
pub(crate) mod tls;
pub(crate) mod tools;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

pub use self::database::FreshDatabase;
pub use self::process::free_port;
pub use self::server::PrivateServer;
pub use self::template::{Function, Route, Template, Value, merged, yaml};
pub use self::tools::find_program;

use self::access::{Access, ConnectError, LINT_SCHEMAS, Login};
use self::secrets::Secrets;
use crate::vitess::shards;

/// The variable in which `cargo dev test` tells the tests where the stack is, as JSON.
pub(crate) const VARIABLE: &str = "LOCAL_STACK";

/// What the names of the tests' schemas and users begin with.
const PREFIX: &str = "test_";

/// The stack that `cargo dev test` started for this test run.
#[derive(Debug, Clone)]
pub struct Stack {
    access: Access,
    template: Template,
    secrets: Secrets,
}

impl Stack {
    /// The running stack. If there is none, the error says how to run the tests.
    pub fn from_env() -> anyhow::Result<Self> {
        let access = std::env::var(VARIABLE).unwrap_or_default();
        let access: Access = serde_json::from_str(&access).map_err(|_| {
            anyhow!("no stack is running for this test: start the tests with `cargo dev test`")
        })?;
        Ok(Self {
            template: Template::read()?,
            secrets: Secrets::at(&access.secrets_url),
            access,
        })
    }

    /// This stack with another server.
    pub(crate) fn with_server(&self, access: Access) -> Self {
        Self {
            access,
            ..self.clone()
        }
    }

    pub(crate) fn access(&self) -> &Access {
        &self.access
    }

    /// Whether the tests that can do so are to reach the server through Vitess
    /// (`cargo dev test --vitess`), by [`Stack::fresh_database_of_run`].
    pub fn is_vitess(&self) -> bool {
        self.access.vitess.is_some()
    }

    /// Whether the orders of those tests are on two shards (`cargo dev test --sharded`).
    pub fn is_sharded(&self) -> bool {
        self.access.sharded
    }

    /// Where the server listens: 127.0.0.1 and its port. TLS is required; its certificate is
    /// for 127.0.0.1, ::1 and localhost.
    pub fn server(&self) -> SocketAddr {
        self.access.server
    }

    /// The PEM file of the CA that signed the server's certificate (`DATABASE_CA_FILE`); none where
    /// a public one did.
    pub fn ca_file(&self) -> Option<&Path> {
        self.access.ca_file.as_deref()
    }

    /// The endpoint of the Secrets Manager (`AWS_ENDPOINT_URL_SECRETS_MANAGER`).
    pub fn secrets_url(&self) -> &str {
        &self.access.secrets_url
    }

    /// The built program of a function; of the release profile with `cargo dev test --release`.
    pub fn binary(&self, function: &str) -> PathBuf {
        self.access.programs.join(function)
    }

    /// The program of a function that only the tests have: an example of their package.
    pub fn example(&self, name: &str) -> PathBuf {
        self.access.programs.join("examples").join(name)
    }

    /// moto's server, the program.
    pub(crate) fn moto_server(&self) -> &Path {
        &self.access.moto_server
    }

    /// `template.yaml`.
    pub fn template(&self) -> &Template {
        &self.template
    }

    /// A connection over TLS to an address such as that of a branch, whose certificate the stack's
    /// authority has signed.
    ///
    /// # Errors
    ///
    /// The server refuses the login, or nothing answers.
    pub async fn connect_to(
        &self,
        address: &str,
        user: &str,
        password: &str,
        schema: &str,
    ) -> Result<Conn, mysql_async::Error> {
        let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
        let port = port.parse().unwrap_or(3306);
        let connected = access::connect(host, port, self.ca_file(), user, password, Some(schema));
        connected.await.map_err(|error| match error {
            ConnectError::Refused(error) => error,
            other => mysql_async::Error::Other(other.into()),
        })
    }

    /// A connection over TLS as an administrator of the whole server: to see and kill others'
    /// connections, to lock tables, to change users.
    pub async fn admin(&self) -> anyhow::Result<Conn> {
        Ok(self.access.connect_as_admin(None).await?)
    }

    /// A new schema with the migrations applied and nothing in it, a user that may read and
    /// write (and nothing else) in it, and a secret with the user's login.
    pub async fn fresh_database(&self) -> anyhow::Result<FreshDatabase> {
        let database = self.new_database(false).await?;
        self.with_secret(database).await
    }

    /// The same behind a stand-in of vtgate of its own, which the secret, the URL and the
    /// functions' environment lead to.
    pub async fn fresh_keyspace(&self) -> anyhow::Result<FreshDatabase> {
        let database = self.new_database(false).await?.behind_vtgate();
        self.with_secret(database.await?).await
    }

    /// The same behind a [`Vitess`](crate::vitess::Vitess) of its own, which the secret, the URL and the
    /// functions' environment lead to.
    pub async fn fresh_database_on_vitess(&self) -> anyhow::Result<FreshDatabase> {
        let database = self.new_database(self.is_sharded()).await?;
        self.with_secret(database.on_vitess().await?).await
    }

    /// The same on Vitess in a test run with it (`cargo dev test --vitess`), and at the server in others.
    pub async fn fresh_database_of_run(&self) -> anyhow::Result<FreshDatabase> {
        match self.is_vitess() {
            true => self.fresh_database_on_vitess().await,
            false => self.fresh_database().await,
        }
    }

    /// The database that the test run was given (`cargo dev test --url`), if it was.
    pub async fn existing_database(&self) -> anyhow::Result<Option<FreshDatabase>> {
        let Some(login) = &self.access.existing_database else {
            return Ok(None);
        };
        let secret_id = format!("{PREFIX}{}", uuid::Uuid::new_v4().simple());
        let database = FreshDatabase::new(self, login.clone(), &secret_id);
        self.secrets.create(&secret_id, &database.secret()).await?;
        Ok(Some(database))
    }

    async fn with_secret(&self, database: FreshDatabase) -> anyhow::Result<FreshDatabase> {
        let secret = database.secret();
        self.secrets.create(database.secret_id(), &secret).await?;
        Ok(database)
    }

    async fn new_database(&self, sharded: bool) -> anyhow::Result<FreshDatabase> {
        let id = uuid::Uuid::new_v4().simple().to_string();
        // MySQL takes 32 characters for a user's name at most.
        let name = format!("{PREFIX}{}", id.get(..16).unwrap_or(&id));
        let login = Login::new(&name, &name);

        let mut admin = self.admin().await?;
        let statements = login.statements();
        let database = FreshDatabase::new(self, login, &name);
        for statement in statements {
            admin.query_drop(statement).await?;
        }
        if sharded {
            shards::create(&mut admin, database.name()).await?;
        } else {
            admin
                .query_drop(format!("USE `{}`", database.name()))
                .await?;
            migrations::apply(&mut admin, &crate::root().join("shared/migrations")).await?;
        }
        admin.disconnect().await?;
        Ok(database)
    }

    /// Stores `value` as a new secret and returns its id. It disappears with the stack.
    pub async fn new_secret(&self, value: &str) -> anyhow::Result<String> {
        let id = format!("{PREFIX}{}", uuid::Uuid::new_v4().simple());
        self.secrets.create(&id, value).await?;
        Ok(id)
    }

    /// The stack's Secrets Manager.
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Gives the secret a new current version, as a rotation does.
    pub async fn change_secret(&self, id: &str, value: &str) -> anyhow::Result<()> {
        self.secrets.change(id, value).await
    }
}

/// Drops what killed runs have left on the server, of tests and of `cargo dev lint`.
pub(crate) async fn remove_leftovers(admin: &mut Conn) -> Result<(), mysql_async::Error> {
    let prefixes = [PREFIX, LINT_SCHEMAS];
    remove_those(admin, |name| {
        prefixes.iter().any(|prefix| name.starts_with(prefix))
    })
    .await
}

/// Drops a test's schema and user, and those that a control plane has made from it.
pub(crate) async fn remove(admin: &mut Conn, name: &str) -> Result<(), mysql_async::Error> {
    let derived = format!("{name}_");
    remove_those(admin, |other| other == name || other.starts_with(&derived)).await
}

/// Drops the users and schemas whose names are `doomed`.
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
