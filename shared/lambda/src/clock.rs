//! Time that a freeze cannot hide.
//!
//! Lambda freezes the process between invocations, and the monotonic clock may stand still
//! meanwhile (hashicorp/vault-lambda-extension#150, ConductorOne/baton-sdk#1007); the wall
//! clock can be set, back too. What must not grow old unnoticed (idle connections, cached
//! credentials) is therefore measured on both, and the larger span counts.

use std::time::{Duration, Instant, SystemTime};

/// Where the time comes from. Tests put their own in, to move the hours by hand.
pub trait Clock: Send + Sync + 'static {
    /// The present, on both clocks.
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
    /// What the monotonic clock showed.
    pub monotonic: Instant,
    /// What the wall clock showed.
    pub wall: SystemTime,
}

impl Moment {
    /// The time from `earlier` to this moment, by the clock that saw more of it. A wall clock
    /// that was set back counts as nothing.
    pub fn since(self, earlier: Moment) -> Duration {
        let monotonic = self.monotonic.saturating_duration_since(earlier.monotonic);
        let wall = self.wall.duration_since(earlier.wall).unwrap_or_default();
        monotonic.max(wall)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_frozen_monotonic_clock_is_made_up_for_by_the_wall_clock() {
        let before = SystemClock.now();
        let after = Moment {
            wall: before.wall + HOUR,
            ..before
        };
        assert_eq!(after.since(before), HOUR);
    }

    #[test]
    fn a_wall_clock_set_back_changes_nothing() {
        let before = SystemClock.now();
        let after = Moment {
            monotonic: before.monotonic + HOUR,
            wall: before.wall - 5 * HOUR,
        };
        assert_eq!(after.since(before), HOUR);
        assert_eq!(before.since(after), 5 * HOUR);
    }
}
