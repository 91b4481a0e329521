//! What a check comes to, for its caller, the log and the metrics.

use std::fmt;

use lambda::metrics::{self, Metric};
use planetscale::{Backup, BackupState};
use serde::Serialize;

use crate::backups::Backups;

/// What a check comes to. It is the answer and, shorter, a line of the log.
#[derive(Debug, Serialize)]
pub struct Report {
    status: Status,
    /// Hours since the newest successful backup was taken, or since the branch was made if there is
    /// none.
    age_hours: f64,
    /// The newest successful backup.
    newest: Option<Summary>,
    /// The newest backup that has not ended.
    under_way: Option<Summary>,
    /// The names of those that have failed since the newest successful one.
    failed: Vec<String>,
    /// The names of those that were deleted, because they were older than the retention.
    deleted: Vec<String>,
}

/// How things stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The newest backup is young enough.
    Fresh,
    /// It is not, and a backup is under way that was begun before.
    UnderWay,
    /// It is not, and a backup was begun.
    Begun,
    /// It is not, and no backup could be begun.
    Stale,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

#[derive(Debug, Serialize)]
struct Summary {
    id: String,
    name: String,
    state: BackupState,
    size_bytes: u64,
}

impl From<&Backup> for Summary {
    fn from(backup: &Backup) -> Self {
        Self {
            id: backup.id.clone(),
            name: backup.name.clone(),
            state: backup.state.clone(),
            size_bytes: backup.size,
        }
    }
}

impl Report {
    pub fn of(backups: &Backups) -> Self {
        let names = backups.failed().map(|backup| backup.name.clone());
        Self {
            status: backups.status,
            age_hours: (backups.age_hours() * 100.0).round() / 100.0,
            newest: backups.newest().map(Summary::from),
            under_way: backups.under_way().map(Summary::from),
            failed: names.collect(),
            deleted: backups.deleted.clone(),
        }
    }

    /// Writes the line of the log, and adds to the metrics.
    pub fn publish(&self) {
        metrics::add(Metric::BackupAge, self.age_hours);
        let failures = self.failed.len() + usize::from(self.status == Status::Stale);
        if failures > 0 {
            metrics::add(Metric::BackupFailed, failures as f64);
        }
        let newest = self.newest.as_ref();
        let under_way = self.under_way.as_ref();
        tracing::info!(
            status = %self.status,
            age_hours = self.age_hours,
            newest = newest.map(|backup| &*backup.name),
            size_bytes = newest.map(|backup| backup.size_bytes),
            under_way = under_way.map(|backup| &*backup.name),
            state = under_way.map(|backup| backup.state.to_string()),
            failed = self.failed.join(" "),
            deleted = self.deleted.join(" "),
            "checked the backups"
        );
    }
}
