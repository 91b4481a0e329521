//! Branches: copies of their parent's schema.

use mysql_async::prelude::Queryable;
use serde_json::json;

use crate::fresh_control_plane::{Scene, server_error};

#[tokio::test]
async fn a_branch_is_a_copy_of_its_parent_without_rows() {
    let scene = Scene::new().await;
    scene
        .run_on_production(&[
            "CREATE TABLE notes (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, note TEXT, \
             size INT GENERATED ALWAYS AS (LENGTH(note)) VIRTUAL) COMMENT = 'a ) b'",
            "INSERT INTO notes (note) VALUES ('one')",
            "CREATE VIEW b AS SELECT id FROM notes",
            "CREATE VIEW a AS SELECT id FROM b",
        ])
        .await;
    let born = scene.post("/branches", json!({"name": "dev"})).await;
    // Waiting code has something to wait for.
    assert_eq!(
        (&born["ready"], &born["state"]),
        (&json!(false), &json!("pending"))
    );
    assert_eq!(born["parent_branch"], "main");
    assert_eq!(scene.ready_branch("dev").await["state"], "ready");

    let schema = scene.get("/branches/dev/schema").await;
    assert_eq!(schema, scene.get("/branches/main/schema").await);
    let mut names: Vec<&str> = Vec::new();
    for table in schema["data"].as_array().unwrap() {
        names.push(table["name"].as_str().unwrap());
        assert!(
            table["raw"].as_str().unwrap().starts_with("CREATE "),
            "{table}"
        );
    }
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "a",
            "b",
            "notes",
            "order_items",
            "orders",
            "schema_migrations"
        ]
    );

    let mut conn = scene
        .login(&scene.password("dev", "admin").await)
        .await
        .unwrap();
    for empty in ["notes", "a", "schema_migrations"] {
        let rows: Option<u32> = conn
            .query_first(format!("SELECT COUNT(*) FROM {empty}"))
            .await
            .unwrap();
        assert_eq!(rows, Some(0), "{empty}");
    }
    conn.query_drop("INSERT INTO notes (note) VALUES ('one')")
        .await
        .unwrap();
    let first: Option<u32> = conn.query_first("SELECT id FROM a").await.unwrap();
    assert_eq!(first, Some(1));
}

#[tokio::test]
async fn a_branch_that_is_deleted_is_gone_with_its_logins() {
    let scene = Scene::new().await;
    scene.branch("dev").await;
    let password = scene.password("dev", "admin").await;
    assert_eq!(scene.send("DELETE", "/branches/dev", None).await.0, 204);
    assert_eq!(scene.send("GET", "/branches/dev", None).await.0, 404);
    assert_eq!(server_error(scene.login(&password).await).0, 1045);
    let (status, refusal) = scene.send("DELETE", "/branches/main", None).await;
    assert_eq!(status, 422);
    assert_eq!(refusal["message"], "The default branch cannot be deleted");
}

#[tokio::test]
async fn a_name_leads_nowhere_else() {
    let scene = Scene::new().await;
    scene.branch("dev").await;
    for name in ["", ".", "..", "a/b", "dev/passwords", "a b", "ä"] {
        let new = json!({"name": name});
        assert_eq!(scene.refused("/branches", new).await, "Name is invalid");
        let change = Some(json!({"new_name": name}));
        let (status, _) = scene.send("PATCH", "/branches/dev", change).await;
        assert_eq!(status, 422, "{name}");
    }
    for name in ["v1.2", "Add_notes-2"] {
        scene.post("/branches", json!({"name": name})).await;
    }
}

#[tokio::test]
async fn a_branch_outlives_its_parent_and_has_none_then() {
    let scene = Scene::new().await;
    scene.branch("a").await;
    let child = json!({"name": "b", "parent_branch": "a"});
    scene.post("/branches", child).await;
    scene.ready_branch("b").await;
    scene
        .run("b", &["CREATE TABLE notes (id INT NOT NULL PRIMARY KEY)"])
        .await;
    assert_eq!(scene.send("DELETE", "/branches/a", None).await.0, 204);
    assert_eq!(scene.get("/branches/b").await["parent_branch"], json!(null));
    let diff = scene.get("/branches/b/diff").await;
    assert_eq!(diff["data"][0]["name"], "notes");

    // The name is another branch's, which has the child for its parent.
    let again = json!({"name": "a", "parent_branch": "b"});
    scene.post("/branches", again).await;
    let path = "/branches/a?delete_descendants=true";
    assert_eq!(scene.send("DELETE", path, None).await.0, 204);
    scene.get("/branches/b").await;
}

#[tokio::test]
async fn ddl_is_refused_where_safe_migrations_are_enabled() {
    let scene = Scene::new().await;
    scene.branch("dev").await;
    let direct = (1105, "direct DDL is disabled".to_owned());
    let mut main = scene
        .login(&scene.password("main", "admin").await)
        .await
        .unwrap();
    let mut dev = scene
        .login(&scene.password("dev", "admin").await)
        .await
        .unwrap();
    assert_eq!(
        server_error(main.query_drop("CREATE TABLE a (id INT PRIMARY KEY)").await),
        direct
    );
    dev.query_drop("CREATE TABLE a (id INT PRIMARY KEY)")
        .await
        .unwrap();

    let safe = "/branches/dev/safe-migrations";
    assert_eq!(
        scene.refused(safe, json!({})).await,
        "Safe migrations can only be enabled on production branches"
    );
    scene.post("/branches/dev/promote", json!({})).await;
    let protected = scene.post(safe, json!({})).await;
    assert_eq!(protected["safe_migrations"], true);
    assert_eq!(server_error(dev.query_drop("DROP TABLE a").await), direct);
    let (status, branch) = scene.send("DELETE", safe, None).await;
    assert_eq!((status, &branch["safe_migrations"]), (200, &json!(false)));
    dev.query_drop("DROP TABLE a").await.unwrap();
}
