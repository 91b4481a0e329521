//! Passwords. Each is a user of one branch.

use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::json;
use time::{OffsetDateTime, serde::rfc3339};

use super::{
    ApiError, Calls,
    transport::{ApiRequest, Grants, or_default},
};

const READ: Grants = Grants("read_branch, connect_branch or connect_production_branch");
const CREATE: Grants = Grants("connect_branch (connect_production_branch for a production branch)");
const DELETE: Grants =
    Grants("delete_branch_password (delete_production_branch_password for a production branch)");

/// What a password's user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Read.
    Reader,
    /// Write.
    Writer,
    /// Read and write.
    ReadWriter,
    /// Read, write and change the schema.
    Admin,
}

/// A password to create.
#[derive(Debug, Clone)]
pub struct NewPassword {
    /// A name for people. It need not be unique.
    pub name: String,
    /// What its user may do.
    pub role: Role,
    /// How long it is valid, in whole seconds. Without a limit if there is none.
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
    /// The password to log in with. Only the answer to its creation contains it.
    #[serde(default)]
    pub plain_text: Option<SecretString>,
    /// The host to connect to, followed by `:` and a port unless that is MySQL's own.
    pub access_host_url: String,
    /// Whether it has expired.
    #[serde(default, deserialize_with = "or_default")]
    pub expired: bool,
    /// When it was created.
    #[serde(with = "rfc3339")]
    pub created_at: OffsetDateTime,
}

impl Calls<'_> {
    /// Lists the passwords of a branch, including expired ones.
    ///
    /// # Errors
    ///
    /// [`ApiError`].
    pub async fn passwords(&self, branch: &str) -> Result<Vec<Password>, ApiError> {
        let path = ["branches", branch, "passwords"];
        self.list(ApiRequest::get("listing a branch's passwords", &path, READ))
            .await
    }

    /// Creates a password. If the answer is lost, nobody knows the password and nobody can use it.
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
        self.get(ApiRequest::post("creating a password", &path, CREATE).body(body))
            .await
    }

    /// Deletes a password. PlanetScale closes its connections within five minutes (PlanetScale's
    /// docs, Connection strings).
    ///
    /// # Errors
    ///
    /// [`ApiError`].
    pub async fn delete_password(&self, branch: &str, id: &str) -> Result<(), ApiError> {
        let path = ["branches", branch, "passwords", id];
        self.done(ApiRequest::delete("deleting a password", &path, DELETE))
            .await
    }
}
