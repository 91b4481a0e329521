//! Passwords of branches. Each is an account at the stand-in of vtgate that leads to its branch, and
//! a user on the local server with the rights of its role. Both have the same name and password, so
//! it also logs in at the server itself.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::branches::{self, Branch};
use super::call::{Answer, Call, Refusal, Total, actor, created, gone, ok};
use super::constants::with_constants;
use super::records::{Time, new_id};
use super::{DATABASE, Shared};
use crate::stack::access::{Login, random_password};
use crate::stand_ins::vtgate::Account;

/// The rights of a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Reader,
    Writer,
    Admin,
    Readwriter,
}

#[derive(Clone, Serialize, Deserialize)]
pub struct Password {
    pub id: String,
    pub branch: String,
    name: String,
    role: Role,
    replica: bool,
    cidrs: Option<Vec<String>>,
    actor: String,
    created_at: Time,
    ttl_seconds: Option<u64>,
    expires_at: Option<Time>,
    pub username: String,
    secret: String,
}

impl Password {
    fn is_expired(&self) -> bool {
        self.expires_at.is_some_and(Time::is_over)
    }

    /// Lets it expire.
    pub fn expire(&mut self) {
        self.expires_at = Some(Time::now());
    }

    /// The password of production that the functions have at the start: a user that may read and
    /// write, whom somebody else has created.
    pub fn of_functions(login: &Login) -> Self {
        Self {
            id: new_id(),
            branch: branches::DEFAULT.to_owned(),
            name: "functions".to_owned(),
            role: Role::Readwriter,
            replica: false,
            cidrs: None,
            actor: String::new(),
            created_at: Time::now(),
            ttl_seconds: None,
            expires_at: None,
            username: login.username.clone(),
            secret: login.password.clone(),
        }
    }

    /// Adds the account at the stand-in of vtgate.
    pub fn admit(&self, shared: &Shared, schema: &str) {
        let account = Account {
            password: self.secret.clone(),
            expires_at: self.expires_at.map(Time::system),
            keyspace: DATABASE.to_owned(),
            behind: Login {
                username: self.username.clone(),
                password: self.secret.clone(),
                schema: schema.to_owned(),
            },
        };
        shared.vtgate.admit(&self.username, account);
    }

    /// Adds the account at the Vitess of the branch, if there is one, unless it has expired.
    pub async fn admit_at_vitess(&self, shared: &Shared, branch: &Branch) -> anyhow::Result<()> {
        match &shared.vitess {
            Some(vitess) if self.is_expired() => {
                vitess.refuse(&branch.schema, &self.username).await
            }
            Some(vitess) => vitess.admit(branch, &self.username, &self.secret).await,
            None => Ok(()),
        }
    }

    /// Its JSON. Only the answer to its creation contains the password itself.
    fn view(&self, call: &Call<'_>, branch: &Branch, plain_text: Option<&str>) -> Value {
        let address = call.shared.address(branch).to_string();
        let own = json!({
            "id": self.id,
            "name": self.name,
            "role": self.role,
            "cidrs": self.cidrs,
            "created_at": self.created_at,
            "expires_at": self.expires_at,
            "expired": self.is_expired(),
            "ttl_seconds": self.ttl_seconds,
            "access_host_url": address,
            "access_host_regional_url": address,
            "access_host_regional_urls": [address],
            "actor": actor(&self.actor),
            "region": super::database::region(),
            "username": self.username,
            "plain_text": plain_text,
            "replica": self.replica,
            "renewable": self.ttl_seconds.is_some(),
            "database_branch": {
                "name": branch.name,
                "id": branch.id,
                "production": branch.production,
                "mysql_edge_address": address,
                "private_edge_connectivity": false,
            },
        });
        with_constants("Password", own)
    }
}

/// Lists the passwords of one branch, or of all branches.
pub fn list(call: &Call<'_>, branch: Option<&str>) -> Result<Answer, Refusal> {
    if let Some(name) = branch {
        branches::find(call, name)?;
    }
    let part = call.parameter("q").unwrap_or_default();
    let status = call.parameter("status");
    let mut views = Vec::new();
    for password in call.records.passwords.iter().rev() {
        let wanted = match status {
            None => true,
            Some("active") => !password.is_expired(),
            Some("renewable") => password.ttl_seconds.is_some(),
            Some("expired") => password.is_expired(),
            Some(_) => return Err(Refusal::unprocessable("Status is not known")),
        };
        let here = branch.is_none_or(|branch| branch == password.branch);
        if wanted && here && password.name.contains(part) {
            views.push(password.view(call, branches::find(call, &password.branch)?, None));
        }
    }
    call.page(views, Total::Told)
}

#[derive(Deserialize)]
struct NewPassword {
    name: Option<String>,
    role: Option<String>,
    #[serde(default)]
    replica: bool,
    ttl: Option<u64>,
    cidrs: Option<Vec<String>>,
}

pub async fn create(call: &mut Call<'_>, branch: &str) -> Result<Answer, Refusal> {
    let branch = branches::find(call, branch)?.clone();
    let input: NewPassword = call.input()?;
    let role = match input.role.as_deref() {
        None | Some("") if input.replica => Role::Reader,
        None | Some("") => Role::Admin,
        Some(role) => serde_json::from_value(role.into())
            .map_err(|_| Refusal::unprocessable("Role is not included in the list"))?,
    };
    let wait = format!("Branch {} is not ready yet", branch.name);
    Refusal::when(!branch.is_ready(), wait)?;
    let now = Time::now();
    // 0 means no limit, like no value.
    let ttl_seconds = input.ttl.filter(|seconds| *seconds > 0);
    let id = new_id();
    let user_id = id.get(..10).unwrap_or(&id);
    let password = Password {
        branch: branch.name.clone(),
        name: input.name.unwrap_or_else(|| format!("password-{id}")),
        role,
        replica: input.replica,
        cidrs: input.cidrs.filter(|cidrs| !cidrs.is_empty()),
        actor: call.actor.clone(),
        created_at: now,
        ttl_seconds,
        expires_at: ttl_seconds.map(|seconds| now.after(Duration::from_secs(seconds))),
        // The server is cleaned up by this beginning.
        username: format!("{}_{user_id}", call.shared.production),
        secret: format!("pscale_pw_{}", random_password()),
        id,
    };
    call.server
        .create_user(&password.username, &password.secret, &branch.schema, role)
        .await?;
    if let Some(branch) = call.records.branch_mut(&branch.name) {
        branch.owns_user(&password.username);
    }
    password.admit(call.shared, &branch.schema);
    password.admit_at_vitess(call.shared, &branch).await?;
    let view = password.view(call, &branch, Some(&password.secret));
    call.records.passwords.push(password);
    Ok(created(view))
}

pub fn get(call: &Call<'_>, branch: &str, id: &str) -> Result<Answer, Refusal> {
    let branch = branches::find(call, branch)?;
    Ok(ok(find(call, &branch.name, id)?.view(call, branch, None)))
}

#[derive(Deserialize)]
struct PasswordChange {
    name: Option<String>,
    cidrs: Option<Vec<String>>,
}

pub fn update(call: &mut Call<'_>, branch: &str, id: &str) -> Result<Answer, Refusal> {
    let input: PasswordChange = call.input()?;
    change(call, branch, id, |password| {
        if let Some(name) = input.name {
            password.name = name;
        }
        if let Some(cidrs) = input.cidrs {
            password.cidrs = Some(cidrs).filter(|cidrs| !cidrs.is_empty());
        }
        Ok(())
    })
}

/// Restarts the lifetime of a password, which stays the same.
pub fn renew(call: &mut Call<'_>, branch: &str, id: &str) -> Result<Answer, Refusal> {
    change(call, branch, id, |password| {
        let ttl = password
            .ttl_seconds
            .ok_or_else(|| Refusal::unprocessable("Password is not renewable"))?;
        password.expires_at = Some(Time::now().after(Duration::from_secs(ttl)));
        Ok(())
    })
}

pub async fn delete(call: &mut Call<'_>, branch: &str, id: &str) -> Result<Answer, Refusal> {
    let password = find(call, branch, id)?.clone();
    remove(call, &password).await?;
    Ok(gone())
}

/// Deletes all passwords of a branch.
pub async fn remove_of_branch(call: &mut Call<'_>, branch: &str) -> Result<(), Refusal> {
    let passwords = call.records.passwords.iter();
    let doomed: Vec<Password> = passwords
        .filter(|password| password.branch == branch)
        .cloned()
        .collect();
    for password in doomed {
        remove(call, &password).await?;
    }
    Ok(())
}

async fn remove(call: &mut Call<'_>, password: &Password) -> Result<(), Refusal> {
    call.shared.vtgate.remove_password(&password.username);
    let branch = call.records.branch(&password.branch);
    if let (Some(vitess), Some(branch)) = (&call.shared.vitess, branch) {
        vitess.refuse(&branch.schema, &password.username).await?;
    }
    call.server.lock_user(&password.username).await?;
    call.records
        .passwords
        .retain(|other| other.id != password.id);
    Ok(())
}

fn change(
    call: &mut Call<'_>,
    branch: &str,
    id: &str,
    change: impl FnOnce(&mut Password) -> Result<(), Refusal>,
) -> Result<Answer, Refusal> {
    let branch = branches::find(call, branch)?.clone();
    let mut passwords = call.records.passwords.iter_mut();
    let password = passwords
        .find(|password| password.id == id && password.branch == branch.name)
        .ok_or(Refusal::NotFound)?;
    change(password)?;
    password.admit(call.shared, &branch.schema);
    Ok(ok(find(call, &branch.name, id)?.view(call, &branch, None)))
}

fn find<'c>(call: &'c Call<'_>, branch: &str, id: &str) -> Result<&'c Password, Refusal> {
    let mut passwords = call.records.passwords.iter();
    passwords
        .find(|password| password.id == id && password.branch == branch)
        .ok_or(Refusal::NotFound)
}
