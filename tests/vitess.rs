//! Real Vitess before the stack's MySQL server: vtgate, vttablet and a topology in memory, all in
//! the one process of Vitess' own vtcombo.
//!
//! Each database has a process of its own. So a test can stop its Vitess, and the branches of one
//! database can each serve the same keyspace, as they do on PlanetScale. A process has about 90 MB
//! and is there after a second.
//!
//! What vtcombo can't do: online DDL, failovers, and the form in which a cluster passes on the
//! errors of a transaction's first statement. A [`cluster`] does.

pub mod cluster;
mod program;
pub mod shards;

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::stack::access::{
    self, ADMIN, Access, Administration, ConnectError, Login, wait_until_let_in,
};
use crate::stack::file;
use crate::stack::process::{Processes, Program, free_port};
use crate::stack::tls::Certificates;

pub use program::{build, build_cluster};

/// The folder of all of them, in that of the stack.
pub const FOLDER: &str = "vitess";

/// How long a part of Vitess may take until it does what it is for, or knows a new password.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a tablet's user may do on MySQL (Vitess, `config/init_db.sql`, the user `vt_app`), and what
/// Vitess keeps in a schema of its own.
const GRANTS: [&str; 2] = [
    "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, RELOAD, PROCESS, FILE, REFERENCES, INDEX, ALTER, \
     SHOW DATABASES, CREATE TEMPORARY TABLES, LOCK TABLES, EXECUTE, REPLICATION SLAVE, \
     REPLICATION CLIENT, CREATE VIEW, SHOW VIEW, CREATE ROUTINE, ALTER ROUTINE, CREATE USER, EVENT, \
     TRIGGER ON *.*",
    "ALL ON _vt.*",
];

async fn grant_to_tablets(admin: &mut Conn, user: &str) -> Result<(), mysql_async::Error> {
    for grant in GRANTS {
        admin
            .query_drop(format!("GRANT {grant} TO '{user}'@'%'"))
            .await?;
    }
    Ok(())
}

/// The logins of the users, by their names, as vtgate reads them from a file.
fn users_json(users: &BTreeMap<String, String>) -> String {
    let users: BTreeMap<_, _> = users
        .iter()
        .map(|(user, password)| (user, json!([{ "Password": password, "UserData": user }])))
        .collect();
    json!(users).to_string()
}

/// The passwords that tablets have on MySQL, as they read them from a file.
fn credentials_json(admin_password: &str, tablets: &Login) -> String {
    json!({ ADMIN: [admin_password], &tablets.username: [tablets.password] }).to_string()
}

/// Has vtgate take clients at the address, over TLS.
fn take_clients(run: &mut Command, address: SocketAddr, certificates: &Certificates) {
    run.args(["--mysql-auth-server-impl", "static"])
        .arg(format!("--mysql-server-bind-address={}", address.ip()))
        .arg(format!("--mysql-server-port={}", address.port()))
        .arg("--mysql-server-require-secure-transport")
        .arg("--mysql-server-ssl-cert")
        .arg(&certificates.server)
        .arg("--mysql-server-ssl-key")
        .arg(&certificates.key)
        .args(["--tablet-types-to-wait", "PRIMARY"])
        // PlanetScale takes no foreign keys unless the database's settings allow them.
        .args(["--foreign-key-mode", "disallow"]);
}

/// Tells tablets where their MySQL is. They run the clients' statements there as this user.
fn find_mysql(
    run: &mut Command,
    server: SocketAddr,
    certificates: &Certificates,
    credentials: &Path,
    user: &str,
) {
    run.args(["--tablet-hostname", "127.0.0.1"])
        .arg(format!("--db-host={}", server.ip()))
        .arg(format!("--db-port={}", server.port()))
        .args(["--db-ssl-mode", "verify_ca", "--db-ssl-ca"])
        .arg(&certificates.authority)
        .arg("--db-credentials-file")
        .arg(credentials)
        .args(["--db-app-user", user]);
    for role in ["allprivs", "appdebug", "dba", "erepl", "filtered", "repl"] {
        run.arg(format!("--db-{role}-user={ADMIN}"));
    }
}

/// What becomes of DDL that a client sends, and that is no part of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DirectDdl {
    /// It is done.
    Taken,
    /// It is refused, as PlanetScale does where safe migrations are enabled.
    Refused,
}

/// A Vitess with one keyspace of one shard or two. It is gone when this is dropped.
pub struct Vitess {
    /// vtcombo.
    program: PathBuf,
    folder: PathBuf,
    /// The keyspace's name.
    keyspace: String,
    /// The user that the tablets have on MySQL, and the schema that the keyspace lies in.
    tablets: Login,
    ddl: DirectDdl,
    /// Whether the keyspace has two shards, in the schemas that [`shards::schema`] names.
    sharded: bool,
    administration: Administration,
    mysql: SocketAddr,
    address: SocketAddr,
    /// Where its web pages are.
    pages: SocketAddr,
    /// The passwords of its users.
    users: Mutex<BTreeMap<String, String>>,
    processes: Processes,
    running: Mutex<Option<Program>>,
}

impl Vitess {
    /// Starts one before the server of `access`, and waits until it takes connections. Its keyspace lies
    /// in the schema of `tablets`, a user of the server that this gives what tablets need, or, with two
    /// shards, in two that are named after it. Only the [administrator](ADMIN) is let in at first.
    pub(crate) async fn start(
        access: &Access,
        keyspace: &str,
        tablets: Login,
        ddl: DirectDdl,
        sharded: bool,
    ) -> anyhow::Result<Self> {
        let administration = access.administration.clone();
        let administration = administration.ok_or(ConnectError::NotAdministered)?;
        let program = access.vitess.clone();
        let program =
            program.context("this takes Vitess: start the tests with `cargo dev test --vitess`")?;
        let mut admin = access.connect_as_admin(None).await?;
        grant_to_tablets(&mut admin, &tablets.username).await?;
        admin.disconnect().await?;
        let port = free_port()?;
        let name = format!("vitess-{}-{port}", tablets.schema);
        let folder = access.folder.join(FOLDER).join(&name);
        file::create_folder(&folder)?;
        let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let users = [(ADMIN.to_owned(), administration.password.clone())];
        let vitess = Self {
            program,
            processes: Processes::of_part(&access.folder, &name, &folder)?,
            folder,
            keyspace: keyspace.to_owned(),
            tablets,
            ddl,
            sharded,
            administration,
            mysql: access.server,
            address: loopback(port),
            pages: loopback(free_port()?),
            users: Mutex::new(users.into()),
            running: Mutex::default(),
        };
        vitess.run(&[]).await?;
        Ok(vitess)
    }

    /// Where clients connect to it, over TLS with the certificate of the stack's server.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it in order, and starts it again at the same address, with the certificate that the
    /// stack's server has then, and with more flags of vtcombo's than it has anyway.
    pub async fn restart(&self, flags: &[&str]) -> anyhow::Result<()> {
        let program = self.running().take();
        if let Some(program) = program {
            self.processes.stop(&program).await;
        }
        self.run(flags).await
    }

    async fn run(&self, flags: &[&str]) -> anyhow::Result<()> {
        self.write_users()?;
        let credentials = credentials_json(&self.administration.password, &self.tablets);
        file::write(&self.credentials_file(), &credentials)?;
        if self.sharded {
            let folder = self.vschemas().join(&self.keyspace);
            file::create_folder(&folder)?;
            let vschema = file::read(&crate::root().join(shards::VSCHEMA))?;
            file::write(&folder.join("vschema.json"), &vschema)?;
        }
        let mut command = self.command();
        command.args(flags);
        let program = self.processes.start("vtcombo", command)?;
        let password = &self.administration.password;
        wait_until_let_in(&program, || self.connect(ADMIN, password)).await?;
        *self.running() = Some(program);
        Ok(())
    }

    /// Waits until it ends, though it should not, and says how.
    pub async fn ended(&self) -> anyhow::Error {
        let program = self.running().clone();
        match program {
            Some(program) => program.failure(program.ended().await),
            None => std::future::pending().await,
        }
    }

    /// Lets a user in, by this password alone.
    pub async fn set_password(&self, user: &str, password: &str) -> anyhow::Result<()> {
        self.users().insert(user.to_owned(), password.to_owned());
        self.write_users()?;
        let program = self.running().clone();
        if let Some(program) = program {
            program.signal(Signal::SIGHUP);
            wait_until_let_in(&program, || self.connect(user, password)).await?;
        }
        Ok(())
    }

    /// Lets a user in no more; its sessions stay.
    pub async fn remove_user(&self, user: &str) -> anyhow::Result<()> {
        let Some(password) = self.users().remove(user) else {
            return Ok(());
        };
        self.write_users()?;
        let program = self.running().clone();
        if let Some(program) = program {
            program.signal(Signal::SIGHUP);
        }
        let began = Instant::now();
        while let Ok(connection) = self.connect(user, &password).await {
            connection.disconnect().await?;
            if began.elapsed() > PATIENCE {
                bail!("Vitess lets a removed user in");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// How many sessions the user has at vtgate.
    pub async fn sessions(&self, user: &str) -> anyhow::Result<usize> {
        let counts = self.counts().await?;
        let sessions = counts.pointer(&format!("/MysqlServerConnCountPerUser/{user}"));
        let sessions = sessions.and_then(Value::as_u64).unwrap_or_default();
        Ok(usize::try_from(sessions).unwrap_or(usize::MAX))
    }

    /// How often each kind of plan was executed, such as `SELECT.EqualUnique.PRIMARY`.
    pub async fn plans(&self) -> anyhow::Result<BTreeMap<String, u64>> {
        let counts = self.counts().await?;
        let plans = counts.get("QueryExecutions").cloned();
        Ok(plans
            .and_then(|plans| serde_json::from_value(plans).ok())
            .unwrap_or_default())
    }

    async fn counts(&self) -> anyhow::Result<Value> {
        let url = format!("http://{}/debug/vars", self.pages);
        Ok(crate::http_client().get(url).send().await?.json().await?)
    }

    fn command(&self) -> Command {
        let Self {
            folder,
            keyspace,
            administration: Administration { certificates, .. },
            mysql,
            ..
        } = self;
        let Login {
            username, schema, ..
        } = &self.tablets;
        let shards = shards::topology(schema, self.sharded);
        let topology = format!(r#"keyspaces: {{name: "{keyspace}" {shards} replica_count: 1}}"#);
        let mut run = program::run(&self.program);
        run.env("VTDATAROOT", folder)
            .args(["--proto-topo", &topology])
            .args(["--bind-address", "127.0.0.1"])
            .arg(format!("--port={}", self.pages.port()))
            .arg("--users")
            .arg(self.users_file());
        take_clients(&mut run, self.address, certificates);
        let credentials = self.credentials_file();
        find_mysql(&mut run, *mysql, certificates, &credentials, username);
        if self.ddl == DirectDdl::Refused {
            run.arg("--enable-direct-ddl=false");
        }
        if self.sharded {
            run.arg("--schema-dir").arg(self.vschemas());
            // A transaction that would touch two shards fails.
            run.args(["--transaction-mode", "SINGLE"]);
        }
        run
    }

    /// A folder for each keyspace that has a vschema.
    fn vschemas(&self) -> PathBuf {
        self.folder.join("vschemas")
    }

    fn users_file(&self) -> PathBuf {
        self.folder.join("users.json")
    }

    fn credentials_file(&self) -> PathBuf {
        self.folder.join("credentials.json")
    }

    fn write_users(&self) -> anyhow::Result<()> {
        let users = users_json(&self.users());
        file::write(&self.users_file(), &users)
    }

    fn running(&self) -> MutexGuard<'_, Option<Program>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn users(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection to it over TLS.
    pub async fn connect(&self, user: &str, password: &str) -> Result<Conn, ConnectError> {
        let (host, port) = (self.address.ip().to_string(), self.address.port());
        let ca_file = Some(self.administration.certificates.authority.as_path());
        access::connect(&host, port, ca_file, user, password, Some(&self.keyspace)).await
    }

    /// A connection to it as the administrator.
    pub async fn connect_as_admin(&self) -> Result<Conn, ConnectError> {
        self.connect(ADMIN, &self.administration.password).await
    }
}

impl fmt::Debug for Vitess {
    /// Without the passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vitess")
            .field("keyspace", &self.keyspace)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Drop for Vitess {
    fn drop(&mut self) {
        self.processes.kill_all();
        // The next run removes what this can't.
        let _ = file::remove_folder(&self.folder);
    }
}
