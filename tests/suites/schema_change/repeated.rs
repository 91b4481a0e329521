//! Runs that died and are started again, and runs at the same time.

use serde_json::json;
use tests::stand_ins::control_plane::ApiFailure;

use crate::pipeline::Pipeline;
use crate::{NOTES, TWO_TABLES};

#[tokio::test]
async fn a_run_that_died_after_a_step_is_finished_by_the_next() {
    for step in [
        "plan",
        "create_branch",
        "await_branch",
        "apply_migrations",
        "open_deploy_request",
        "await_checks",
        "check_difference",
        "deploy",
        "await_deployment",
    ] {
        let pipeline = Pipeline::with("0002_notes.sql", NOTES).await;
        pipeline.die_after(step).await;
        pipeline.succeed(json!({})).await;
        pipeline.assert_recorded(&[1, 2]).await;
        assert_eq!(pipeline.columns("notes").await, ["id", "text"], "{step}");
        let requests = pipeline.list("/deploy-requests", ["number"]).await;
        assert_eq!(requests, json!([[1]]), "{step}");
    }
}

#[tokio::test]
async fn a_branch_with_part_of_a_migration_is_replaced() {
    let pipeline = Pipeline::with("0002_tables.sql", TWO_TABLES).await;
    pipeline.die_after("await_branch").await;
    let first = TWO_TABLES.split(';').next().unwrap();
    pipeline.change_own_branch(&[first]).await;
    pipeline.succeed(json!({})).await;
    assert_eq!(pipeline.columns("first_table").await, ["id"]);
    assert_eq!(pipeline.columns("second_table").await, ["id"]);
    assert_eq!(pipeline.times("create_branch"), 2);
    assert!(
        pipeline
            .logs()
            .contains("the table `first_table` should not be there")
    );
}

#[tokio::test]
async fn a_change_is_recorded_if_production_got_it_in_another_way() {
    let pipeline = Pipeline::with("0002_notes.sql", NOTES).await;
    pipeline.succeed(json!({ "deploy": false })).await;
    pipeline.run_on_production(&[NOTES]).await;
    pipeline.succeed(json!({})).await;
    pipeline.assert_recorded(&[1, 2]).await;
}

#[tokio::test]
async fn a_run_goes_on_when_another_has_closed_a_deploy_request_without_changes() {
    let pipeline = Pipeline::with("0002_notes.sql", NOTES).await;
    pipeline.die_after("open_deploy_request").await;
    pipeline.run_on_production(&[NOTES]).await;
    pipeline.until("/deploy-requests/1", &["no_changes"]).await;
    pipeline.close("/deploy-requests/1").await;
    let answer = pipeline.go_on("await_checks").await.unwrap();
    assert_eq!(answer["outcome"], "deployed");
}

#[tokio::test]
async fn a_run_waits_for_a_deployment_that_began_while_it_compared_the_schemas() {
    let pipeline = Pipeline::with("0002_notes.sql", NOTES).await;
    pipeline.die_after("await_checks").await;
    pipeline.act("/deploy-requests/1", "deploy").await;
    let by_hand = "CREATE INDEX by_hand ON orders (total)";
    pipeline.change_own_branch(&[by_hand]).await;
    let answer = pipeline.go_on("check_difference").await.unwrap();
    assert_eq!(answer["outcome"], "deploying");
}

#[tokio::test]
async fn a_run_makes_its_branch_again_if_another_run_deleted_it() {
    let pipeline = Pipeline::with("0002_notes.sql", NOTES).await;
    pipeline.die_after("apply_migrations").await;
    let branch = format!("/branches/{}", pipeline.own_branch().await);
    assert_eq!(pipeline.status("DELETE", &branch).await, 204);
    let answer = pipeline.go_on("open_deploy_request").await.unwrap();
    assert_eq!(answer["outcome"], "recreate");
}

#[tokio::test]
async fn a_deployed_but_unrecorded_change_is_recorded_with_the_next_one() {
    let pipeline = Pipeline::with("0002_notes.sql", NOTES).await;
    pipeline.die_after("await_deployment").await;
    assert_eq!(pipeline.recorded().await, [1]);
    pipeline.add(
        "0003_done.sql",
        "ALTER TABLE notes ADD COLUMN done BOOLEAN NULL;",
    );
    let result = pipeline.succeed(json!({})).await;
    assert_eq!(result["migrations"], json!(["0003_done"]));
    pipeline.assert_recorded(&[1, 2, 3]).await;
    assert_eq!(pipeline.columns("notes").await, ["id", "text", "done"]);
}

#[tokio::test]
async fn a_run_that_could_not_finish_is_finished_by_the_next() {
    let pipeline = Pipeline::with("0002_notes.sql", NOTES).await;
    pipeline
        .control_plane
        .fail(ApiFailure::with(403).on("DELETE", ""));
    // The first deletion is refused.
    let (error, cause) = pipeline.fail(json!({})).await;
    assert_eq!(error, "NotAllowed", "{cause}");
    pipeline.succeed(json!({})).await;
    pipeline.assert_recorded(&[1, 2]).await;
}

#[tokio::test]
async fn a_run_that_has_waited_too_long_leaves_everything_to_the_next() {
    for step in ["create_branch", "check_difference"] {
        let pipeline = Pipeline::with("0002_notes.sql", NOTES).await;
        pipeline.die_after(step).await;
        let cause = pipeline.clean_up_after("TookTooLong").await;
        let branch = pipeline.own_branch().await;
        let left = format!("it has failed. The branch {branch} was left");
        assert!(cause.starts_with(&left), "{cause}");
        let result = pipeline.succeed(json!({})).await;
        assert_eq!(result["deploy_request"]["number"], 1, "{step}");
        assert_eq!(pipeline.posted("/branches").len(), 1, "{step}");
        pipeline.assert_recorded(&[1, 2]).await;
    }
}

#[tokio::test]
async fn two_runs_at_once_deploy_once() {
    // The second run begins with the first, or after the first has carried out this step.
    for step in [
        None,
        Some("await_branch"),
        Some("open_deploy_request"),
        Some("await_deployment"),
    ] {
        let pipeline = Pipeline::with("0002_tables.sql", TWO_TABLES).await;
        let first = pipeline.start(json!({})).await;
        if let Some(step) = step {
            pipeline.carried_out(step, 1).await;
        }
        let second = pipeline.start(json!({})).await;
        for execution in [first, second] {
            pipeline.succeeds(execution).await;
        }
        pipeline.assert_recorded(&[1, 2]).await;
        assert_eq!(pipeline.columns("second_table").await, ["id"], "{step:?}");
        let mut deployed = pipeline.posted("/deploy");
        deployed.retain(|exchange| exchange.status == 200);
        assert_eq!(deployed.len(), 1, "{step:?}");
    }
}
