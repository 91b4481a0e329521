//! Two users of a MySQL or MariaDB take turns.

use std::collections::BTreeMap;

use mysql_async::prelude::Queryable;
use serde_json::json;
use tests::proxy::{At, Fault, Proxy};
use tests::stack::Stack;

use crate::relay::Relay;
use crate::rotation::Rotation;

/// The secret has a user that must use TLS, and names an administrator's secret.
pub async fn rotation() -> Rotation {
    let proxy = Stack::from_env().unwrap().server();
    at(proxy).await
}

async fn at(server: std::net::SocketAddr) -> Rotation {
    let stack = Stack::from_env().unwrap();
    let database = stack.fresh_database().await.unwrap();
    let (user, password) = (database.username(), database.password());
    let administrator = format!("{user}_admin");
    let mut admin = stack.admin().await.unwrap();
    for statement in [
        format!("ALTER USER '{user}'@'%' REQUIRE SSL"),
        format!("CREATE USER '{administrator}'@'%' IDENTIFIED BY '{password}'"),
        format!("GRANT ALL ON *.* TO '{administrator}'@'%' WITH GRANT OPTION"),
    ] {
        admin.query_drop(statement).await.unwrap();
    }
    admin.disconnect().await.unwrap();
    // As RDS keeps it, without a host.
    let master = json!({ "username": administrator, "password": password });
    let master = stack.new_secret(&master.to_string()).await.unwrap();
    let secret = json!({
        "engine": "mysql", "host": server.ip(), "port": server.port(), "dbname": database.name(),
        "username": user, "password": password, "masterarn": master,
    });
    Rotation::new(
        stack,
        database,
        Relay::default(),
        &secret,
        BTreeMap::new(),
        None,
    )
    .await
}

/// What a user may do, and whether it must use TLS, without what differs from user to user.
async fn rights(rotation: &Rotation, user: &str) -> (Vec<String>, String) {
    let mut admin = rotation.stack.admin().await.unwrap();
    let grants = format!("SHOW GRANTS FOR '{user}'@'%'");
    let grants: Vec<String> = admin.query(grants).await.unwrap();
    let grants = grants.iter().map(|grant| {
        let (grant, _) = grant.rsplit_once(&format!("`{user}`")).unwrap();
        grant.to_owned()
    });
    let mut grants: Vec<String> = grants.collect();
    grants.sort();
    let tls = format!("SELECT ssl_type FROM mysql.user WHERE User = '{user}'");
    let tls: Option<String> = admin.query_first(tls).await.unwrap();
    admin.disconnect().await.unwrap();
    (grants, tls.unwrap())
}

#[tokio::test]
async fn the_users_take_turns_with_the_same_rights() {
    let rotation = rotation().await;
    let user = rotation.database.username().to_owned();
    let clone = format!("{user}_clone");
    let rights_before = rights(&rotation, &user).await;
    assert_eq!(rights_before.1, "ANY");
    for next in [&clone, &user, &clone] {
        rotation.rotate().await;
        assert_eq!(rotation.current().await["username"], **next);
        assert_eq!(rights(&rotation, next).await, rights_before);
    }
    // What the user in use may do in addition, the next one may do too.
    let mut admin = rotation.stack.admin().await.unwrap();
    let grant = format!(
        "GRANT CREATE ON `{}`.* TO '{clone}'@'%'",
        rotation.database.name()
    );
    admin.query_drop(grant).await.unwrap();
    rotation.rotate().await;
    assert_eq!(
        rights(&rotation, &user).await,
        rights(&rotation, &clone).await
    );
    admin.disconnect().await.unwrap();
}

#[tokio::test]
async fn each_step_can_come_twice() {
    rotation().await.take_each_step_twice().await;
}

#[tokio::test]
async fn a_rotation_ends_well_whatever_statement_the_connection_broke_after() {
    let server = Stack::from_env().unwrap().server();
    let proxy = Proxy::start(server).await.unwrap();
    let rotation = at(proxy.address()).await;
    for flight in 1.. {
        let before = rotation.current().await;
        let version = rotation.begin().await;
        rotation.step("createSecret", &version).await;
        proxy.ambush(flight, At::Answer(0), Fault::Reset);
        // Only this step changes anything at the server.
        let _ = rotation.call("setSecret", &version).await.unwrap();
        let was_met = !proxy.lift_ambush();
        rotation.finish(&version).await;
        rotation.assert_rotated(&before, &version).await;
        if !was_met {
            break;
        }
    }
}

#[tokio::test]
async fn a_login_that_may_do_less_or_does_not_work_does_not_become_current() {
    let rotation = rotation().await;
    let before = rotation.current().await;
    let version = rotation.begin().await;
    rotation.step("createSecret", &version).await;
    // Nobody has created its user yet.
    let (name, message) = rotation.refused("finishSecret", &version).await;
    assert_eq!(name, "LoginFails", "{message}");
    rotation.step("setSecret", &version).await;
    let mut admin = rotation.stack.admin().await.unwrap();
    let (schema, user) = (rotation.database.name(), rotation.database.username());
    let revoke = format!("REVOKE SELECT ON `{schema}`.* FROM '{user}_clone'@'%'");
    admin.query_drop(revoke).await.unwrap();
    admin.disconnect().await.unwrap();
    let (name, message) = rotation.refused("testSecret", &version).await;
    assert_eq!(name, "RightsDiffer");
    assert!(message.contains("SELECT"), "{message}");
    assert_eq!(rotation.current().await, before);
    // The step before puts it right.
    rotation.finish(&version).await;
    rotation.assert_rotated(&before, &version).await;
}

#[tokio::test]
async fn a_secret_that_names_no_administrator_is_refused() {
    let rotation = rotation().await;
    for (field, value, expected) in [
        ("masterarn", json!("nowhere"), "AdministratorUnknown"),
        ("masterarn", json!(null), "SecretUnfit"),
        ("username", json!("o'hara"), "LoginFails"),
    ] {
        rotation.change(field, value).await;
        let version = rotation.begin_anew().await;
        rotation.step("createSecret", &version).await;
        let (name, message) = rotation.refused("setSecret", &version).await;
        assert_eq!(name, expected, "{message}");
    }
}
