//! The time by which an invocation must have its answer.

use std::time::{Duration, Instant, SystemTime};

/// The part of the invocation's time that is reserved for answering.
const MARGIN: Duration = Duration::from_millis(500);

/// The time at which all waiting for one invocation ends.
///
/// It is on the monotonic clock, which does not stop during an invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// The deadline of an invocation that Lambda ends at `end` (`Context::deadline`): half a second
    /// earlier.
    pub fn of_invocation(end: SystemTime) -> Self {
        let left = end.duration_since(SystemTime::now()).unwrap_or_default();
        Self::after(left.saturating_sub(MARGIN))
    }

    /// The deadline `limit` from now.
    pub fn after(limit: Duration) -> Self {
        let now = Instant::now();
        // The clock cannot hold every limit. An hour is longer than any invocation.
        Self(
            now.checked_add(limit)
                .unwrap_or(now + Duration::from_secs(3600)),
        )
    }

    /// This deadline, or the one `limit` from now if that is sooner.
    pub fn or_after(self, limit: Duration) -> Self {
        self.min(Self::after(limit))
    }

    /// The time that is left, or zero if the deadline has passed.
    pub fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}
