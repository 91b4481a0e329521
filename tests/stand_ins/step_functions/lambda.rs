//! The Lambda endpoint that the tasks of a state machine call.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::stand_ins::lambda::Reported;

/// The result of calling a function.
pub type Reply = Result<Value, Reported>;

/// Answers the calls of a function.
pub type Target = Arc<dyn Fn(Value) -> Pin<Box<dyn Future<Output = Reply> + Send>> + Send + Sync>;

/// The endpoint and the functions that it serves, by name.
#[derive(Clone)]
pub struct Endpoint {
    port: u16,
    functions: Functions,
}

type Functions = Arc<Mutex<HashMap<String, Target>>>;

impl Endpoint {
    /// Starts it on the current runtime.
    pub async fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let functions = Functions::default();
        let invoke = "/2015-03-31/functions/{name}/invocations";
        let router = Router::new()
            .route(invoke, post(answer))
            .with_state(Arc::clone(&functions));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { port, functions })
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Makes `target` answer the calls of this function.
    pub fn serve(&self, name: &str, target: Target) {
        let functions = &self.functions;
        let mut functions = functions.lock().unwrap_or_else(PoisonError::into_inner);
        functions.insert(name.to_owned(), target);
    }
}

/// Passes calls on to the function with this name behind `cargo lambda watch`, which reports an
/// error of the function with status 500.
pub fn behind_watch(front: &str, function: &str) -> Target {
    let url = format!("{front}/2015-03-31/functions/{function}/invocations");
    let http = crate::http_client();
    Arc::new(move |payload| {
        let call = http.post(&url).json(&payload);
        Box::pin(async move {
            let unknown = |error: reqwest::Error| Reported {
                name: "Lambda.Unknown".to_owned(),
                message: error.to_string(),
            };
            let answer = call.send().await.map_err(unknown)?;
            let succeeded = answer.status().is_success();
            let body: Value = answer.json().await.map_err(unknown)?;
            if succeeded {
                return Ok(body);
            }
            let text = |field| body.get(field).and_then(Value::as_str);
            Err(Reported {
                name: text("errorType").unwrap_or("Lambda.Unknown").to_owned(),
                message: text("errorMessage").unwrap_or_default().to_owned(),
            })
        })
    })
}

/// Answers like Lambda: an error of the function has status 200 and a header of its own.
async fn answer(
    State(functions): State<Functions>,
    Path(name): Path<String>,
    payload: Bytes,
) -> Response {
    let target = {
        let functions = functions.lock().unwrap_or_else(PoisonError::into_inner);
        functions.get(&name).cloned()
    };
    let (Some(target), Ok(payload)) = (target, serde_json::from_slice(&payload)) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    match target(payload).await {
        Ok(value) => axum::Json(value).into_response(),
        Err(Reported { name, message }) => {
            let header = HeaderName::from_static("x-amz-function-error");
            let body = json!({ "errorType": name, "errorMessage": message });
            ([(header, "Unhandled")], axum::Json(body)).into_response()
        }
    }
}
