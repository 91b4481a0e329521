//! Turns an HTTP request into a call and its answer into a response.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Query, Request, State as Extension};
use axum::http::{StatusCode, Uri, header};
use axum::response::Response;
use axum::routing::get;
use percent_encoding::percent_decode_str;
use tokio::net::TcpListener;

use super::call::{Answer, Call, Refusal, error};
use super::recorder::Exchange;
use super::records::Records;
use super::{Exclusive, Shared, metrics, routes};

/// Far more than any request of this API has.
const MAX_BODY: usize = 1 << 20;

/// Answers requests until the task is aborted.
pub async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let app = axum::Router::new()
        .route(
            "/v1/organizations/{organization}/metrics",
            get(metrics::targets),
        )
        .route("/metrics/branch/{id}", get(metrics::of_branch))
        .fallback(handle)
        .with_state(shared);
    // It never returns.
    let _ = axum::serve(listener, app).await;
}

/// Finishes a call in a task of its own, even if the client hangs up. Otherwise half a statement's
/// answer would stay on the connection to the server.
async fn handle(shared: Extension<Arc<Shared>>, request: Request) -> Response {
    let handled = tokio::spawn(handle_whole(shared, request)).await;
    handled.unwrap_or_else(|_| {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        let body = error("internal_server_error", "Internal Server Error");
        response((status, Some(body)), None)
    })
}

async fn handle_whole(Extension(shared): Extension<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY).await else {
        let refusal = Refusal::BadRequest("the body is too large".to_owned());
        return response(refusal.answer(), None);
    };
    let path = parts.uri.path().to_owned();
    let authorization = parts.headers.get(header::AUTHORIZATION);
    let authorization = authorization.and_then(|value| value.to_str().ok());
    let query = query(&parts.uri);

    let mut outcome = match shared.faults.strike(&parts.method, &path, false) {
        Some(failure) => failure.answer(),
        None => {
            let received = Received {
                authorization,
                method: &parts.method,
                path: &path,
                query: &query,
                body: &body,
            };
            (received.answer(&shared).await, None)
        }
    };
    if let Some(failure) = shared.faults.strike(&parts.method, &path, true) {
        outcome = failure.answer();
    }
    let ((status, answer), retry_after) = outcome;
    let mut query: Vec<(String, String)> = query.into_iter().collect();
    query.sort();
    shared.recorder.note(Exchange {
        method: parts.method,
        path,
        query,
        request: serde_json::from_slice(&body).ok(),
        status: status.as_u16(),
        response: answer.clone(),
    });
    response((status, answer), retry_after)
}

/// The parts of a request that matter.
struct Received<'a> {
    authorization: Option<&'a str>,
    method: &'a axum::http::Method,
    path: &'a str,
    query: &'a HashMap<String, String>,
    body: &'a [u8],
}

impl Received<'_> {
    /// Carries the call out, alone, and saves the records.
    async fn answer(&self, shared: &Shared) -> Answer {
        let mut exclusive = shared.exclusive.lock().await;
        let Exclusive {
            records, server, ..
        } = &mut *exclusive;
        let actor = match authorized(records, self.authorization) {
            Ok(actor) => actor,
            Err(refusal) => return refusal.answer(),
        };
        let segments: Vec<String> = self
            .path
            .split('/')
            .skip(1)
            .map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned())
            .collect();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let mut call = Call {
            shared,
            records,
            server,
            actor,
            method: self.method.clone(),
            path: self.path,
            query: self.query.clone(),
            body: self.body,
        };
        let performed = routes::perform(&mut call, &segments).await;
        // A refused call may have changed something before.
        let kept = exclusive.save().await.map_err(Refusal::from);
        performed
            .and_then(|answer| kept.map(|()| answer))
            .unwrap_or_else(|refusal| {
                if let Refusal::Server(error) = &refusal {
                    let (method, path) = (self.method, self.path);
                    crate::stack::progress::print(&format!(
                        "control plane: {method} {path}: {error}"
                    ));
                }
                refusal.answer()
            })
    }
}

/// The id of the token in `Authorization: ID:TOKEN`. With any other form, nothing is found.
pub(super) fn authorized(records: &Records, header: Option<&str>) -> Result<String, Refusal> {
    let header = header.ok_or(Refusal::Unauthorized)?;
    let (id, secret) = header.split_once(':').ok_or(Refusal::NotFound)?;
    let known = records
        .tokens
        .iter()
        .any(|token| token.id == id && token.secret == secret);
    known.then(|| id.to_owned()).ok_or(Refusal::Unauthorized)
}

fn query(uri: &Uri) -> HashMap<String, String> {
    Query::try_from_uri(uri).map_or_else(|_| HashMap::new(), |Query(query)| query)
}

fn response((status, body): Answer, retry_after: Option<u32>) -> Response {
    let body = body.map(|body| body.to_string());
    let mut response = Response::new(body.map_or_else(Body::empty, Body::from));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if status != StatusCode::NO_CONTENT {
        let json = header::HeaderValue::from_static("application/json; charset=utf-8");
        headers.insert(header::CONTENT_TYPE, json);
    }
    if let Some(seconds) = retry_after {
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    response
}
