//! What becomes of production, its rows included, when a deployment fails, is reverted or is cut off.

use mysql_async::prelude::Queryable;
use serde_json::json;

use crate::fresh_control_plane::Scene;

const NOTES: &str = "CREATE TABLE notes (id INT NOT NULL PRIMARY KEY, note VARCHAR(64))";

#[tokio::test]
async fn a_revert_brings_rows_and_values_back() {
    let scene = Scene::new().await;
    scene
        .run_on_production(&[
            NOTES,
            "INSERT INTO notes VALUES (1, 'one'), (2, NULL)",
            "CREATE TABLE old (id INT NOT NULL PRIMARY KEY)",
            "INSERT INTO old VALUES (7)",
        ])
        .await;
    scene.branch("dev").await;
    scene
        .run(
            "dev",
            &["ALTER TABLE notes DROP COLUMN note", "DROP TABLE old"],
        )
        .await;
    let request = scene.ready("dev").await;
    let operations = scene.get(&format!("{request}/operations")).await;
    assert!(
        operations["data"]
            .as_array()
            .unwrap()
            .iter()
            .all(|one| one["can_drop_data"] == true)
    );
    scene.post(&format!("{request}/deploy"), json!({})).await;
    scene.until(&request, &["complete_pending_revert"]).await;
    assert_eq!(scene.columns("notes").await, ["id"]);
    assert_eq!(scene.columns("old").await, [] as [&str; 0]);

    let reverting = scene.post(&format!("{request}/revert"), json!({})).await;
    assert_eq!(reverting["deployment_state"], "in_progress_revert");
    assert_eq!(reverting["state"], "open");
    let reverted = scene.until(&request, &["complete_revert"]).await;
    assert_eq!(reverted["state"], "closed");
    assert_eq!(reverted["closed_by"]["id"], scene.token.id);
    let mut direct = scene.database.connect().await.unwrap();
    let notes: Vec<(i32, Option<String>)> = direct
        .query("SELECT id, note FROM notes ORDER BY id")
        .await
        .unwrap();
    assert_eq!(notes, [(1, Some("one".to_owned())), (2, None)]);
    let old: Vec<i32> = direct.query("SELECT id FROM old").await.unwrap();
    assert_eq!(old, [7]);
    direct.disconnect().await.unwrap();
}

#[tokio::test]
async fn a_deployment_that_fails_leaves_production_as_it_was() {
    let scene = Scene::new().await;
    scene
        .run_on_production(&[NOTES, "INSERT INTO notes VALUES (1, 'twice'), (2, 'twice')"])
        .await;
    // What the server itself refuses, behind a change that it has taken.
    scene.branch("real").await;
    scene
        .run(
            "real",
            &[
                "CREATE TABLE a (id INT NOT NULL PRIMARY KEY)",
                "ALTER TABLE notes ADD UNIQUE KEY by_note (note)",
            ],
        )
        .await;
    // What a test asks for.
    scene.branch("asked").await;
    scene
        .run(
            "asked",
            &[
                "CREATE TABLE b (id INT NOT NULL PRIMARY KEY)",
                "ALTER TABLE orders ADD b INT",
            ],
        )
        .await;
    for name in ["real", "asked"] {
        if name == "asked" {
            scene.plane.fail_deployment_at(1);
        }
        let request = scene.ready(name).await;
        scene.post(&format!("{request}/deploy"), json!({})).await;
        let failed = scene.until(&request, &["complete_error"]).await;
        let operations = &failed["deployment"]["deploy_operations"];
        assert_eq!(operations[1]["state"], "error", "{failed}");
        assert!(operations[1]["deploy_errors"].is_string(), "{failed}");
        assert_eq!(scene.columns("a").await, [] as [&str; 0]);
        assert_eq!(scene.columns("b").await, [] as [&str; 0]);
        // The queue is held up until somebody says that it is dealt with.
        assert_eq!(
            scene.get("/deploy-queue").await["data"]
                .as_array()
                .unwrap()
                .len(),
            1
        );
        scene
            .post(&format!("{request}/complete-deploy"), json!({}))
            .await;
        assert_eq!(scene.get("/deploy-queue").await["data"], json!([]));
    }
    assert!(scene.plane.has_failed_all());
}

#[tokio::test]
async fn a_cutover_that_was_killed_on_its_way_is_done_again() {
    let scene = Scene::new().await;
    scene
        .run_on_production(&[NOTES, "INSERT INTO notes VALUES (1, 'one')"])
        .await;
    scene.branch("dev").await;
    let first = "CREATE TABLE a (id INT NOT NULL PRIMARY KEY)";
    scene.run("dev", &[first, "DROP TABLE notes"]).await;
    let request = scene.open("dev", false).await;
    scene.until(&request, &["ready"]).await;
    scene.post(&format!("{request}/deploy"), json!({})).await;
    scene.until(&request, &["pending_cutover"]).await;
    // As far as it came: the table is kept elsewhere, the other one there already.
    let kept = format!("{}_before_1", scene.database.name());
    let keep = [
        &format!("CREATE DATABASE {kept}"),
        &format!("RENAME TABLE notes TO {kept}.notes"),
    ];
    scene.run_on_production(&[first, keep[0], keep[1]]).await;
    scene
        .post(&format!("{request}/apply-deploy"), json!({}))
        .await;
    scene.until(&request, &["complete_pending_revert"]).await;
    assert_eq!(scene.columns("notes").await, [] as [&str; 0]);
    scene.post(&format!("{request}/revert"), json!({})).await;
    scene.until(&request, &["complete_revert"]).await;
    let mut direct = scene.database.connect().await.unwrap();
    let notes: Vec<String> = direct.query("SELECT note FROM notes").await.unwrap();
    assert_eq!(notes, ["one"]);
}
