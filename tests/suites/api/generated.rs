//! Requests that schemathesis makes from the API's document: right ones, wrong ones, and chains of
//! calls that follow the document's links. `schemathesis.toml` beside this file says which.
//!
//! `SCHEMATHESIS_SEED` sets another seed than the one there.

use std::net::Ipv4Addr;
use std::process::Stdio;

use axum::extract::Request;
use axum::http::header::AUTHORIZATION;
use axum::response::Response;
use tests::openapi::FILE;
use tests::stack::find_program;
use tests::stand_ins::api_gateway::{event_of, response_of};
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::client::send_if_routed;

/// What the caller has to send in `Authorization`.
const AUTHORIZED: &str = "Bearer of-the-tests";

#[tokio::test]
async fn generated_requests_are_answered_as_the_document_says() {
    let Some(program) = find_program("schemathesis") else {
        tests::skipped("there is no schemathesis (.ci/tools installs it)");
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

/// Answers like API Gateway in front of the functions. A wrong answer panics in the client, and then
/// schemathesis gets none.
async fn gateway(request: Request) -> Response {
    let authorization = request.headers().get(AUTHORIZATION);
    let authorized = authorization.is_some_and(|value| value == AUTHORIZED);
    let mut event = event_of(request).await.unwrap();
    if !authorized {
        event = event.anonymous();
    }
    let answer = send_if_routed(event).await;
    response_of(answer.as_ref()).unwrap()
}
