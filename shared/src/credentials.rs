//! Where the database's host, user name and password come from.
//!
//! A [`Credentials`] answers with the login it holds until that is too old by the wall clock,
//! or until the server refused it; then it asks the source again, one caller at a time, while
//! the others wait for the same answer. Each new login gets a new [`Generation`], by which the
//! pool tells connections of an older login.
//!
//! A secret that can't be fetched again while an older login is at hand is no error: the old
//! login is used on, since a rotation leaves it valid for a while and an outage of Secrets
//! Manager must not become ours. [`CredentialsError`] is what is left: nothing to log in with.
//! The pool logs it and reports the database as unavailable.

mod secrets_manager;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use secrecy::{ExposeSecret, SecretString};

use crate::{
    clock::{Clock, Moment},
    config::LoginSource,
};
use secrets_manager::SecretsManager;

/// How soon the source is asked again after it failed to give a newer login while an older one
/// is at hand: an outage of Secrets Manager must not slow down every invocation.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(10);

/// How soon the source is asked again after the server refused the login that it gave last:
/// often enough for a rotation under way, seldom enough for the API's limits.
const PAUSE_AFTER_REFUSAL: Duration = Duration::from_millis(200);

/// What it takes to log in. `Debug` shows no password.
#[derive(Debug, Clone)]
pub struct Login {
    /// Host name or address; the server's certificate must be valid for it.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// User name.
    pub username: String,
    /// Password.
    pub password: SecretString,
    /// The database to use, in Vitess the keyspace; the server's default where not given.
    pub database: Option<String>,
}

impl Login {
    /// MySQL's port.
    pub const DEFAULT_PORT: u16 = 3306;

    fn is_same(&self, other: &Login) -> bool {
        (&self.host, self.port, &self.username, &self.database)
            == (&other.host, other.port, &other.username, &other.database)
            && self.password.expose_secret() == other.password.expose_secret()
    }
}

impl Default for Login {
    fn default() -> Self {
        Self {
            host: "localhost".to_owned(),
            port: Self::DEFAULT_PORT,
            username: String::new(),
            password: SecretString::default(),
            database: None,
        }
    }
}

/// Counts the logins that one source gave, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generation(u64);

/// A login and its place in the order of those that were given.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The login.
    pub login: Arc<Login>,
    /// Its generation.
    pub generation: Generation,
}

/// Why there is nothing to log in with. No message holds anything of the secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// Secrets Manager did not answer in time.
    #[error("Secrets Manager did not answer in time")]
    TimedOut,
    /// Secrets Manager could not be reached or refused; the code is its own.
    #[error("Secrets Manager did not give the secret ({0})")]
    NotGiven(String),
    /// The secret holds no text, or its text is not a JSON object.
    #[error("the secret is not a JSON object")]
    NotJson,
    /// A field of the secret is missing or of another type.
    #[error("the secret's `{0}` is missing or wrong")]
    Field(&'static str),
}

/// The process' login, kept in memory and fetched anew when it must be.
pub struct Credentials {
    source: Source,
    clock: Arc<dyn Clock>,
    held: Mutex<Option<Held>>,
    /// Taken while the source is asked, so that one caller asks for all.
    asking: tokio::sync::Mutex<()>,
}

enum Source {
    Fixed(Issued),
    Secret {
        secret: SecretsManager,
        max_age: Duration,
    },
}

#[derive(Clone)]
struct Held {
    issued: Issued,
    fetched: Moment,
    /// When the source was last asked, whatever it answered.
    asked: Moment,
}

impl Credentials {
    /// Nothing is fetched before the first use.
    pub fn new(source: LoginSource, clock: Arc<dyn Clock>) -> Self {
        let source = match source {
            LoginSource::Fixed(login) => Source::Fixed(Issued {
                login: Arc::new(login),
                generation: Generation(1),
            }),
            LoginSource::Secret { id, max_age } => Source::Secret {
                secret: SecretsManager::new(id),
                max_age,
            },
        };
        Self {
            source,
            clock,
            held: Mutex::new(None),
            asking: tokio::sync::Mutex::new(()),
        }
    }

    /// The login to use now; fetched within `limit` when there is none or it is too old.
    ///
    /// # Errors
    ///
    /// [`CredentialsError`] when there is none at all.
    pub async fn current(&self, limit: Duration) -> Result<Issued, CredentialsError> {
        let (secret, max_age) = match &self.source {
            Source::Fixed(issued) => return Ok(issued.clone()),
            Source::Secret { secret, max_age } => (secret, *max_age),
        };
        let fresh = |held: &Held| {
            let now = self.clock.now();
            let failed = held.asked != held.fetched;
            now.since(held.fetched) < max_age
                || (failed && now.since(held.asked) < PAUSE_AFTER_FAILURE)
        };
        self.held_or_fetched(secret, limit, fresh).await
    }

    /// The generation of the newest login that is known; nothing is fetched.
    pub fn newest(&self) -> Option<Generation> {
        match &self.source {
            Source::Fixed(issued) => Some(issued.generation),
            Source::Secret { .. } => self.held().map(|held| held.issued.generation),
        }
    }

    /// The login to try after the server refused that of `refused`: the newest that the source
    /// has, which is the same again when nothing was rotated (yet). `None` when the source has
    /// but one.
    ///
    /// # Errors
    ///
    /// As [`Credentials::current`].
    pub async fn after_refusal(
        &self,
        refused: Generation,
        limit: Duration,
    ) -> Result<Option<Issued>, CredentialsError> {
        let Source::Secret { secret, .. } = &self.source else {
            return Ok(None);
        };
        let newer = |held: &Held| {
            held.issued.generation > refused
                || self.clock.now().since(held.asked) < PAUSE_AFTER_REFUSAL
        };
        self.held_or_fetched(secret, limit, newer).await.map(Some)
    }

    async fn held_or_fetched(
        &self,
        secret: &SecretsManager,
        limit: Duration,
        will_do: impl Fn(&Held) -> bool,
    ) -> Result<Issued, CredentialsError> {
        if let Some(held) = self.held().filter(&will_do) {
            return Ok(held.issued);
        }
        let ask = async {
            let _asking = self.asking.lock().await;
            // Another caller may have asked while this one waited for its turn.
            match self.held().filter(&will_do) {
                Some(held) => Ok(held.issued),
                // Boxed, because it is rare and large: unboxed, the SDK's request would swell
                // the future of every invocation.
                None => Box::pin(self.fetch(secret)).await,
            }
        };
        let answer = tokio::time::timeout(limit, ask)
            .await
            .unwrap_or(Err(CredentialsError::TimedOut));
        match (answer, self.held()) {
            (Err(error), Some(mut held)) => {
                tracing::warn!(%error, "the secret could not be fetched again; the login at hand is used on");
                held.asked = self.clock.now();
                let issued = held.issued.clone();
                self.hold(held);
                Ok(issued)
            }
            (answer, _) => answer,
        }
    }

    async fn fetch(&self, secret: &SecretsManager) -> Result<Issued, CredentialsError> {
        let login = secret.fetch().await?;
        let now = self.clock.now();
        let issued = match self.held() {
            Some(held) if held.issued.login.is_same(&login) => held.issued,
            held => Issued {
                login: Arc::new(login),
                generation: Generation(held.map_or(0, |held| held.issued.generation.0) + 1),
            },
        };
        self.hold(Held {
            issued: issued.clone(),
            fetched: now,
            asked: now,
        });
        Ok(issued)
    }

    fn held(&self) -> Option<Held> {
        self.held
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn hold(&self, held: Held) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(held);
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}
