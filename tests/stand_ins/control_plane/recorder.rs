//! What was asked and answered, for tests that hold both against the API's document.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::Method;
use serde_json::Value;

/// One call and its answer, without the token. Bodies may have passwords: its `Debug` has none.
#[derive(Clone)]
pub struct Exchange {
    /// The method.
    pub method: Method,
    /// The path without its query, from `/v1` on.
    pub path: String,
    /// The parameters of the query, decoded.
    pub query: Vec<(String, String)>,
    /// The request's body; nothing where there is none or where it is no JSON.
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

/// The exchanges since somebody wanted them, in the order of the answers.
#[derive(Default)]
pub struct Recorder(Mutex<Option<Vec<Exchange>>>);

impl Recorder {
    fn lock(&self) -> MutexGuard<'_, Option<Vec<Exchange>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn start(&self) {
        self.lock().get_or_insert_default();
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
