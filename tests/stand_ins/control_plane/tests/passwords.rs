//! Passwords: logins that lead to a branch, and may do what their role says.

use mysql_async::prelude::Queryable;
use serde_json::json;

use crate::fresh_control_plane::{Scene, server_error};

#[tokio::test]
async fn a_role_says_what_a_password_may_do() {
    let scene = Scene::new().await;
    scene.branch("dev").await;
    scene
        .run("dev", &["CREATE TABLE notes (id INT NOT NULL PRIMARY KEY)"])
        .await;
    let statements = [
        ("SELECT * FROM notes", "reader readwriter admin"),
        ("INSERT INTO notes VALUES (1)", "writer readwriter admin"),
        ("ALTER TABLE notes ADD more INT", "admin"),
    ];
    for role in ["reader", "writer", "readwriter", "admin"] {
        let mut conn = scene
            .login(&scene.password("dev", role).await)
            .await
            .unwrap();
        for (statement, allowed) in statements {
            let allowed = allowed.split(' ').any(|allowed| allowed == role);
            let result = conn.query_drop(statement).await;
            if allowed {
                result.unwrap();
                conn.query_drop("DELETE FROM notes WHERE id = 1").await.ok();
                continue;
            }
            let (number, message) = server_error(result);
            assert_eq!(number, 1045);
            let (command, _) = statement.split_once(' ').unwrap();
            let command = format!("{}{}", &command[..1], command[1..].to_lowercase());
            let text = format!(
                "{command} command denied to user 'planetscale-{role}' for table 'notes' (ACL check error)"
            );
            assert!(message.contains(&text), "{message}");
        }
    }
}

#[tokio::test]
async fn a_password_leads_to_its_branch_alone() {
    let scene = Scene::new().await;
    scene.branch("dev").await;
    scene
        .run("dev", &["CREATE TABLE notes (id INT NOT NULL PRIMARY KEY)"])
        .await;
    let mut main = scene
        .login(&scene.password("main", "readwriter").await)
        .await
        .unwrap();
    let (number, message) = server_error(main.query_drop("SELECT * FROM notes").await);
    assert_eq!(number, 1146);
    // The schema's own name is nobody's business.
    assert!(message.contains("target: orders.-.primary"), "{message}");
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
async fn a_password_is_told_once_and_expires() {
    let scene = Scene::new().await;
    let made = scene.password("main", "reader").await;
    assert!(
        made["plain_text"]
            .as_str()
            .unwrap()
            .starts_with("pscale_pw_")
    );
    assert_eq!(
        (&made["ttl_seconds"], &made["renewable"]),
        (&json!(600), &json!(true))
    );
    let path = format!("/branches/main/passwords/{}", made["id"].as_str().unwrap());
    assert_eq!(scene.get(&path).await["plain_text"], json!(null));
    let mut open = scene.login(&made).await.unwrap();

    scene
        .plane
        .expire_password(made["id"].as_str().unwrap())
        .await;
    assert_eq!(server_error(scene.login(&made).await).0, 1045);
    open.query_drop("SELECT 1").await.unwrap();
    assert_eq!(scene.get(&path).await["expired"], true);
    let renewed = scene.post(&format!("{path}/renew"), json!({})).await;
    assert_eq!(
        (&renewed["expired"], &renewed["plain_text"]),
        (&json!(false), &json!(null))
    );
    scene.login(&made).await.unwrap();

    assert_eq!(scene.send("DELETE", &path, None).await.0, 204);
    assert_eq!(server_error(scene.login(&made).await).0, 1045);
    assert_eq!(scene.send("GET", &path, None).await.0, 404);
}

#[tokio::test]
async fn a_password_without_time_does_not_end() {
    let scene = Scene::new().await;
    let made = scene
        .post("/branches/main/passwords", json!({"role": "reader"}))
        .await;
    assert_eq!(
        (&made["expires_at"], &made["renewable"]),
        (&json!(null), &json!(false))
    );
    let renew = format!(
        "/branches/main/passwords/{}/renew",
        made["id"].as_str().unwrap()
    );
    assert_eq!(
        scene.refused(&renew, json!({})).await,
        "Password is not renewable"
    );
    let role = scene
        .refused("/branches/main/passwords", json!({"role": "king"}))
        .await;
    assert_eq!(role, "Role is not included in the list");
    // Longer than the calendar.
    let long = json!({"role": "reader", "ttl": u64::MAX});
    let long = scene.post("/branches/main/passwords", long).await;
    assert_eq!(long["expires_at"], "9999-12-31T23:59:59.999Z");
    scene.login(&long).await.unwrap();
}
