//! Backups of a branch: its schema with its rows.

use serde::{Deserialize, Serialize};
use serde_json::json;
use time::{Duration, OffsetDateTime, serde::rfc3339};

use super::{
    ApiError, Calls,
    open_enum::open_enum,
    transport::{ApiRequest, Grants, or_default},
};

const READ: Grants = Grants("read_backups");
const CREATE: Grants = Grants("write_backups");
const DELETE: Grants =
    Grants("delete_backups (delete_production_branch_backups for a production branch)");

open_enum! {
    /// The state of a backup.
    BackupState in "snake_case" {
        /// It has not begun.
        Pending,
        /// The rows are copied.
        Running,
        /// A branch can be created from it.
        Success,
        /// It failed.
        Failed,
        /// Somebody stopped it.
        Canceled,
        /// PlanetScale left it out.
        Ignored,
    }
}

impl BackupState {
    /// Whether it has not ended. Unknown states count as not ended.
    pub fn is_under_way(&self) -> bool {
        matches!(self, Self::Pending | Self::Running | Self::Other(_))
    }
}

/// A backup of a branch.
#[derive(Debug, Clone, Deserialize)]
pub struct Backup {
    /// Its id.
    pub id: String,
    /// Its name, which need not be unique.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// Its state.
    pub state: BackupState,
    /// Its size in bytes, 0 until it has succeeded.
    #[serde(default, deserialize_with = "or_default")]
    pub size: u64,
    /// Whether it cannot be deleted.
    #[serde(default, deserialize_with = "or_default")]
    pub protected: bool,
    /// When it was requested.
    #[serde(with = "rfc3339")]
    pub created_at: OffsetDateTime,
    /// When PlanetScale began to copy.
    #[serde(default, with = "rfc3339::option")]
    pub started_at: Option<OffsetDateTime>,
}

impl Backup {
    /// The time whose rows it has for certain. It may have later ones too.
    pub fn taken_at(&self) -> OffsetDateTime {
        self.started_at.unwrap_or(self.created_at)
    }
}

/// How long a backup is kept: 1 to 1000 hours, days, weeks, months or years. It is read from a text
/// such as `7 days` or `1 month`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Retention {
    value: u16,
    unit: RetentionUnit,
}

/// A text is not a [`Retention`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a retention is a number from 1 to 1000 and hours, days, weeks, months or years")]
pub struct WrongRetention;

/// The unit of a [`Retention`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum RetentionUnit {
    Hour,
    Day,
    Week,
    Month,
    Year,
}

impl Retention {
    /// The time itself, with the longest months and years that there are.
    pub fn longest(self) -> Duration {
        let unit = match self.unit {
            RetentionUnit::Hour => Duration::HOUR,
            RetentionUnit::Day => Duration::DAY,
            RetentionUnit::Week => Duration::WEEK,
            RetentionUnit::Month => Duration::days(31),
            RetentionUnit::Year => Duration::days(366),
        };
        unit * self.value
    }
}

impl TryFrom<String> for Retention {
    type Error = WrongRetention;

    fn try_from(text: String) -> Result<Self, WrongRetention> {
        let (value, unit) = text.split_once(' ').ok_or(WrongRetention)?;
        let value = value.parse().map_err(|_| WrongRetention)?;
        let unit = match unit.strip_suffix('s').unwrap_or(unit) {
            "hour" => RetentionUnit::Hour,
            "day" => RetentionUnit::Day,
            "week" => RetentionUnit::Week,
            "month" => RetentionUnit::Month,
            "year" => RetentionUnit::Year,
            _ => return Err(WrongRetention),
        };
        match value {
            1..=1000 => Ok(Self { value, unit }),
            _ => Err(WrongRetention),
        }
    }
}

impl Calls<'_> {
    /// Lists the backups of a branch, whoever made them, in no particular order.
    ///
    /// # Errors
    ///
    /// [`ApiError`].
    pub async fn backups(&self, branch: &str) -> Result<Vec<Backup>, ApiError> {
        let path = ["branches", branch, "backups"];
        self.list(ApiRequest::get("listing a branch's backups", &path, READ))
            .await
    }

    /// Begins a backup that PlanetScale deletes after `retention`. If the answer is lost, the backup
    /// is looked up by its name, so the name should be unique.
    ///
    /// # Errors
    ///
    /// [`ApiError`].
    pub async fn create_backup(
        &self,
        branch: &str,
        name: &str,
        retention: Retention,
    ) -> Result<Backup, ApiError> {
        let path = ["branches", branch, "backups"];
        let Retention { value, unit } = retention;
        let request = ApiRequest::post("beginning a backup", &path, CREATE)
            .body(json!({ "name": name, "retention_unit": unit, "retention_value": value }));
        match self.get(request).await {
            Err(error @ ApiError::OutcomeUnknown { .. }) => {
                let mut backups = self.backups(branch).await?.into_iter();
                backups.find(|backup| backup.name == name).ok_or(error)
            }
            outcome => outcome,
        }
    }

    /// Deletes a backup, which may be gone already.
    ///
    /// # Errors
    ///
    /// [`ApiError`].
    pub async fn delete_backup(&self, branch: &str, id: &str) -> Result<(), ApiError> {
        let path = ["branches", branch, "backups", id];
        let request = ApiRequest::delete("deleting a backup", &path, DELETE);
        let list = self.backups(branch);
        self.delete(request, list, |one| one.id == id).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retention_is_a_number_and_a_unit() {
        for (text, hours) in [
            ("1 hour", Some(1)),
            ("7 days", Some(7 * 24)),
            ("2 weeks", Some(14 * 24)),
            ("1 month", Some(31 * 24)),
            ("1000 years", Some(1000 * 366 * 24)),
            ("0 days", None),
            ("1001 days", None),
            ("7", None),
            ("7 eons", None),
            ("seven days", None),
        ] {
            let read = Retention::try_from(text.to_owned()).ok();
            let read = read.map(|retention| retention.longest().whole_hours());
            assert_eq!(read, hours, "{text}");
        }
    }
}
