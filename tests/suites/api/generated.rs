//! Requests that schemathesis makes from the API's document: right ones, wrong ones, and chains of
//! calls that follow the document's links. `schemathesis.toml` beside this file says which.
//!
//! `SCHEMATHESIS_SEED` sets another seed than the one there.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Stdio;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::AUTHORIZATION;
use axum::response::Response;
use serde_json::{Value, json};
use tests::openapi::FILE;
use tests::stand_ins::lambda::event::Event;
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::client::send_if_routed;

/// What the caller has to send in `Authorization`.
const AUTHORIZED: &str = "Bearer of-the-tests";

#[tokio::test]
async fn generated_requests_are_answered_as_the_document_says() {
    let Some(program) = schemathesis() else {
        eprintln!("skipped: there is no schemathesis (.ci/tools installs it)");
        return;
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let gateway = axum::serve(listener, axum::Router::new().fallback(gateway));

    let file = |name: &str| tests::root().join(name);
    let mut run = Command::new(program);
    run.args(["--no-color", "--config-file"])
        .arg(file("tests/suites/api/schemathesis.toml"))
        .arg("run")
        .arg(file(FILE))
        .args(["--url", &url, "--header"])
        .arg(format!("Authorization: {AUTHORIZED}"));
    if let Ok(seed) = std::env::var("SCHEMATHESIS_SEED") {
        run.args(["--seed", &seed]);
    }
    run.current_dir(env!("CARGO_TARGET_TMPDIR"))
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = tokio::select! {
        output = run.output() => output.unwrap(),
        ended = gateway => panic!("{ended:?}"),
    };
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{errors}");
    println!("{said}");
}

/// The program in `target/tools`, or the one on the PATH.
fn schemathesis() -> Option<PathBuf> {
    let in_tools = tests::root().join("target/tools/venv/bin");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = std::iter::once(in_tools).chain(std::env::split_paths(&path));
    folders.find_map(|folder| Some(folder.join("schemathesis")).filter(|file| file.is_file()))
}

/// Answers like API Gateway in front of the functions. A wrong answer panics in the client, and then
/// schemathesis gets none.
async fn gateway(request: Request) -> Response {
    let (head, body) = request.into_parts();
    let url = head.uri.path_and_query().map_or("/", |url| url.as_str());
    let mut event = Event::new(head.method.as_str(), url);
    for (name, value) in &head.headers {
        event = event.header(name.as_str(), String::from_utf8_lossy(value.as_bytes()));
    }
    let body = to_bytes(body, usize::MAX).await.unwrap();
    if !body.is_empty() {
        event = event.body(body);
    }
    let authorization = head.headers.get(AUTHORIZATION);
    if authorization.is_none_or(|value| value != AUTHORIZED) {
        event = event.anonymous();
    }
    let Some(answer) = send_if_routed(event).await else {
        let not_found = json!({ "message": "Not Found" });
        let response = Response::builder().status(404);
        let response = response.header("content-type", "application/json");
        return response.body(Body::from(not_found.to_string())).unwrap();
    };
    let response = Response::builder().status(answer.status);
    let headers = answer.headers.iter();
    let response = headers.fold(response, |response, (name, value)| {
        response.header(name, value)
    });
    let body = match answer.body {
        Value::Null => Body::empty(),
        body => Body::from(body.to_string()),
    };
    response.body(body).unwrap()
}
