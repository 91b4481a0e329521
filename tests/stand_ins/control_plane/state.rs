//! What the control plane knows beside the schemas themselves, and where it keeps that: as one
//! document in a schema of its own on the server, so that it lives and ends with the branches.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use mysql_async::prelude::Queryable;
use serde::ser::Error as _;
use serde::{Deserialize, Serialize, Serializer};
use time::OffsetDateTime;
use time::macros::format_description;

use super::backups::{Backup, Policy};
use super::branches::Branch;
use super::deploy_requests::DeployRequest;
use super::insights::Insights;
use super::passwords::Password;
use super::server::Server;

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

    /// So much later, or at the end of the calendar.
    pub fn after(self, wait: Duration) -> Self {
        let wait = wait.try_into().unwrap_or(time::Duration::MAX);
        Self(self.0.saturating_add(wait))
    }

    /// So much earlier.
    pub fn before(self, wait: Duration) -> Self {
        Self(self.0 - wait)
    }

    /// Whether it lies in the past.
    pub fn is_over(self) -> bool {
        self <= Self::now()
    }

    /// The same for what knows no calendar.
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

/// A service token.
#[derive(Clone, Serialize, Deserialize)]
pub struct Token {
    /// What stands before the colon of `Authorization`.
    pub id: String,
    /// What stands after it.
    pub secret: String,
    /// What has been taken from it; it has every other grant.
    pub without: BTreeSet<String>,
}

impl Token {
    pub fn new() -> Self {
        Self {
            id: new_id(),
            secret: format!("pscale_tkn_{}", crate::stack::access::random_password()),
            without: BTreeSet::new(),
        }
    }
}

/// The database's settings.
#[derive(Clone, Serialize, Deserialize)]
pub struct Settings {
    pub require_approval_for_deploy: bool,
    pub foreign_keys_enabled: bool,
    pub created_at: Time,
}

/// Everything that the control plane knows.
#[derive(Serialize, Deserialize)]
pub struct State {
    pub tokens: Vec<Token>,
    pub settings: Settings,
    pub branches: Vec<Branch>,
    pub passwords: Vec<Password>,
    pub deploy_requests: Vec<DeployRequest>,
    pub backups: Vec<Backup>,
    pub policies: Vec<Policy>,
    pub insights: Insights,
}

impl State {
    /// A database with one branch, `main`, over the schema that is there.
    pub fn new(production: &str) -> Self {
        let now = Time::now();
        Self {
            tokens: vec![Token::new()],
            settings: Settings {
                require_approval_for_deploy: false,
                foreign_keys_enabled: false,
                created_at: now,
            },
            branches: vec![Branch::default_branch(production)],
            passwords: Vec::new(),
            deploy_requests: Vec::new(),
            backups: Vec::new(),
            policies: vec![Policy::standard()],
            insights: Insights::sample(),
        }
    }

    pub fn branch(&self, name: &str) -> Option<&Branch> {
        self.branches.iter().find(|branch| branch.name == name)
    }

    pub fn branch_mut(&mut self, name: &str) -> Option<&mut Branch> {
        self.branches.iter_mut().find(|branch| branch.name == name)
    }

    pub fn deploy_request(&self, number: u64) -> Option<&DeployRequest> {
        let mut all = self.deploy_requests.iter();
        all.find(|request| request.number == number)
    }

    /// Whether a schema or a user of the server, by its name, belongs to something here.
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

/// Where the document is.
pub struct Store {
    schema: String,
    saved: String,
}

impl Store {
    /// Opens the store of the control plane over `production`, and reads what was kept there.
    pub async fn open(
        production: &str,
        server: &mut Server,
    ) -> Result<(Self, Option<State>), mysql_async::Error> {
        let schema = format!("{production}_control_plane");
        let connection = server.connection().await?;
        for statement in [
            format!("CREATE DATABASE IF NOT EXISTS `{schema}` CHARACTER SET utf8mb4"),
            format!(
                "CREATE TABLE IF NOT EXISTS `{schema}`.state \
                 (id TINYINT NOT NULL PRIMARY KEY, document LONGTEXT NOT NULL) ENGINE = InnoDB"
            ),
        ] {
            connection.query_drop(statement).await?;
        }
        let saved: Option<String> = connection
            .query_first(format!("SELECT document FROM `{schema}`.state"))
            .await?;
        let saved = saved.unwrap_or_default();
        let state: Option<State> = serde_json::from_str(&saved).ok();
        if state.is_none() && !saved.is_empty() {
            let lost = "control plane: another version has written what is known here, which this one \
                        can't read: every branch but production's is gone";
            crate::stack::progress::print(lost);
        }
        // What was begun when the control plane was killed, or is another version's, is nobody's.
        let kept = format!("{production}_before_");
        let stays = |name: &str| {
            let known = |state: &State| name.starts_with(&kept) || state.owns(name);
            name == schema || state.as_ref().is_some_and(known)
        };
        server.drop_derived(production, stays).await?;
        Ok((Self { schema, saved }, state))
    }

    /// Keeps the state, if it is another one than before.
    pub async fn save(
        &mut self,
        state: &State,
        server: &mut Server,
    ) -> Result<(), mysql_async::Error> {
        let document = serde_json::to_string(state).map_err(|error| {
            mysql_async::Error::Other(format!("the state can't be written: {error}").into())
        })?;
        if document != self.saved {
            let statement = format!("REPLACE INTO `{}`.state VALUES (1, ?)", self.schema);
            let connection = server.connection().await?;
            connection.exec_drop(statement, (&document,)).await?;
            self.saved = document;
        }
        Ok(())
    }
}
