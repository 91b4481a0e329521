//! Runs that died and are started again, and runs at the same time.

use planetscale::DeploymentState;
use serde_json::json;
use tests::stand_ins::control_plane::ApiFailure;
use tests::stand_ins::step_functions::Ended;

use crate::pipeline::Scene;
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
        let scene = Scene::new().await;
        scene.add("0002_notes.sql", NOTES);
        scene.die_after(step).await;
        scene.succeed(json!({})).await;
        assert_eq!(scene.recorded().await, [1, 2], "{step}");
        assert_eq!(scene.columns("notes").await, ["id", "text"], "{step}");
        assert_eq!(scene.left().await, (vec![], vec![]), "{step}");
        let requests = scene.api(&scene.token).await.deploy_requests().await;
        assert_eq!(requests.len(), 1, "{step}");
    }
}

#[tokio::test]
async fn a_branch_that_has_half_of_a_migration_is_made_anew() {
    let scene = Scene::new().await;
    scene.add("0002_tables.sql", TWO_TABLES);
    scene.die_after("await_branch").await;
    let branch = scene.left().await.0.remove(0);
    let first = TWO_TABLES.split(';').next().unwrap();
    scene.change_branch(&branch, &[first]).await;
    scene.succeed(json!({})).await;
    assert_eq!(scene.columns("first_table").await, ["id"]);
    assert_eq!(scene.columns("second_table").await, ["id"]);
    let made = scene.steps().into_iter();
    assert_eq!(made.filter(|step| step == "create_branch").count(), 2);
    assert!(scene.logs().contains("only a part of the migrations"));
}

#[tokio::test]
async fn a_run_goes_on_though_another_has_found_nothing_to_deploy() {
    let nothing = "ALTER TABLE orders ENGINE = InnoDB;";
    // The other has closed the deploy request, or deleted the branch before there was one.
    let scene = Scene::new().await;
    scene.add("0002_nothing.sql", nothing);
    scene.die_after("open_deploy_request").await;
    let api = scene.api(&scene.token).await;
    let mut state = DeploymentState::Pending;
    while state != DeploymentState::NoChanges {
        state = api
            .calls()
            .deploy_request(1)
            .await
            .unwrap()
            .deployment_state;
    }
    scene.plane.close_deploy_request(1).await;
    let answer = scene.go_on("await_checks").await.unwrap();
    assert_eq!(answer["outcome"], "deployed");

    let scene = Scene::new().await;
    scene.add("0002_nothing.sql", nothing);
    scene.die_after("apply_migrations").await;
    let branch = scene.left().await.0.remove(0);
    let api = scene.api(&scene.token).await;
    api.calls().delete_branch(&branch).await.unwrap();
    let answer = scene.go_on("open_deploy_request").await.unwrap();
    assert_eq!(answer["outcome"], "recreate");
}

#[tokio::test]
async fn what_was_deployed_and_not_recorded_is_recorded_with_the_next_change() {
    let scene = Scene::new().await;
    scene.add("0002_notes.sql", NOTES);
    scene.die_after("await_deployment").await;
    assert_eq!(scene.recorded().await, [1]);
    scene.add(
        "0003_done.sql",
        "ALTER TABLE notes ADD COLUMN done BOOLEAN NULL;",
    );
    let result = scene.succeed(json!({})).await;
    assert_eq!(result["migrations"], json!(["0003_done"]));
    assert_eq!(scene.recorded().await, [1, 2, 3]);
    assert_eq!(scene.columns("notes").await, ["id", "text", "done"]);
    assert_eq!(scene.left().await, (vec![], vec![]));
}

#[tokio::test]
async fn a_run_that_could_not_finish_is_finished_by_the_next() {
    let scene = Scene::new().await;
    scene.add("0002_notes.sql", NOTES);
    scene.plane.fail(ApiFailure::with(403).on("DELETE", ""));
    // The password's deletion fails, and the branch's, which both happen.
    let (error, cause) = scene.fail(json!({})).await;
    assert_eq!(error, "NotAllowed", "{cause}");
    scene.succeed(json!({})).await;
    assert_eq!(scene.recorded().await, [1, 2]);
    assert_eq!(scene.left().await, (vec![], vec![]));
}

#[tokio::test]
async fn two_runs_at_once_deploy_once() {
    // The second begins with the first, or when that is at a step.
    for step in [
        None,
        Some("await_branch"),
        Some("open_deploy_request"),
        Some("await_deployment"),
    ] {
        let scene = Scene::new().await;
        scene.add("0002_tables.sql", TWO_TABLES);
        let first = scene.start(json!({})).await;
        if let Some(step) = step {
            scene.carried_out(step, 1).await;
        }
        let second = scene.start(json!({})).await;
        for execution in [first, second] {
            let ended = execution.ended().await.unwrap();
            assert!(
                matches!(ended, Ended::Succeeded(_)),
                "{step:?}: {ended:?}\n{}",
                scene.logs()
            );
        }
        assert_eq!(scene.recorded().await, [1, 2], "{step:?}");
        assert_eq!(scene.columns("second_table").await, ["id"], "{step:?}");
        assert_eq!(scene.left().await, (vec![], vec![]), "{step:?}");
        let deployed = scene.plane.exchanges().into_iter().filter(|exchange| {
            exchange.method.as_str() == "POST"
                && exchange.path.ends_with("/deploy")
                && exchange.status == 200
        });
        assert_eq!(deployed.count(), 1, "{step:?}");
    }
}
