//! What goes wrong on the way.

use planetscale::{DeploymentState, NewPassword, Role};
use serde_json::json;
use tests::stand_ins::control_plane::ApiFailure;
use tests::stand_ins::step_functions::Ended;

use crate::pipeline::Scene;
use crate::{NOTES, TWO_TABLES};

#[tokio::test]
async fn an_api_that_is_busy_and_broken_and_then_works() {
    let scene = Scene::new().await;
    scene.add("0002_notes.sql", NOTES);
    for status in [429, 500] {
        for (method, path) in [
            ("GET", "/deploy-requests"),
            ("GET", "/schema"),
            ("GET", "/deploy-requests/1"),
            ("GET", "/operations"),
            ("POST", "/branches"),
            ("POST", "/passwords"),
            ("POST", "/deploy-requests"),
            ("POST", "/deploy"),
            ("POST", "/skip-revert"),
        ] {
            scene.plane.fail(ApiFailure::with(status).on(method, path));
        }
    }
    scene.succeed(json!({})).await;
    assert!(scene.plane.has_failed_all());
    assert_eq!(scene.recorded().await, [1, 2]);
    assert_eq!(scene.left().await, (vec![], vec![]));
    assert_eq!(
        scene.api(&scene.token).await.deploy_requests().await.len(),
        1
    );
}

#[tokio::test]
async fn what_was_done_and_not_answered_is_not_done_twice() {
    let scene = Scene::new().await;
    scene.add("0002_notes.sql", NOTES);
    for path in ["/branches", "/deploy-requests", "/deploy", "/skip-revert"] {
        scene
            .plane
            .fail(ApiFailure::with(500).on("POST", path).after_doing());
    }
    scene.succeed(json!({})).await;
    assert!(scene.plane.has_failed_all());
    assert_eq!(scene.left().await, (vec![], vec![]));
    let posted = |end: &str| {
        let exchanges = scene.plane.exchanges();
        let posts = exchanges
            .iter()
            .filter(|exchange| exchange.method.as_str() == "POST" && exchange.path.ends_with(end));
        posts.count()
    };
    assert_eq!(posted("/branches"), 1);
    assert_eq!(posted("/deploy-requests"), 1);
    assert_eq!(posted("/deploy"), 1);
}

#[tokio::test]
async fn a_password_that_expires_under_way_is_replaced() {
    let scene = Scene::new().await;
    scene.add("0002_notes.sql", TWO_TABLES);
    // Holds the step up between making the password and using it.
    let slow = ApiFailure::with(429).on("GET", "/passwords").retry_after(5);
    scene.plane.fail(slow);
    let execution = scene.start(json!({})).await;
    let id = loop {
        let exchanges = scene.plane.exchanges();
        let made = exchanges.iter().find_map(|exchange| {
            let body = exchange.response.as_ref()?;
            body["plain_text"].as_str()?;
            body["id"].as_str().map(str::to_owned)
        });
        match made {
            Some(id) => break id,
            None => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
        }
    };
    scene.plane.expire_password(&id).await;
    let ended = execution.ended().await.unwrap();
    assert!(
        matches!(ended, Ended::Succeeded(_)),
        "{ended:?}\n{}",
        scene.logs()
    );
    let applied = scene.steps().into_iter();
    assert_eq!(applied.filter(|step| step == "apply_migrations").count(), 2);
    assert_eq!(scene.recorded().await, [1, 2]);
}

#[tokio::test]
async fn a_run_waits_for_another_that_applies_until_its_password_ends() {
    let scene = Scene::new().await;
    scene.add("0002_notes.sql", NOTES);
    scene.die_after("await_branch").await;
    let branch = scene.left().await.0.remove(0);
    let api = scene.api(&scene.token).await;
    let of_other = NewPassword {
        name: "migrate-schema-another".to_owned(),
        role: Role::Admin,
        ttl: Some(std::time::Duration::from_secs(600)),
    };
    let held = api
        .calls()
        .create_password(&branch, &of_other)
        .await
        .unwrap();
    let execution = scene.start(json!({})).await;
    scene.carried_out("apply_migrations", 3).await;
    assert!(!scene.steps().contains(&"open_deploy_request".to_owned()));
    scene.plane.expire_password(&held.id).await;
    let ended = execution.ended().await.unwrap();
    assert!(
        matches!(ended, Ended::Succeeded(_)),
        "{ended:?}\n{}",
        scene.logs()
    );
}

#[tokio::test]
async fn a_deployment_that_fails_half_way_leaves_production_as_it_was() {
    let scene = Scene::new().await;
    scene.add("0002_tables.sql", TWO_TABLES);
    scene.plane.fail_deployment_at(1);
    let (error, cause) = scene.fail(json!({})).await;
    assert_eq!(error, "DeploymentFailed");
    assert!(cause.contains("deploy request 1"), "{cause}");
    assert_eq!(scene.recorded().await, [1]);
    assert_eq!(scene.columns("first_table").await, [""; 0]);
    assert_eq!(scene.left().await, (vec![], vec![]));

    scene.succeed(json!({})).await;
    assert_eq!(scene.recorded().await, [1, 2]);
}

#[tokio::test]
async fn the_values_that_stand_in_the_way_of_a_deployment_are_told_to_nobody() {
    let scene = Scene::new().await;
    let order = "INSERT INTO orders (id, customer_id, status, currency, total, version, created_at, updated_at) \
                 VALUES (UNHEX(REPLACE(UUID(), '-', '')), 'jane@example.com', 'pending', 'EUR', 1, 1, NOW(6), NOW(6))";
    scene.change_production(&[order, order]).await;
    let unique = "ALTER TABLE orders ADD UNIQUE KEY one_each (customer_id);";
    scene.add("0002_one_each.sql", unique);
    let (error, cause) = scene.fail(json!({})).await;
    assert_eq!(error, "DeploymentFailed");
    assert!(cause.contains("`orders`: "), "{cause}");
    assert!(cause.contains('…'), "{cause}");
    for text in [cause, scene.history(), scene.logs()] {
        assert!(!text.contains("jane@example.com"), "{text}");
    }
    assert_eq!(scene.recorded().await, [1]);
}

#[tokio::test]
async fn cleaning_up_is_tried_again() {
    let scene = Scene::new().await;
    scene.add("0002_tables.sql", TWO_TABLES);
    scene.plane.fail_deployment_at(0);
    let lost = ApiFailure::with(500).on("POST", "/complete-deploy");
    scene.plane.fail(lost);
    let (error, cause) = scene.fail(json!({})).await;
    assert_eq!(error, "DeploymentFailed");
    assert!(!cause.contains("cleaned up"), "{cause}");
    let cleaned_up = scene.steps().into_iter();
    assert_eq!(cleaned_up.filter(|step| step == "clean_up").count(), 2);
    assert_eq!(scene.left().await, (vec![], vec![]));
}

#[tokio::test]
async fn a_deployment_that_is_reverted_before_it_is_recorded_is_not_recorded() {
    let scene = Scene::new().await;
    scene.add("0002_notes.sql", NOTES);
    scene.die_after("await_deployment").await;
    let api = scene.api(&scene.token).await;
    api.revert(1).await;
    let error = scene.go_on("finish").await.unwrap_err();
    assert_eq!(error.name, "DeploymentFailed");
    assert!(
        error.message.contains("deploy request 1"),
        "{}",
        error.message
    );
    assert_eq!(scene.recorded().await, [1]);
}

#[tokio::test]
async fn a_revert_that_fails_holds_nobody_up_and_is_told() {
    let scene = Scene::new().await;
    let key = "ALTER TABLE notes ADD UNIQUE KEY by_text (text);";
    scene.add("0002_notes.sql", &format!("{NOTES}{key}"));
    scene.succeed(json!({})).await;
    scene.add("0003_key.sql", "ALTER TABLE notes DROP KEY by_text;");
    scene.die_after("await_deployment").await;
    // The key can't come back.
    let twice = "INSERT INTO notes VALUES (1, 'twice'), (2, 'twice')";
    scene.change_production(&[twice]).await;
    let api = scene.api(&scene.token).await;
    api.revert(2).await;
    let mut state = DeploymentState::InProgressRevert;
    while state == DeploymentState::InProgressRevert {
        state = api
            .calls()
            .deploy_request(2)
            .await
            .unwrap()
            .deployment_state;
    }
    let error = scene.go_on("finish").await.unwrap_err();
    assert_eq!(error.name, "DeploymentFailed");
    let (error, cause) = scene.fail(json!({})).await;
    assert_eq!(error, "DeployRequestRefused", "{cause}");
    assert!(cause.contains("2 was not reverted"), "{cause}");
    assert_eq!(scene.left().await, (vec![], vec![]));
    assert_eq!(scene.recorded().await, [1, 2]);
}

#[tokio::test]
async fn an_approval_that_is_taken_back_is_waited_for_again() {
    let scene = Scene::new().await;
    scene.plane.require_approval(true).await;
    scene.add("0002_notes.sql", NOTES);
    let person = scene.api(&scene.plane.new_token().await).await;
    let approve = async |times| {
        scene.carried_out("await_approval", times).await;
        person.approve(1).await;
    };
    tokio::join!(scene.die_after("await_approval"), approve(1));
    // Who changes the branch takes it back; by looking, it is compared again.
    let branch = scene.left().await.0.remove(0);
    let longer = "ALTER TABLE notes MODIFY text VARCHAR(600) NOT NULL";
    scene.change_branch(&branch, &[longer]).await;
    person.calls().deploy_request(1).await.unwrap();
    let state = scene.go_on("deploy").await.unwrap();
    assert_eq!(state["outcome"], "approve");
    assert_eq!(scene.columns("notes").await, [""; 0]);

    let execution = scene.start(json!({})).await;
    approve(1).await;
    let ended = execution.ended().await.unwrap();
    assert!(matches!(ended, Ended::Succeeded(_)), "{ended:?}");
    assert_eq!(scene.recorded().await, [1, 2]);
}

#[tokio::test]
async fn a_deploy_request_that_somebody_closes_ends_the_run() {
    let scene = Scene::new().await;
    scene.add("0002_notes.sql", NOTES);
    let execution = scene.start(json!({ "approval": true })).await;
    scene.carried_out("await_approval", 1).await;
    scene.plane.close_deploy_request(1).await;
    let Ended::Failed { error, cause } = execution.ended().await.unwrap() else {
        panic!("it should fail\n{}", scene.logs());
    };
    assert_eq!(error, "DeployRequestClosed");
    assert!(cause.contains("deploy request 1 was closed"), "{cause}");
    assert_eq!(scene.left().await, (vec![], vec![]));

    let result = scene.succeed(json!({})).await;
    assert_eq!(result["deploy_request"]["number"], 2);
}

#[tokio::test]
async fn a_branch_with_an_older_schema_is_made_anew() {
    let scene = Scene::new().await;
    scene.add("0002_notes.sql", NOTES);
    scene.plane.next_branch_lacks("orders.total");
    scene.succeed(json!({})).await;
    assert!(scene.columns("orders").await.contains(&"total".to_owned()));
    let made = scene.steps().into_iter();
    assert_eq!(made.filter(|step| step == "create_branch").count(), 2);
    assert_eq!(scene.left().await, (vec![], vec![]));
}

#[tokio::test]
async fn an_api_that_stays_away_fails_the_run_and_is_named() {
    let scene = Scene::new().await;
    scene.add("0002_notes.sql", NOTES);
    scene
        .plane
        .fail(ApiFailure::with(403).on("GET", "/schema").times(99));
    let (error, cause) = scene.fail(json!({})).await;
    assert_eq!(error, "NotAllowed");
    assert!(cause.contains("read_branch"), "{cause}");
    assert_eq!(scene.left().await, (vec![], vec![]));
}

#[tokio::test]
async fn a_token_that_is_rotated_under_way_is_taken_up() {
    let scene = Scene::new().await;
    scene.add("0002_notes.sql", NOTES);
    let execution = scene.start(json!({ "approval": true })).await;
    scene.carried_out("await_approval", 1).await;
    let new = scene.plane.new_token().await;
    scene.rotate_token(&new).await;
    let api = scene.api(&new).await;
    // Who opened it was the old token.
    api.approve(1).await;
    let ended = execution.ended().await.unwrap();
    assert!(
        matches!(ended, Ended::Succeeded(_)),
        "{ended:?}\n{}",
        scene.logs()
    );
}
