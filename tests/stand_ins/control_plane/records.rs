//! Everything that the control plane knows besides the schemas themselves. It is one document in a
//! schema of its own on the server, so it exists as long as the branches.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use mysql_async::prelude::Queryable;
use serde::ser::Error as _;
use serde::{Deserialize, Serialize, Serializer};
use time::OffsetDateTime;
use time::macros::format_description;

use super::backups::Backup;
use super::branches::{Branch, Reference};
use super::deploy_requests::DeployRequest;
use super::insights::Insights;
use super::passwords::Password;
use super::server::Server;
use super::tokens::ServiceToken;

/// A moment, with milliseconds, as PlanetScale writes it: RFC 3339.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(
    #[serde(
        serialize_with = "write_moment",
        deserialize_with = "time::serde::rfc3339::deserialize"
    )]
    OffsetDateTime,
);

fn write_moment<S: Serializer>(moment: &OffsetDateTime, to: S) -> Result<S::Ok, S::Error> {
    let format =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    let text = moment.format(format).map_err(S::Error::custom)?;
    to.serialize_str(&text)
}

impl Time {
    /// This moment.
    pub fn now() -> Self {
        let now = OffsetDateTime::now_utc();
        let millis = now.nanosecond() / 1_000_000 * 1_000_000;
        Self(now.replace_nanosecond(millis).unwrap_or(now))
    }

    /// The time after `wait`, or the end of the calendar.
    pub fn after(self, wait: Duration) -> Self {
        let wait = wait.try_into().unwrap_or(time::Duration::MAX);
        Self(self.0.saturating_add(wait))
    }

    /// The time before `wait`, or the beginning of the calendar.
    pub fn before(self, wait: Duration) -> Self {
        let wait = wait.try_into().unwrap_or(time::Duration::MAX);
        Self(self.0.saturating_sub(wait))
    }

    /// Whether it is in the past.
    pub fn is_over(self) -> bool {
        self <= Self::now()
    }

    /// The same as the system's time.
    pub fn system(self) -> SystemTime {
        self.0.into()
    }
}

/// An id as PlanetScale's are: twelve letters and digits.
pub fn new_id() -> String {
    std::iter::repeat_with(fastrand::alphanumeric)
        .map(|letter| letter.to_ascii_lowercase())
        .take(12)
        .collect()
}

/// The database's settings.
#[derive(Clone, Serialize, Deserialize)]
pub struct Settings {
    pub require_approval_for_deploy: bool,
    pub foreign_keys_enabled: bool,
    pub created_at: Time,
}

/// All records.
#[derive(Serialize, Deserialize)]
pub struct Records {
    pub tokens: Vec<ServiceToken>,
    /// The ids of tokens with the accesses that they have lost. They have all others.
    pub revoked: BTreeSet<(String, String)>,
    pub settings: Settings,
    pub branches: Vec<Branch>,
    pub passwords: Vec<Password>,
    pub deploy_requests: Vec<DeployRequest>,
    pub backups: Vec<Backup>,
    pub insights: Insights,
}

impl Records {
    /// The records of a new database with one branch, `main`.
    pub fn new(production: &str) -> Self {
        let now = Time::now();
        Self {
            tokens: vec![ServiceToken::new()],
            revoked: BTreeSet::new(),
            settings: Settings {
                require_approval_for_deploy: false,
                foreign_keys_enabled: false,
                created_at: now,
            },
            branches: vec![Branch::default_branch(production)],
            passwords: Vec::new(),
            deploy_requests: Vec::new(),
            backups: Vec::new(),
            insights: Insights::sample(),
        }
    }

    /// Whether a token has this access.
    pub fn has_access(&self, token: &str, grant: &str) -> bool {
        let access = (token.to_owned(), grant.to_owned());
        !self.revoked.contains(&access)
    }

    pub fn branch(&self, name: &str) -> Option<&Branch> {
        self.branches.iter().find(|branch| branch.name == name)
    }

    pub fn branch_mut(&mut self, name: &str) -> Option<&mut Branch> {
        self.branches.iter_mut().find(|branch| branch.name == name)
    }

    /// What branches and backups tell of the branch with this id.
    pub fn references(&mut self, id: &str) -> impl Iterator<Item = &mut Reference> {
        let origins = self.branches.iter_mut();
        let origins = origins.filter_map(|of| of.restored_from.as_mut());
        let restored = self.backups.iter_mut().flat_map(|of| &mut of.restored);
        origins
            .chain(restored)
            .filter(move |reference| reference.id == id)
    }

    /// Gives a branch another name wherever it is named.
    pub fn rename_branch(&mut self, from: &str, to: &str) {
        let id = self.branch(from).map(|branch| branch.id.clone());
        for reference in self.references(&id.unwrap_or_default()) {
            to.clone_into(&mut reference.name);
        }
        let branches = self.branches.iter_mut();
        let names = branches
            .flat_map(|branch| branch.parent.iter_mut().chain([&mut branch.name]))
            .chain(self.passwords.iter_mut().map(|of| &mut of.branch))
            .chain(self.backups.iter_mut().map(|of| &mut of.branch));
        let requests = self.deploy_requests.iter_mut();
        let names = names.chain(requests.flat_map(|of| [&mut of.branch, &mut of.into_branch]));
        for name in names.filter(|name| *name == from) {
            to.clone_into(name);
        }
    }

    pub fn deploy_request(&self, number: u64) -> Option<&DeployRequest> {
        let mut all = self.deploy_requests.iter();
        all.find(|request| request.number == number)
    }

    /// Whether this schema or user of the server belongs to a branch or a backup.
    fn owns(&self, name: &str) -> bool {
        let schemas = self.branches.iter().map(|branch| &branch.schema);
        let copies = self.backups.iter().map(|backup| &backup.schema);
        schemas.chain(copies).any(|schema| schema == name)
            || self.branches.iter().any(|branch| branch.has_user(name))
    }

    pub fn deploy_request_mut(&mut self, number: u64) -> Option<&mut DeployRequest> {
        let mut all = self.deploy_requests.iter_mut();
        all.find(|request| request.number == number)
    }
}

/// The place of the document.
pub struct Store {
    schema: String,
    saved: String,
}

impl Store {
    /// Opens the store of the control plane over `production` and reads its records.
    pub async fn open(
        production: &str,
        server: &mut Server,
    ) -> Result<(Self, Option<Records>), mysql_async::Error> {
        let schema = format!("{production}_control_plane");
        let connection = server.connection().await?;
        for statement in [
            format!("CREATE DATABASE IF NOT EXISTS `{schema}` CHARACTER SET utf8mb4"),
            format!(
                "CREATE TABLE IF NOT EXISTS `{schema}`.records \
                 (id TINYINT NOT NULL PRIMARY KEY, document LONGTEXT NOT NULL) ENGINE = InnoDB"
            ),
        ] {
            connection.query_drop(statement).await?;
        }
        let saved: Option<String> = connection
            .query_first(format!("SELECT document FROM `{schema}`.records"))
            .await?;
        let saved = saved.unwrap_or_default();
        let records: Option<Records> = serde_json::from_str(&saved).ok();
        if records.is_none() && !saved.is_empty() {
            let lost = "control plane: its records are from another version and cannot be read. Only \
                        the production branch is kept";
            crate::stack::progress::print(lost);
        }
        // Drops what an interrupted call or another version has left behind.
        let kept = format!("{production}_before_");
        let stays = |name: &str| {
            let known = |records: &Records| name.starts_with(&kept) || records.owns(name);
            name == schema || records.as_ref().is_some_and(known)
        };
        server.drop_derived(production, stays).await?;
        Ok((Self { schema, saved }, records))
    }

    /// Saves the records if they have changed.
    pub async fn save(
        &mut self,
        records: &Records,
        server: &mut Server,
    ) -> Result<(), mysql_async::Error> {
        let document = serde_json::to_string(records).map_err(|error| {
            mysql_async::Error::Other(format!("the records cannot be written: {error}").into())
        })?;
        if document != self.saved {
            let statement = format!("REPLACE INTO `{}`.records VALUES (1, ?)", self.schema);
            let connection = server.connection().await?;
            connection.exec_drop(statement, (&document,)).await?;
            self.saved = document;
        }
        Ok(())
    }
}
