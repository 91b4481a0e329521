//! Time spans that include the time in which Lambda froze the process.
//!
//! Lambda freezes the process between invocations, and the monotonic clock may stand still during a
//! freeze (hashicorp/vault-lambda-extension#150, ConductorOne/baton-sdk#1007). The wall clock can
//! be set, even back. So the age of idle connections and cached credentials is measured on both
//! clocks, and the larger span counts.

use std::time::{Duration, Instant, SystemTime};

/// Where the time comes from. Tests use clocks of their own, which they set by hand.
pub trait Clock: Send + Sync + 'static {
    /// The current time on both clocks.
    fn now(&self) -> Moment;
}

/// The machine's clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        Moment {
            monotonic: Instant::now(),
            wall: SystemTime::now(),
        }
    }
}

/// A point in time on the monotonic and on the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The time on the monotonic clock.
    pub monotonic: Instant,
    /// The time on the wall clock.
    pub wall: SystemTime,
}

impl Moment {
    /// The time from `earlier` to this moment, by the clock on which more time has passed. If the
    /// wall clock was set back, only the monotonic clock counts.
    pub fn since(self, earlier: Moment) -> Duration {
        let monotonic = self.monotonic.saturating_duration_since(earlier.monotonic);
        let wall = self.wall.duration_since(earlier.wall).unwrap_or_default();
        monotonic.max(wall)
    }
}
