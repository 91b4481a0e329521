//! Records requests and answers, for tests that compare them with the API's document.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::Method;
use serde_json::Value;

/// One request and its answer, without the token. `Debug` hides the bodies: they contain passwords.
#[derive(Clone)]
pub struct Exchange {
    /// The method.
    pub method: Method,
    /// The path without its query, from `/v1` on.
    pub path: String,
    /// The parameters of the query, decoded.
    pub query: Vec<(String, String)>,
    /// The body of the request, if it is JSON.
    pub request: Option<Value>,
    /// The answer's status.
    pub status: u16,
    /// The answer's body.
    pub response: Option<Value>,
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({})", self.method, self.path, self.status)
    }
}

/// The exchanges since the start of the recording, in the order of the answers.
#[derive(Default)]
pub struct Recorder(Mutex<Option<Vec<Exchange>>>);

impl Recorder {
    fn lock(&self) -> MutexGuard<'_, Option<Vec<Exchange>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn start(&self) {
        self.lock().get_or_insert_default();
    }

    pub fn stop(&self) {
        *self.lock() = None;
    }

    pub fn note(&self, exchange: Exchange) {
        if let Some(exchanges) = &mut *self.lock() {
            exchanges.push(exchange);
        }
    }

    pub fn exchanges(&self) -> Vec<Exchange> {
        self.lock().clone().unwrap_or_default()
    }
}
