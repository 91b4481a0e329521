//! A relay between the function and what it calls over HTTP. It kills the function after a call, or
//! lets it store no secret.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::net::TcpListener;

/// Counts the calls over all places that it stands before.
#[derive(Clone, Default)]
pub struct Relay {
    calls: Arc<AtomicUsize>,
    /// The function to kill, and after which call.
    doomed: Arc<Mutex<Option<(Pid, usize)>>>,
    /// The status that is answered to whoever stores a secret.
    refusal: Arc<Mutex<Option<u16>>>,
}

#[derive(Clone)]
struct Before {
    upstream: String,
    relay: Relay,
}

impl Relay {
    /// Stands before this place. Returns the URL to call in place of it.
    pub async fn before(&self, upstream: &str) -> String {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let before = Before {
            upstream: upstream.to_owned(),
            relay: self.clone(),
        };
        let router = Router::new().fallback(pass_on).with_state(before);
        tokio::spawn(async move { axum::serve(listener, router).await });
        url
    }

    /// Kills the process once this call from now was carried out, before it is answered.
    pub fn kill_after(&self, call: usize, process: u32) {
        let process = Pid::from_raw(process.try_into().unwrap());
        self.calls.store(0, Ordering::SeqCst);
        *self.doomed.lock().unwrap() = Some((process, call));
    }

    /// Answers with this status to whoever stores a version of a secret, until it is called with none.
    pub fn refuse_to_store(&self, status: Option<u16>) {
        *self.refusal.lock().unwrap() = status;
    }

    /// Lets everything live.
    pub fn spare(&self) {
        *self.doomed.lock().unwrap() = None;
    }
}

async fn pass_on(
    State(Before { upstream, relay }): State<Before>,
    method: Method,
    uri: Uri,
    mut headers: HeaderMap,
    body: Bytes,
) -> Response {
    headers.remove(header::HOST);
    let action = headers
        .get("x-amz-target")
        .map(|target| target.as_bytes().to_owned());
    let refusal = *relay.refusal.lock().unwrap();
    if let (Some(status), Some(b"secretsmanager.PutSecretValue")) = (refusal, action.as_deref()) {
        let status = StatusCode::from_u16(status).unwrap();
        let body = r#"{"__type": "LimitExceededException", "message": "no"}"#;
        return (
            status,
            [(header::CONTENT_TYPE, "application/x-amz-json-1.1")],
            body,
        )
            .into_response();
    }
    let sent = tests::http_client()
        .request(method, format!("{upstream}{uri}"))
        .headers(headers)
        .body(body)
        .send();
    let Ok(answer) = sent.await else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    headers.remove(header::TRANSFER_ENCODING);
    let body = answer.bytes().await.unwrap();
    let call = relay.calls.fetch_add(1, Ordering::SeqCst) + 1;
    match *relay.doomed.lock().unwrap() {
        Some((process, last)) if call == last => kill(process, Signal::SIGKILL).unwrap(),
        _ => {}
    }
    (status, headers, body).into_response()
}
