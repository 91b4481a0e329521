//! A stand-in of vtgate in front of a schema of its own.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, OptsBuilder, SslOpts};
use tests::stack::{FreshDatabase, Stack};
use tests::stand_ins::vtgate::{Authentication, Upstream, Vtgate};

/// A stand-in in front of a schema with a table `notes`.
pub struct Fixture {
    pub stack: Stack,
    pub database: FreshDatabase,
    pub vtgate: Vtgate,
}

pub const USER: &str = "planetscale-user";
pub const PASSWORD: &str = "pscale_pw_secret";

impl Fixture {
    pub async fn new(authentication: Authentication) -> Self {
        let stack = Stack::from_env().unwrap();
        let database = stack.fresh_database().await.unwrap();
        let mut admin = stack.admin().await.unwrap();
        let table = format!(
            "CREATE TABLE `{}`.notes (id INT NOT NULL PRIMARY KEY, note VARCHAR(64), at DATETIME(6), UNIQUE KEY by_note (note))",
            database.name()
        );
        admin.query_drop(table).await.unwrap();
        admin.disconnect().await.unwrap();
        let ca = std::fs::read(stack.ca_file().unwrap()).unwrap();
        let upstream = Upstream::new(&database.url(), &ca).await.unwrap();
        let vtgate = Vtgate::start(upstream, authentication).await.unwrap();
        vtgate.set_password(USER, PASSWORD);
        Self {
            stack,
            database,
            vtgate,
        }
    }

    pub fn options(&self, password: &str) -> OptsBuilder {
        OptsBuilder::default()
            .ip_or_hostname(self.vtgate.address().ip().to_string())
            .tcp_port(self.vtgate.address().port())
            .user(Some(USER))
            .pass(Some(password))
            .db_name(Some(self.database.name()))
            .prefer_socket(false)
            .max_allowed_packet(Some(64 << 20))
            .wait_timeout(Some(28_800))
            .ssl_opts(
                SslOpts::default()
                    .with_root_certs(vec![self.vtgate.ca_pem().as_bytes().to_vec().into()])
                    .with_disable_built_in_roots(true),
            )
    }

    pub async fn connect(&self) -> Conn {
        Conn::new(self.options(PASSWORD)).await.unwrap()
    }

    /// What is in the table, asked at the server itself.
    pub async fn notes(&self) -> Vec<i32> {
        let mut direct = self.database.connect().await.unwrap();
        let notes = direct.query("SELECT id FROM notes ORDER BY id").await;
        direct.disconnect().await.unwrap();
        notes.unwrap()
    }

    /// Ends every connection of the schema's user at the server, and waits until they are gone.
    pub async fn kill_at_server(&self) {
        let mut admin = self.stack.admin().await.unwrap();
        let killed = self.database.kill_connections(&mut admin).await;
        killed.unwrap();
        admin.disconnect().await.unwrap();
    }
}

/// The number and the message of a server's error.
pub fn server_error<T: std::fmt::Debug>(result: Result<T, Error>) -> (u16, String) {
    match result.unwrap_err() {
        Error::Server(error) => (error.code, error.message),
        other => panic!("not an error of the server: {other:?}"),
    }
}

/// Whether the connection is gone.
pub async fn is_gone(conn: &mut Conn) -> bool {
    matches!(
        conn.query_drop("SELECT 1").await,
        Err(Error::Io(_) | Error::Driver(_))
    )
}
