//! The backups of the production branch, and what has to be done about them.

use planetscale::{ApiError, Backup, BackupState, Calls};
use time::OffsetDateTime;

use crate::{Policy, own, report::Status};

/// The backups of the production branch, as PlanetScale knows them.
pub struct Backups {
    api: Calls<'static>,
    branch: &'static str,
    now: OffsetDateTime,
    all: Vec<Backup>,
    /// When the rows were last safe: when the newest successful backup was taken, or when the branch
    /// was made if there is none.
    pub safe_at: OffsetDateTime,
    pub status: Status,
    /// The names of those that were deleted.
    pub deleted: Vec<String>,
}

impl Backups {
    /// Asks PlanetScale.
    pub async fn read(api: Calls<'static>, branch: &'static str) -> Result<Self, ApiError> {
        let mut all = api.backups(branch).await?;
        all.sort_by_key(Backup::taken_at);
        let mut backups = Self {
            api,
            branch,
            now: OffsetDateTime::now_utc(),
            all,
            safe_at: OffsetDateTime::UNIX_EPOCH,
            status: Status::Stale,
            deleted: Vec::new(),
        };
        backups.safe_at = match backups.newest() {
            Some(newest) => newest.taken_at(),
            None => api.branch(branch).await?.created_at,
        };
        Ok(backups)
    }

    /// Begins a backup if the newest is too old and none is under way, and deletes its own that are
    /// older than the retention.
    pub async fn keep(&mut self, policy: Policy) -> Result<(), ApiError> {
        let is_fresh =
            self.newest().is_some() && self.age_hours() < policy.max_age_hours.get().into();
        self.status = match (is_fresh, self.under_way()) {
            (true, _) => Status::Fresh,
            (false, Some(_)) => Status::UnderWay,
            (false, None) => {
                let name = own::name(self.now);
                let begun = self.api.create_backup(self.branch, &name, policy.retention);
                self.all.push(begun.await?);
                Status::Begun
            }
        };
        self.delete_expired(policy).await
    }

    /// PlanetScale deletes a backup after the retention that it was made with. The retention may have
    /// become shorter since.
    async fn delete_expired(&mut self, policy: Policy) -> Result<(), ApiError> {
        let newest = self.newest().map(|newest| newest.id.clone());
        let limit = self.now - policy.retention.longest();
        let expired = self.all.iter().filter(|backup| {
            own::made(&backup.name)
                && !backup.protected
                && !backup.state.is_under_way()
                && backup.created_at < limit
                && Some(&backup.id) != newest.as_ref()
        });
        for Backup { id, name, .. } in expired {
            self.api.delete_backup(self.branch, id).await?;
            self.deleted.push(name.clone());
        }
        Ok(())
    }

    /// How long ago the rows were last safe.
    pub fn age_hours(&self) -> f64 {
        (self.now - self.safe_at).as_seconds_f64() / 3600.0
    }

    /// The newest successful backup.
    pub fn newest(&self) -> Option<&Backup> {
        let mut newest_first = self.all.iter().rev();
        newest_first.find(|backup| backup.state == BackupState::Success)
    }

    /// The newest backup that has not ended. One from before the newest successful one hangs.
    pub fn under_way(&self) -> Option<&Backup> {
        let mut newest_first = self.all.iter().rev();
        newest_first.find(|one| one.state.is_under_way() && one.taken_at() > self.safe_at)
    }

    /// Those that have failed since the newest successful one was taken.
    pub fn failed(&self) -> impl Iterator<Item = &Backup> {
        let since = self
            .all
            .iter()
            .filter(|backup| backup.taken_at() > self.safe_at);
        since.filter(|backup| backup.state == BackupState::Failed)
    }
}
