//! Where the running stack is and how to get in: what `cargo dev` knows after the start, and
//! hands to the tests in one variable of their environment.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use mysql_async::{Conn, OptsBuilder, SslOpts};
use serde::{Deserialize, Serialize};

/// The region of everything local.
pub const REGION: &str = "us-east-1";

/// The credentials that every tool for a local AWS takes, as id and as key.
pub const TEST_CREDENTIAL: &str = "test";

/// The administrator of the whole server.
pub const ADMIN: &str = "admin";

/// How long to wait for a server on the same machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where the parts of the stack are.
#[derive(Clone, Serialize, Deserialize)]
pub struct Access {
    /// The database server.
    pub server: SocketAddr,
    /// The certificate of the authority that signed the server's.
    pub ca_file: PathBuf,
    /// The password of [`ADMIN`].
    pub admin_password: String,
    /// The endpoint of the Secrets Manager.
    pub secrets_url: String,
    /// The folder with the built programs.
    pub programs: PathBuf,
    /// moto's server, the program.
    pub moto_server: PathBuf,
}

/// The server did not let us in in time.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// It refused, or is not there.
    #[error("can't connect to the server: {0}")]
    Refused(#[from] mysql_async::Error),
    /// It did not answer.
    #[error("the server does not answer")]
    Silent,
}

impl Access {
    /// A connection over TLS, to no schema when none is given.
    pub async fn connect(
        &self,
        user: &str,
        password: &str,
        schema: Option<&str>,
    ) -> Result<Conn, ConnectError> {
        let tls = SslOpts::default()
            .with_root_certs(vec![self.ca_file.clone().into()])
            .with_disable_built_in_roots(true);
        let options = OptsBuilder::default()
            .ip_or_hostname(self.server.ip().to_string())
            .tcp_port(self.server.port())
            .user(Some(user))
            .pass(Some(password))
            .db_name(schema)
            .prefer_socket(false)
            .ssl_opts(tls);
        let connection = tokio::time::timeout(PATIENCE, Conn::new(options)).await;
        Ok(connection.map_err(|_| ConnectError::Silent)??)
    }

    /// A connection as the administrator.
    pub async fn connect_as_admin(&self, schema: Option<&str>) -> Result<Conn, ConnectError> {
        self.connect(ADMIN, &self.admin_password, schema).await
    }

    /// What a function needs beside the variables of the template: those that Lambda sets, and
    /// those that lead it to this stack.
    pub fn environment(&self) -> BTreeMap<String, String> {
        let mut variables = self.secrets_environment();
        let ca_file = self.ca_file.display().to_string();
        variables.insert("DATABASE_CA_FILE".to_owned(), ca_file);
        variables
    }

    /// What leads AWS's SDK to the Secrets Manager of this stack.
    pub fn secrets_environment(&self) -> BTreeMap<String, String> {
        let variables = [
            ("AWS_ACCESS_KEY_ID", TEST_CREDENTIAL),
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", &self.secrets_url),
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
#[derive(Clone)]
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
            format!("ALTER USER '{username}'@'%' IDENTIFIED BY '{password}'"),
            format!("GRANT SELECT, INSERT, UPDATE, DELETE ON `{schema}`.* TO '{username}'@'%'"),
        ]
    }

    /// The secret as the functions read it.
    pub fn secret(&self, server: SocketAddr) -> String {
        serde_json::json!({
            "host": server.ip(),
            "port": server.port(),
            "username": self.username,
            "password": self.password,
            "dbname": self.schema,
        })
        .to_string()
    }

    /// `mysql://user:password@host:port/schema`.
    pub fn url(&self, server: SocketAddr) -> String {
        format!(
            "mysql://{}:{}@{server}/{}",
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
