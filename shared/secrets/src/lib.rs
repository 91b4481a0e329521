//! A secret of AWS Secrets Manager, kept in memory and fetched again when needed.
//!
//! - A [`KeptSecret`] returns the value that it has until the value is too old by the wall clock or
//!   a server refuses it. Then it asks Secrets Manager again: one caller asks, and the others wait
//!   for the same answer. Each new value gets a new [`Generation`], so that a pool can recognise
//!   the connections that used an older login.
//! - If a secret cannot be fetched again, the older value stays in use. A rotation leaves it valid
//!   for a while, and an outage of Secrets Manager must not become ours. A [`SecretError`] means
//!   that there is no value at all.
//! - [`Fields`] reads the JSON of a secret, the same way for every kind of secret.
//! - [`versions`] has the calls of Secrets Manager, also those that give a secret new versions.

mod fields;
pub mod versions;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use lambda::{
    clock::{Clock, Moment},
    metrics::{Metric, add},
    trace::subsegment,
};

pub use fields::Fields;
use versions::SecretVersions;

/// The pause after Secrets Manager failed while there is an older value. Without it, an outage of
/// Secrets Manager would slow down every invocation.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(10);

/// The pause before Secrets Manager is asked again after a server refused its newest value: short
/// enough for a rotation that is under way, long enough for the API's limits.
const PAUSE_AFTER_REFUSAL: Duration = Duration::from_millis(200);

/// A type that a secret is read into.
pub trait SecretValue: Sized {
    /// Reads the secret's fields.
    ///
    /// # Errors
    ///
    /// [`SecretError::Field`].
    fn read(fields: &Fields) -> Result<Self, SecretError>;
}

/// The number of a secret's value, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generation(u64);

/// The current value of a secret.
#[derive(Debug)]
pub struct Current<S> {
    /// The value.
    pub value: Arc<S>,
    /// Its generation.
    pub generation: Generation,
}

// Derived, it would demand that the value itself can be cloned.
impl<S> Clone for Current<S> {
    fn clone(&self) -> Self {
        Self {
            value: Arc::clone(&self.value),
            generation: self.generation,
        }
    }
}

/// Why there is no value. No message contains any part of the secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Secrets Manager did not answer in time.
    #[error("Secrets Manager did not answer in time")]
    TimedOut,
    /// Secrets Manager could not be reached, or it refused with this error code.
    #[error("Secrets Manager did not give the secret ({0})")]
    NotGiven(String),
    /// The secret is binary (`SecretBinary`) and not UTF-8.
    #[error("the secret is binary, not text")]
    NotText,
    /// The secret's text is not a JSON object.
    #[error("the secret is not a JSON object")]
    NotJson,
    /// A field of the secret is missing or of another type.
    #[error("the secret's `{0}` is missing or wrong")]
    Field(&'static str),
}

/// A secret, kept in memory and fetched again when needed.
pub struct KeptSecret<S> {
    source: Source<S>,
    clock: Arc<dyn Clock>,
    kept: Mutex<Option<Kept<S>>>,
    /// Held by the one caller that asks Secrets Manager for all of them.
    asking: tokio::sync::Mutex<()>,
}

enum Source<S> {
    Fixed(Current<S>),
    Secret {
        secret: SecretVersions,
        max_age: Duration,
    },
}

struct Kept<S> {
    current: Current<S>,
    /// The id of its version in Secrets Manager. Each rotation makes another.
    version: String,
    fetched: Moment,
    /// When Secrets Manager was last asked, successfully or not.
    asked: Moment,
}

impl<S: SecretValue> KeptSecret<S> {
    /// The secret with this name or ARN. It is first fetched on first use, and again at an age of
    /// `max_age`.
    pub fn of_secret(id: String, max_age: Duration, clock: Arc<dyn Clock>) -> Self {
        let secret = SecretVersions::of(id);
        Self::of(Source::Secret { secret, max_age }, clock)
    }

    /// A value that never changes.
    pub fn fixed(value: S, clock: Arc<dyn Clock>) -> Self {
        let current = Current {
            value: Arc::new(value),
            generation: Generation(1),
        };
        Self::of(Source::Fixed(current), clock)
    }

    fn of(source: Source<S>, clock: Arc<dyn Clock>) -> Self {
        Self {
            source,
            clock,
            kept: Mutex::new(None),
            asking: tokio::sync::Mutex::new(()),
        }
    }

    /// Returns the value to use now. If there is none or it is too old, fetches it within `limit`.
    ///
    /// # Errors
    ///
    /// [`SecretError`] if there is no value at all.
    pub async fn current(&self, limit: Duration) -> Result<Current<S>, SecretError> {
        let (secret, max_age) = match &self.source {
            Source::Fixed(current) => return Ok(current.clone()),
            Source::Secret { secret, max_age } => (secret, *max_age),
        };
        let fresh = |kept: &Kept<S>| {
            let now = self.clock.now();
            let failed = kept.asked != kept.fetched;
            now.since(kept.fetched) < max_age
                || (failed && now.since(kept.asked) < PAUSE_AFTER_FAILURE)
        };
        self.kept_or_fetched(secret, limit, fresh).await
    }

    /// The newest known generation. Fetches nothing.
    pub fn newest(&self) -> Option<Generation> {
        match &self.source {
            Source::Fixed(current) => Some(current.generation),
            Source::Secret { .. } => {
                let kept = self.lock();
                kept.as_ref().map(|kept| kept.current.generation)
            }
        }
    }

    /// Returns the value to try after a server refused the one of the generation `refused`: the
    /// newest in Secrets Manager, which is the same one if nothing was rotated yet. `None` for a
    /// value that never changes.
    ///
    /// # Errors
    ///
    /// As [`KeptSecret::current`].
    pub async fn after_refusal(
        &self,
        refused: Generation,
        limit: Duration,
    ) -> Result<Option<Current<S>>, SecretError> {
        let Source::Secret { secret, .. } = &self.source else {
            return Ok(None);
        };
        let newer = |kept: &Kept<S>| {
            kept.current.generation > refused
                || self.clock.now().since(kept.asked) < PAUSE_AFTER_REFUSAL
        };
        self.kept_or_fetched(secret, limit, newer).await.map(Some)
    }

    async fn kept_or_fetched(
        &self,
        secret: &SecretVersions,
        limit: Duration,
        is_usable: impl Fn(&Kept<S>) -> bool,
    ) -> Result<Current<S>, SecretError> {
        if let Some(current) = self.kept_if(&is_usable) {
            return Ok(current);
        }
        let ask = async {
            let _asking = self.asking.lock().await;
            // Another caller may have asked while this one waited for its turn.
            match self.kept_if(&is_usable) {
                Some(current) => Ok(current),
                // Boxed because it is rare and large. Unboxed, the SDK's request would enlarge the
                // future of every invocation.
                None => Box::pin(self.fetch(secret)).await,
            }
        };
        let answer = tokio::time::timeout(limit, ask)
            .await
            .unwrap_or(Err(SecretError::TimedOut));
        // A value that another caller has fetched in the meantime stays.
        match (answer, self.lock().as_mut()) {
            (Err(error), Some(kept)) => {
                tracing::warn!(%error, "the secret could not be fetched again; the older value stays in use");
                kept.asked = self.clock.now();
                Ok(kept.current.clone())
            }
            (answer, _) => answer,
        }
    }

    async fn fetch(&self, secret: &SecretVersions) -> Result<Current<S>, SecretError> {
        let (version, fields) = subsegment("Secrets Manager", secret.current()).await?;
        let current = match self.lock().as_ref() {
            Some(kept) if kept.version == version => kept.current.clone(),
            kept => Current {
                value: Arc::new(S::read(&fields)?),
                generation: Generation(kept.map_or(0, |kept| kept.current.generation.0) + 1),
            },
        };
        add(Metric::SecretRefreshed, 1);
        let now = self.clock.now();
        *self.lock() = Some(Kept {
            current: current.clone(),
            version,
            fetched: now,
            asked: now,
        });
        Ok(current)
    }

    fn kept_if(&self, is_usable: impl Fn(&Kept<S>) -> bool) -> Option<Current<S>> {
        let kept = self.lock();
        let usable = kept.as_ref().filter(|kept| is_usable(kept));
        usable.map(|kept| kept.current.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Option<Kept<S>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> fmt::Debug for KeptSecret<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptSecret").finish_non_exhaustive()
    }
}
