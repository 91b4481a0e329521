//! Connections and logins also age by the wall clock, because the monotonic clock may stand still
//! while the process is frozen. These tests use the pool directly: only an administrator could
//! change the clocks of a function's process.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use database::Statement;
use lambda::Deadline;
use lambda::clock::{Clock, Moment, SystemClock};
use tests::proxy::{Counts, Fault};

use crate::direct::DirectPool;
use crate::function_under_test::secret;

/// The index is made up. A read that names none is pinged before, whatever the clocks say.
const SCHEMA: Statement = Statement::read("SCHEMA", "SELECT DATABASE()", "PRIMARY");

/// In milliseconds. No test here moves the clock forward by more while it uses this.
const A_DAY: &str = "86400000";

/// The machine's clocks, but the wall clock can be moved. The monotonic clock does not move with it,
/// as if it had stood still in a freeze.
#[derive(Default)]
struct MovableClock {
    /// How far the wall clock was moved, in seconds.
    moved: AtomicI64,
    /// The time that the monotonic clock shows if it stands still.
    still: Option<Instant>,
}

impl MovableClock {
    fn standing_still() -> Self {
        Self {
            still: Some(Instant::now()),
            ..Self::default()
        }
    }

    fn move_by_hours(&self, hours: i64) {
        self.moved.fetch_add(hours * 3600, Ordering::SeqCst);
    }
}

impl Clock for MovableClock {
    fn now(&self) -> Moment {
        let now = SystemClock.now();
        let moved = self.moved.load(Ordering::SeqCst);
        let span = Duration::from_secs(moved.unsigned_abs());
        let wall = if moved < 0 {
            now.wall - span
        } else {
            now.wall + span
        };
        Moment {
            monotonic: self.still.unwrap_or(now.monotonic),
            wall,
        }
    }
}

/// A pool with a movable clock.
struct PoolWithClock {
    clock: Arc<MovableClock>,
    direct: DirectPool,
}

impl Deref for PoolWithClock {
    type Target = DirectPool;

    fn deref(&self) -> &DirectPool {
        &self.direct
    }
}

impl PoolWithClock {
    /// A pool whose monotonic clock stands still.
    async fn new(settings: &[(&str, &str)]) -> Self {
        Self::with(MovableClock::standing_still(), settings).await
    }

    async fn with(clock: MovableClock, settings: &[(&str, &str)]) -> Self {
        let clock = Arc::new(clock);
        let direct = DirectPool::new(Arc::clone(&clock) as Arc<dyn Clock>, settings).await;
        Self { clock, direct }
    }

    /// The schema that a session of the pool uses.
    async fn schema(&self) -> String {
        let deadline = Deadline::after(Duration::from_secs(10));
        let mut session = self.pool.session(deadline).await.unwrap();
        session.row(&SCHEMA, ()).await.unwrap().unwrap()
    }

    /// Asks for the schema, asserts that it is the expected one, and returns how many new connections
    /// and round trips that took.
    async fn cost(&self) -> (usize, usize) {
        let Counts {
            ever, round_trips, ..
        } = self.proxy.counts();
        assert_eq!(self.schema().await, self.database.name());
        let now = self.proxy.counts();
        (now.ever - ever, now.round_trips - round_trips)
    }
}

const STATEMENT_ALONE: (usize, usize) = (0, 1);
const PING_AND_STATEMENT: (usize, usize) = (0, 2);

#[tokio::test]
async fn after_hours_an_idle_connection_is_pinged_first() {
    let pool = PoolWithClock::new(&[
        ("DATABASE_MAX_IDLE_MS", A_DAY),
        ("DATABASE_MAX_AGE_MS", A_DAY),
        ("DATABASE_PING_AFTER_MS", "3600000"),
    ])
    .await;
    pool.schema().await;
    assert_eq!(pool.cost().await, STATEMENT_ALONE);
    pool.clock.move_by_hours(3);
    assert_eq!(pool.cost().await, PING_AND_STATEMENT);
    assert_eq!(pool.cost().await, STATEMENT_ALONE);

    // The ping notices that the flow has gone silent.
    pool.proxy.strike(Fault::Swallow).await;
    pool.clock.move_by_hours(3);
    let (connections, _) = pool.cost().await;
    assert_eq!(connections, 1);
    // The new connection is fresh by the same clock.
    assert_eq!(pool.cost().await, STATEMENT_ALONE);
}

#[tokio::test]
async fn after_hours_an_idle_or_old_connection_is_replaced() {
    for limit in ["DATABASE_MAX_IDLE_MS", "DATABASE_MAX_AGE_MS"] {
        let mut settings = vec![
            ("DATABASE_MAX_IDLE_MS", A_DAY),
            ("DATABASE_MAX_AGE_MS", A_DAY),
            ("DATABASE_PING_AFTER_MS", A_DAY),
        ];
        settings.retain(|(variable, _)| *variable != limit);
        settings.push((limit, "3600000"));
        let pool = PoolWithClock::new(&settings).await;
        pool.schema().await;
        assert_eq!(pool.cost().await, STATEMENT_ALONE);
        pool.clock.move_by_hours(3);
        let (connections, _) = pool.cost().await;
        assert_eq!(connections, 1, "{limit}");
        assert_eq!(pool.proxy.counts().peak, 1, "{limit}");
        assert_eq!(pool.cost().await, STATEMENT_ALONE, "{limit}");
    }
}

#[tokio::test]
async fn after_hours_the_secret_is_fetched_again() {
    let pool = PoolWithClock::new(&[
        ("DATABASE_MAX_IDLE_MS", A_DAY),
        ("DATABASE_MAX_AGE_MS", A_DAY),
    ])
    .await;
    assert_eq!(pool.schema().await, pool.database.name());
    // The old login stays valid, so only its age makes the pool fetch the secret.
    let other = pool.stack.fresh_database().await.unwrap();
    let changed = secret(&pool.proxy, &other, other.password());
    pool.stack
        .change_secret(&pool.secret_id, &changed)
        .await
        .unwrap();
    assert_eq!(pool.schema().await, pool.database.name());
    pool.clock.move_by_hours(3);
    assert_eq!(pool.schema().await, other.name());
    assert_eq!(pool.proxy.counts().peak, 1);
}

#[tokio::test]
async fn a_wall_clock_set_back_breaks_nothing() {
    for clock in [MovableClock::default(), MovableClock::standing_still()] {
        set_back(clock).await;
    }
}

async fn set_back(clock: MovableClock) {
    let pool = PoolWithClock::with(clock, &[("DATABASE_PING_AFTER_MS", "3600000")]).await;
    pool.schema().await;
    pool.clock.move_by_hours(-5);
    assert_eq!(pool.cost().await, STATEMENT_ALONE);
    // Now the wall clock shows a time before 1970.
    pool.clock.move_by_hours(-24 * 365 * 80);
    assert_eq!(pool.cost().await, STATEMENT_ALONE);
    pool.proxy.strike(Fault::Reset).await;
    let (connections, _) = pool.cost().await;
    assert_eq!(connections, 1);
    assert_eq!(pool.cost().await, STATEMENT_ALONE);

    // When the clock is right again, everything is old.
    pool.clock.move_by_hours(24 * 365 * 80 + 5);
    let (connections, _) = pool.cost().await;
    assert_eq!(connections, 1);
    assert_eq!(pool.cost().await, STATEMENT_ALONE);
}

#[tokio::test]
async fn the_monotonic_clock_counts_when_the_wall_clock_is_set_back() {
    let settings = [("DATABASE_PING_AFTER_MS", "20")];
    let pool = PoolWithClock::with(MovableClock::default(), &settings).await;
    pool.schema().await;
    pool.clock.move_by_hours(-5);
    tokio::time::sleep(Duration::from_millis(40)).await;
    assert_eq!(pool.cost().await, PING_AND_STATEMENT);
}

#[tokio::test]
async fn hours_that_pass_between_two_statements_of_a_session_break_nothing() {
    let pool = PoolWithClock::new(&[]).await;
    let deadline = Deadline::after(Duration::from_secs(10));
    for hours in [3, -9] {
        let mut session = pool.pool.session(deadline).await.unwrap();
        for _ in 0..2 {
            let schema: Option<String> = session.row(&SCHEMA, ()).await.unwrap();
            assert_eq!(schema.as_deref(), Some(pool.database.name()));
            pool.clock.move_by_hours(hours);
        }
        drop(session);
        assert_eq!(pool.schema().await, pool.database.name());
    }
    assert_eq!(pool.proxy.counts().peak, 1);
}
