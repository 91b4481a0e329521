//! A stand-in of vtgate in front of a fresh schema.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, OptsBuilder, SslOpts};
use tests::stack::{FreshDatabase, Stack};
use tests::stand_ins::vtgate::Vtgate;

/// A stand-in in front of a schema with a table `notes`.
pub struct Fixture {
    pub database: FreshDatabase,
    pub vtgate: Vtgate,
    stack: Stack,
}

pub const USER: &str = "planetscale-user";
pub const PASSWORD: &str = "pscale_pw_secret";
pub const KEYSPACE: &str = "orders";

impl Fixture {
    pub async fn new() -> Self {
        let stack = Stack::from_env().unwrap();
        let database = stack.fresh_database().await.unwrap();
        let mut admin = stack.admin().await.unwrap();
        let table = format!(
            "CREATE TABLE `{}`.notes (id INT NOT NULL PRIMARY KEY, note VARCHAR(64), at DATETIME(6))",
            database.name()
        );
        admin.query_drop(table).await.unwrap();
        admin.disconnect().await.unwrap();
        let vtgate = database.new_vtgate(USER, PASSWORD, KEYSPACE).await.unwrap();
        Self {
            database,
            vtgate,
            stack,
        }
    }

    pub fn options(&self, password: &str) -> OptsBuilder {
        let authority = self.stack.ca_file().unwrap().to_owned();
        let tls = SslOpts::default()
            .with_root_certs(vec![authority.into()])
            .with_disable_built_in_roots(true);
        OptsBuilder::default()
            .ip_or_hostname(self.vtgate.address().ip().to_string())
            .tcp_port(self.vtgate.address().port())
            .user(Some(USER))
            .pass(Some(password))
            .db_name(Some(KEYSPACE))
            .prefer_socket(false)
            .ssl_opts(tls)
    }

    pub async fn connect(&self) -> Conn {
        Conn::new(self.options(PASSWORD)).await.unwrap()
    }

    /// The ids in the table, read from the server itself.
    pub async fn notes(&self) -> Vec<i32> {
        let mut direct = self.database.connect().await.unwrap();
        let notes = direct.query("SELECT id FROM notes ORDER BY id").await;
        direct.disconnect().await.unwrap();
        notes.unwrap()
    }
}

/// The number and the message of a server's error.
pub fn server_error<T: std::fmt::Debug>(result: Result<T, Error>) -> (u16, String) {
    match result.unwrap_err() {
        Error::Server(error) => (error.code, error.message),
        other => panic!("not an error of the server: {other:?}"),
    }
}
