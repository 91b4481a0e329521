//! Faults that a test can ask for.

use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::{Method, StatusCode};
use serde_json::Value;

use super::ControlPlane;
use super::branch_schema::quoted;
use super::call::{Answer, error};

/// Which calls fail, and how.
///
/// ```
/// # use tests::stand_ins::control_plane::ApiFailure;
/// ApiFailure::with(429).on("POST", "/deploy").times(2);
/// ApiFailure::with(500).on("POST", "/branches").after_doing();
/// ```
#[derive(Debug, Clone)]
pub struct ApiFailure {
    status: StatusCode,
    method: Option<Method>,
    path: String,
    times: usize,
    after_doing: bool,
    retry_after: Option<u32>,
}

impl ApiFailure {
    /// The next call fails with this status and does nothing.
    ///
    /// # Panics
    ///
    /// It is not a status.
    #[must_use]
    #[expect(clippy::panic, reason = "a test has a mistake")]
    pub fn with(status: u16) -> Self {
        let Ok(status) = StatusCode::from_u16(status) else {
            panic!("{status} is not an HTTP status");
        };
        Self {
            status,
            method: None,
            path: String::new(),
            times: 1,
            after_doing: false,
            retry_after: None,
        }
    }

    /// Only calls with this method whose path ends with `path`.
    ///
    /// # Panics
    ///
    /// It is not a method.
    #[must_use]
    #[expect(clippy::panic, reason = "a test has a mistake")]
    pub fn on(mut self, method: &str, path: &str) -> Self {
        let Ok(method) = method.parse() else {
            panic!("{method} is not an HTTP method");
        };
        self.method = Some(method);
        path.clone_into(&mut self.path);
        self
    }

    /// This many calls fail instead of one.
    #[must_use]
    pub fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }

    /// The call is carried out, but its answer is the failure.
    #[must_use]
    pub fn after_doing(mut self) -> Self {
        self.after_doing = true;
        self
    }

    /// The answer has a `Retry-After` header with this many seconds.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The answer.
    pub(super) fn answer(&self) -> (Answer, Option<u32>) {
        let body: Value = match self.status {
            StatusCode::TOO_MANY_REQUESTS => error("rate_limited", "Too many requests"),
            status => error(
                "internal_server_error",
                status.canonical_reason().unwrap_or(""),
            ),
        };
        ((self.status, Some(body)), self.retry_after)
    }
}

/// All faults that a test has asked for.
#[derive(Default)]
pub struct Faults(Mutex<Requested>);

#[derive(Default)]
pub struct Requested {
    failures: Vec<ApiFailure>,
    /// The operation at which the next deployment fails.
    pub deployment: Option<usize>,
    /// Why the checks of deploy requests fail.
    pub check: Option<String>,
    /// Whether the next backup fails.
    pub backup: bool,
    /// Tables and columns that the next branch does not get.
    stale: Vec<String>,
}

impl Faults {
    pub fn lock(&self) -> MutexGuard<'_, Requested> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the failure for this call, if there is one.
    pub fn strike(&self, method: &Method, path: &str, after_doing: bool) -> Option<ApiFailure> {
        let mut wanted = self.lock();
        let failure = wanted.failures.iter_mut().find(|failure| {
            failure.times > 0
                && failure.after_doing == after_doing
                && failure
                    .method
                    .as_ref()
                    .is_none_or(|wanted| wanted == method)
                && path.ends_with(&failure.path)
        })?;
        failure.times -= 1;
        Some(failure.clone())
    }

    /// Takes the statements that make a new branch stale.
    pub fn take_stale_schema(&self) -> Vec<String> {
        let lacking = std::mem::take(&mut self.lock().stale);
        let statement = |what: String| match what.split_once('.') {
            Some((table, column)) => {
                let (table, column) = (quoted(table), quoted(column));
                format!("ALTER TABLE {table} DROP COLUMN {column}")
            }
            None => format!("DROP TABLE {}", quoted(&what)),
        };
        lacking.into_iter().map(statement).collect()
    }
}

impl ControlPlane {
    /// Lets a later call fail. Several failures are used in the order in which they were added.
    pub fn fail(&self, failure: ApiFailure) {
        self.shared.faults.lock().failures.push(failure);
    }

    /// Whether all failures have happened.
    #[must_use]
    pub fn has_failed_all(&self) -> bool {
        let wanted = self.shared.faults.lock();
        wanted.deployment.is_none() && wanted.failures.iter().all(|failure| failure.times == 0)
    }

    /// Lets the next deployment fail while it copies the table of this operation, counted from 0.
    /// The target does not change.
    pub fn fail_deployment_at(&self, operation: usize) {
        self.shared.faults.lock().deployment = Some(operation);
    }

    /// Lets the checks of deploy requests fail from now on, for this reason.
    pub fn fail_deploy_checks(&self, reason: &str) {
        self.shared.faults.lock().check = Some(reason.to_owned());
    }

    /// Lets the next backup fail.
    pub fn fail_backup(&self) {
        self.shared.faults.lock().backup = true;
    }

    /// Creates the next branch without this table (`orders`) or column (`orders.total`), as if it
    /// came from an older schema.
    pub fn next_branch_lacks(&self, what: &str) {
        self.shared.faults.lock().stale.push(what.to_owned());
    }
}
