//! Tests of the client against a server with scripted answers. The bodies are those of
//! PlanetScale's OpenAPI document (`shapes.json` has every field of each).

mod server;
mod shapes;

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use server::{Answer, Server, client_of, ok, status};

/// A body with every field of the document.
fn shape(operation: &str) -> Value {
    let shapes: Value = serde_json::from_str(include_str!("tests/shapes.json")).unwrap();
    shapes[operation].clone()
}

fn branch(name: &str) -> Value {
    let mut branch = shape("create_branch");
    branch["name"] = name.into();
    branch
}

fn deploy_request(number: u64, branch: &str) -> Value {
    let mut request = shape("get_deploy_request");
    request["number"] = number.into();
    request["branch"] = branch.into();
    request["into_branch"] = "main".into();
    request
}

fn page(data: &[Value], next: Option<u32>) -> Answer {
    ok(json!({ "type": "list", "current_page": 1, "next_page": next, "data": data }))
}

const NEW: NewDeployRequest<'static> = NewDeployRequest {
    branch: "a",
    into_branch: "main",
    notes: "",
};

#[tokio::test]
async fn the_token_has_no_scheme_and_paths_are_below_the_database() {
    let server = Server::answering([ok(branch("main"))]).await;
    let found = server.calls().branch("main").await.unwrap();
    assert_eq!(found.name, "main");
    let asked = &server.received()[0];
    assert_eq!(
        asked.line,
        "GET /v1/organizations/acme/databases/orders/branches/main"
    );
    assert_eq!(asked.authorization, "token-id:hunter2");
}

#[tokio::test]
async fn a_read_is_retried_after_429_5xx_and_a_lost_answer() {
    let server = Server::answering([
        Answer::With(429, "retry-after: 0", String::new()),
        status(500),
        Answer::Nothing,
        Answer::With(
            503,
            "retry-after: Sun, 06 Nov 1994 08:49:37 GMT",
            String::new(),
        ),
        ok(branch("main")),
    ])
    .await;
    server.calls().branch("main").await.unwrap();
    assert_eq!(server.received().len(), 5);
}

#[tokio::test]
async fn a_busy_api_is_asked_again_until_the_deadline_but_never_without_a_pause() {
    let slow_down = Answer::With(429, "retry-after: 0", String::new());
    let server = Server::answering(vec![slow_down; 1000]).await;
    let calls = server.client.until(Deadline::after(Duration::from_secs(6)));
    let error = calls.branch("main").await.unwrap_err();
    assert!(matches!(error, ApiError::Unavailable { .. }), "{error}");
    let attempts = server.received().len();
    assert!((10..=30).contains(&attempts), "{attempts}");
}

#[tokio::test]
async fn a_call_does_not_wait_past_its_deadline() {
    let slow_down = Answer::With(429, "retry-after: 3600", String::new());
    let server = Server::answering([slow_down]).await;
    let error = server.calls().branch("main").await.unwrap_err();
    assert!(matches!(error, ApiError::Unavailable { .. }), "{error}");
    assert!(error.may_pass());
    assert_eq!(server.received().len(), 1);
}

#[tokio::test]
async fn an_unreachable_api_is_unavailable_at_the_deadline() {
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = unused.local_addr().unwrap();
    drop(unused);
    let client = client_of(&format!("http://{address}"));
    let deadline = Deadline::after(Duration::from_millis(300));
    let error = client.until(deadline).deploy(1).await.unwrap_err();
    assert!(matches!(error, ApiError::Unavailable { .. }), "{error}");
}

#[tokio::test]
async fn nothing_is_sent_after_the_deadline() {
    let server = Server::answering([ok(deploy_request(1, "a"))]).await;
    let over = server.client.until(Deadline::after(Duration::ZERO));
    let error = over.deploy(1).await.unwrap_err();
    assert!(matches!(error, ApiError::Unavailable { .. }), "{error}");
    assert_eq!(server.received(), []);
}

#[tokio::test]
async fn a_post_is_retried_only_if_it_did_nothing() {
    let server = Server::answering([status(429), ok(deploy_request(1, "a"))]).await;
    server.calls().deploy(1).await.unwrap();
    assert_eq!(server.received()[1].body, r#"{"instant_ddl":false}"#);

    for lost in [status(500), status(502), Answer::Nothing] {
        let server = Server::answering([lost.clone(), ok(deploy_request(1, "a"))]).await;
        let error = server.calls().deploy(1).await.unwrap_err();
        assert!(
            matches!(error, ApiError::OutcomeUnknown { .. }),
            "{lost:?}: {error}"
        );
        assert_eq!(server.received().len(), 1);
    }
}

#[tokio::test]
async fn after_a_lost_answer_a_missing_branch_is_created_again() {
    let script = [Answer::Nothing, status(404), ok(branch("a"))];
    let server = Server::answering(script).await;
    let made = server.calls().create_branch("a", "main").await;
    assert_eq!(made.unwrap().name, "a");
    let lines = ["POST /branches", "GET /branches/a", "POST /branches"];
    assert_eq!(server.lines(), lines);
}

#[tokio::test]
async fn after_a_lost_answer_the_new_deploy_request_is_looked_up_among_those_not_deployed() {
    let of_another = deploy_request(5, "b");
    let mut deployed = deploy_request(6, "a");
    deployed["deployment_state"] = "complete_pending_revert".into();
    let mut checked = deploy_request(7, "a");
    checked["deployment_state"] = "error".into();
    let open = page(&[of_another, deployed, checked], None);
    let server = Server::answering([status(500), open]).await;
    let opened = server.calls().create_deploy_request(&NEW).await;
    assert_eq!(opened.unwrap().number, 7);
    assert_eq!(
        server.lines()[1],
        "GET /deploy-requests?branch=a&into_branch=main&page=1&per_page=100"
    );
}

#[tokio::test]
async fn empty_check_errors_are_read_as_none() {
    let mut request = deploy_request(1, "a");
    request["deployment"]["deploy_check_errors"] = "".into();
    let server = Server::answering([ok(request)]).await;
    let request = server.calls().deploy_request(1).await;
    let deployment = request.unwrap().deployment.unwrap();
    assert_eq!(deployment.deploy_check_errors, None);
}

#[tokio::test]
async fn every_page_of_a_list_is_read() {
    let script = [
        page(&[deploy_request(1, "a"), deploy_request(2, "a")], Some(2)),
        status(500),
        page(&[deploy_request(3, "a")], None),
    ];
    let server = Server::answering(script).await;
    let calls = server.calls();
    let listed = calls.deploy_requests(None, "main").await.unwrap();
    let numbers: Vec<_> = listed.iter().map(|one| one.number).collect();
    assert_eq!(numbers, [1, 2, 3]);
    assert_eq!(
        server.lines()[2],
        "GET /deploy-requests?into_branch=main&page=2&per_page=100"
    );
}

#[tokio::test]
async fn a_list_without_a_last_page_is_refused() {
    let circle = page(&[deploy_request(1, "a")], Some(2));
    let server = Server::answering([circle.clone(), circle]).await;
    let calls = server.calls();
    let listed = calls.deploy_requests(None, "main").await;
    let error = listed.unwrap_err();
    assert!(matches!(error, ApiError::Unreadable { .. }), "{error}");
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = Server::answering([ok(branch("main"))]).await;
    let location = format!("location: http://{}/", elsewhere.address());
    let redirect = Answer::With(302, Box::leak(location.into_boxed_str()), String::new());
    let server = Server::answering([redirect]).await;
    let error = server.calls().branch("main").await.unwrap_err();
    assert!(error.to_string().contains("redirect"), "{error}");
    assert_eq!(elsewhere.received(), []);
}

#[tokio::test]
async fn a_name_cannot_change_the_path() {
    let server = Server::answering([status(204)]).await;
    server.calls().delete_branch("a/b?c").await.unwrap();
    assert_eq!(server.lines(), ["DELETE /branches/a%2Fb%3Fc"]);
    for name in ["", ".", ".."] {
        server.calls().delete_branch(name).await.unwrap_err();
    }
    assert_eq!(server.received().len(), 1);
}

#[tokio::test]
async fn a_repeated_delete_that_finds_nothing_succeeds() {
    let server = Server::answering([Answer::Nothing, status(404)]).await;
    server.calls().delete_branch("a").await.unwrap();
    let server = Server::answering([status(404)]).await;
    let error = server.calls().delete_branch("a").await.unwrap_err();
    assert!(error.is_not_found());
}

#[tokio::test]
async fn a_refused_token_is_reported_with_the_missing_access() {
    for refused in [401, 403, 404] {
        let server = Server::answering([status(refused)]).await;
        let error = server.calls().delete_branch("a").await.unwrap_err();
        assert!(error.to_string().contains("delete_branch"), "{error}");
        assert!(!error.may_pass());
    }
}

#[tokio::test]
async fn the_message_of_a_refusal_decides_what_the_caller_can_do() {
    for (code, message, expected) in [
        (
            "invalid_params",
            "We're currently validating that these changes are safe to deploy. Please try again in a few moments.",
            Refusal::NotYet,
        ),
        (
            "unprocessable",
            "Branch cannot be deleted while a deployment is in progress",
            Refusal::NotYet,
        ),
        (
            "invalid_params",
            "Name has already been taken",
            Refusal::Exists,
        ),
        (
            "invalid_params",
            "Deploy request must be a branch with safe migrations enabled",
            Refusal::Final,
        ),
    ] {
        let body = json!({ "code": code, "message": message }).to_string();
        let server = Server::answering([Answer::With(422, "x-none: ", body)]).await;
        let error = server.calls().deploy(1).await.unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
        let ApiError::Refused { refusal, .. } = error else {
            panic!("{error}");
        };
        assert_eq!(refusal, expected, "{message}");
    }
}

#[tokio::test]
async fn an_error_with_any_body_is_accepted() {
    for body in [
        "",
        "<html>",
        "[]",
        r#"{"errors": []}"#,
        r#"{"error": "bad", "status": 422}"#,
    ] {
        let server = Server::answering([Answer::With(422, "x-none: ", body.to_owned())]).await;
        let error = server.calls().deploy(1).await.unwrap_err();
        assert!(matches!(error, ApiError::Refused { .. }), "{body}: {error}");
    }
}

#[tokio::test]
async fn debug_and_errors_hide_the_token_and_passwords() {
    let mut wrong = shape("create_password");
    wrong["username"] = json!(["hunter2"]);
    let server = Server::answering([ok(shape("create_password")), ok(wrong)]).await;
    let new = NewPassword {
        name: "n".to_owned(),
        role: Role::Admin,
        ttl: Some(Duration::from_secs(600)),
        connecting: Connecting::default(),
    };
    let made = server.calls().create_password("a", &new).await.unwrap();
    let error = server.calls().create_password("a", &new).await.unwrap_err();
    assert!(error.to_string().contains("username"), "{error}");
    let (client, calls) = (&server.client, server.calls());
    let shown = format!("{client:?} {calls:?} {made:?} {error:?} {error}");
    assert!(!shown.contains("hunter2"), "{shown}");
    let asked: Value = serde_json::from_str(&server.received()[0].body).unwrap();
    let expected = json!({
        "name": "n", "role": "admin", "ttl": 600, "replica": false, "direct_vtgate": false,
    });
    assert_eq!(asked, expected);
}
