//! The signal with which Lambda ends the process.

use std::time::Duration;

use http::{Method, header::CONTENT_TYPE};
use lambda_runtime_api_client::{BoxError, Client, body::Body, build_request};
use tokio::{
    signal::unix::{self, SignalKind},
    time::timeout,
};

/// The registration is a call within this machine.
const REGISTRATION_LIMIT: Duration = Duration::from_secs(1);

/// The header with the id that Lambda gives to an extension.
const IDENTIFIER: &str = "Lambda-Extension-Identifier";

/// Registers an internal extension that wants no events, because Lambda sends SIGTERM only to a
/// process with an extension. If this fails, the function still works, but its connections are cut
/// off instead of closed.
///
/// The crate lambda-extension does it too. With all the kinds of events that it can read, it would be
/// a thirtieth of a function's program.
pub(crate) async fn register_for_signal() {
    match timeout(REGISTRATION_LIMIT, register()).await {
        // It waits for an event that never comes. That tells Lambda that it is ready.
        Ok(Ok(next_event)) => drop(tokio::spawn(next_event)),
        Ok(Err(error)) => tracing::warn!(error, "no graceful shutdown: not registered"),
        Err(_) => tracing::warn!("no graceful shutdown: not registered in time"),
    }
}

/// Registers the extension, and returns its call for the next event (Lambda's Extensions API).
async fn register() -> Result<impl Future<Output: Send + 'static> + Send + 'static, BoxError> {
    let client = Client::builder().build()?;
    let registration = build_request()
        .method(Method::POST)
        .uri("/2020-01-01/extension/register")
        .header("Lambda-Extension-Name", "graceful-shutdown")
        .header(CONTENT_TYPE, "application/json")
        .body(Body::from(r#"{"events": []}"#))?;
    let answer = client.call(registration).await?;
    let identifier = answer.headers().get(IDENTIFIER);
    let identifier = identifier.ok_or_else(|| format!("the answer is {}", answer.status()))?;
    let next_event = build_request()
        .uri("/2020-01-01/extension/event/next")
        .header(IDENTIFIER, identifier)
        .body(Body::empty())?;
    Ok(client.call(next_event))
}

/// Waits for SIGTERM or SIGINT.
pub(crate) async fn signal() {
    let signals = (
        unix::signal(SignalKind::terminate()),
        unix::signal(SignalKind::interrupt()),
    );
    let (Ok(mut terminate), Ok(mut interrupt)) = signals else {
        tracing::warn!("no graceful shutdown: signals can't be received");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
