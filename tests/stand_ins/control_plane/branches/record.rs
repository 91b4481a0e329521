//! The record of a branch and its JSON.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::DEFAULT;
use crate::stand_ins::control_plane::call::{Call, actor};
use crate::stand_ins::control_plane::constants::with_constants;
use crate::stand_ins::control_plane::database;
use crate::stand_ins::control_plane::records::{Time, new_id};

/// A branch: a schema on the local server.
#[derive(Clone, Serialize, Deserialize)]
pub struct Branch {
    pub id: String,
    pub name: String,
    /// The schema on the local server.
    pub schema: String,
    pub parent: Option<String>,
    pub production: bool,
    pub safe_migrations: bool,
    pub(super) deletion_protected: bool,
    pub(super) actor: Option<String>,
    /// The branch of the backup from which it was created.
    pub restored_from: Option<Reference>,
    pub(super) created_at: Time,
    pub(super) updated_at: Time,
    pub(super) schema_updated_at: Time,
    /// When it becomes ready.
    pub(super) ready_at: Time,
    /// The users on the local server that its passwords have had.
    pub(super) users: Vec<String>,
}

/// What others tell of a branch.
#[derive(Clone, Serialize, Deserialize)]
pub struct Reference {
    pub id: String,
    pub name: String,
    created_at: Time,
    updated_at: Time,
    pub deleted_at: Option<Time>,
}

impl Branch {
    /// `main` over the schema that the functions use.
    pub fn default_branch(schema: &str) -> Self {
        let now = Time::now();
        Self {
            id: new_id(),
            name: DEFAULT.to_owned(),
            schema: schema.to_owned(),
            parent: None,
            production: true,
            safe_migrations: true,
            deletion_protected: false,
            actor: None,
            restored_from: None,
            created_at: now,
            updated_at: now,
            schema_updated_at: now,
            ready_at: now,
            users: Vec::new(),
        }
    }

    pub fn is_ready(&self) -> bool {
        self.ready_at.is_over()
    }

    /// Moves it into the past.
    pub fn age(&mut self, time: Duration) {
        self.created_at = self.created_at.before(time);
    }

    /// The name of the branch that it is compared with: its parent, or the default branch.
    pub fn base(&self) -> &str {
        self.parent.as_deref().unwrap_or(DEFAULT)
    }

    /// Adds a user that is dropped with the branch.
    pub fn owns_user(&mut self, user: &str) {
        self.users.push(user.to_owned());
    }

    pub fn has_user(&self, user: &str) -> bool {
        self.users.iter().any(|own| own == user)
    }

    /// Sets the time of the last change of its schema.
    pub fn schema_changed(&mut self) {
        self.schema_updated_at = Time::now();
    }

    pub fn reference(&self) -> Reference {
        Reference {
            id: self.id.clone(),
            name: self.name.clone(),
            created_at: self.created_at,
            updated_at: self.updated_at,
            deleted_at: None,
        }
    }

    pub(super) fn view(&self, call: &Call<'_>) -> Value {
        let ready = self.is_ready();
        let address = call.shared.address(self).to_string();
        let path = format!("{}/branches/{}", database::path(), self.name);
        let own = json!({
            "id": self.id,
            "name": self.name,
            "created_at": self.created_at,
            "updated_at": self.updated_at,
            "schema_last_updated_at": self.schema_updated_at,
            "mysql_address": address,
            "mysql_edge_address": address,
            "state": if ready { "ready" } else { "pending" },
            "cluster_name": if self.production { "PS_10" } else { "PS_DEV" },
            "ready": ready,
            "schema_ready": ready,
            "production": self.production,
            "safe_migrations": self.safe_migrations,
            "deletion_protected": self.deletion_protected,
            "actor": self.actor.as_deref().map(actor),
            "restored_from_branch": self.restored_from,
            "has_replicas": self.production,
            "html_url": database::page(&self.name),
            "url": format!("{}{path}", call.shared.url),
            "region": database::region(),
            "parent_branch": self.parent,
        });
        with_constants("Branch", own)
    }
}
