//! Backups: copies of a branch's schema with its rows.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::branches::{self, Branch, Reference};
use super::call::{Answer, Call, Refusal, Total, actor, created, gone, ok};
use super::constants::with_constants;
use super::records::{Time, new_id};
use super::server::Rows;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum BackupState {
    Pending,
    Running,
    Success,
    Failed,
}

#[derive(Clone, Serialize, Deserialize)]
pub struct Backup {
    pub id: String,
    pub branch: String,
    /// The schema of the copy.
    pub schema: String,
    name: String,
    state: BackupState,
    /// Whether it fails instead of succeeding.
    #[serde(default)]
    fails: bool,
    size: u64,
    protected: bool,
    actor: String,
    /// The branches that were created from it.
    pub restored: Vec<Reference>,
    created_at: Time,
    updated_at: Time,
    started_at: Option<Time>,
    completed_at: Option<Time>,
    expires_at: Time,
}

impl Backup {
    /// Whether it advances by itself.
    pub fn is_moving(&self) -> bool {
        matches!(self.state, BackupState::Pending | BackupState::Running)
    }

    /// Moves it into the past.
    pub fn age(&mut self, time: Duration) {
        self.created_at = self.created_at.before(time);
        self.started_at = self.started_at.map(|at| at.before(time));
        self.completed_at = self.completed_at.map(|at| at.before(time));
    }

    /// Enters the next state: pending, running, success or failed.
    pub fn advance(&mut self) {
        let now = Time::now();
        match self.state {
            BackupState::Pending => {
                self.state = BackupState::Running;
                self.started_at = Some(now);
            }
            BackupState::Running => {
                self.state = match self.fails {
                    true => BackupState::Failed,
                    false => BackupState::Success,
                };
                self.completed_at = Some(now);
            }
            BackupState::Success | BackupState::Failed => return,
        }
        self.updated_at = now;
    }

    fn view(&self, call: &Call<'_>) -> Value {
        let size = match self.state {
            BackupState::Success => self.size,
            _ => 0,
        };
        let own = json!({
            "id": self.id,
            "name": self.name,
            "state": self.state,
            "size": size,
            "created_at": self.created_at,
            "updated_at": self.updated_at,
            "started_at": self.started_at,
            "expires_at": self.expires_at,
            "completed_at": self.completed_at,
            "uncompressed_size": size,
            "protected": self.protected,
            "restored_branches": self.restored,
            "actor": actor(&self.actor),
            "database_branch": call.records.branch(&self.branch).map(Branch::reference),
        });
        with_constants("Backup", own)
    }
}

/// The backups of a branch, or of all.
pub fn list(call: &mut Call<'_>, branch: &str) -> Result<Answer, Refusal> {
    branches::find(call, branch)?;
    let all = call.flag("all")?.unwrap_or_default();
    let state = call.parameter("state");
    let production = call.flag("production")?;
    let listed = |backup: &Backup| all || backup.branch == branch;
    let mut views = Vec::new();
    let backups = call.records.backups.iter().rev();
    for backup in backups.filter(|backup| listed(backup)) {
        let source = branches::find(call, &backup.branch)?;
        let view = backup.view(call);
        let in_state = state.is_none_or(|state| view.get("state") == Some(&state.into()));
        let of_kind = production.is_none_or(|wanted| source.production == wanted);
        if in_state && of_kind {
            views.push(view);
        }
    }
    let backups = call.records.backups.iter_mut();
    backups
        .filter(|backup| listed(backup))
        .for_each(Backup::advance);
    call.page(views, Total::Told)
}

#[derive(Deserialize)]
struct NewBackup {
    name: Option<String>,
    retention_unit: Option<String>,
    retention_value: Option<u64>,
    #[serde(default)]
    emergency: bool,
}

pub async fn create(call: &mut Call<'_>, branch: &str) -> Result<Answer, Refusal> {
    let branch = branches::find(call, branch)?.clone();
    let input: NewBackup = call.input()?;
    Refusal::when(input.emergency, "Emergency backups are for Postgres")?;
    let value = input.retention_value.unwrap_or(2);
    let hours = match input.retention_unit.as_deref().unwrap_or("day") {
        "hour" => 1,
        "day" => 24,
        "week" => 7 * 24,
        "month" => 30 * 24,
        "year" => 365 * 24,
        _ => {
            return Err(Refusal::unprocessable(
                "Retention unit is not included in the list",
            ));
        }
    };
    let out_of_range = "Retention value must be between 1 and 1000";
    Refusal::when(!(1..=1000).contains(&value), out_of_range)?;
    let id = new_id();
    let schema = format!("{}_backup_{id}", call.shared.production);
    let copied = match call
        .server
        .copy(&branch.schema, &schema, Rows::Copied)
        .await
    {
        Ok(()) => call.server.size(&schema).await,
        Err(error) => Err(error),
    };
    let size = match copied {
        Ok(size) => size,
        Err(error) => {
            call.server.drop_schema(&schema).await?;
            return Err(error.into());
        }
    };
    let now = Time::now();
    let backup = Backup {
        branch: branch.name,
        schema,
        name: input.name.unwrap_or_else(|| format!("backup-{id}")),
        state: BackupState::Pending,
        fails: std::mem::take(&mut call.shared.faults.lock().backup),
        size,
        protected: false,
        actor: call.actor.clone(),
        restored: Vec::new(),
        created_at: now,
        updated_at: now,
        started_at: None,
        completed_at: None,
        expires_at: now.after(Duration::from_secs(value * hours * 60 * 60)),
        id,
    };
    let view = backup.view(call);
    call.records.backups.push(backup);
    Ok(created(view))
}

/// Reads the backup. Each read advances it.
pub fn get(call: &mut Call<'_>, branch: &str, id: &str) -> Result<Answer, Refusal> {
    let view = find(call, branch, id)?.view(call);
    find_mut(call, branch, id)?.advance();
    Ok(ok(view))
}

#[derive(Deserialize)]
struct BackupChange {
    protected: Option<Switch>,
}

/// `pscale backup update` sends a text where the document has a boolean.
#[derive(Deserialize)]
#[serde(untagged)]
enum Switch {
    Flag(bool),
    Text(String),
}

impl Switch {
    fn value(self) -> Result<bool, Refusal> {
        let wrong = || Refusal::BadRequest("protected is neither true nor false".to_owned());
        match self {
            Self::Flag(on) => Ok(on),
            Self::Text(text) => text.parse().map_err(|_| wrong()),
        }
    }
}

pub fn update(call: &mut Call<'_>, branch: &str, id: &str) -> Result<Answer, Refusal> {
    let input: BackupChange = call.input()?;
    let protected = input.protected.map(Switch::value).transpose()?;
    let backup = find_mut(call, branch, id)?;
    backup.protected = protected.unwrap_or(backup.protected);
    backup.updated_at = Time::now();
    Ok(ok(find(call, branch, id)?.view(call)))
}

pub async fn delete(call: &mut Call<'_>, branch: &str, id: &str) -> Result<Answer, Refusal> {
    let backup = find(call, branch, id)?.clone();
    Refusal::when(backup.protected, "Backup is protected")?;
    call.server.drop_schema(&backup.schema).await?;
    call.records.backups.retain(|other| other.id != backup.id);
    Ok(gone())
}

pub async fn remove_of_branch(call: &mut Call<'_>, branch: &str) -> Result<(), Refusal> {
    let backups = call.records.backups.iter();
    let doomed: Vec<Backup> = backups
        .filter(|backup| backup.branch == branch)
        .cloned()
        .collect();
    for backup in &doomed {
        call.server.drop_schema(&backup.schema).await?;
    }
    call.records
        .backups
        .retain(|backup| backup.branch != branch);
    Ok(())
}

/// Finds a backup from which a branch can be created.
pub fn usable(call: &Call<'_>, id: &str) -> Result<Backup, Refusal> {
    let mut backups = call.records.backups.iter();
    let backup = backups
        .find(|backup| backup.id == id)
        .ok_or(Refusal::NotFound)?;
    match backup.state {
        BackupState::Success => Ok(backup.clone()),
        _ => Err(Refusal::unprocessable("Backup is not complete")),
    }
}

/// The last complete backup of a branch.
pub fn last(call: &Call<'_>, branch: &str) -> Result<Backup, Refusal> {
    let mut backups = call.records.backups.iter().rev();
    let last = backups
        .find(|backup| backup.branch == branch && backup.state == BackupState::Success)
        .cloned();
    last.ok_or_else(|| Refusal::unprocessable("Branch has no successful backup"))
}

/// Notes that a branch was created from a backup.
pub fn note_restored(call: &mut Call<'_>, backup: &str, branch: &Branch) {
    let mut backups = call.records.backups.iter_mut();
    if let Some(backup) = backups.find(|other| other.id == backup) {
        backup.restored.push(branch.reference());
    }
}

fn find<'c>(call: &'c Call<'_>, branch: &str, id: &str) -> Result<&'c Backup, Refusal> {
    let mut backups = call.records.backups.iter();
    backups
        .find(|backup| backup.id == id && backup.branch == branch)
        .ok_or(Refusal::NotFound)
}

fn find_mut<'c>(call: &'c mut Call<'_>, branch: &str, id: &str) -> Result<&'c mut Backup, Refusal> {
    let mut backups = call.records.backups.iter_mut();
    backups
        .find(|backup| backup.id == id && backup.branch == branch)
        .ok_or(Refusal::NotFound)
}

/// The policy that every plan has: every twelve hours, kept for two days (PlanetScale's docs,
/// Backups). The stand-in does not run it.
pub fn policies(call: &Call<'_>) -> Result<Answer, Refusal> {
    let created_at = call.records.settings.created_at;
    let policy = json!({
        "created_at": created_at,
        "updated_at": created_at,
        "next_run_at": created_at.after(Duration::from_secs(12 * 60 * 60)),
    });
    let policy = with_constants("BackupPolicy", policy);
    call.page(vec![policy], Total::Untold)
}
