//! Branches: schemas on the local server, each a copy of its parent's schema.

mod record;

use std::time::Duration;

use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::DATABASE;
use super::backups;
use super::call::{Answer, Call, Refusal, Total, created, gone, ok};
use super::records::{Time, new_id};
use super::schema_lint;
use super::server::Rows;

pub use record::{Branch, Reference};

/// The branch that exists from the start and cannot be deleted.
pub const DEFAULT: &str = "main";

/// How long a new branch is not ready, unless somebody reads it before.
const BIRTH: Duration = Duration::from_secs(2);

pub fn list(call: &Call<'_>) -> Result<Answer, Refusal> {
    let production = call.flag("production")?;
    let safe = call.flag("safe_migrations")?;
    let part = call.parameter("q").unwrap_or_default();
    let mut branches: Vec<_> = call.records.branches.iter().collect();
    branches.retain(|branch| {
        production.is_none_or(|wanted| branch.production == wanted)
            && safe.is_none_or(|wanted| branch.safe_migrations == wanted)
            && branch.name.contains(part)
    });
    branches.sort_by_key(|branch| branch.created_at);
    if call.parameter("order") == Some("desc") {
        branches.reverse();
    }
    let views = branches.iter().map(|branch| branch.view(call)).collect();
    call.page(views, Total::Told)
}

/// A new branch becomes ready after its first read or after a moment.
pub fn get(call: &mut Call<'_>, name: &str) -> Result<Answer, Refusal> {
    let view = find(call, name)?.view(call);
    if let Some(branch) = call.records.branch_mut(name) {
        branch.ready_at = branch.ready_at.min(Time::now());
    }
    Ok(ok(view))
}

#[derive(Deserialize)]
struct NewBranch {
    name: String,
    parent_branch: Option<String>,
    backup_id: Option<String>,
    cluster_size: Option<String>,
    seed_data: Option<String>,
    deletion_protected: Option<bool>,
}

pub async fn create(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let input: NewBranch = call.input()?;
    check_name(call, &input.name)?;
    let parent = input.parent_branch.filter(|name| !name.is_empty());
    let parent = find(call, parent.as_deref().unwrap_or(DEFAULT))?.clone();
    let backup = match (&input.backup_id, input.seed_data.as_deref()) {
        (Some(id), _) => Some(backups::usable(call, id)?),
        (None, Some("last_successful_backup")) => Some(backups::last(call, &parent.name)?),
        (None, Some(_)) => return Err(Refusal::unprocessable("Seed data is not known")),
        (None, None) => None,
    };
    let sizeless = input.backup_id.is_some() && input.cluster_size.is_none();
    Refusal::when(sizeless, "Cluster size is required to restore a backup")?;

    let id = new_id();
    let schema = format!("{}_{id}", call.shared.production);
    let (source, rows) = match &backup {
        Some(backup) => (&backup.schema, Rows::Copied),
        None => (&parent.schema, Rows::LeftOut),
    };
    let stale = call.shared.faults.take_stale_schema();
    let made = match call.server.copy(source, &schema, rows).await {
        Ok(()) => call.server.run(&schema, &stale).await,
        failed => failed,
    };
    if let Err(error) = made {
        call.server.drop_schema(&schema).await?;
        return Err(error.into());
    }
    let origin = backup.as_ref();
    let origin = origin.and_then(|backup| call.records.branch(&backup.branch));

    let now = Time::now();
    let branch = Branch {
        id,
        name: input.name,
        schema,
        parent: Some(parent.name),
        production: false,
        safe_migrations: false,
        deletion_protected: input.deletion_protected.unwrap_or_default(),
        actor: Some(call.actor.clone()),
        restored_from: origin.map(Branch::reference),
        created_at: now,
        updated_at: now,
        schema_updated_at: now,
        ready_at: now.after(BIRTH),
        users: Vec::new(),
    };
    if let Some(backup) = &backup {
        backups::note_restored(call, &backup.id, &branch);
    }
    let view = branch.view(call);
    call.records.branches.push(branch);
    Ok(created(view))
}

#[derive(Deserialize)]
struct BranchChange {
    new_name: Option<String>,
    deletion_protected: Option<bool>,
}

pub fn update(call: &mut Call<'_>, name: &str) -> Result<Answer, Refusal> {
    let input: BranchChange = call.input()?;
    find(call, name)?;
    if let Some(new_name) = input.new_name.as_deref().filter(|new| *new != name) {
        Refusal::when(name == DEFAULT, "The default branch cannot be renamed")?;
        check_name(call, new_name)?;
    }
    let new_name = input.new_name.unwrap_or_else(|| name.to_owned());
    if let Some(branch) = call.records.branch_mut(name) {
        branch.updated_at = Time::now();
        branch.deletion_protected = input
            .deletion_protected
            .unwrap_or(branch.deletion_protected);
    }
    call.records.rename_branch(name, &new_name);
    Ok(ok(find(call, &new_name)?.view(call)))
}

pub async fn delete(call: &mut Call<'_>, name: &str) -> Result<Answer, Refusal> {
    let descendants = call.flag("delete_descendants")?.unwrap_or_default();
    let mut doomed = vec![find(call, name)?.clone()];
    let mut at = 0;
    while let Some(branch) = doomed.get(at) {
        let children = call.records.branches.iter();
        let children: Vec<Branch> = children
            .filter(|child| child.parent.as_deref() == Some(&branch.name))
            .cloned()
            .collect();
        if descendants {
            doomed.extend(children);
        }
        at += 1;
    }
    for branch in &doomed {
        check_deletion(call, branch)?;
    }
    for branch in doomed {
        remove(call, &branch).await?;
    }
    Ok(gone())
}

/// Refuses to delete a branch that must stay.
pub fn check_deletion(call: &Call<'_>, branch: &Branch) -> Result<(), Refusal> {
    let Branch { name, .. } = branch;
    Refusal::when(name == DEFAULT, "The default branch cannot be deleted")?;
    let protected = "Branch is protected from deletion";
    Refusal::when(branch.deletion_protected, protected)?;
    let mut requests = call.records.deploy_requests.iter();
    let deploying = requests.any(|request| request.is_deploying() && request.concerns(name));
    let busy = format!("{name} cannot be deleted while a deployment is in progress");
    Refusal::when(deploying, busy)
}

/// Drops a branch with its passwords and backups, and closes its open deploy requests. Its children
/// lose their parent, because another branch can take the name.
pub async fn remove(call: &mut Call<'_>, branch: &Branch) -> Result<(), Refusal> {
    super::passwords::remove_of_branch(call, &branch.name).await?;
    backups::remove_of_branch(call, &branch.name).await?;
    if let Some(vitess) = &call.shared.vitess {
        vitess.end(&branch.schema);
    }
    call.server.drop_schema(&branch.schema).await?;
    for user in &branch.users {
        call.server.drop_user(user).await?;
    }
    let actor = call.actor.clone();
    for request in &mut call.records.deploy_requests {
        request.lose_branch(&branch.name, &actor);
    }
    call.records.branches.retain(|other| other.id != branch.id);
    for other in &mut call.records.branches {
        other.parent.take_if(|parent| *parent == branch.name);
    }
    for reference in call.records.references(&branch.id) {
        reference.deleted_at = Some(Time::now());
    }
    call.shared.vtgate.protect_schema(&branch.schema, false);
    Ok(())
}

/// Enables or disables safe migrations. A schema with lint errors cannot have them.
pub async fn protect(call: &mut Call<'_>, name: &str, protected: bool) -> Result<Answer, Refusal> {
    let branch = find(call, name)?.clone();
    let only_production = "Safe migrations can only be enabled on production branches";
    Refusal::when(protected && !branch.production, only_production)?;
    if protected && !branch.safe_migrations {
        let findings = schema_lint::lint(call, &branch.schema).await?;
        if !findings.is_empty() {
            return Err(Refusal::LintErrors);
        }
    }
    if let Some(branch) = call.records.branch_mut(name) {
        branch.safe_migrations = protected;
        branch.updated_at = Time::now();
        call.shared.vtgate.protect_schema(&branch.schema, protected);
    }
    Ok(ok(find(call, name)?.view(call)))
}

/// Makes a branch a production branch, or a development branch again.
pub fn promote(call: &mut Call<'_>, name: &str, production: bool) -> Result<Answer, Refusal> {
    find(call, name)?;
    let demoted = name == DEFAULT && !production;
    Refusal::when(demoted, "The default branch cannot be demoted")?;
    if let Some(branch) = call.records.branch_mut(name) {
        branch.production = production;
        branch.safe_migrations &= production;
        branch.updated_at = Time::now();
        call.shared
            .vtgate
            .protect_schema(&branch.schema, branch.safe_migrations);
    }
    Ok(ok(find(call, name)?.view(call)))
}

pub async fn schema(call: &mut Call<'_>, name: &str) -> Result<Answer, Refusal> {
    check_keyspace(call)?;
    let branch = find(call, name)?.clone();
    let schema = call.server.read(&branch.schema).await?;
    let tables = schema.creates().map(|(name, create)| {
        json!({"name": name, "raw": format!("{create};\n"), "html": super::html(create)})
    });
    Ok(ok(json!({"data": tables.collect::<Vec<_>>()})))
}

/// Does nothing: every call reads the schema again.
pub fn refresh_schema(call: &Call<'_>, name: &str) -> Result<Answer, Refusal> {
    find(call, name)?;
    Ok((StatusCode::CREATED, None))
}

pub async fn lint(call: &mut Call<'_>, name: &str) -> Result<Answer, Refusal> {
    let branch = find(call, name)?.clone();
    let findings = schema_lint::lint(call, &branch.schema).await?;
    call.page(findings, Total::Untold)
}

/// The difference between a branch and its base.
pub async fn diff(call: &mut Call<'_>, name: &str) -> Result<Answer, Refusal> {
    let branch = find(call, name)?.clone();
    let base = find(call, branch.base())?.schema.clone();
    let from = call.server.read(&base).await?;
    let to = call.server.read(&branch.schema).await?;
    Ok(ok(super::diff::view(&from, &to)))
}

/// Finds a branch by name.
pub fn find<'c>(call: &'c Call<'_>, name: &str) -> Result<&'c Branch, Refusal> {
    call.records.branch(name).ok_or(Refusal::NotFound)
}

fn check_keyspace(call: &Call<'_>) -> Result<(), Refusal> {
    match call.parameter("keyspace") {
        Some(keyspace) if keyspace != DATABASE => Err(Refusal::NotFound),
        _ => Ok(()),
    }
}

/// Refuses names that would change a path: PlanetScale's Go library does not encode them.
fn check_name(call: &Call<'_>, name: &str) -> Result<(), Refusal> {
    let known = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let dots = name.chars().all(|c| c == '.');
    let invalid = dots || name.len() > 63 || !name.chars().all(known);
    Refusal::when(invalid, "Name is invalid")?;
    let taken = call.records.branch(name).is_some();
    Refusal::when(taken, "Name has already been taken")
}
