//! Backups: copies with rows, from which branches can be created.

use mysql_async::prelude::Queryable;
use serde_json::json;
use tests::stand_ins::control_plane::fresh_control_plane::FreshControlPlane;

#[tokio::test]
async fn a_branch_can_be_created_from_a_backup() {
    let api = FreshControlPlane::start().await;
    api.run_on_production(&[
        "CREATE TABLE notes (id INT NOT NULL PRIMARY KEY, \
             note TEXT COMMENT 'never GENERATED ALWAYS AS such', \
             size INT GENERATED ALWAYS AS (LENGTH(note)) STORED)",
        "INSERT INTO notes (id, note) VALUES (1, 'one')",
    ])
    .await;
    let made = api
        .post("/branches/main/backups", json!({"name": "before"}))
        .await;
    assert_eq!(
        json!([made["state"], made["completed_at"]]),
        json!(["pending", null])
    );
    let restore = json!({"name": "old", "backup_id": made["id"], "cluster_size": "PS_10"});
    assert_eq!(
        api.refused("/branches", restore.clone()).await,
        "Backup is not complete"
    );
    let path = format!("/branches/main/backups/{}", made["id"].as_str().unwrap());
    let states = api.states_until(&path, "state", "success").await;
    assert_eq!(json!(states), json!(["pending", "running", "success"]));

    api.run_on_production(&["DROP TABLE notes"]).await;
    let no_size = json!({"name": "old", "backup_id": made["id"]});
    api.refused("/branches", no_size).await;
    let branch = api.post("/branches", restore).await;
    assert_eq!(branch["restored_from_branch"]["name"], "main");
    api.ready_branch("old").await;
    let mut conn = api.login_as("old", "reader").await;
    let rows: Vec<(i32, String, i32)> = conn.query("SELECT * FROM notes").await.unwrap();
    assert_eq!(rows, [(1, "one".to_owned(), 3)]);
    let rename = json!({"new_name": "older"});
    assert_eq!(api.patch("/branches/old", rename).await, 200);
    let restored = api.get(&path).await;
    assert_eq!(restored["restored_branches"][0]["name"], "older");
    assert!(restored["size"].as_u64().unwrap() > 0);
}

#[tokio::test]
async fn reading_the_backups_of_a_branch_advances_no_others() {
    let api = FreshControlPlane::start().await;
    api.branch("dev").await;
    let [main, dev] = ["main", "dev"].map(|name| format!("/branches/{name}/backups"));
    api.post(&main, json!({})).await;
    for _ in 0..2 {
        api.get(&dev).await;
    }
    for state in ["pending", "running", "success"] {
        assert_eq!(api.list(&main, ["state"]).await, json!([[state]]));
    }
}

#[tokio::test]
async fn a_backup_that_fails_leaves_nothing_behind() {
    let api = FreshControlPlane::start().await;
    api.run_on_production(&[
        "CREATE TABLE notes (id INT NOT NULL PRIMARY KEY)",
        "CREATE VIEW ids AS SELECT id FROM notes",
        "DROP TABLE notes",
    ])
    .await;
    let path = "/branches/main/backups";
    assert_eq!(api.send("POST", path, Some(json!({}))).await.0, 500);
    assert_eq!(api.get(path).await["data"], json!([]));
    let mut admin = api.stack.admin().await.unwrap();
    let schemas: Vec<String> = admin.query("SHOW DATABASES").await.unwrap();
    let copies = format!("{}_backup_", api.database.name());
    assert!(!schemas.iter().any(|schema| schema.starts_with(&copies)));
}

#[tokio::test]
async fn a_protected_backup_cannot_be_deleted() {
    let api = FreshControlPlane::start().await;
    let made = api.post("/branches/main/backups", json!({})).await;
    let path = format!("/branches/main/backups/{}", made["id"].as_str().unwrap());
    for [on, off] in [[json!(true), json!(false)], [json!("true"), json!("false")]] {
        if on.is_string() {
            // `pscale` sends a text, which the document does not allow.
            api.control_plane.stop_recording();
        }
        for (protected, status) in [(on, 422), (off.clone(), 200)] {
            let change = Some(json!({"protected": protected}));
            let (changed, backup) = api.send("PATCH", &path, change).await;
            assert_eq!(
                (changed, &backup["protected"]),
                (200, &json!(status == 422))
            );
            if status == 422 {
                assert_eq!(api.status("DELETE", &path).await, status);
            }
        }
    }
    api.control_plane.record();
    let unclear = Some(json!({"protected": "perhaps"}));
    assert_eq!(api.send("PATCH", &path, unclear).await.0, 400);
    assert_eq!(api.status("DELETE", &path).await, 204);
    assert_eq!(api.get("/branches/main/backups").await["data"], json!([]));
    let wrong = json!({"retention_unit": "eon"});
    assert_eq!(
        api.refused("/branches/main/backups", wrong).await,
        "Retention unit is not included in the list"
    );
    let policies = api.get("/backup-policies").await;
    assert_eq!(policies["data"][0]["frequency_value"], 12);
}
