//! Passwords. Each is a user of one branch.

use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::json;
use time::{OffsetDateTime, serde::rfc3339};

use super::{
    ApiError, Calls,
    open_enum::open_enum,
    transport::{ApiRequest, Grants, or_default},
};

const READ: Grants = Grants("read_branch, connect_branch or connect_production_branch");
const CREATE: Grants = Grants("connect_branch (connect_production_branch for a production branch)");
const DELETE: Grants =
    Grants("delete_branch_password (delete_production_branch_password for a production branch)");

open_enum! {
    /// What a password's user may do.
    Role in "lowercase" {
        /// Read.
        Reader,
        /// Write.
        Writer,
        /// Read and write.
        ReadWriter,
        /// Read, write and change the schema.
        Admin,
    }
}

/// How its user may connect, and where from. A new password in place of another one has the same.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connecting {
    /// Whether it reads from replicas.
    #[serde(default, deserialize_with = "or_default")]
    pub replica: bool,
    /// Whether it connects to vtgate without the edge in between.
    #[serde(default, deserialize_with = "or_default")]
    pub direct_vtgate: bool,
    /// The address ranges that it may connect from; all of them if there are none.
    #[serde(
        default,
        deserialize_with = "or_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub cidrs: Vec<String>,
}

/// A password to create.
#[derive(Debug, Clone, Serialize)]
pub struct NewPassword {
    /// A name for people. It need not be unique.
    pub name: String,
    /// What its user may do.
    pub role: Role,
    /// How long it is valid, in whole seconds. Without a limit if there is none.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_seconds")]
    pub ttl: Option<Duration>,
    /// How its user may connect.
    #[serde(flatten)]
    pub connecting: Connecting,
}

/// A password of a branch. `Debug` does not show it.
#[derive(Debug, Clone, Deserialize)]
pub struct Password {
    /// Its id, which is not the user name.
    pub id: String,
    /// Its name.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// What its user may do.
    pub role: Role,
    /// How its user may connect.
    #[serde(flatten)]
    pub connecting: Connecting,
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
        let body = json!(new);
        self.get(ApiRequest::post("creating a password", &path, CREATE).body(body))
            .await
    }

    /// Deletes a password, which may be gone already. Open connections end within five minutes
    /// (PlanetScale's documentation, connection strings).
    ///
    /// # Errors
    ///
    /// [`ApiError`].
    pub async fn delete_password(&self, branch: &str, id: &str) -> Result<(), ApiError> {
        let path = ["branches", branch, "passwords", id];
        let request = ApiRequest::delete("deleting a password", &path, DELETE);
        let list = self.passwords(branch);
        self.delete(request, list, |one| one.id == id).await
    }
}

fn as_seconds<S: Serializer>(ttl: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    ttl.map(|ttl| ttl.as_secs()).serialize(serializer)
}
