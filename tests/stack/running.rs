//! The running stack, as tests use it.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

use crate::access::{Access, ConnectError, Login};
use crate::file::{self, FileError};
use crate::migrations::{self, MigrationError};
use crate::outlasting;
use crate::secrets::{Secrets, SecretsError};
use crate::server::ServerError;
use crate::template::{Template, TemplateError};
use crate::vtgate::{Authentication, Upstream, Vtgate};

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
    /// A server of the test's own does not run.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The server refused a statement.
    #[error("the server: {0}")]
    Statement(#[from] mysql_async::Error),
    /// The migrations can't be applied.
    #[error(transparent)]
    Migration(#[from] MigrationError),
    /// A file can't be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The stand-in of vtgate does not start.
    #[error("the stand-in of vtgate: {0}")]
    Vtgate(#[from] io::Error),
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

    /// The same stack with another server.
    pub(crate) fn with_server(&self, access: Access) -> Self {
        Self {
            access,
            ..self.clone()
        }
    }

    pub(crate) fn access(&self) -> &Access {
        &self.access
    }

    /// Whether the tests that can do so are to reach the server through the stand-in of vtgate
    /// (`cargo dev test --vitess`), by [`Stack::fresh_keyspace`].
    pub fn is_vitess(&self) -> bool {
        self.access.vitess
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

    /// A function that only the tests have: a built example of their package.
    pub fn example(&self, name: &str) -> PathBuf {
        self.access.programs.join("examples").join(name)
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
        let database = self.new_database().await?;
        let secret = database.secret();
        self.secrets.create(&database.secret_id, &secret).await?;
        Ok(database)
    }

    /// The same behind a stand-in of vtgate of its own, which the secret, the URL and the
    /// functions' environment lead to.
    pub async fn fresh_keyspace(&self) -> Result<FreshDatabase, StackError> {
        let mut database = self.new_database().await?;
        let gate = Gate::open(&database).await?;
        database.gate = Some(gate);
        let secret = database.secret();
        self.secrets.create(&database.secret_id, &secret).await?;
        Ok(database)
    }

    /// The database that the test run was given (`cargo dev test --url`), if it was.
    pub async fn given_database(&self) -> Result<Option<FreshDatabase>, StackError> {
        let Some(login) = &self.access.given else {
            return Ok(None);
        };
        let database = FreshDatabase {
            stack: self.clone(),
            login: login.clone(),
            secret_id: format!("{PREFIX}{}", uuid::Uuid::new_v4().simple()),
            gate: None,
        };
        let secret = database.secret();
        self.secrets.create(&database.secret_id, &secret).await?;
        Ok(Some(database))
    }

    async fn new_database(&self) -> Result<FreshDatabase, StackError> {
        let id = uuid::Uuid::new_v4().simple().to_string();
        // MySQL takes 32 characters for a user's name at most.
        let name = format!("{PREFIX}{}", id.get(..16).unwrap_or(&id));
        let login = Login::new(&name, &name);

        let mut admin = self.admin().await?;
        let database = FreshDatabase {
            stack: self.clone(),
            login,
            secret_id: name,
            gate: None,
        };
        for statement in database.login.statements() {
            admin.query_drop(statement).await?;
        }
        admin
            .query_drop(format!("USE `{}`", database.name()))
            .await?;
        migrations::apply(&mut admin, &crate::root().join("shared/migrations")).await?;
        admin.disconnect().await?;
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

/// A schema of one test; it and its user are gone when the value is dropped, unless it was given.
#[derive(Debug)]
pub struct FreshDatabase {
    stack: Stack,
    login: Login,
    secret_id: String,
    gate: Option<Gate>,
}

/// The stand-in of vtgate that stands before a database.
#[derive(Debug)]
struct Gate {
    vtgate: Vtgate,
    /// The authority of its certificate.
    ca_file: PathBuf,
}

impl Gate {
    async fn open(database: &FreshDatabase) -> Result<Self, StackError> {
        let Access {
            ca_file, folder, ..
        } = &database.stack.access;
        let ca_file = ca_file.as_ref().ok_or(ConnectError::NotAdministered)?;
        let ca = file::read(ca_file)?;
        let url = database.url();
        let upstream = Upstream::new(&url, ca.as_bytes()).await?;
        let starting = Vtgate::start(upstream, Authentication::CachingSha2);
        let vtgate = outlasting::runtime()?.spawn(starting).await;
        let vtgate = vtgate.map_err(io::Error::other)??;
        vtgate.set_password(database.username(), database.password());
        let ca_file = folder.join(format!("{}.pem", database.name()));
        file::write(&ca_file, vtgate.ca_pem())?;
        Ok(Self { vtgate, ca_file })
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        // What is left is a few bytes.
        let _ = file::remove(&self.ca_file);
    }
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
        let (host, port) = self.host_and_port();
        self.login.url(&host, port)
    }

    /// Its user's login as a secret holds it.
    fn secret(&self) -> String {
        let (host, port) = self.host_and_port();
        self.login.secret(&host, port)
    }

    fn host_and_port(&self) -> (String, u16) {
        let address = self.address();
        let host = match self.gate {
            Some(_) => address.ip().to_string(),
            None => self.stack.access.host.clone(),
        };
        (host, address.port())
    }

    /// Where its user's connections end: at the server, or at the stand-in of vtgate.
    pub fn address(&self) -> SocketAddr {
        self.vtgate()
            .map_or_else(|| self.stack.server(), Vtgate::address)
    }

    /// The stand-in of vtgate that stands before it, if one does.
    pub fn vtgate(&self) -> Option<&Vtgate> {
        self.gate.as_ref().map(|gate| &gate.vtgate)
    }

    /// Gives its user another password; the old one is refused at once.
    pub async fn change_password(&self, password: &str) -> Result<(), StackError> {
        let user = self.username();
        match self.vtgate() {
            Some(vtgate) => vtgate.set_password(user, password),
            None => {
                let alter = format!("ALTER USER '{user}'@'%' IDENTIFIED BY '{password}'");
                let mut admin = self.stack.admin().await?;
                admin.query_drop(alter).await?;
                admin.disconnect().await?;
            }
        }
        Ok(())
    }

    /// A connection over TLS to the server itself as its user.
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
        let connections = self.states(admin).await?;
        Ok(connections.into_iter().map(|(id, _)| id).collect())
    }

    /// How many statements of its user wait for a table that another has locked.
    pub async fn waiting_for_a_table(&self, admin: &mut Conn) -> Result<usize, StackError> {
        let states = self.states(admin).await?.into_iter();
        let waiting = |state: &String| state == "Waiting for table metadata lock";
        Ok(states.filter(|(_, state)| waiting(state)).count())
    }

    /// The connections of its user with what each of them does.
    async fn states(&self, admin: &mut Conn) -> Result<Vec<(u64, String)>, StackError> {
        // The table of the same name fails on MySQL while a statement runs whose text has bytes in
        // it that are none.
        let rows: Vec<Row> = admin.query("SHOW PROCESSLIST").await?;
        let rows = rows.iter().filter(|row| {
            let user: Option<String> = row.get_opt("User").and_then(Result::ok);
            user.as_deref() == Some(self.username())
        });
        let state = |row: &Row| {
            let id = row.get_opt("Id")?.ok()?;
            let state = row.get_opt("State").and_then(Result::ok);
            Some((id, state.unwrap_or_default()))
        };
        Ok(rows.filter_map(state).collect())
    }

    /// Ends all connections of its user, as a failover does, and waits until they are gone.
    pub async fn kill_connections(&self, admin: &mut Conn) -> Result<(), StackError> {
        while self.kill_connections_once(admin).await? > 0 {}
        Ok(())
    }

    /// Ends the connections that its user has now, not those that follow, and says how many.
    pub async fn kill_connections_once(&self, admin: &mut Conn) -> Result<usize, StackError> {
        let connections = self.connections(admin).await?;
        for id in &connections {
            // It may have gone by itself in the meantime.
            let _ = admin.query_drop(format!("KILL {id}")).await;
        }
        Ok(connections.len())
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
        if let Some(Gate { ca_file, .. }) = &self.gate {
            let ca_file = ca_file.display().to_string();
            environment.insert("DATABASE_CA_FILE".to_owned(), ca_file);
        }
        Ok(environment)
    }
}

impl Drop for FreshDatabase {
    /// What can't be dropped now, because a lost connection still locks it, the next
    /// `cargo dev test` drops.
    fn drop(&mut self) {
        let access = self.stack.access.clone();
        if access.given.is_some() {
            return;
        }
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
    let query =
        "SELECT schema_name FROM information_schema.schemata UNION SELECT user FROM mysql.user";
    let names: Vec<String> = admin.query(query).await?;
    for name in names.iter().filter(|name| name.starts_with(PREFIX)) {
        remove(admin, name).await?;
    }
    Ok(())
}

async fn remove(admin: &mut Conn, name: &str) -> Result<(), mysql_async::Error> {
    admin
        .query_drop("SET SESSION lock_wait_timeout = 5")
        .await?;
    admin
        .query_drop(format!("DROP USER IF EXISTS '{name}'@'%'"))
        .await?;
    admin
        .query_drop(format!("DROP DATABASE IF EXISTS `{name}`"))
        .await
}
