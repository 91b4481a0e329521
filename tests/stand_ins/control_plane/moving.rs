//! Time goes on: deployments and backups advance although nobody asks.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::http::Method;

use super::backups::Backup;
use super::call::Call;
use super::{ControlPlane, Exclusive, Shared, deploying};

/// How often [`ControlPlane::keep_moving`] advances deployments and backups.
const PACE: Duration = Duration::from_millis(500);

impl ControlPlane {
    /// Advances deployments and backups every half second until it is dropped.
    pub async fn keep_moving(&self) {
        let mut pace = tokio::time::interval(PACE);
        loop {
            pace.tick().await;
            let shared = Arc::clone(&self.shared);
            let moved = tokio::spawn(async move { shared.advance_all().await });
            // The next move continues where this one stopped.
            let _ = moved.await;
        }
    }
}

impl Shared {
    async fn advance_all(&self) {
        let mut exclusive = self.exclusive.lock().await;
        let Exclusive {
            records, server, ..
        } = &mut *exclusive;
        let requests = records.deploy_requests.iter();
        let numbers: Vec<u64> = requests
            .filter(|request| request.is_moving())
            .map(|request| request.number)
            .collect();
        if numbers.is_empty() && !records.backups.iter().any(Backup::is_moving) {
            return;
        }
        records.backups.iter_mut().for_each(Backup::advance);
        let mut call = Call {
            shared: self,
            records,
            server,
            actor: String::new(),
            method: Method::GET,
            path: "",
            query: HashMap::new(),
            body: b"",
        };
        for number in numbers {
            // The next call that reads the deploy request reports the error.
            let _ = deploying::advance(&mut call, number).await;
        }
        let _ = exclusive.save().await;
    }
}
