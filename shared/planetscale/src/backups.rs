//! Backups of a branch.

use serde::Deserialize;
use serde_json::json;
use time::{OffsetDateTime, serde::rfc3339};

use super::{
    ApiError, Calls,
    open_enum::open_enum,
    transport::{Grants, Request, or_default},
};

const READ: Grants = Grants("read_backups");
const WRITE: Grants = Grants("write_backups");
const DELETE: Grants =
    Grants("delete_backups (delete_production_branch_backups for a production branch)");

open_enum! {
    /// How far a backup is.
    BackupState {
        /// Not begun.
        Pending = "pending",
        /// Under way.
        Running = "running",
        /// Done.
        Success = "success",
        /// Failed.
        Failed = "failed",
        /// Cancelled.
        Canceled = "canceled",
        /// Passed over.
        Ignored = "ignored",
    }
}

open_enum! {
    /// In what a backup's retention is counted.
    RetentionUnit {
        /// Hours.
        Hour = "hour",
        /// Days.
        Day = "day",
        /// Weeks.
        Week = "week",
        /// Months.
        Month = "month",
        /// Years.
        Year = "year",
    }
}

/// A backup to be made.
#[derive(Debug, Clone)]
pub struct NewBackup<'n> {
    /// A name for people.
    pub name: &'n str,
    /// How many units it is kept, 1 to 1000.
    pub retention_value: u16,
    /// What they are.
    pub retention_unit: RetentionUnit,
}

/// A backup of a branch.
#[derive(Debug, Clone, Deserialize)]
pub struct Backup {
    /// Its id.
    pub id: String,
    /// Its name.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// How far it is.
    pub state: BackupState,
    /// Its size in bytes, as stored.
    #[serde(default, deserialize_with = "or_default")]
    pub size: u64,
    /// When it was asked for.
    #[serde(with = "rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was done.
    #[serde(default, with = "rfc3339::option")]
    pub completed_at: Option<OffsetDateTime>,
    /// When it is deleted.
    #[serde(default, with = "rfc3339::option")]
    pub expires_at: Option<OffsetDateTime>,
    /// Whether it is kept from being deleted.
    #[serde(default, deserialize_with = "or_default")]
    pub protected: bool,
}

impl Calls<'_> {
    /// The backups of a branch.
    ///
    /// # Errors
    ///
    /// [`ApiError`].
    pub async fn backups(&self, branch: &str) -> Result<Vec<Backup>, ApiError> {
        let path = ["branches", branch, "backups"];
        self.list(Request::get("listing a branch's backups", &path, READ))
            .await
    }

    /// The backup of this id.
    ///
    /// # Errors
    ///
    /// [`ApiError`].
    pub async fn backup(&self, branch: &str, id: &str) -> Result<Backup, ApiError> {
        let path = ["branches", branch, "backups", id];
        self.get(Request::get("reading a backup", &path, READ))
            .await
    }

    /// Starts a backup.
    ///
    /// # Errors
    ///
    /// [`ApiError`].
    pub async fn create_backup(
        &self,
        branch: &str,
        new: &NewBackup<'_>,
    ) -> Result<Backup, ApiError> {
        let path = ["branches", branch, "backups"];
        let request = Request::post("creating a backup", &path, WRITE).body(json!({
            "name": new.name,
            "retention_unit": new.retention_unit,
            "retention_value": new.retention_value,
        }));
        self.get(request).await
    }

    /// Deletes a backup.
    ///
    /// # Errors
    ///
    /// [`ApiError`].
    pub async fn delete_backup(&self, branch: &str, id: &str) -> Result<(), ApiError> {
        let path = ["branches", branch, "backups", id];
        self.done(Request::delete("deleting a backup", &path, DELETE))
            .await
    }
}
