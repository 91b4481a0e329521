//! The server's side of the functions' connections: counting, limiting and ending them.

use std::time::Duration;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tests::stack::FreshDatabase;

use crate::client::stack;

/// Runs a statement as the server's administrator.
pub async fn as_admin(statement: String) {
    let mut admin = stack().admin().await.unwrap();
    admin.query_drop(statement).await.unwrap();
    admin.disconnect().await.unwrap();
}

/// The number of connections that the functions have, to Vitess if that is between.
async fn connections(database: &FreshDatabase) -> usize {
    if let Some(vitess) = database.vitess() {
        return vitess.sessions(database.username()).await.unwrap();
    }
    let mut admin = stack().admin().await.unwrap();
    let connections = database.connections(&mut admin).await.unwrap();
    admin.disconnect().await.unwrap();
    connections.len()
}

/// Waits until the database's user has this number of connections. The server notices a closed
/// connection a moment after us.
pub async fn connections_become(database: &FreshDatabase, number: usize) {
    for _ in 0..100 {
        if connections(database).await == number {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let found = connections(database).await;
    panic!("there are {found} connections, not {number}");
}

/// Ends all connections of the database's user, as a failover does.
async fn kill_connections(database: &FreshDatabase) {
    let mut admin = stack().admin().await.unwrap();
    database.kill_connections(&mut admin).await.unwrap();
    admin.disconnect().await.unwrap();
}

/// Limits the connections of the database's user to the server. 0 means no limit.
pub async fn limit_connections(database: &FreshDatabase, most: usize) {
    let user = database.username();
    let statement = format!("ALTER USER '{user}'@'%' WITH MAX_USER_CONNECTIONS {most}");
    as_admin(statement).await;
}

/// Takes the only connection that the database's user may have. It ends the other connections
/// first, because MySQL does not count those that are older than the limit.
pub async fn take_only_connection(database: &FreshDatabase) -> Conn {
    for _ in 0..100 {
        kill_connections(database).await;
        if let Ok(connection) = database.connect().await {
            return connection;
        }
    }
    panic!("the only connection is always taken")
}

/// Ends a lock.
pub async fn unlock(mut lock: Conn) {
    lock.query_drop("UNLOCK TABLES").await.unwrap();
    lock.disconnect().await.unwrap();
}
