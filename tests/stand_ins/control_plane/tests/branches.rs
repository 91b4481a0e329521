//! Branches: copies of their parent's schema.

use mysql_async::prelude::Queryable;
use serde_json::json;
use tests::stand_ins::control_plane::fresh_control_plane::{FreshControlPlane, server_error};

#[tokio::test]
async fn a_branch_is_a_copy_of_its_parent_without_rows() {
    let api = FreshControlPlane::start().await;
    api.run_on_production(&[
        "CREATE TABLE notes (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, note TEXT, \
             size INT GENERATED ALWAYS AS (LENGTH(note)) VIRTUAL) COMMENT = 'a ) b'",
        "INSERT INTO notes (note) VALUES ('one')",
        "CREATE VIEW b AS SELECT id FROM notes",
        "CREATE VIEW a AS SELECT id FROM b",
    ])
    .await;
    let born = api.post("/branches", json!({"name": "dev"})).await;
    // A new branch is not ready at first.
    assert_eq!(
        json!([born["ready"], born["state"]]),
        json!([false, "pending"])
    );
    assert_eq!(born["parent_branch"], "main");
    assert_eq!(api.ready_branch("dev").await["state"], "ready");

    let schema = api.get("/branches/dev/schema").await;
    assert_eq!(schema, api.get("/branches/main/schema").await);
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
            "order_shards",
            "orders",
            "schema_migrations"
        ]
    );

    let mut conn = api.login_as("dev", "admin").await;
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
async fn deleting_a_branch_deletes_its_logins() {
    let api = FreshControlPlane::start().await;
    api.branch("dev").await;
    let password = api.password("dev", "admin").await;
    assert_eq!(api.status("DELETE", "/branches/dev").await, 204);
    assert_eq!(api.status("GET", "/branches/dev").await, 404);
    assert_eq!(server_error(api.login(&password).await).0, 1045);
    let (status, refusal) = api.send("DELETE", "/branches/main", None).await;
    assert_eq!(status, 422);
    assert_eq!(refusal["message"], "The default branch cannot be deleted");
}

#[tokio::test]
async fn a_name_that_would_change_the_path_is_refused() {
    let api = FreshControlPlane::start().await;
    api.branch("dev").await;
    for name in ["", ".", "..", "a/b", "dev/passwords", "a b", "ä"] {
        let new = json!({"name": name});
        assert_eq!(api.refused("/branches", new).await, "Name is invalid");
        let change = Some(json!({"new_name": name}));
        let (status, _) = api.send("PATCH", "/branches/dev", change).await;
        assert_eq!(status, 422, "{name}");
    }
    for name in ["v1.2", "Add_notes-2"] {
        api.post("/branches", json!({"name": name})).await;
    }
}

#[tokio::test]
async fn a_branch_survives_its_parent() {
    let api = FreshControlPlane::start().await;
    api.branch("a").await;
    let child = json!({"name": "b", "parent_branch": "a"});
    api.post("/branches", child).await;
    api.ready_branch("b").await;
    api.run("b", &["CREATE TABLE notes (id INT NOT NULL PRIMARY KEY)"])
        .await;
    assert_eq!(api.status("DELETE", "/branches/a").await, 204);
    assert_eq!(api.get("/branches/b").await["parent_branch"], json!(null));
    let diff = api.get("/branches/b/diff").await;
    assert_eq!(diff["data"][0]["name"], "notes");

    // Another branch takes the name, with the child as its parent.
    let again = json!({"name": "a", "parent_branch": "b"});
    api.post("/branches", again).await;
    let path = "/branches/a?delete_descendants=true";
    assert_eq!(api.status("DELETE", path).await, 204);
    api.get("/branches/b").await;
}

#[tokio::test]
async fn ddl_is_refused_where_safe_migrations_are_enabled() {
    let api = FreshControlPlane::start().await;
    api.branch("dev").await;
    let direct = (1105, "direct DDL is disabled".to_owned());
    let mut main = api.login_as("main", "admin").await;
    let mut dev = api.login_as("dev", "admin").await;
    assert_eq!(
        server_error(main.query_drop("CREATE TABLE a (id INT PRIMARY KEY)").await),
        direct
    );
    dev.query_drop("CREATE TABLE a (id INT PRIMARY KEY)")
        .await
        .unwrap();

    let safe = "/branches/dev/safe-migrations";
    assert_eq!(
        api.refused(safe, json!({})).await,
        "Safe migrations can only be enabled on production branches"
    );
    api.post("/branches/dev/promote", json!({})).await;
    let protected = api.post(safe, json!({})).await;
    assert_eq!(protected["safe_migrations"], true);
    assert_eq!(server_error(dev.query_drop("DROP TABLE a").await), direct);
    let (status, branch) = api.send("DELETE", safe, None).await;
    assert_eq!((status, &branch["safe_migrations"]), (200, &json!(false)));
    dev.query_drop("DROP TABLE a").await.unwrap();
}
