//! What is read from bodies that have every field of the document.

use secrecy::ExposeSecret;

use super::*;

#[tokio::test]
async fn each_body_of_the_document_is_read() {
    let script = [
        "get_database",
        "list_branches",
        "get_branch_schema",
        "lint_branch_schema",
        "create_password",
        "get_deployment",
        "list_deploy_operations",
        "review_deploy_request",
        "list_backups",
        "list_branch_queries",
        "list_branch_anomalies",
        "list_branch_query_errors",
    ];
    let server = Server::answering(script.map(|operation| ok(shape(operation)))).await;
    let client = server.client();
    let calls = client.until(soon());

    assert!(calls.database().await.unwrap().require_approval_for_deploy);
    assert!(calls.branches().await.unwrap()[0].safe_migrations);
    assert_eq!(calls.schema("a").await.unwrap()[0].raw, "raw");
    assert_eq!(calls.lint("a").await.unwrap()[0].lint_error, "lint_error");
    let new = NewPassword {
        name: String::new(),
        role: Role::ReadWriter,
        ttl: None,
    };
    let password = calls.create_password("a", &new).await.unwrap();
    let plain_text = password.plain_text.unwrap();
    assert_eq!(plain_text.expose_secret(), "pscale_pw_hunter2");
    assert_eq!(password.expires_at, None);
    let deployment = calls.deployment(1).await.unwrap();
    assert_eq!(deployment.state, DeploymentState::Pending);
    assert!(deployment.deployable);
    assert!(calls.operations(1).await.unwrap()[0].can_drop_data);
    let review = calls.review(1, &Verdict::Approved, "").await.unwrap();
    assert_eq!(review.state, Verdict::Commented);
    let backups = calls.backups("main").await.unwrap();
    assert_eq!(backups[0].state, BackupState::Pending);
    let queries = calls.queries("main", &Period::Day).await.unwrap();
    assert_eq!(queries[0].query_count, 1);
    let anomalies = calls.anomalies("main", &Period::Day).await.unwrap();
    assert!(anomalies[0].active);
    let errors = calls.query_errors("main", &Period::Day).await.unwrap();
    assert_eq!(errors[0].error_message, "error_message");
    assert_eq!(
        server.lines()[9],
        "GET /branches/main/insights?period=1d&sort=totalTime&dir=desc&page=1&per_page=100"
    );
}

#[tokio::test]
async fn unknown_states_and_fields_survive() {
    let mut strange = shape("get_deploy_request");
    strange["deployment_state"] = "in_progress_teleport".into();
    strange["deployment"]["state"] = "in_progress_teleport".into();
    strange["state"] = "ajar".into();
    strange["mood"] = json!({ "good": true });
    strange["deployment"]["deploy_operations"] = json!("none of these");
    let server = Server::answering([ok(strange)]).await;
    let request = server.client().until(soon()).deploy_request(1).await;
    let request = request.unwrap();
    let unknown = DeploymentState::Other("in_progress_teleport".to_owned());
    assert_eq!(request.deployment_state, unknown);
    assert_eq!(unknown.progress(), Progress::Under);
    assert_eq!(request.state, Openness::Other("ajar".to_owned()));
}

#[test]
fn each_state_of_the_document_has_its_name() {
    for (text, progress) in [
        ("pending", Progress::Before),
        ("ready", Progress::Before),
        ("no_changes", Progress::NoChanges),
        ("queued", Progress::Under),
        ("submitting", Progress::Under),
        ("in_progress", Progress::Under),
        ("pending_cutover", Progress::Under),
        ("in_progress_vschema", Progress::Under),
        ("in_progress_cancel", Progress::Under),
        ("in_progress_cutover", Progress::Under),
        ("complete", Progress::Done),
        ("complete_cancel", Progress::Failed),
        ("complete_error", Progress::Failed),
        ("complete_pending_revert", Progress::Done),
        ("in_progress_revert", Progress::Under),
        ("in_progress_revert_vschema", Progress::Under),
        ("complete_revert", Progress::Failed),
        ("complete_revert_error", Progress::Failed),
        ("cancelled", Progress::Failed),
        ("error", Progress::Failed),
    ] {
        let state = DeploymentState::from(text.to_owned());
        assert!(!matches!(state, DeploymentState::Other(_)), "{text}");
        assert_eq!(state.as_str(), text);
        assert_eq!(state.progress(), progress, "{text}");
    }
}
