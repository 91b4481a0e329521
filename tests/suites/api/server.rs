//! The server's side of the functions' connections: counting, limiting and ending them.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tests::eventually_holds;
use tests::stack::FreshDatabase;

use crate::client::stack;

/// Runs a statement as the server's administrator.
pub async fn as_admin(statement: String) {
    let mut admin = stack().admin().await.unwrap();
    admin.query_drop(statement).await.unwrap();
    admin.disconnect().await.unwrap();
}

/// Waits until the database's user has this number of connections. The server notices a closed
/// connection a moment after us.
pub async fn connections_become(database: &FreshDatabase, number: usize) {
    let what = format!("{number} connections");
    eventually_holds(&what, async || {
        database.open_connections().await.unwrap() == number
    })
    .await;
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
