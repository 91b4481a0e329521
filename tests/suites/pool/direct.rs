//! The pool itself, without a function, on a database of its own.

use std::sync::Arc;

use database::Database;
use database::settings::Settings;
use lambda::clock::Clock;
use tests::proxy::Proxy;
use tests::stack::{FreshDatabase, Stack};

use crate::function_under_test::secret;

/// A pool that logs in with a secret of its own and through the proxy.
pub struct DirectPool {
    pub stack: Stack,
    pub database: FreshDatabase,
    pub secret_id: String,
    pub proxy: Proxy,
    pub pool: Database,
}

impl DirectPool {
    /// A pool with this clock. The settings override those of the template.
    pub async fn new(clock: Arc<dyn Clock>, settings: &[(&str, &str)]) -> Self {
        let stack = Stack::from_env().unwrap();
        let database = stack.fresh_database_of_run().await.unwrap();
        let proxy = Proxy::start(database.address()).await.unwrap();
        let secret = secret(&proxy, &database, database.password());
        let secret_id = stack.new_secret(&secret).await.unwrap();
        let mut environment = database.environment("get-order").unwrap();
        let own = [
            ("DATABASE_SECRET_ID", secret_id.as_str()),
            // A slow machine takes long to connect, and its flows look as if they were silent.
            ("DATABASE_CONNECT_TIMEOUT_MS", "5000"),
            ("DATABASE_PING_TIMEOUT_MS", "3000"),
        ];
        for (name, value) in own.iter().chain(settings) {
            environment.insert((*name).to_owned(), (*value).to_owned());
        }
        let settings = Settings::read(|name| environment.get(name).cloned());
        Self {
            pool: Database::new(settings.unwrap(), clock),
            stack,
            database,
            secret_id,
            proxy,
        }
    }
}
