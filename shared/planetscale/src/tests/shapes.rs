//! The states of deployments, and bodies with more than the document has.

use super::*;

#[tokio::test]
async fn unknown_states_and_fields_are_accepted() {
    let mut strange = shape("get_deploy_request");
    strange["deployment_state"] = "in_progress_teleport".into();
    strange["state"] = "ajar".into();
    strange["mood"] = json!({ "good": true });
    strange["deployment"]["deploy_operations"] = json!("none of these");
    let server = Server::answering([ok(strange)]).await;
    let request = server.calls().deploy_request(1).await;
    let request = request.unwrap();
    let unknown = DeploymentState::Other("in_progress_teleport".to_owned());
    assert_eq!(request.deployment_state, unknown);
    assert_eq!(unknown.progress(), Progress::Under);
    assert_eq!(unknown.to_string(), "in_progress_teleport");
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
        let state: DeploymentState = serde_json::from_value(json!(text)).unwrap();
        assert!(!matches!(state, DeploymentState::Other(_)), "{text}");
        assert_eq!(
            (json!(state), state.to_string()),
            (json!(text), text.to_owned())
        );
        assert_eq!(state.progress(), progress, "{text}");
    }
}
