//! Production and its rows after a failed, reverted or interrupted deployment.

use serde_json::json;
use tests::stand_ins::control_plane::fresh_control_plane::FreshControlPlane;

const NOTES: &str = "CREATE TABLE notes (id INT NOT NULL PRIMARY KEY, note VARCHAR(64))";

#[tokio::test]
async fn a_revert_restores_rows_and_values() {
    let api = FreshControlPlane::start().await;
    api.run_on_production(&[
        NOTES,
        "INSERT INTO notes VALUES (1, 'one'), (2, NULL)",
        "CREATE TABLE old (id INT NOT NULL PRIMARY KEY)",
        "INSERT INTO old VALUES (7)",
    ])
    .await;
    api.branch_with(
        "dev",
        &["ALTER TABLE notes DROP COLUMN note", "DROP TABLE old"],
    )
    .await;
    let request = api.ready("dev").await;
    let operations = api.get(&format!("{request}/operations")).await;
    let mut operations = operations["data"].as_array().unwrap().iter();
    assert!(operations.all(|one| one["can_drop_data"] == true));
    api.act(&request, "deploy").await;
    api.until(&request, &["complete_pending_revert"]).await;
    assert_eq!(api.columns("notes").await, ["id"]);
    assert_eq!(api.columns("old").await, [] as [&str; 0]);

    let reverting = api.act(&request, "revert").await;
    assert_eq!(reverting["deployment_state"], "in_progress_revert");
    assert_eq!(reverting["state"], "open");
    let reverted = api.until(&request, &["complete_revert"]).await;
    assert_eq!(reverted["state"], "closed");
    assert_eq!(reverted["closed_by"]["id"], api.token.id);
    let notes = "SELECT id, note FROM notes ORDER BY id";
    let notes: Vec<(i32, Option<String>)> = api.rows(notes).await;
    assert_eq!(notes, [(1, Some("one".to_owned())), (2, None)]);
    assert_eq!(api.rows::<i32>("SELECT id FROM old").await, [7]);
}

#[tokio::test]
async fn a_cutover_that_fails_halfway_leaves_production_unchanged() {
    let api = FreshControlPlane::start().await;
    api.run_on_production(&[
        NOTES,
        "CREATE TABLE b (id INT NOT NULL PRIMARY KEY, value INT)",
        "INSERT INTO b VALUES (7, 8)",
    ])
    .await;
    api.branch_with(
        "dev",
        &[
            "CREATE TABLE a (id INT NOT NULL PRIMARY KEY)",
            "ALTER TABLE b DROP COLUMN value",
            "ALTER TABLE notes ADD UNIQUE KEY by_note (note)",
        ],
    )
    .await;
    let request = api.open("dev", false).await;
    api.until(&request, &["ready"]).await;
    api.act(&request, "deploy").await;
    api.until(&request, &["pending_cutover"]).await;
    // These rows come after the copying, so that only the cutover meets them.
    api.run_on_production(&["INSERT INTO notes VALUES (1, 'twice'), (2, 'twice')"])
        .await;
    api.act(&request, "apply-deploy").await;
    let failed = api.until(&request, &["complete_error"]).await;
    let operation = &failed["deployment"]["deploy_operations"][2];
    assert_eq!(operation["table_name"], "notes");
    assert_eq!(operation["state"], "error");
    assert!(operation["deploy_errors"].is_string(), "{failed}");
    assert_eq!(api.columns("a").await, [] as [&str; 0]);
    let b: Vec<(i32, i32)> = api.rows("SELECT id, value FROM b").await;
    assert_eq!(b, [(7, 8)]);
    // The queue waits until somebody completes the deployment.
    let queue = api.get("/deploy-queue").await;
    assert_eq!(queue["data"].as_array().unwrap().len(), 1);
    api.act(&request, "complete-deploy").await;
    assert_eq!(api.get("/deploy-queue").await["data"], json!([]));
}

#[tokio::test]
async fn an_interrupted_cutover_is_repeated() {
    let api = FreshControlPlane::start().await;
    api.run_on_production(&[NOTES, "INSERT INTO notes VALUES (1, 'one')"])
        .await;
    let first = "CREATE TABLE a (id INT NOT NULL PRIMARY KEY)";
    api.branch_with("dev", &[first, "DROP TABLE notes"]).await;
    let request = api.open("dev", false).await;
    api.until(&request, &["ready"]).await;
    api.act(&request, "deploy").await;
    api.until(&request, &["pending_cutover"]).await;
    // The interrupted cutover has created one table and moved the other away.
    let kept = format!("{}_before_1", api.database.name());
    let create = format!("CREATE DATABASE {kept}");
    let keep = format!("RENAME TABLE notes TO {kept}.notes");
    api.run_on_production(&[first, &create, &keep]).await;
    let api = api.restart().await;
    api.act(&request, "apply-deploy").await;
    api.until(&request, &["complete_pending_revert"]).await;
    assert_eq!(api.columns("a").await, ["id"]);
    assert_eq!(api.columns("notes").await, [] as [&str; 0]);
    api.act(&request, "revert").await;
    api.until(&request, &["complete_revert"]).await;
    assert_eq!(api.columns("a").await, [] as [&str; 0]);
    let notes: Vec<String> = api.rows("SELECT note FROM notes").await;
    assert_eq!(notes, ["one"]);
}
