//! Passwords, each of which is a user of one branch.

use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;
use time::{OffsetDateTime, serde::rfc3339};

use super::{
    ApiError, Calls,
    open_enum::open_enum,
    transport::{Grants, Request, or_default},
};

const READ: Grants = Grants("read_branch, connect_branch or connect_production_branch");
const CREATE: Grants = Grants("connect_branch (connect_production_branch for a production branch)");
const DELETE: Grants =
    Grants("delete_branch_password (delete_production_branch_password for a production branch)");

open_enum! {
    /// What a password's user may do.
    Role {
        /// Read.
        Reader = "reader",
        /// Write.
        Writer = "writer",
        /// Read and write.
        ReadWriter = "readwriter",
        /// Read, write and change the schema.
        Admin = "admin",
    }
}

/// A password to be made.
#[derive(Debug, Clone)]
pub struct NewPassword {
    /// A name for people; it need not be unique.
    pub name: String,
    /// What its user may do.
    pub role: Role,
    /// How long it lives, in whole seconds; for ever where nothing is said.
    pub ttl: Option<Duration>,
}

/// A password of a branch. `Debug` does not show it.
#[derive(Debug, Clone, Deserialize)]
pub struct Password {
    /// Its id, which is not the user name.
    pub id: String,
    /// Its name.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// The user name to log in with.
    pub username: String,
    /// The password to log in with. It is told only when it is made.
    #[serde(default)]
    pub plain_text: Option<SecretString>,
    /// The host to connect to, with `:` and a port where that is not MySQL's own.
    pub access_host_url: String,
    /// Whether it can be renewed.
    #[serde(default, deserialize_with = "or_default")]
    pub renewable: bool,
    /// Whether it has expired.
    #[serde(default, deserialize_with = "or_default")]
    pub expired: bool,
    /// When it was made.
    #[serde(with = "rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it ends.
    #[serde(default, with = "rfc3339::option")]
    pub expires_at: Option<OffsetDateTime>,
}

impl Calls<'_> {
    /// The passwords of a branch, those that have expired too.
    ///
    /// # Errors
    ///
    /// [`ApiError`].
    pub async fn passwords(&self, branch: &str) -> Result<Vec<Password>, ApiError> {
        let path = ["branches", branch, "passwords"];
        self.list(Request::get("listing a branch's passwords", &path, READ))
            .await
    }

    /// Makes a password. One whose answer was lost is of no use to anybody: nobody knows it.
    ///
    /// # Errors
    ///
    /// [`ApiError`].
    pub async fn create_password(
        &self,
        branch: &str,
        new: &NewPassword,
    ) -> Result<Password, ApiError> {
        let path = ["branches", branch, "passwords"];
        let mut body = json!({ "name": new.name, "role": new.role });
        if let (Some(ttl), Some(fields)) = (new.ttl, body.as_object_mut()) {
            fields.insert("ttl".to_owned(), ttl.as_secs().into());
        }
        self.get(Request::post("creating a password", &path, CREATE).body(body))
            .await
    }

    /// Lets a password live for its time to live once more, from now.
    ///
    /// # Errors
    ///
    /// [`ApiError`].
    pub async fn renew_password(&self, branch: &str, id: &str) -> Result<Password, ApiError> {
        let path = ["branches", branch, "passwords", id, "renew"];
        self.get(Request::post("renewing a password", &path, CREATE))
            .await
    }

    /// Deletes a password. Connections that were made with it end within five minutes
    /// (PlanetScale's docs, Connection strings).
    ///
    /// # Errors
    ///
    /// [`ApiError`].
    pub async fn delete_password(&self, branch: &str, id: &str) -> Result<(), ApiError> {
        let path = ["branches", branch, "passwords", id];
        self.done(Request::delete("deleting a password", &path, DELETE))
            .await
    }
}
