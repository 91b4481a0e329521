//! Deploy requests: differences between schemas, and changes of production.

use serde_json::{Value, json};
use tests::eventually_holds;
use tests::stand_ins::control_plane::BRANCH;
use tests::stand_ins::control_plane::fresh_control_plane::FreshControlPlane;

const NOTES: &str = "CREATE TABLE notes (id INT NOT NULL PRIMARY KEY, note VARCHAR(64))";

#[tokio::test]
async fn a_deployment_goes_through_its_states_and_changes_production() {
    let api = FreshControlPlane::start().await;
    api.branch_with(
        "dev",
        &[
            NOTES,
            "ALTER TABLE orders ADD COLUMN gift TINYINT NOT NULL DEFAULT 0",
        ],
    )
    .await;
    let request = api.open("dev", true).await;
    let deploy = format!("{request}/deploy");
    assert_eq!(
        api.refused(&deploy, json!({"instant_ddl": false})).await,
        "We're currently validating that these changes are safe to deploy. Please try again in a few moments."
    );
    let pending = api.get(&request).await;
    assert_eq!(pending["deployment"]["deployable"], false);
    let ready = api.until(&request, &["ready"]).await;
    assert_eq!(ready["deployment"]["deployable"], true);
    let operations = format!("{request}/operations");
    let members = ["table_name", "operation_name", "can_drop_data"];
    assert_eq!(
        api.list(&operations, members).await,
        json!([["notes", "CREATE", false], ["orders", "ALTER", false]])
    );
    let diff = api.get(&format!("{request}/diff")).await;
    let raw = diff["data"][1]["raw"].as_str().unwrap();
    assert!(raw.contains("+  `gift` tinyint"), "{diff}");

    let queued = api.post(&deploy, json!({"instant_ddl": false})).await;
    assert_eq!(queued["deployment_state"], "queued");
    let last = "complete_pending_revert";
    let states = api.states_until(&request, "deployment_state", last).await;
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
    assert_eq!(api.columns("notes").await, ["id", "note"]);
    assert!(api.columns("orders").await.contains(&"gift".to_owned()));
    // The deploy request stays open while it can be reverted, and its branch cannot be deleted.
    let deployed = api.get(&request).await;
    assert!(deployed["deployed_at"].is_string(), "{deployed}");
    let ending = ["state", "closed_at", "closed_by"].map(|name| &deployed[name]);
    assert_eq!(json!(ending), json!(["open", null, null]));
    for (method, path, body) in [
        ("DELETE", "/branches/dev", None),
        ("PATCH", request.as_str(), Some(json!({"state": "closed"}))),
    ] {
        assert_eq!(api.send(method, path, body).await.0, 422, "{method}");
    }

    let done = api.act(&request, "skip-revert").await;
    assert_eq!(done["deployment_state"], "complete");
    assert_eq!(done["state"], "closed");
    for time in [
        &done["deployed_at"],
        &done["closed_at"],
        &done["deployment"]["finished_at"],
    ] {
        assert!(time.is_string(), "{done}");
    }
    assert_eq!(done["closed_by"]["id"], api.token.id);
    // There is no difference any more.
    assert_eq!(api.get("/branches/dev/diff").await, json!({"data": []}));
    let again = api.open("dev", true).await;
    let none = api.until(&again, &["no_changes"]).await;
    assert_eq!(none["deployment"]["deployable"], false);
}

#[tokio::test]
async fn a_deployment_deletes_its_branch_if_allowed() {
    let api = FreshControlPlane::start().await;
    for (name, status) in [("guarded", 200), ("free", 404)] {
        api.branch(name).await;
        let table = format!("CREATE TABLE {name} (id INT NOT NULL PRIMARY KEY)");
        api.run(name, &[&table]).await;
        let request = api.ready(name).await;
        let path = format!("/branches/{name}");
        let switch = format!("{request}/auto-delete-branch");
        let switched = api.send("PUT", &switch, Some(json!({"enable": true})));
        assert_eq!(switched.await.0, 200);
        let protect = json!({"deletion_protected": name == "guarded"});
        assert_eq!(api.patch(&path, protect).await, 200);
        api.act(&request, "deploy").await;
        api.until(&request, &["complete_pending_revert"]).await;
        let done = api.act(&request, "skip-revert").await;
        assert_eq!(done["state"], "closed");
        assert_eq!(api.status("GET", &path).await, status, "{name}");
    }

    // Production is never deleted.
    api.branch_with("stage", &["DROP TABLE free"]).await;
    api.protect("stage").await;
    let new = json!({"branch": BRANCH, "into_branch": "stage", "auto_delete_branch": true});
    let opened = api.post("/deploy-requests", new).await;
    let request = format!("/deploy-requests/{}", opened["number"]);
    api.until(&request, &["ready"]).await;
    api.act(&request, "deploy").await;
    api.until(&request, &["complete_pending_revert"]).await;
    api.act(&request, "skip-revert").await;
    api.get("/branches/main").await;
}

#[tokio::test]
async fn deployments_and_backups_finish_without_being_read() {
    let api = FreshControlPlane::start().await;
    api.post("/branches/main/backups", json!({})).await;
    api.branch_with("dev", &[NOTES]).await;
    let request = api.ready("dev").await;
    api.act(&request, "deploy").await;
    let deployed = eventually_holds("the table", async || !api.columns("notes").await.is_empty());
    tokio::select! {
        () = deployed => {}
        () = api.control_plane.keep_moving() => {}
    }
    assert_eq!(api.columns("notes").await, ["id", "note"]);
    let restore = json!({"name": "old", "seed_data": "last_successful_backup"});
    api.post("/branches", restore).await;
}

#[tokio::test]
async fn a_gated_deployment_waits_for_its_cutover_and_can_be_cancelled() {
    let api = FreshControlPlane::start().await;
    // The last one cuts over once auto-apply is enabled.
    for (name, end) in [
        ("one", "cancel"),
        ("two", "apply-deploy"),
        ("three", "auto-apply"),
    ] {
        if name == "three" {
            api.run_on_production(&["DROP TABLE notes"]).await;
        }
        api.branch_with(name, &[NOTES]).await;
        let request = api.open(name, false).await;
        api.until(&request, &["ready"]).await;
        api.act(&request, "deploy").await;
        let submitting = api.until(&request, &["submitting"]).await;
        let times = |seen: &Value| {
            let deployment = &seen["deployment"];
            ["submitted_at", "started_at", "ready_to_cutover_at"]
                .map(|time| deployment[time].is_string())
        };
        assert_eq!(times(&submitting), [true, false, false]);
        let waiting = api.until(&request, &["pending_cutover"]).await;
        assert_eq!(times(&waiting), [true; 3]);
        for _ in 0..3 {
            assert_eq!(
                api.get(&request).await["deployment_state"],
                "pending_cutover"
            );
        }
        assert_eq!(api.columns("notes").await, [] as [&str; 0]);
        let (method, body) = match end {
            "auto-apply" => ("PUT", json!({"enable": true})),
            _ => ("POST", json!({})),
        };
        let ended = format!("{request}/{end}");
        let (status, ended) = api.send(method, &ended, Some(body)).await;
        assert_eq!(status, 200, "{ended}");
        match end {
            "cancel" => {
                assert_eq!(ended["deployment_state"], "in_progress_cancel");
                api.until(&request, &["complete_cancel"]).await;
                assert_eq!(api.columns("notes").await, [] as [&str; 0]);
            }
            _ => {
                let cuts_over = match end {
                    "apply-deploy" => "in_progress_cutover",
                    _ => "pending_cutover",
                };
                assert_eq!(ended["deployment_state"], cuts_over);
                api.until(&request, &["complete_pending_revert"]).await;
                assert_eq!(api.columns("notes").await, ["id", "note"]);
                api.act(&request, "skip-revert").await;
            }
        }
    }
}

#[tokio::test]
async fn the_default_target_is_the_parent_branch() {
    let api = FreshControlPlane::start().await;
    api.branch("staging").await;
    api.protect("staging").await;
    let child = json!({"name": "feature", "parent_branch": "staging"});
    api.post("/branches", child).await;
    let open = json!({"branch": "feature", "into_branch": "", "notes": ""});
    let opened = api.post("/deploy-requests", open).await;
    assert_eq!(opened["into_branch"], "staging");
}

#[tokio::test]
async fn a_target_without_safe_migrations_is_refused_at_deployment() {
    let api = FreshControlPlane::start().await;
    api.branch_with("dev", &[NOTES]).await;
    let request = api.ready("dev").await;
    let safe = "/branches/main/safe-migrations";
    assert_eq!(api.status("DELETE", safe).await, 200);
    let deploy = format!("{request}/deploy");
    assert_eq!(
        api.refused(&deploy, json!({})).await,
        "Into branch main must be a branch with safe migrations enabled"
    );
    assert_eq!(api.get(&request).await["deployment_state"], "ready");
    api.post(safe, json!({})).await;
    api.post(&deploy, json!({})).await;
}

#[tokio::test]
async fn deployments_run_one_after_another() {
    let api = FreshControlPlane::start().await;
    let mut requests = Vec::new();
    for name in ["one", "two"] {
        let table = format!("CREATE TABLE {name} (id INT NOT NULL PRIMARY KEY)");
        api.branch_with(name, &[&table]).await;
        requests.push(api.ready(name).await);
    }
    for request in &requests {
        api.act(request, "deploy").await;
    }
    let [first, second] = [&requests[0], &requests[1]];
    api.until(first, &["complete_pending_revert"]).await;
    for _ in 0..3 {
        assert_eq!(api.get(second).await["deployment_state"], "queued");
    }
    let waiting = api.get(second).await;
    let ahead = &waiting["deployment"]["preceding_deployments"][0];
    assert_eq!(ahead["deploy_request_number"], 1);
    assert_eq!(ahead["into_branch"], "main");
    assert!(ahead["actor"].is_object() && ahead["queued_at"].is_string());
    let queue = api.get("/deploy-queue").await;
    assert_eq!(queue["data"][1]["deploy_request_number"], 2);
    api.act(first, "skip-revert").await;
    // The second branch lacks the table of the first and would drop it, which nobody has seen.
    let failed = api.until(second, &["error"]).await;
    assert_eq!(
        failed["deployment"]["deploy_check_errors"],
        "The target's schema has changed since the deployment was queued"
    );
    let operation = &failed["deployment"]["deploy_operations"][1];
    assert_eq!(operation["operation_name"], "DROP");
    assert_eq!(operation["table_name"], "one");
    // Now it can be seen.
    api.until(second, &["ready"]).await;
    api.act(second, "deploy").await;
    api.until(second, &["complete_pending_revert"]).await;
    assert!(api.columns("one").await.is_empty());
}

#[tokio::test]
async fn impossible_requests_are_refused() {
    let api = FreshControlPlane::start().await;
    api.branch("dev").await;
    api.branch("other").await;
    let open = |branch: &str, into: &str| json!({"branch": branch, "into_branch": into});
    let into = api.refused("/deploy-requests", open("dev", "other")).await;
    assert!(
        into.ends_with("must be a branch with safe migrations enabled"),
        "{into}"
    );
    let gone = api.send("POST", "/deploy-requests", Some(open("gone", "main")));
    assert_eq!(gone.await.0, 404);
    assert_eq!(api.status("GET", "/deploy-requests?state=shut").await, 422);

    api.run("dev", &[NOTES]).await;
    let request = api.ready("dev").await;
    let twice = api.refused("/deploy-requests", open("dev", "main")).await;
    assert!(
        twice.contains("already has an open deploy request"),
        "{twice}"
    );
    let deploy = format!("{request}/deploy");
    assert_eq!(
        api.refused(&deploy, json!({"instant_ddl": true})).await,
        "The changes are not eligible for instant DDL"
    );
    api.control_plane.require_approval(true).await;
    assert_eq!(
        api.refused(&deploy, json!({})).await,
        "Deploy request must be approved before it can be deployed"
    );
    let approve = json!({"state": "approved", "body": "fine"});
    assert_eq!(
        api.refused(&format!("{request}/reviews"), approve).await,
        "A deploy request cannot be approved by the actor that opened it"
    );
    api.control_plane.require_approval(false).await;
    api.act(&request, "deploy").await;
    let (status, refusal) = api.send("DELETE", "/branches/dev", None).await;
    assert_eq!(status, 422);
    let message = refusal["message"].as_str().unwrap();
    assert!(
        message.contains("cannot be deleted while a deployment is in progress"),
        "{message}"
    );
    let close = json!({"state": "closed"});
    assert_eq!(api.patch(&request, close.clone()).await, 422);
    api.act(&request, "cancel").await;
    assert_eq!(api.patch(&request, close).await, 200);
    assert_eq!(api.get(&request).await["state"], "closed");
    assert_eq!(
        api.refused(&deploy, json!({})).await,
        "Deploy request is closed"
    );
    assert_eq!(api.status("DELETE", "/branches/dev").await, 204);
    assert_eq!(api.get(&request).await["branch_deleted"], true);
}
