//! What befalls the functions and their connections while they are frozen.

use mysql_async::prelude::Queryable;
use serde_json::json;
use stack::FreshDatabase;
use stack::proxy::{Fault, Proxy, Reception};
use uuid::Uuid;

use super::{PING_AFTER, Soak};

/// What happens while all functions are frozen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Between {
    /// So long that connections are pinged.
    Idling,
    Reset,
    Close,
    Swallow,
    /// The server ends all connections.
    Kill,
    /// The old password is refused from now on.
    Rotate,
    /// The server cannot be reached until the next invocation is under way.
    Refuse,
}

pub(super) const BETWEEN: [Between; 7] = [
    Between::Idling,
    Between::Reset,
    Between::Close,
    Between::Swallow,
    Between::Kill,
    Between::Rotate,
    Between::Refuse,
];

impl Soak {
    pub(super) async fn befall(&mut self, between: Between) {
        match between {
            Between::Idling => tokio::time::sleep(2 * PING_AFTER).await,
            Between::Reset => self.strike(Fault::Reset).await,
            Between::Close => self.strike(Fault::Close).await,
            Between::Swallow => {
                self.strike(Fault::Swallow).await;
                tokio::time::sleep(2 * PING_AFTER).await;
            }
            Between::Kill => self.kill().await,
            Between::Rotate => {
                let password = Uuid::new_v4().simple().to_string();
                let user = self.database.username();
                let alter = format!("ALTER USER '{user}'@'%' IDENTIFIED BY '{password}'");
                self.admin.query_drop(alter).await.unwrap();
                let secret = secret(&self.proxy, &self.database, &password);
                self.stack
                    .change_secret(&self.secret_id, &secret)
                    .await
                    .unwrap();
                self.kill().await;
            }
            Between::Refuse => {
                self.proxy.receive(Reception::Refuse).await.unwrap();
                self.strike(Fault::Reset).await;
            }
        }
    }

    pub(super) async fn strike(&mut self, fault: Fault) {
        self.proxy.strike(fault).await;
        self.cool();
    }

    /// Ends every connection of the functions at the server, and waits until they are gone.
    async fn kill(&mut self) {
        let killed = self.database.kill_connections(&mut self.admin).await;
        killed.unwrap();
        self.cool();
    }

    fn cool(&mut self) {
        for worker in self.workers.values_mut() {
            worker.warm = false;
        }
    }

    /// Waits until no transaction is open that has touched the tables.
    pub(super) async fn wait_until_no_transaction_is_open(&mut self) {
        // A transaction holds its tables' definitions until it ends.
        let lock = "LOCK TABLES orders WRITE, order_items WRITE";
        let locked = self.admin.query_drop(lock).await;
        locked.expect("a transaction stays open");
        self.admin.query_drop("UNLOCK TABLES").await.unwrap();
    }
}

/// The login as the functions read it, by way of the proxy.
pub(super) fn secret(proxy: &Proxy, database: &FreshDatabase, password: &str) -> String {
    let login = json!({
        "host": proxy.address().ip(),
        "port": proxy.address().port(),
        "username": database.username(),
        "password": password,
        "dbname": database.name(),
    });
    login.to_string()
}
