//! What grows old does so by the wall clock too: the monotonic one may stand still while the
//! process is frozen. The pool itself is driven here, against the server, since no process can be
//! given other clocks without the rights of an administrator.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use database::settings::Settings;
use database::{Database, Statement};
use lambda::Deadline;
use lambda::clock::{Clock, Moment, SystemClock};
use tests::proxy::{Counts, Fault, Proxy};
use tests::stack::{FreshDatabase, Stack};

use crate::function_under_test::secret;

const SCHEMA: Statement = Statement::read("SELECT DATABASE()", "");

/// In milliseconds: more than any of these tests moves the clock by.
const A_DAY: &str = "86400000";

/// The machine's clocks, with the hands of the wall clock moved. The monotonic clock knows
/// nothing of that, as after a freeze that it has slept through.
#[derive(Default)]
struct Hands {
    /// In seconds.
    moved: AtomicI64,
    /// What the monotonic clock shows, if it stands still.
    still: Option<Instant>,
}

impl Hands {
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

impl Clock for Hands {
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

/// A pool with its own clock, which logs in by a secret and by way of the proxy.
struct Scene {
    stack: Stack,
    database: FreshDatabase,
    secret_id: String,
    clock: Arc<Hands>,
    proxy: Proxy,
    pool: Database,
}

impl Scene {
    /// With settings over those of the template, and a monotonic clock that stands still.
    async fn new(settings: &[(&str, &str)]) -> Self {
        Self::with(Hands::standing_still(), settings).await
    }

    async fn with(clock: Hands, settings: &[(&str, &str)]) -> Self {
        let stack = Stack::from_env().unwrap();
        let database = stack.fresh_database().await.unwrap();
        let proxy = Proxy::start(stack.server()).await.unwrap();
        let secret = secret(&proxy, &database, database.password());
        let secret_id = stack.new_secret(&secret).await.unwrap();
        let environment = database.environment("get-order").unwrap();
        let settings = Settings::read(|name| {
            if name == "DATABASE_SECRET_ID" {
                return Some(secret_id.clone());
            }
            let set = settings.iter().find(|(variable, _)| *variable == name);
            set.map(|(_, value)| (*value).to_owned())
                .or_else(|| environment.get(name).cloned())
        });
        let clock = Arc::new(clock);
        let pool = Database::new(settings.unwrap(), Arc::clone(&clock) as Arc<dyn Clock>);
        Self {
            stack,
            database,
            secret_id,
            clock,
            proxy,
            pool,
        }
    }

    /// The schema that a session of the pool is in.
    async fn schema(&self) -> String {
        let deadline = Deadline::after(Duration::from_secs(10));
        let mut session = self.pool.session(deadline).await.unwrap();
        session.row(&SCHEMA, ()).await.unwrap().unwrap()
    }

    /// Asks for the schema, asserts that it is the usual one, and says how many connections and
    /// round trips that took.
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
async fn after_hours_an_idle_connection_is_asked_first() {
    let scene = Scene::new(&[
        ("DATABASE_MAX_IDLE_MS", A_DAY),
        ("DATABASE_MAX_AGE_MS", A_DAY),
        ("DATABASE_PING_AFTER_MS", "3600000"),
    ])
    .await;
    scene.schema().await;
    assert_eq!(scene.cost().await, STATEMENT_ALONE);
    scene.clock.move_by_hours(3);
    assert_eq!(scene.cost().await, PING_AND_STATEMENT);
    assert_eq!(scene.cost().await, STATEMENT_ALONE);

    // The flow was forgotten in the meantime: the ping finds it out.
    scene.proxy.strike(Fault::Swallow).await;
    scene.clock.move_by_hours(3);
    let (connections, _) = scene.cost().await;
    assert_eq!(connections, 1);
    // By the same clock that the lost connection was last used by, the new one is no older.
    assert_eq!(scene.cost().await, STATEMENT_ALONE);
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
        let scene = Scene::new(&settings).await;
        scene.schema().await;
        assert_eq!(scene.cost().await, STATEMENT_ALONE);
        scene.clock.move_by_hours(3);
        let (connections, _) = scene.cost().await;
        assert_eq!(connections, 1, "{limit}");
        assert_eq!(scene.proxy.counts().peak, 1, "{limit}");
        assert_eq!(scene.cost().await, STATEMENT_ALONE, "{limit}");
    }
}

#[tokio::test]
async fn after_hours_the_secret_is_fetched_again() {
    let scene = Scene::new(&[
        ("DATABASE_MAX_IDLE_MS", A_DAY),
        ("DATABASE_MAX_AGE_MS", A_DAY),
    ])
    .await;
    assert_eq!(scene.schema().await, scene.database.name());
    // The old login is good for as long as the test takes, so nothing but its age tells.
    let other = scene.stack.fresh_database().await.unwrap();
    let changed = secret(&scene.proxy, &other, other.password());
    scene
        .stack
        .change_secret(&scene.secret_id, &changed)
        .await
        .unwrap();
    assert_eq!(scene.schema().await, scene.database.name());
    scene.clock.move_by_hours(3);
    assert_eq!(scene.schema().await, other.name());
    assert_eq!(scene.proxy.counts().peak, 1);
}

#[tokio::test]
async fn a_wall_clock_set_back_breaks_nothing() {
    for clock in [Hands::default(), Hands::standing_still()] {
        set_back(clock).await;
    }
}

async fn set_back(clock: Hands) {
    let scene = Scene::with(clock, &[("DATABASE_PING_AFTER_MS", "3600000")]).await;
    scene.schema().await;
    scene.clock.move_by_hours(-5);
    assert_eq!(scene.cost().await, STATEMENT_ALONE);
    // Far enough that the wall clock shows a time before 1970.
    scene.clock.move_by_hours(-24 * 365 * 80);
    assert_eq!(scene.cost().await, STATEMENT_ALONE);
    scene.proxy.strike(Fault::Reset).await;
    let (connections, _) = scene.cost().await;
    assert_eq!(connections, 1);
    assert_eq!(scene.cost().await, STATEMENT_ALONE);

    // Set right again, it shows that everything is old.
    scene.clock.move_by_hours(24 * 365 * 80 + 5);
    let (connections, _) = scene.cost().await;
    assert_eq!(connections, 1);
    assert_eq!(scene.cost().await, STATEMENT_ALONE);
}

#[tokio::test]
async fn with_the_wall_clock_set_back_the_monotonic_one_counts() {
    let settings = [("DATABASE_PING_AFTER_MS", "20")];
    let scene = Scene::with(Hands::default(), &settings).await;
    scene.schema().await;
    scene.clock.move_by_hours(-5);
    tokio::time::sleep(Duration::from_millis(40)).await;
    assert_eq!(scene.cost().await, PING_AND_STATEMENT);
}

#[tokio::test]
async fn hours_that_pass_between_two_statements_of_a_session_break_nothing() {
    let scene = Scene::new(&[]).await;
    let deadline = Deadline::after(Duration::from_secs(10));
    for hours in [3, -9] {
        let mut session = scene.pool.session(deadline).await.unwrap();
        for _ in 0..2 {
            let schema: Option<String> = session.row(&SCHEMA, ()).await.unwrap();
            assert_eq!(schema.as_deref(), Some(scene.database.name()));
            scene.clock.move_by_hours(hours);
        }
        drop(session);
        assert_eq!(scene.schema().await, scene.database.name());
    }
    assert_eq!(scene.proxy.counts().peak, 1);
}
