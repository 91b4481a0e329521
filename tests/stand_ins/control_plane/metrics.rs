//! PlanetScale's metrics for Prometheus: the discovery of the branches, and the numbers of a branch.
//!
//! The discovery is an operation of the API, though its document does not have it (documentation,
//! "Prometheus"). It takes a token as `Authorization: token ID:TOKEN`. Each target carries a signature
//! in its query, and is read without a token.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use mysql_async::prelude::Queryable as _;
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::Refusal;
use super::records::Records;
use super::serve::authorized;
use super::{DATABASE, ORGANIZATION, Shared};

/// When a signature ends, in seconds since 1970. It is far away, since nothing waits for it here.
const EXPIRES: u64 = 4_102_444_800;

/// What a target's query has.
#[derive(Deserialize)]
pub(super) struct Signature {
    sig: String,
    exp: u64,
}

/// Depends on the token, so that nobody can read a branch without having discovered it.
fn signature(records: &Records, branch: &str) -> String {
    let mut hasher = DefaultHasher::new();
    let secrets = records.tokens.iter().map(|token| &token.token);
    (branch, EXPIRES, secrets.collect::<Vec<_>>()).hash(&mut hasher);
    format!("{:x}", hasher.finish())
}

/// The targets, one for each branch.
pub(super) async fn targets(
    State(shared): State<Arc<Shared>>,
    Path(organization): Path<String>,
    headers: HeaderMap,
) -> (StatusCode, Json<Value>) {
    let exclusive = shared.exclusive.lock().await;
    let records = &exclusive.records;
    let header = headers.get(header::AUTHORIZATION);
    let header = header.and_then(|header| header.to_str().ok());
    let token = header.map(|header| header.strip_prefix("token ").unwrap_or(header));
    let found = authorized(records, token).and_then(|id| {
        let may = records.has_access(&id, "read_metrics_endpoints");
        (may && organization == ORGANIZATION)
            .then_some(())
            .ok_or(Refusal::NotFound)
    });
    let (status, body) = match found {
        Ok(()) => (StatusCode::OK, Some(list(&shared.url, records))),
        Err(refusal) => refusal.answer(),
    };
    (status, Json(body.unwrap_or_default()))
}

fn list(url: &str, records: &Records) -> Value {
    let host = url.trim_start_matches("http://");
    let target = |branch: &super::Branch| {
        json!({
            "targets": [host],
            "labels": {
                "__scheme__": "http",
                "__metrics_path__": format!("/metrics/branch/{}", branch.id),
                "__param_sig": signature(records, &branch.id),
                "__param_exp": EXPIRES.to_string(),
                "planetscale_database_name": DATABASE,
                "planetscale_branch_name": branch.name,
            },
        })
    };
    records.branches.iter().map(target).collect()
}

/// The numbers of a branch, from the local server and from the stand-in of vtgate. The local server
/// has no replica, so there is no lag of one.
pub(super) async fn of_branch(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    Query(given): Query<Signature>,
) -> (StatusCode, String) {
    let mut exclusive = shared.exclusive.lock().await;
    let super::Exclusive {
        records, server, ..
    } = &mut *exclusive;
    let Some(branch) = records.branches.iter().find(|branch| branch.id == id) else {
        return (StatusCode::NOT_FOUND, String::new());
    };
    if given.exp != EXPIRES || given.sig != signature(records, &id) {
        return (StatusCode::FORBIDDEN, String::new());
    }
    let schema = &branch.schema;
    let connections = "SELECT COUNT(*) FROM information_schema.processlist WHERE db = ?";
    let connections: Result<Option<u64>, _> = match server.connection().await {
        Ok(server) => server.exec_first(connections, (schema,)).await,
        Err(error) => Err(error),
    };
    let Ok(connections) = connections else {
        return (StatusCode::INTERNAL_SERVER_ERROR, String::new());
    };
    let (connections, errors) = (
        connections.unwrap_or_default(),
        shared.vtgate.errors(schema),
    );
    let branch = format!("planetscale_database_branch_id=\"{id}\"");
    let text = format!(
        "# TYPE planetscale_edge_active_connections gauge\n\
         planetscale_edge_active_connections{{{branch}}} {connections}\n\
         # TYPE planetscale_vtgate_errors_total counter\n\
         planetscale_vtgate_errors_total{{{branch},planetscale_keyspace=\"{DATABASE}\",\
         planetscale_tablet_type=\"primary\",planetscale_vtgate_code=\"UNKNOWN\"}} {errors}\n"
    );
    (StatusCode::OK, text)
}
