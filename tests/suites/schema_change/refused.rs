//! Changes that must not reach production, and say why.

use planetscale::DeploymentState;
use serde_json::json;

use crate::pipeline::Scene;
use crate::{CHANNEL, NOTES, TWO_TABLES};

/// Nothing was made that is left, and nothing was changed.
async fn nothing_happened(scene: &Scene) {
    assert_eq!(scene.left().await, (vec![], vec![]));
    assert_eq!(scene.recorded().await, [1]);
}

#[tokio::test]
async fn a_column_stays_where_no_migration_allows_it_to_go() {
    let scene = Scene::new().await;
    scene.add("0002_less.sql", "ALTER TABLE orders DROP COLUMN total;");
    let (error, cause) = scene.fail(json!({})).await;
    assert_eq!(error, "MigrationsRefused");
    assert!(cause.contains("0002_less.sql:1"), "{cause}");
    assert!(cause.contains("-- allow drop-column: reason"), "{cause}");
    assert!(scene.columns("orders").await.contains(&"total".to_owned()));
    assert_eq!(scene.steps(), ["plan", "clean_up"]);
    nothing_happened(&scene).await;
}

#[tokio::test]
async fn a_rename_is_refused_with_what_to_do_instead() {
    let scene = Scene::new().await;
    scene.add(
        "0002_rename.sql",
        "ALTER TABLE orders RENAME COLUMN total TO sum;",
    );
    let (error, cause) = scene.fail(json!({})).await;
    assert_eq!(error, "MigrationsRefused");
    assert!(cause.to_lowercase().contains("add"), "{cause}");
    nothing_happened(&scene).await;
}

#[tokio::test]
async fn what_only_planetscale_finds_wrong_ends_the_deploy_request() {
    let scene = Scene::new().await;
    // The linter of the files does not know of it.
    let keyless = "CREATE TABLE by_hand (id INT) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4";
    scene.change_production(&[keyless]).await;
    scene.add("0002_notes.sql", NOTES);
    let (error, cause) = scene.fail(json!({})).await;
    assert_eq!(error, "DeployRequestRefused");
    assert!(cause.contains("NO_UNIQUE_KEY in `by_hand`"), "{cause}");
    nothing_happened(&scene).await;
}

#[tokio::test]
async fn what_planetscales_checks_find_ends_the_deploy_request() {
    let scene = Scene::new().await;
    scene.plane.fail_deploy_check(Some("not enough storage"));
    scene.add("0002_notes.sql", NOTES);
    let (error, cause) = scene.fail(json!({})).await;
    assert_eq!(error, "DeployRequestRefused");
    assert!(cause.contains("not enough storage"), "{cause}");
    nothing_happened(&scene).await;
}

#[tokio::test]
async fn a_change_that_somebody_else_made_on_the_branch_is_not_deployed_along() {
    let scene = Scene::new().await;
    scene.add("0002_notes.sql", NOTES);
    scene.die_after("apply_migrations").await;
    let branch = scene.left().await.0.remove(0);
    scene
        .change_branch(&branch, &["ALTER TABLE orders ADD COLUMN extra INT NULL"])
        .await;
    let (error, cause) = scene.fail(json!({})).await;
    assert_eq!(error, "DifferenceRefused");
    assert!(cause.contains("`orders`"), "{cause}");
    nothing_happened(&scene).await;
}

#[tokio::test]
async fn nor_is_one_that_somebody_made_to_a_table_of_the_migration() {
    for (change, named) in [
        ("ADD COLUMN extra INT NOT NULL", "column `extra`"),
        ("ADD UNIQUE KEY one_each (total)", "key `one_each`"),
        ("ADD CHECK (total > 0)", "CHECKs"),
    ] {
        let scene = Scene::new().await;
        scene.add("0002_channel.sql", CHANNEL);
        scene.die_after("apply_migrations").await;
        let branch = scene.left().await.0.remove(0);
        let change = format!("ALTER TABLE orders {change}");
        scene.change_branch(&branch, &[&change]).await;
        let (error, cause) = scene.fail(json!({})).await;
        assert_eq!(error, "DifferenceRefused", "{change}: {cause}");
        assert!(cause.contains(named), "{cause}");
        nothing_happened(&scene).await;
    }
}

#[tokio::test]
async fn a_branch_that_lacks_what_production_has_got_since_is_not_deployed() {
    let scene = Scene::new().await;
    scene.add("0002_notes.sql", NOTES);
    scene.die_after("apply_migrations").await;
    scene
        .change_production(&["ALTER TABLE orders ADD COLUMN newer INT NULL"])
        .await;
    let (error, cause) = scene.fail(json!({})).await;
    assert_eq!(error, "DifferenceRefused");
    assert!(cause.contains("`orders`"), "{cause}");
    assert!(scene.columns("orders").await.contains(&"newer".to_owned()));
    nothing_happened(&scene).await;
}

#[tokio::test]
async fn what_is_gone_from_the_branch_is_not_taken_for_deployed() {
    for (migration, gone, lacking) in [
        (TWO_TABLES, "DROP TABLE second_table", "`second_table`"),
        // What is left is no difference at all.
        (
            TWO_TABLES,
            "DROP TABLE first_table, second_table",
            "`first_table`",
        ),
        (
            CHANNEL,
            "ALTER TABLE orders DROP COLUMN channel",
            "column `channel`",
        ),
    ] {
        let scene = Scene::new().await;
        scene.add("0002_change.sql", migration);
        scene.die_after("apply_migrations").await;
        let branch = scene.left().await.0.remove(0);
        scene.change_branch(&branch, &[gone]).await;
        let (error, cause) = scene.fail(json!({})).await;
        assert_eq!(error, "DifferenceRefused", "{gone}: {cause}");
        assert!(cause.contains(lacking), "{cause}");
        assert_eq!(scene.columns("first_table").await, [""; 0]);
        nothing_happened(&scene).await;

        scene.succeed(json!({})).await;
        assert_eq!(scene.recorded().await, [1, 2]);
    }
}

#[tokio::test]
async fn what_somebody_deployed_without_a_part_of_it_is_recorded_when_the_part_has_come() {
    let scene = Scene::new().await;
    scene.add("0002_tables.sql", TWO_TABLES);
    deploy_by_hand(&scene, "DROP TABLE second_table").await;
    assert_eq!(scene.columns("first_table").await, ["id"]);
    let (error, cause) = scene.fail(json!({})).await;
    assert_eq!(error, "DifferenceRefused", "{cause}");
    assert!(cause.contains("`second_table`"), "{cause}");
    assert_eq!(scene.recorded().await, [1]);

    let second = TWO_TABLES.split(';').nth(1).unwrap();
    scene.change_production(&[second]).await;
    let result = scene.succeed(json!({})).await;
    assert_eq!(result["status"], "nothing_pending");
    assert_eq!(scene.recorded().await, [1, 2]);
    assert_eq!(scene.left().await, (vec![], vec![]));
}

/// Changes the branch of the migrations and deploys it, as a person may.
async fn deploy_by_hand(scene: &Scene, change: &str) {
    scene.succeed(json!({ "deploy": false })).await;
    let branch = scene.left().await.0.remove(0);
    scene.change_branch(&branch, &[change]).await;
    let api = scene.api(&scene.token).await;
    // By looking, it compares again.
    api.calls().deploy_request(1).await.unwrap();
    api.calls().deploy(1).await.unwrap();
    let mut state = DeploymentState::Queued;
    while state != DeploymentState::CompletePendingRevert {
        state = api
            .calls()
            .deploy_request(1)
            .await
            .unwrap()
            .deployment_state;
    }
}

#[tokio::test]
async fn what_somebody_deployed_in_its_place_is_not_recorded() {
    let scene = Scene::new().await;
    scene.add("0002_channel.sql", CHANNEL);
    let other = "ALTER TABLE orders DROP COLUMN channel, ADD COLUMN other INT NULL";
    deploy_by_hand(&scene, other).await;
    for _ in 0..2 {
        let (error, cause) = scene.fail(json!({})).await;
        assert_eq!(error, "DifferenceRefused", "{cause}");
        assert!(cause.contains("no column `channel`"), "{cause}");
        assert_eq!(scene.recorded().await, [1]);
    }
    // With another text it is another change. That it could be reverted would hold it up.
    let api = scene.api(&scene.token).await;
    api.calls().skip_revert(1).await.unwrap();
    scene.add("0002_channel.sql", &format!("-- Once more.\n{CHANNEL}"));
    scene.succeed(json!({})).await;
    assert_eq!(scene.recorded().await, [1, 2]);
    let columns = scene.columns("orders").await;
    assert!(columns.ends_with(&["other".to_owned(), "channel".to_owned()]));
}

#[tokio::test]
async fn what_production_has_lost_since_it_was_deployed_is_not_recorded() {
    let scene = Scene::new().await;
    scene.add("0002_notes.sql", NOTES);
    scene.die_after("await_deployment").await;
    scene.change_production(&["DROP TABLE notes"]).await;
    let error = scene.go_on("finish").await.unwrap_err();
    assert_eq!(error.name, "DifferenceRefused");
    let (error, cause) = scene.fail(json!({})).await;
    assert_eq!(error, "DifferenceRefused");
    assert!(cause.contains("`notes` is not there"), "{cause}");
    assert_eq!(scene.recorded().await, [1]);
}

#[tokio::test]
async fn an_index_and_a_column_that_production_has_changed_since_stay_so() {
    for (change, named) in [
        ("CREATE INDEX newer ON orders (total)", "key `newer`"),
        (
            "ALTER TABLE orders MODIFY customer_id VARCHAR(100) CHARACTER SET ascii NOT NULL",
            "column `customer_id`",
        ),
        ("ALTER TABLE orders ADD CHECK (total < 1000000)", "CHECKs"),
    ] {
        let scene = Scene::new().await;
        scene.add("0002_channel.sql", CHANNEL);
        scene.succeed(json!({ "deploy": false })).await;
        scene.change_production(&[change]).await;
        let (error, cause) = scene.fail(json!({})).await;
        assert_eq!(error, "DifferenceRefused", "{change}: {cause}");
        assert!(cause.contains(named), "{cause}");
        nothing_happened(&scene).await;
    }
}

#[tokio::test]
async fn a_statement_that_the_server_refuses_is_named_by_its_place() {
    let scene = Scene::new().await;
    scene.change_production(&[NOTES]).await;
    scene.add("0002_notes.sql", NOTES);
    let (error, cause) = scene.fail(json!({})).await;
    assert_eq!(error, "StatementRefused");
    assert!(cause.contains("0002_notes.sql:2"), "{cause}");
    nothing_happened(&scene).await;
}

#[tokio::test]
async fn a_changed_file_is_refused() {
    let scene = Scene::new().await;
    scene.add("0002_notes.sql", NOTES);
    scene.succeed(json!({})).await;
    scene.add("0002_notes.sql", "CREATE TABLE other (id INT PRIMARY KEY);");
    let (error, cause) = scene.fail(json!({})).await;
    assert_eq!(error, "LedgerDiffers");
    assert!(cause.contains("0002_notes.sql was changed"), "{cause}");
}

#[tokio::test]
async fn a_token_without_a_grant_is_told_which_one_it_may_lack() {
    // Any of these would do for the same operation.
    let branch = [
        "create_branch",
        "restore_backup",
        "restore_production_branch_backup",
    ];
    let password = [
        "connect_branch",
        "connect_production_branch",
        "connect_production_read_only_branch",
    ];
    for grants in [
        branch.as_slice(),
        password.as_slice(),
        &["create_deploy_request"],
        &["delete_branch"],
    ] {
        let scene = Scene::new().await;
        for grant in grants {
            scene.plane.revoke(&scene.token, grant).await;
        }
        scene.add("0002_notes.sql", NOTES);
        let (error, cause) = scene.fail(json!({})).await;
        assert_eq!(error, "NotAllowed", "{grants:?}: {cause}");
        assert!(cause.contains(grants[0]), "{grants:?}: {cause}");
        assert_eq!(scene.recorded().await, [1], "{grants:?}");
    }
}

#[tokio::test]
async fn an_option_that_there_is_not_is_refused() {
    let scene = Scene::new().await;
    scene.add("0002_notes.sql", NOTES);
    let (error, cause) = scene.fail(json!({ "deploi": false })).await;
    assert_eq!(error, "WrongInput");
    assert!(cause.contains("deploi"), "{cause}");
    let (error, _) = scene.fail(json!({ "deploy": "no" })).await;
    assert_eq!(error, "WrongInput");
    nothing_happened(&scene).await;
}

#[tokio::test]
async fn one_change_at_a_time() {
    let scene = Scene::new().await;
    scene.add("0002_notes.sql", NOTES);
    scene.succeed(json!({ "deploy": false })).await;
    scene.add("0003_channel.sql", CHANNEL);
    let (error, cause) = scene.fail(json!({})).await;
    assert_eq!(error, "AnotherAtWork");
    assert!(cause.contains("deploy request 1"), "{cause}");
    assert_eq!(scene.left().await.1, [1]);
}
