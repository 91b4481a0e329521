//! When an invocation must have its answer.

use std::time::{Duration, Instant, SystemTime};

/// Kept back from the invocation's time, to answer in.
const MARGIN: Duration = Duration::from_millis(500);

/// The end of all waiting for one invocation.
///
/// It stands on the monotonic clock, which runs as long as the invocation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// For the invocation that Lambda ends at `end` (`Context::deadline`), half a second
    /// before that.
    pub fn of_invocation(end: SystemTime) -> Self {
        let left = end.duration_since(SystemTime::now()).unwrap_or_default();
        Self::after(left.saturating_sub(MARGIN))
    }

    /// `limit` from now.
    pub fn after(limit: Duration) -> Self {
        let now = Instant::now();
        // A limit too large for the clock is none, and an hour is more than any invocation has.
        Self(
            now.checked_add(limit)
                .unwrap_or(now + Duration::from_secs(3600)),
        )
    }

    /// The sooner of this and `limit` from now.
    pub fn or_after(self, limit: Duration) -> Self {
        self.min(Self::after(limit))
    }

    /// What is left until then; zero when it has passed.
    pub fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}
