//! Passwords: logins to one branch with the rights of a role.

use mysql_async::prelude::Queryable;
use serde_json::json;
use tests::stand_ins::control_plane::fresh_control_plane::{FreshControlPlane, server_error};

#[tokio::test]
async fn the_role_decides_the_rights_of_a_password() {
    let api = FreshControlPlane::start().await;
    api.branch_with("dev", &["CREATE TABLE notes (id INT NOT NULL PRIMARY KEY)"])
        .await;
    let statements = [
        ("SELECT * FROM notes", "reader readwriter admin"),
        ("INSERT INTO notes VALUES (1)", "writer readwriter admin"),
        ("ALTER TABLE notes ADD more INT", "admin"),
    ];
    for role in ["reader", "writer", "readwriter", "admin"] {
        let mut conn = api.login_as("dev", role).await;
        for (statement, allowed) in statements {
            let allowed = allowed.split(' ').any(|allowed| allowed == role);
            let result = conn.query_drop(statement).await;
            if allowed {
                result.unwrap();
                conn.query_drop("DELETE FROM notes WHERE id = 1").await.ok();
                continue;
            }
            let (number, message) = server_error(result);
            assert_eq!(number, 1142);
            let (command, _) = statement.split_once(' ').unwrap();
            assert!(
                message.starts_with(&format!("{command} command denied to user")),
                "{message}"
            );
        }
    }
}

#[tokio::test]
async fn a_password_opens_only_its_branch() {
    let api = FreshControlPlane::start().await;
    api.branch_with("dev", &["CREATE TABLE notes (id INT NOT NULL PRIMARY KEY)"])
        .await;
    let mut main = api.login_as("main", "readwriter").await;
    let (number, message) = server_error(main.query_drop("SELECT * FROM notes").await);
    assert_eq!(number, 1146);
    // The name of the schema on the local server stays hidden.
    assert!(message.contains("'orders.notes'"), "{message}");
    main.query_drop("USE orders").await.unwrap();
    main.query_drop("USE `@primary`").await.unwrap();
    let (number, message) = server_error(main.query_drop("USE mysql").await);
    assert_eq!(
        (number, message.as_str()),
        (1049, "VT05003: unknown database 'mysql' in vschema")
    );
    main.query_drop("SELECT 1").await.unwrap();
}

#[tokio::test]
async fn a_password_is_shown_once_and_expires() {
    let api = FreshControlPlane::start().await;
    let made = api.password("main", "reader").await;
    assert!(
        made["plain_text"]
            .as_str()
            .unwrap()
            .starts_with("pscale_pw_")
    );
    assert_eq!(
        json!([made["ttl_seconds"], made["renewable"]]),
        json!([600, true])
    );
    let path = format!("/branches/main/passwords/{}", made["id"].as_str().unwrap());
    assert_eq!(api.get(&path).await["plain_text"], json!(null));
    let mut open = api.login(&made).await.unwrap();

    api.control_plane
        .expire_password(made["id"].as_str().unwrap())
        .await;
    assert_eq!(server_error(api.login(&made).await).0, 1045);
    open.query_drop("SELECT 1").await.unwrap();
    assert_eq!(api.get(&path).await["expired"], true);
    let renewed = api.act(&path, "renew").await;
    assert_eq!(
        json!([renewed["expired"], renewed["plain_text"]]),
        json!([false, null])
    );
    api.login(&made).await.unwrap();

    assert_eq!(api.status("DELETE", &path).await, 204);
    assert_eq!(server_error(api.login(&made).await).0, 1045);
    assert_eq!(api.status("GET", &path).await, 404);
}

#[tokio::test]
async fn a_password_without_ttl_does_not_expire() {
    let api = FreshControlPlane::start().await;
    let made = api
        .post("/branches/main/passwords", json!({"role": "reader"}))
        .await;
    assert_eq!(
        json!([made["expires_at"], made["renewable"]]),
        json!([null, false])
    );
    let renew = format!(
        "/branches/main/passwords/{}/renew",
        made["id"].as_str().unwrap()
    );
    assert_eq!(
        api.refused(&renew, json!({})).await,
        "Password is not renewable"
    );
    let role = api
        .refused("/branches/main/passwords", json!({"role": "king"}))
        .await;
    assert_eq!(role, "Role is not included in the list");
    // Past the end of the calendar.
    let long = json!({"role": "reader", "ttl": u64::MAX});
    let long = api.post("/branches/main/passwords", long).await;
    assert_eq!(long["expires_at"], "9999-12-31T23:59:59.999Z");
    api.login(&long).await.unwrap();
}
