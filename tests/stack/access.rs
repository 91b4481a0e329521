//! Where the running stack is and how to log in. `cargo dev` knows this after the start, and passes it
//! to the tests in one variable of their environment.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::bail;
use mysql_async::{Conn, OptsBuilder, SslOpts};
use serde::{Deserialize, Serialize};

use crate::stack::process::Program;
use crate::stack::server::ServerProgram;
use crate::stack::tls::Certificates;

/// The region of everything local.
pub const REGION: &str = "us-east-1";

/// The id and the key that tools for a local AWS accept.
pub const TEST_CREDENTIAL: &str = "test";

/// The administrator of the whole server.
pub const ADMIN: &str = "admin";

/// What the names of the scratch schemas of `cargo dev lint` begin with.
pub const LINT_SCHEMAS: &str = "cargo_dev_lint_";

/// How long to wait for a server on the same machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a server may take from its start until it lets somebody in.
const START_PATIENCE: Duration = Duration::from_secs(60);

/// Where the parts of the stack are.
#[derive(Clone, Serialize, Deserialize)]
pub struct Access {
    /// The stack's folder.
    pub folder: PathBuf,
    /// The name of the database server in its certificate.
    pub host: String,
    /// The database server.
    pub server: SocketAddr,
    /// The certificate of the authority that signed the server's; the public ones where there is
    /// none.
    pub ca_file: Option<PathBuf>,
    /// What only a server of the stack's own has.
    pub administration: Option<Administration>,
    /// The one database that there is, of a server that is not the stack's own.
    pub existing_database: Option<Login>,
    /// Vitess' vtcombo, where the tests reach the server through it.
    pub vitess: Option<PathBuf>,
    /// The folder of the programs of a cluster of Vitess, for the tests that start one.
    pub cluster: Option<PathBuf>,
    /// Whether the keyspaces of the tests have two shards.
    pub sharded: bool,
    /// The endpoint of the Secrets Manager.
    pub secrets_url: String,
    /// The folder with the built programs.
    pub programs: PathBuf,
    /// moto's server, the program.
    pub moto_server: PathBuf,
}

/// How to administer a server.
#[derive(Clone, Serialize, Deserialize)]
pub struct Administration {
    /// Its program.
    pub program: ServerProgram,
    /// The password of [`ADMIN`].
    pub password: String,
    /// The server's certificate, and that of its authority.
    pub certificates: Certificates,
}

/// The server refused the login or did not answer in time.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// It refused, or is not there.
    #[error("can't connect to the server: {0}")]
    Refused(#[from] mysql_async::Error),
    /// It is not the stack's own.
    #[error("this needs an administrator, and there is none for a database from --url")]
    NotAdministered,
    /// It did not answer.
    #[error("the server does not answer")]
    Silent,
}

/// A connection over TLS. The authority in `ca_file` has to have signed the server's certificate, or
/// a public one where there is no file.
pub async fn connect(
    host: &str,
    port: u16,
    ca_file: Option<&Path>,
    user: &str,
    password: &str,
    schema: Option<&str>,
) -> Result<Conn, ConnectError> {
    let tls = match ca_file {
        Some(ca_file) => SslOpts::default()
            .with_root_certs(vec![ca_file.to_owned().into()])
            .with_disable_built_in_roots(true),
        None => SslOpts::default(),
    };
    let options = OptsBuilder::default()
        .ip_or_hostname(host)
        .tcp_port(port)
        .user(Some(user))
        .pass(Some(password))
        .db_name(schema)
        .prefer_socket(false)
        .ssl_opts(tls);
    let connection = tokio::time::timeout(PATIENCE, Conn::new(options)).await;
    Ok(connection.map_err(|_| ConnectError::Silent)??)
}

/// Waits until the program, which is a server or contains one, lets somebody in.
pub async fn wait_until_let_in<C: Future<Output = Result<Conn, ConnectError>>>(
    program: &Program,
    connect: impl Fn() -> C,
) -> anyhow::Result<()> {
    let attempts = async {
        let began = Instant::now();
        loop {
            match connect().await {
                Ok(connection) => {
                    // It has let us in; how it takes the farewell says nothing more.
                    let _ = connection.disconnect().await;
                    return Ok(());
                }
                Err(error) if began.elapsed() > START_PATIENCE => bail!(
                    "{} runs but takes no connection after {} s: {error}; what it wrote: {}",
                    program.name(),
                    START_PATIENCE.as_secs(),
                    program.log().display()
                ),
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    tokio::select! {
        status = program.ended() => Err(program.failure(status)),
        let_in = attempts => let_in,
    }
}

impl Access {
    /// A connection over TLS, to no schema when none is given.
    pub async fn connect(
        &self,
        user: &str,
        password: &str,
        schema: Option<&str>,
    ) -> Result<Conn, ConnectError> {
        let (port, ca_file) = (self.server.port(), self.ca_file.as_deref());
        connect(&self.host, port, ca_file, user, password, schema).await
    }

    /// A connection as the administrator.
    pub async fn connect_as_admin(&self, schema: Option<&str>) -> Result<Conn, ConnectError> {
        let administration = self.administration.as_ref();
        let Administration { password, .. } =
            administration.ok_or(ConnectError::NotAdministered)?;
        self.connect(ADMIN, password, schema).await
    }

    /// What a function needs besides the variables of the template: those that Lambda sets, and
    /// those that lead it to this stack.
    pub fn environment(&self) -> BTreeMap<String, String> {
        let mut variables = self.secrets_environment();
        if let Some(ca_file) = &self.ca_file {
            let ca_file = ca_file.display().to_string();
            variables.insert("DATABASE_CA_FILE".to_owned(), ca_file);
        }
        variables
    }

    /// What leads AWS's SDK to the Secrets Manager of this stack, and to the SNS of the same moto.
    pub fn secrets_environment(&self) -> BTreeMap<String, String> {
        let variables = [
            ("AWS_ACCESS_KEY_ID", TEST_CREDENTIAL),
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", &self.secrets_url),
            ("AWS_ENDPOINT_URL_SNS", &self.secrets_url),
            ("AWS_REGION", REGION),
            ("AWS_SECRET_ACCESS_KEY", TEST_CREDENTIAL),
        ];
        variables
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("server", &self.server)
            .field("secrets_url", &self.secrets_url)
            .finish_non_exhaustive()
    }
}

/// A user of the server, with the one schema that it may read and write.
#[derive(Clone, Serialize, Deserialize)]
pub struct Login {
    /// The user's name.
    pub username: String,
    /// The user's password.
    pub password: String,
    /// The schema's name.
    pub schema: String,
}

impl Login {
    /// A login with a random password.
    pub fn new(username: &str, schema: &str) -> Self {
        Self {
            username: username.to_owned(),
            password: random_password(),
            schema: schema.to_owned(),
        }
    }

    /// The statements that create the schema and the user, or give the user its new password.
    pub fn statements(&self) -> [String; 4] {
        let Self {
            username,
            password,
            schema,
        } = self;
        [
            format!("CREATE DATABASE IF NOT EXISTS `{schema}` CHARACTER SET utf8mb4"),
            format!("CREATE USER IF NOT EXISTS '{username}'@'%' IDENTIFIED BY '{password}'"),
            format!("ALTER USER '{username}'@'%' IDENTIFIED BY '{password}' ACCOUNT UNLOCK"),
            format!(
                "GRANT SELECT, INSERT, UPDATE, DELETE, SHOW VIEW ON `{schema}`.* TO '{username}'@'%'"
            ),
        ]
    }

    /// The statement that lets the user make the scratch schemas of `cargo dev lint`.
    pub fn grant_of_lint(&self) -> String {
        let username = &self.username;
        // An underscore alone would stand for any character.
        let schemas = LINT_SCHEMAS.replace('_', "\\_");
        format!("GRANT ALL ON `{schemas}%`.* TO '{username}'@'%'")
    }

    /// The secret as the functions read it.
    pub fn secret(&self, host: &str, port: u16) -> String {
        serde_json::json!({
            "host": host,
            "port": port,
            "username": self.username,
            "password": self.password,
            "dbname": self.schema,
        })
        .to_string()
    }

    /// `mysql://user:password@host:port/schema`.
    pub fn url(&self, host: &str, port: u16) -> String {
        format!(
            "mysql://{}:{}@{host}:{port}/{}",
            self.username, self.password, self.schema
        )
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// A password that needs no quoting anywhere.
pub fn random_password() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}
