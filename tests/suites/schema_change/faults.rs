//! Faults of PlanetScale and of the network, and people who interfere with a run.

use serde_json::json;
use tests::eventually;
use tests::stand_ins::control_plane::ApiFailure;

use crate::pipeline::Pipeline;
use crate::{NOTES, TWO_TABLES};

#[tokio::test]
async fn calls_are_repeated_while_the_api_is_busy_or_broken() {
    let pipeline = Pipeline::with("0002_notes.sql", NOTES).await;
    for status in [429, 500] {
        for (method, path) in [
            ("GET", "/deploy-requests"),
            ("GET", "/schema/lint"),
            ("GET", "/deploy-requests/1"),
            ("POST", "/branches"),
            ("POST", "/passwords"),
            ("POST", "/deploy-requests"),
            ("POST", "/deploy"),
            ("POST", "/skip-revert"),
        ] {
            pipeline
                .control_plane
                .fail(ApiFailure::with(status).on(method, path));
        }
    }
    pipeline.succeed(json!({})).await;
    assert!(pipeline.control_plane.has_failed_all());
    pipeline.assert_recorded(&[1, 2]).await;
    let requests = pipeline.list("/deploy-requests", ["number"]).await;
    assert_eq!(requests, json!([[1]]));
}

#[tokio::test]
async fn a_call_whose_answer_is_lost_is_not_carried_out_twice() {
    let pipeline = Pipeline::with("0002_notes.sql", NOTES).await;
    for path in ["/branches", "/deploy-requests", "/deploy", "/skip-revert"] {
        pipeline
            .control_plane
            .fail(ApiFailure::with(500).on("POST", path).after_doing());
    }
    pipeline.succeed(json!({})).await;
    assert!(pipeline.control_plane.has_failed_all());
    pipeline.assert_nothing_left().await;
    for path in ["/branches", "/deploy-requests", "/deploy"] {
        assert_eq!(pipeline.posted(path).len(), 1, "{path}");
    }
}

#[tokio::test]
async fn a_password_that_expires_before_it_is_used_is_replaced() {
    let pipeline = Pipeline::with("0002_notes.sql", TWO_TABLES).await;
    // Delays the step after it made the password and before it uses it.
    let slow = ApiFailure::with(429).on("GET", "/passwords").retry_after(5);
    pipeline.control_plane.fail(slow);
    let execution = pipeline.start(json!({})).await;
    let made = eventually("the password", async || {
        let made = pipeline.posted("/passwords").pop()?.response?;
        made["plain_text"].is_string().then_some(made)
    });
    let id = made.await["id"].as_str().unwrap().to_owned();
    pipeline.control_plane.expire_password(&id).await;
    pipeline.succeeds(execution).await;
    assert_eq!(pipeline.times("apply_migrations"), 2);
    assert_eq!(pipeline.recorded().await, [1, 2]);
}

#[tokio::test]
async fn a_run_waits_while_another_run_has_a_password_to_apply_migrations() {
    let pipeline = Pipeline::with("0002_notes.sql", NOTES).await;
    pipeline.die_after("await_branch").await;
    let branch = pipeline.own_branch().await;
    let of_other = json!({ "name": "migrate-schema-another", "role": "admin", "ttl": 600 });
    let passwords = format!("/branches/{branch}/passwords");
    let held = pipeline.post(&passwords, of_other).await;
    let execution = pipeline.start(json!({})).await;
    pipeline.carried_out("apply_migrations", 3).await;
    assert!(!pipeline.steps().contains(&"open_deploy_request".to_owned()));
    let id = held["id"].as_str().unwrap();
    pipeline.control_plane.expire_password(id).await;
    pipeline.succeeds(execution).await;
}

#[tokio::test]
async fn a_deployment_that_fails_halfway_leaves_production_as_it_was() {
    let pipeline = Pipeline::with("0002_tables.sql", TWO_TABLES).await;
    pipeline.control_plane.fail_deployment_at(1);
    pipeline
        .refused("DeploymentFailed", &["deploy request 1"])
        .await;
    pipeline.assert_recorded(&[1]).await;
    assert_eq!(pipeline.columns("first_table").await, [""; 0]);

    pipeline.succeed(json!({})).await;
    assert_eq!(pipeline.recorded().await, [1, 2]);
}

#[tokio::test]
async fn a_deployment_that_somebody_cancelled_is_begun_again_by_the_next_run() {
    for cancelled in ["cancelled", "complete_cancel"] {
        let pipeline = Pipeline::with("0002_notes.sql", NOTES).await;
        pipeline.die_after("deploy").await;
        let request = "/deploy-requests/1";
        if cancelled == "complete_cancel" {
            // It leaves the queue when somebody looks.
            pipeline.until(request, &["queued"]).await;
        }
        pipeline.act(request, "cancel").await;
        pipeline.until(request, &[cancelled]).await;
        let result = pipeline.succeed(json!({})).await;
        assert_eq!(result["deploy_request"]["number"], 2);
        pipeline.assert_recorded(&[1, 2]).await;
    }
}

#[tokio::test]
async fn a_deployment_that_failed_without_a_run_is_reported_with_its_reason() {
    let pipeline = Pipeline::with("0002_tables.sql", TWO_TABLES).await;
    pipeline.control_plane.fail_deployment_at(1);
    pipeline.die_after("deploy").await;
    let request = "/deploy-requests/1";
    pipeline.until(request, &["complete_error"]).await;
    pipeline
        .refused(
            "DeploymentFailed",
            &["`complete_error`", "`second_table`: "],
        )
        .await;
    pipeline.assert_nothing_happened().await;
}

#[tokio::test]
async fn a_deployment_that_fails_on_rows_names_the_key_or_column_but_no_value() {
    for (clause, expected) in [
        (
            "ADD UNIQUE KEY one_each (customer_id)",
            ["Duplicate entry … for key", "one_each"],
        ),
        (
            "MODIFY customer_id VARCHAR(5) CHARACTER SET ascii COLLATE ascii_bin NOT NULL",
            ["for column", "customer_id"],
        ),
    ] {
        let pipeline = Pipeline::new().await;
        let order = "INSERT INTO orders (id, customer_id, status, currency, total, version, created_at, updated_at) \
                     VALUES (UNHEX(REPLACE(UUID(), '-', '')), 'jane@example.com', 'pending', 'EUR', 1, 1, NOW(6), NOW(6))";
        pipeline.run_on_production(&[order, order]).await;
        let migration = format!("ALTER TABLE orders {clause};");
        pipeline.add("0002_orders.sql", &migration);
        let (error, cause) = pipeline.fail(json!({})).await;
        assert_eq!(error, "DeploymentFailed", "{cause}");
        assert!(cause.contains("`orders`: "), "{cause}");
        for words in expected {
            assert!(cause.contains(words), "{cause}");
        }
        for text in [cause, pipeline.history(), pipeline.logs()] {
            assert!(!text.contains("jane@example.com"), "{text}");
        }
        assert_eq!(pipeline.recorded().await, [1]);
    }
}

#[tokio::test]
async fn cleaning_up_is_tried_again() {
    let pipeline = Pipeline::with("0002_tables.sql", TWO_TABLES).await;
    pipeline.control_plane.fail_deployment_at(0);
    let lost = ApiFailure::with(500).on("POST", "/complete-deploy");
    pipeline.control_plane.fail(lost);
    let (error, cause) = pipeline.fail(json!({})).await;
    assert_eq!(error, "DeploymentFailed");
    assert!(!cause.contains("cleaned up"), "{cause}");
    assert_eq!(pipeline.times("clean_up"), 2);
    pipeline.assert_nothing_left().await;
}

#[tokio::test]
async fn a_deployment_is_not_recorded_if_it_was_reverted_before() {
    let pipeline = Pipeline::with("0002_notes.sql", NOTES).await;
    pipeline.die_after("await_deployment").await;
    pipeline.act("/deploy-requests/1", "revert").await;
    pipeline
        .step_fails("finish", "DeploymentFailed", "deploy request 1")
        .await;
    assert_eq!(pipeline.recorded().await, [1]);
}

#[tokio::test]
async fn what_is_recorded_may_be_followed_by_another_change_before_its_branch_is_deleted() {
    let pipeline = Pipeline::with("0002_notes.sql", NOTES).await;
    pipeline.die_after("await_deployment").await;
    let branch = format!("/branches/{}", pipeline.own_branch().await);
    let refused = ApiFailure::with(403).on("DELETE", &branch);
    pipeline.control_plane.fail(refused);
    pipeline
        .step_fails("finish", "NotAllowed", "delete_branch")
        .await;
    assert_eq!(pipeline.recorded().await, [1, 2]);
    let of_another = "CREATE INDEX newer ON orders (total)";
    pipeline.run_on_production(&[of_another]).await;
    let answer = pipeline.go_on("finish").await.unwrap();
    assert_eq!(answer["result"]["status"], "deployed");
    pipeline.assert_recorded(&[1, 2]).await;
}

#[tokio::test]
async fn a_run_whose_branch_cannot_be_deleted_says_that_its_change_is_recorded() {
    let pipeline = Pipeline::with("0002_notes.sql", NOTES).await;
    let execution = pipeline.start(json!({ "approval": true })).await;
    pipeline.carried_out("await_approval", 1).await;
    let branch = format!("/branches/{}", pipeline.own_branch().await);
    let refused = ApiFailure::with(403).on("DELETE", &branch).times(2);
    pipeline.control_plane.fail(refused);
    let person = pipeline.control_plane.new_token().await;
    pipeline.approve(&person).await;
    let (error, cause) = pipeline.fails(execution).await;
    assert_eq!(error, "NotAllowed", "{cause}");
    for words in ["1 is deployed and recorded", "delete the branch migrate-"] {
        assert!(cause.contains(words), "{cause}");
    }
    assert_eq!(pipeline.recorded().await, [1, 2]);
}

#[tokio::test]
async fn a_failed_revert_is_reported_by_the_next_run() {
    let pipeline = Pipeline::new().await;
    let key = "ALTER TABLE notes ADD UNIQUE KEY by_text (text);";
    pipeline.add("0002_notes.sql", &format!("{NOTES}{key}"));
    pipeline.succeed(json!({})).await;
    pipeline.add("0003_key.sql", "ALTER TABLE notes DROP KEY by_text;");
    pipeline.die_after("await_deployment").await;
    // With these rows the key cannot be added again.
    let twice = "INSERT INTO notes VALUES (1, 'twice'), (2, 'twice')";
    pipeline.run_on_production(&[twice]).await;
    let request = "/deploy-requests/2";
    pipeline.act(request, "revert").await;
    pipeline.until(request, &["complete_revert_error"]).await;
    pipeline
        .step_fails("finish", "DeploymentFailed", "deploy request 2")
        .await;
    pipeline
        .refused("DeploymentFailed", &["2 was not reverted"])
        .await;
    pipeline.assert_nothing_left().await;
    assert_eq!(pipeline.recorded().await, [1, 2]);
}

#[tokio::test]
async fn a_run_waits_again_when_a_changed_branch_dismisses_the_approval() {
    let pipeline = Pipeline::new().await;
    pipeline.control_plane.require_approval(true).await;
    pipeline.add("0002_notes.sql", NOTES);
    let person = pipeline.control_plane.new_token().await;
    let approve = async || {
        pipeline.carried_out("await_approval", 1).await;
        pipeline.approve(&person).await;
    };
    tokio::join!(pipeline.die_after("await_approval"), approve());
    // A change of the branch dismisses the approval as soon as somebody looks. The second change
    // undoes the first, so that the deployment may go on.
    let branch = pipeline.own_branch().await;
    for length in [600, 500] {
        let change = format!("ALTER TABLE notes MODIFY text VARCHAR({length}) NOT NULL");
        pipeline.run(&branch, &[&change]).await;
        pipeline.get("/deploy-requests/1").await;
    }
    let state = pipeline.go_on("deploy").await.unwrap();
    assert_eq!(state["outcome"], "approve");
    assert_eq!(pipeline.columns("notes").await, [""; 0]);

    let execution = pipeline.start(json!({})).await;
    approve().await;
    pipeline.succeeds(execution).await;
    assert_eq!(pipeline.recorded().await, [1, 2]);
}

#[tokio::test]
async fn a_run_ends_when_somebody_closes_its_deploy_request() {
    let pipeline = Pipeline::with("0002_notes.sql", NOTES).await;
    let execution = pipeline.start(json!({ "approval": true })).await;
    pipeline.carried_out("await_approval", 1).await;
    pipeline.close("/deploy-requests/1").await;
    let (error, cause) = pipeline.fails(execution).await;
    assert_eq!(error, "DeployRequestClosed");
    assert!(cause.contains("deploy request 1 was closed"), "{cause}");
    pipeline.assert_nothing_left().await;

    let result = pipeline.succeed(json!({})).await;
    assert_eq!(result["deploy_request"]["number"], 2);
}

#[tokio::test]
async fn a_branch_with_an_older_schema_is_replaced() {
    let pipeline = Pipeline::with("0002_notes.sql", NOTES).await;
    pipeline.control_plane.next_branch_lacks("orders.total");
    pipeline.succeed(json!({})).await;
    assert!(pipeline.has_column("orders", "total").await);
    assert_eq!(pipeline.times("create_branch"), 2);
    pipeline.assert_nothing_left().await;
}

#[tokio::test]
async fn a_call_that_is_never_allowed_fails_the_run_and_names_the_missing_access() {
    let pipeline = Pipeline::with("0002_notes.sql", NOTES).await;
    pipeline
        .control_plane
        .fail(ApiFailure::with(403).on("GET", "/schema/lint").times(99));
    pipeline.refused("NotAllowed", &["read_branch"]).await;
    pipeline.assert_nothing_left().await;
}

#[tokio::test]
async fn a_run_reads_its_token_again_when_it_is_rotated() {
    let pipeline = Pipeline::with("0002_notes.sql", NOTES).await;
    let execution = pipeline.start(json!({ "approval": true })).await;
    pipeline.carried_out("await_approval", 1).await;
    let new = pipeline.control_plane.new_token().await;
    pipeline.rotate_token(&new).await;
    // The old token opened the deploy request, so the new one may approve it.
    pipeline.approve(&new).await;
    pipeline.succeeds(execution).await;
}
