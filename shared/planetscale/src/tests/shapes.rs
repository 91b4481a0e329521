//! Bodies with every field of the document.

use secrecy::ExposeSecret;

use super::*;

#[tokio::test]
async fn each_body_of_the_document_is_read() {
    let script = [
        "get_database",
        "create_branch",
        "lint_branch_schema",
        "create_password",
        "create_backup",
        "get_deploy_request",
        "list_deploy_operations",
    ];
    let server = Server::answering(script.map(|operation| ok(shape(operation)))).await;
    let calls = server.calls();

    assert!(calls.database().await.unwrap().require_approval_for_deploy);
    assert!(calls.branch("a").await.unwrap().safe_migrations);
    assert_eq!(calls.lint("a").await.unwrap()[0].lint_error, "lint_error");
    let new = NewPassword {
        name: String::new(),
        role: Role::ReadWriter,
        ttl: None,
        connecting: Connecting::default(),
    };
    let password = calls.create_password("a", &new).await.unwrap();
    let plain_text = password.plain_text.unwrap();
    assert_eq!(plain_text.expose_secret(), "pscale_pw_hunter2");
    let retention = Retention::try_from("7 days".to_owned()).unwrap();
    let backup = calls.create_backup("a", "", retention).await.unwrap();
    assert_eq!(backup.state, BackupState::Pending);
    let request = calls.deploy_request(1).await.unwrap();
    assert_eq!(request.deployment_state, DeploymentState::Pending);
    assert!(request.deployment.unwrap().deployable);
    let operations = calls.operations(1).await.unwrap();
    assert_eq!(operations[0].table_name, "table_name");
}

#[tokio::test]
async fn unknown_states_and_fields_are_accepted() {
    let mut strange = shape("get_deploy_request");
    strange["deployment_state"] = "in_progress_teleport".into();
    strange["deployment"]["state"] = "in_progress_teleport".into();
    strange["state"] = "ajar".into();
    strange["mood"] = json!({ "good": true });
    strange["deployment"]["deploy_operations"] = json!("none of these");
    let server = Server::answering([ok(strange)]).await;
    let request = server.calls().deploy_request(1).await;
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
