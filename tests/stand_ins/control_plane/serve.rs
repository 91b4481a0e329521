//! Turns an HTTP request into a call and its answer into a response.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Query, Request, State as Extension};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
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
    let Ok(Query(query)) = Query::<HashMap<_, _>>::try_from_uri(&parts.uri) else {
        let refusal = Refusal::BadRequest("the query cannot be read".to_owned());
        return response(refusal.answer(), None);
    };
    let path = parts.uri.path();

    let ((status, answer), retry_after) = match shared.faults.strike(&parts.method, path, false) {
        Some(failure) => failure.answer(),
        None => {
            let answer = carry_out(&shared, &parts, &query, &body).await;
            match shared.faults.strike(&parts.method, path, true) {
                Some(failure) => failure.answer(),
                None => (answer, None),
            }
        }
    };
    let mut query: Vec<(String, String)> = query.into_iter().collect();
    query.sort();
    shared.recorder.note(Exchange {
        path: path.to_owned(),
        method: parts.method,
        query,
        request: serde_json::from_slice(&body).ok(),
        status: status.as_u16(),
        response: answer.clone(),
    });
    response((status, answer), retry_after)
}

/// Carries a call out, alone, and saves the records.
async fn carry_out(
    shared: &Shared,
    parts: &Parts,
    query: &HashMap<String, String>,
    body: &[u8],
) -> Answer {
    let mut exclusive = shared.exclusive.lock().await;
    let Exclusive {
        records, server, ..
    } = &mut *exclusive;
    let authorization = parts.headers.get(header::AUTHORIZATION);
    let authorization = authorization.and_then(|value| value.to_str().ok());
    let actor = match authorized(records, authorization) {
        Ok(actor) => actor,
        Err(refusal) => return refusal.answer(),
    };
    let (method, path) = (&parts.method, parts.uri.path());
    let segments: Vec<String> = path
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
        method: method.clone(),
        path,
        query: query.clone(),
        body,
    };
    let performed = routes::perform(&mut call, &segments).await;
    // A refused call may have changed something before.
    let kept = exclusive.save().await.map_err(Refusal::from);
    performed
        .and_then(|answer| kept.map(|()| answer))
        .unwrap_or_else(|refusal| {
            if let Refusal::Server(error) = &refusal {
                let told = format!("control plane: {method} {path}: {error}");
                crate::stack::progress::print(&told);
            }
            refusal.answer()
        })
}

/// The id of the token in `Authorization: ID:TOKEN`. With any other form, nothing is found.
pub(super) fn authorized(records: &Records, header: Option<&str>) -> Result<String, Refusal> {
    let header = header.ok_or(Refusal::Unauthorized)?;
    let (id, secret) = header.split_once(':').ok_or(Refusal::NotFound)?;
    let known = records
        .tokens
        .iter()
        .any(|token| token.id == id && token.token == secret);
    known.then(|| id.to_owned()).ok_or(Refusal::Unauthorized)
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
