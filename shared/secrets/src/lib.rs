//! A secret of AWS Secrets Manager, kept in memory and fetched again when it must be.
//!
//! A [`Credentials`] answers with the one it holds until that is too old by the wall clock,
//! or until the server refused it; then it asks the source again, one caller at a time, while
//! the others wait for the same answer. Each new one gets a new [`Generation`], by which a
//! pool tells connections of an older login.
//!
//! A secret that can't be fetched again while an older one is at hand is no error: the old
//! one is used on, since a rotation leaves it valid for a while and an outage of Secrets
//! Manager must not become ours. [`CredentialsError`] is what is left: nothing to log in with.
//! The pool logs it and reports the database as unavailable.

mod secrets_manager;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use lambda::clock::{Clock, Moment};

use secrets_manager::SecretsManager;

/// How soon the source is asked again after it failed to give a newer login while an older one
/// is at hand: an outage of Secrets Manager must not slow down every invocation.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(10);

/// How soon the source is asked again after the server refused the login that it gave last:
/// often enough for a rotation under way, seldom enough for the API's limits.
const PAUSE_AFTER_REFUSAL: Duration = Duration::from_millis(200);

/// What a secret of Secrets Manager is read as.
pub trait Secret: Sized {
    /// Reads the secret's text.
    ///
    /// # Errors
    ///
    /// [`CredentialsError::NotJson`] and [`CredentialsError::Field`].
    fn parse(text: &str) -> Result<Self, CredentialsError>;

    /// Whether both say the same, so that nothing was rotated between them.
    fn is_same(&self, other: &Self) -> bool;
}

/// Counts the secrets that one source gave, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generation(u64);

/// A secret and its place in the order of those that were given.
#[derive(Debug)]
pub struct Issued<S> {
    /// The secret.
    pub secret: Arc<S>,
    /// Its generation.
    pub generation: Generation,
}

impl<S> Clone for Issued<S> {
    fn clone(&self) -> Self {
        Self {
            secret: Arc::clone(&self.secret),
            generation: self.generation,
        }
    }
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

/// The process' login or token, kept in memory and fetched anew when it must be.
pub struct Credentials<S> {
    source: Source<S>,
    clock: Arc<dyn Clock>,
    held: Mutex<Option<Held<S>>>,
    /// Taken while the source is asked, so that one caller asks for all.
    asking: tokio::sync::Mutex<()>,
}

enum Source<S> {
    Fixed(Issued<S>),
    Secret {
        secret: SecretsManager,
        max_age: Duration,
    },
}

struct Held<S> {
    issued: Issued<S>,
    fetched: Moment,
    /// When the source was last asked, whatever it answered.
    asked: Moment,
}

impl<S> Clone for Held<S> {
    fn clone(&self) -> Self {
        Self {
            issued: self.issued.clone(),
            ..*self
        }
    }
}

impl<S: Secret> Credentials<S> {
    /// The secret of this name or ARN, fetched again at an age of `max_age`. Nothing is fetched
    /// before the first use.
    pub fn of_secret(id: String, max_age: Duration, clock: Arc<dyn Clock>) -> Self {
        let secret = SecretsManager::new(id);
        Self::of(Source::Secret { secret, max_age }, clock)
    }

    /// One that never changes.
    pub fn fixed(secret: S, clock: Arc<dyn Clock>) -> Self {
        let issued = Issued {
            secret: Arc::new(secret),
            generation: Generation(1),
        };
        Self::of(Source::Fixed(issued), clock)
    }

    fn of(source: Source<S>, clock: Arc<dyn Clock>) -> Self {
        Self {
            source,
            clock,
            held: Mutex::new(None),
            asking: tokio::sync::Mutex::new(()),
        }
    }

    /// The one to use now; fetched within `limit` when there is none or it is too old.
    ///
    /// # Errors
    ///
    /// [`CredentialsError`] when there is none at all.
    pub async fn current(&self, limit: Duration) -> Result<Issued<S>, CredentialsError> {
        let (secret, max_age) = match &self.source {
            Source::Fixed(issued) => return Ok(issued.clone()),
            Source::Secret { secret, max_age } => (secret, *max_age),
        };
        let fresh = |held: &Held<S>| {
            let now = self.clock.now();
            let failed = held.asked != held.fetched;
            now.since(held.fetched) < max_age
                || (failed && now.since(held.asked) < PAUSE_AFTER_FAILURE)
        };
        self.held_or_fetched(secret, limit, fresh).await
    }

    /// The generation of the newest one that is known; nothing is fetched.
    pub fn newest(&self) -> Option<Generation> {
        match &self.source {
            Source::Fixed(issued) => Some(issued.generation),
            Source::Secret { .. } => self.held().map(|held| held.issued.generation),
        }
    }

    /// The one to try after the server refused that of `refused`: the newest that the source
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
    ) -> Result<Option<Issued<S>>, CredentialsError> {
        let Source::Secret { secret, .. } = &self.source else {
            return Ok(None);
        };
        let newer = |held: &Held<S>| {
            held.issued.generation > refused
                || self.clock.now().since(held.asked) < PAUSE_AFTER_REFUSAL
        };
        self.held_or_fetched(secret, limit, newer).await.map(Some)
    }

    async fn held_or_fetched(
        &self,
        secret: &SecretsManager,
        limit: Duration,
        will_do: impl Fn(&Held<S>) -> bool,
    ) -> Result<Issued<S>, CredentialsError> {
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
        // One that another caller has fetched meanwhile stays.
        match (answer, self.place().as_mut()) {
            (Err(error), Some(held)) => {
                tracing::warn!(%error, "the secret could not be fetched again; the one at hand is used on");
                held.asked = self.clock.now();
                Ok(held.issued.clone())
            }
            (answer, _) => answer,
        }
    }

    async fn fetch(&self, secret: &SecretsManager) -> Result<Issued<S>, CredentialsError> {
        let fetched = secret.read(S::parse).await?;
        let now = self.clock.now();
        let issued = match self.held() {
            Some(held) if held.issued.secret.is_same(&fetched) => held.issued,
            held => Issued {
                secret: Arc::new(fetched),
                generation: Generation(held.map_or(0, |held| held.issued.generation.0) + 1),
            },
        };
        *self.place() = Some(Held {
            issued: issued.clone(),
            fetched: now,
            asked: now,
        });
        Ok(issued)
    }

    fn held(&self) -> Option<Held<S>> {
        self.place().clone()
    }

    fn place(&self) -> MutexGuard<'_, Option<Held<S>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> fmt::Debug for Credentials<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}
