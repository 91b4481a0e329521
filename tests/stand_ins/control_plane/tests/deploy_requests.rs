//! Deploy requests: the difference between schemas, and the change of production.

use serde_json::{Value, json};
use tests::stand_ins::control_plane::BRANCH;

use crate::fresh_control_plane::{Scene, eventually, header};

const NOTES: &str = "CREATE TABLE notes (id INT NOT NULL PRIMARY KEY, note VARCHAR(64))";

#[tokio::test]
async fn a_deployment_goes_through_its_states_and_changes_production() {
    let scene = Scene::new().await;
    scene.branch("dev").await;
    scene
        .run(
            "dev",
            &[
                NOTES,
                "ALTER TABLE orders ADD COLUMN gift TINYINT NOT NULL DEFAULT 0",
            ],
        )
        .await;
    let request = scene.open("dev", true).await;
    let deploy = format!("{request}/deploy");
    assert_eq!(
        scene.refused(&deploy, json!({"instant_ddl": false})).await,
        "We're currently validating that these changes are safe to deploy. Please try again in a few moments."
    );
    let pending = scene.get(&request).await;
    assert_eq!(pending["deployment"]["deployable"], false);
    let ready = scene.until(&request, &["ready"]).await;
    assert_eq!(ready["deployment"]["deployable"], true);
    let operations = scene.get(&format!("{request}/operations")).await;
    let seen: Vec<[&Value; 3]> = operations["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            [
                &one["table_name"],
                &one["operation_name"],
                &one["can_drop_data"],
            ]
        })
        .collect();
    assert_eq!(
        seen,
        [["notes", "CREATE"], ["orders", "ALTER"]]
            .map(|[table, name]| { [&json!(table), &json!(name), &json!(false)].map(Clone::clone) })
            .iter()
            .map(|[a, b, c]| [a, b, c])
            .collect::<Vec<_>>()
    );
    let diff = scene.get(&format!("{request}/diff")).await;
    assert!(
        diff["data"][1]["raw"]
            .as_str()
            .unwrap()
            .contains("+  `gift` tinyint"),
        "{diff}"
    );

    let queued = scene.post(&deploy, json!({"instant_ddl": false})).await;
    assert_eq!(queued["deployment_state"], "queued");
    let last = "complete_pending_revert";
    let states = scene.states_until(&request, "deployment_state", last).await;
    assert_eq!(
        json!(states),
        json!([
            "queued",
            "submitting",
            "in_progress",
            "in_progress_cutover",
            "complete_pending_revert",
        ])
    );
    assert_eq!(scene.columns("notes").await, ["id", "note"]);
    assert!(scene.columns("orders").await.contains(&"gift".to_owned()));
    // It stands open while it can be reverted, and its branch can't go.
    let deployed = scene.get(&request).await;
    assert!(deployed["deployed_at"].is_string(), "{deployed}");
    let ending =
        |request: &Value| json!([request["state"], request["closed_at"], request["closed_by"]]);
    assert_eq!(ending(&deployed), json!(["open", null, null]));
    for (method, path, body) in [
        ("DELETE", "/branches/dev", None),
        ("PATCH", request.as_str(), Some(json!({"state": "closed"}))),
    ] {
        assert_eq!(scene.send(method, path, body).await.0, 422, "{method}");
    }

    let done = scene
        .post(&format!("{request}/skip-revert"), json!({}))
        .await;
    assert_eq!(
        (&done["deployment_state"], &done["state"]),
        (&json!("complete"), &json!("closed"))
    );
    for time in [
        &done["deployed_at"],
        &done["closed_at"],
        &done["deployment"]["finished_at"],
    ] {
        assert!(time.is_string(), "{done}");
    }
    assert_eq!(done["closed_by"]["id"], scene.token.id);
    // Nothing is left of the difference.
    assert_eq!(scene.get("/branches/dev/diff").await, json!({"data": []}));
    let again = scene.open("dev", true).await;
    let none = scene.until(&again, &["no_changes"]).await;
    assert_eq!(none["deployment"]["deployable"], false);
}

#[tokio::test]
async fn a_branch_goes_with_its_deployment_where_it_may() {
    let scene = Scene::new().await;
    for (name, status) in [("guarded", 200), ("free", 404)] {
        scene.branch(name).await;
        let table = format!("CREATE TABLE {name} (id INT NOT NULL PRIMARY KEY)");
        scene.run(name, &[&table]).await;
        let request = scene.ready(name).await;
        let path = format!("/branches/{name}");
        for (method, path, body) in [
            (
                "PUT",
                format!("{request}/auto-delete-branch"),
                json!({"enable": true}),
            ),
            (
                "PATCH",
                path.clone(),
                json!({"deletion_protected": name == "guarded"}),
            ),
        ] {
            assert_eq!(scene.send(method, &path, Some(body)).await.0, 200, "{path}");
        }
        scene.post(&format!("{request}/deploy"), json!({})).await;
        scene.until(&request, &["complete_pending_revert"]).await;
        let done = scene
            .post(&format!("{request}/skip-revert"), json!({}))
            .await;
        assert_eq!(done["state"], "closed");
        assert_eq!(scene.send("GET", &path, None).await.0, status, "{name}");
    }

    // The other way round, production would go.
    scene.branch("stage").await;
    scene.run("stage", &["DROP TABLE free"]).await;
    scene.post("/branches/stage/promote", json!({})).await;
    scene
        .post("/branches/stage/safe-migrations", json!({}))
        .await;
    let new = json!({"branch": BRANCH, "into_branch": "stage", "auto_delete_branch": true});
    let opened = scene.post("/deploy-requests", new).await;
    let request = format!("/deploy-requests/{}", opened["number"]);
    scene.until(&request, &["ready"]).await;
    scene
        .post(&format!("{request}/deploy"), json!({"instant_ddl": false}))
        .await;
    scene.until(&request, &["complete_pending_revert"]).await;
    scene
        .post(&format!("{request}/skip-revert"), json!({}))
        .await;
    scene.get("/branches/main").await;
}

#[tokio::test]
async fn a_deployment_moves_on_though_nobody_looks() {
    let scene = Scene::new().await;
    scene.branch("dev").await;
    scene.run("dev", &[NOTES]).await;
    let request = scene.ready("dev").await;
    scene.post(&format!("{request}/deploy"), json!({})).await;
    let deployed = eventually("the table", async || {
        let there = !scene.columns("notes").await.is_empty();
        there.then_some(())
    });
    tokio::select! {
        () = deployed => {}
        () = scene.plane.keep_moving() => {}
    }
    assert_eq!(scene.columns("notes").await, ["id", "note"]);
}

#[tokio::test]
async fn a_gated_deployment_waits_and_can_be_cancelled() {
    let scene = Scene::new().await;
    // The last one is to wait no longer.
    for (name, end) in [
        ("one", "cancel"),
        ("two", "apply-deploy"),
        ("three", "auto-apply"),
    ] {
        if name == "three" {
            scene.run_on_production(&["DROP TABLE notes"]).await;
        }
        scene.branch(name).await;
        scene.run(name, &[NOTES]).await;
        let request = scene.open(name, false).await;
        scene.until(&request, &["ready"]).await;
        scene.post(&format!("{request}/deploy"), json!({})).await;
        let submitting = scene.until(&request, &["submitting"]).await;
        let times = |seen: &Value| {
            let deployment = &seen["deployment"];
            ["submitted_at", "started_at", "ready_to_cutover_at"]
                .map(|time| deployment[time].is_string())
        };
        assert_eq!(times(&submitting), [true, false, false]);
        let waiting = scene.until(&request, &["pending_cutover"]).await;
        assert_eq!(times(&waiting), [true; 3]);
        for _ in 0..3 {
            assert_eq!(
                scene.get(&request).await["deployment_state"],
                "pending_cutover"
            );
        }
        assert_eq!(scene.columns("notes").await, [] as [&str; 0]);
        let (method, body) = match end {
            "auto-apply" => ("PUT", json!({"enable": true})),
            _ => ("POST", json!({})),
        };
        let ended = format!("{request}/{end}");
        let (status, ended) = scene.send(method, &ended, Some(body)).await;
        assert_eq!(status, 200, "{ended}");
        match end {
            "cancel" => {
                assert_eq!(ended["deployment_state"], "in_progress_cancel");
                scene.until(&request, &["complete_cancel"]).await;
                assert_eq!(scene.columns("notes").await, [] as [&str; 0]);
            }
            _ => {
                let cuts_over = match end {
                    "apply-deploy" => "in_progress_cutover",
                    _ => "pending_cutover",
                };
                assert_eq!(ended["deployment_state"], cuts_over);
                scene.until(&request, &["complete_pending_revert"]).await;
                assert_eq!(scene.columns("notes").await, ["id", "note"]);
                scene
                    .post(&format!("{request}/skip-revert"), json!({}))
                    .await;
            }
        }
    }
}

#[tokio::test]
async fn without_a_target_it_is_for_the_branch_s_parent() {
    let scene = Scene::new().await;
    scene.branch("staging").await;
    scene.post("/branches/staging/promote", json!({})).await;
    scene
        .post("/branches/staging/safe-migrations", json!({}))
        .await;
    let child = json!({"name": "feature", "parent_branch": "staging"});
    scene.post("/branches", child).await;
    let open = json!({"branch": "feature", "notes": ""});
    let opened = scene.post("/deploy-requests", open).await;
    assert_eq!(opened["into_branch"], "staging");
}

#[tokio::test]
async fn it_is_deployed_only_where_safe_migrations_are_still_enabled() {
    let scene = Scene::new().await;
    scene.branch("dev").await;
    scene.run("dev", &[NOTES]).await;
    let request = scene.ready("dev").await;
    let safe = "/branches/main/safe-migrations";
    assert_eq!(scene.send("DELETE", safe, None).await.0, 200);
    let deploy = format!("{request}/deploy");
    assert_eq!(
        scene.refused(&deploy, json!({})).await,
        "Into branch main must be a branch with safe migrations enabled"
    );
    assert_eq!(scene.get(&request).await["deployment_state"], "ready");
    scene.post(safe, json!({})).await;
    scene.post(&deploy, json!({})).await;
}

#[tokio::test]
async fn one_deployment_runs_at_a_time_and_the_next_waits() {
    let scene = Scene::new().await;
    let mut requests = Vec::new();
    for name in ["one", "two"] {
        scene.branch(name).await;
        scene
            .run(
                name,
                &[&format!(
                    "CREATE TABLE {name} (id INT NOT NULL PRIMARY KEY)"
                )],
            )
            .await;
        requests.push(scene.ready(name).await);
    }
    for request in &requests {
        scene.post(&format!("{request}/deploy"), json!({})).await;
    }
    let [first, second] = [&requests[0], &requests[1]];
    scene.until(first, &["complete_pending_revert"]).await;
    for _ in 0..3 {
        assert_eq!(scene.get(second).await["deployment_state"], "queued");
    }
    let waiting = scene.get(second).await;
    let ahead = &waiting["deployment"]["preceding_deployments"][0];
    assert_eq!(
        (&ahead["deploy_request_number"], &ahead["into_branch"]),
        (&json!(1), &json!("main"))
    );
    assert!(ahead["actor"].is_object() && ahead["queued_at"].is_string());
    let queue = scene.get("/deploy-queue").await;
    assert_eq!(queue["data"][1]["deploy_request_number"], 2);
    scene.post(&format!("{first}/skip-revert"), json!({})).await;
    // The second branch lacks what the first has brought, and would drop it now: nobody has seen
    // that.
    let failed = scene.until(second, &["error"]).await;
    assert_eq!(
        failed["deployment"]["deploy_check_errors"],
        "The target's schema has changed since the deployment was queued"
    );
    let operations = &failed["deployment"]["deploy_operations"];
    assert_eq!(
        (
            &operations[1]["operation_name"],
            &operations[1]["table_name"]
        ),
        (&json!("DROP"), &json!("one"))
    );
    // Now somebody can have seen it.
    scene.until(second, &["ready"]).await;
    scene.post(&format!("{second}/deploy"), json!({})).await;
    scene.until(second, &["complete_pending_revert"]).await;
    assert!(scene.columns("one").await.is_empty());
}

#[tokio::test]
async fn what_does_not_fit_is_refused() {
    let scene = Scene::new().await;
    scene.branch("dev").await;
    scene.branch("other").await;
    let open = |branch: &str, into: &str| json!({"branch": branch, "into_branch": into});
    let into = scene
        .refused("/deploy-requests", open("dev", "other"))
        .await;
    assert!(
        into.ends_with("must be a branch with safe migrations enabled"),
        "{into}"
    );
    let (status, _) = scene
        .send("POST", "/deploy-requests", Some(open("gone", "main")))
        .await;
    assert_eq!(status, 404);
    let unknown = scene.send("GET", "/deploy-requests?state=shut", None).await;
    assert_eq!(unknown.0, 422);

    scene.run("dev", &[NOTES]).await;
    let request = scene.ready("dev").await;
    let twice = scene.refused("/deploy-requests", open("dev", "main")).await;
    assert!(
        twice.contains("already has an open deploy request"),
        "{twice}"
    );
    scene.post(&format!("{request}/deploy"), json!({})).await;
    let (status, refusal) = scene.send("DELETE", "/branches/dev", None).await;
    assert_eq!(status, 422);
    let message = refusal["message"].as_str().unwrap();
    assert!(
        message.contains("cannot be deleted while a deployment is in progress"),
        "{message}"
    );
    let (status, _) = scene
        .send("PATCH", &request, Some(json!({"state": "closed"})))
        .await;
    assert_eq!(status, 422);
    scene.post(&format!("{request}/cancel"), json!({})).await;
    let (status, closed) = scene
        .send("PATCH", &request, Some(json!({"state": "closed"})))
        .await;
    assert_eq!((status, &closed["state"]), (200, &json!("closed")));
    assert_eq!(
        scene.refused(&format!("{request}/deploy"), json!({})).await,
        "Deploy request is closed"
    );
    assert_eq!(scene.send("DELETE", "/branches/dev", None).await.0, 204);
    assert_eq!(scene.get(&request).await["branch_deleted"], true);
}

#[tokio::test]
async fn an_approval_is_another_s_and_holds_for_what_was_seen() {
    let scene = Scene::new().await;
    scene.plane.require_approval(true).await;
    scene.branch("dev").await;
    scene.run("dev", &[NOTES]).await;
    let request = scene.ready("dev").await;
    let (deploy, reviews) = (format!("{request}/deploy"), format!("{request}/reviews"));
    let approve = json!({"state": "approved", "body": "fine"});
    let needs = scene.refused(&deploy, json!({})).await;
    assert_eq!(
        needs,
        "Deploy request must be approved before it can be deployed"
    );
    let own = scene.refused(&reviews, approve.clone()).await;
    assert_eq!(
        own,
        "A deploy request can't be approved by who has opened it"
    );

    let other = scene.plane.new_token().await;
    let approval = || {
        scene.send_as(
            Some(header(&other)),
            "POST",
            &reviews,
            Some(approve.clone()),
        )
    };
    assert_eq!(approval().await.0, 201);
    assert_eq!(scene.get(&request).await["approved"], true);
    scene
        .run("dev", &["ALTER TABLE notes ADD COLUMN more INT"])
        .await;
    scene.get(&request).await;
    assert_eq!(scene.get(&request).await["approved"], false);
    scene.refused(&deploy, json!({})).await;
    assert_eq!(approval().await.0, 201);
    scene.post(&deploy, json!({})).await;
    assert_eq!(
        scene.get(&reviews).await["data"].as_array().unwrap().len(),
        2
    );
}

#[tokio::test]
async fn a_branch_from_an_older_schema_would_drop_what_is_newer() {
    let scene = Scene::new().await;
    scene.plane.next_branch_lacks("orders.total");
    scene.branch("dev").await;
    scene.run("dev", &[NOTES]).await;
    let request = scene.ready("dev").await;
    let operations = scene.get(&format!("{request}/operations")).await;
    let alter = &operations["data"][1];
    assert_eq!(
        alter["ddl_statement"],
        "ALTER TABLE `orders` DROP COLUMN `total`"
    );
    assert_eq!(alter["can_drop_data"], true);
}
