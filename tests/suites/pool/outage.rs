//! What befalls a whole server and all who use it, on a server of the test's own: while the
//! functions are frozen, their next invocation answers as if nothing had happened; in the middle
//! of an exchange, a statement or a transaction, the answer is the truth, in time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use tests::proxy::{At, Fault, Hold};
use tests::stack::{PrivateServer, Stack};
use tests::stand_ins::lambda::{Answer, Setup};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

use crate::errand::{Call, Errand};
use crate::function_under_test::{Backend, Scene, everywhere};

/// What an invocation is told it has: a server takes its time to start, on a busy machine above
/// all.
const TIMEOUT: Duration = Duration::from_secs(60);

/// What a statement and a login have of it, in milliseconds.
const PATIENCE: &str = "20000";

/// How long a failover takes.
const FAILOVER: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outage {
    /// The server ends all connections.
    Kill,
    /// The old password is refused from now on, and the connections that it made are ended.
    Rotate,
    /// The server has another certificate of the same authority, and all connections are reset.
    /// Vitess, which keeps the certificate that it has started with, is restarted.
    Renew,
    /// The server ends and starts again.
    Restart,
    /// Connections were idle for longer than the server allows.
    IdleTimeout,
    /// The server takes no write for two seconds.
    ReadOnly,
}

/// Every function, on everything that it can end at, all with one server.
struct House {
    scenes: Vec<Arc<Scene>>,
    server: PrivateServer,
}

impl House {
    async fn new() -> Self {
        let server = PrivateServer::start(&Stack::from_env().unwrap()).await;
        let server = server.unwrap();
        let mut starting = JoinSet::new();
        for (call, backend) in everywhere() {
            let stack = server.stack().clone();
            let longer = |setup: Setup| {
                setup
                    .timeout(TIMEOUT)
                    .env("DATABASE_STATEMENT_TIMEOUT_MS", PATIENCE)
                    .env("DATABASE_CONNECT_TIMEOUT_MS", PATIENCE)
                    // What is held up on the way is not to be taken for silent.
                    .env("DATABASE_PING_TIMEOUT_MS", PATIENCE)
            };
            starting.spawn(async move { Arc::new(Scene::on(&stack, call, backend, longer).await) });
        }
        let scenes = starting.join_all().await;
        Self { scenes, server }
    }

    async fn set_global(&self, setting: &str) {
        let mut admin = self.server.stack().admin().await.unwrap();
        let statement = format!("SET GLOBAL {setting}");
        admin.query_drop(statement).await.unwrap();
    }

    /// Every function has a connection with its statements prepared.
    async fn warm_up(&self, outage: Outage) {
        if outage == Outage::IdleTimeout {
            // For the connections that are made now.
            self.set_global("wait_timeout = 1").await;
            for scene in &self.scenes {
                scene.proxy.strike(Fault::Reset).await;
                scene.kill().await;
            }
        }
        for scene in &self.scenes {
            scene.succeed().await;
            scene.succeed().await;
        }
    }

    /// Lets it happen. One that lasts has only begun then.
    async fn suffer(&mut self, outage: Outage) {
        match outage {
            Outage::Kill => {
                for scene in &self.scenes {
                    scene.kill().await;
                }
            }
            Outage::Rotate => {
                for scene in &self.scenes {
                    scene.rotate_password().await;
                    scene.kill().await;
                }
            }
            Outage::Renew => {
                self.server.renew_certificate().await.unwrap();
                for scene in &self.scenes {
                    if let Some(vitess) = scene.database.vitess() {
                        vitess.restart(&[]).await.unwrap();
                    }
                    scene.proxy.strike(Fault::Reset).await;
                }
            }
            Outage::Restart => {
                self.server.stop().await;
                self.server.start_again().await.unwrap();
            }
            Outage::IdleTimeout => {
                for scene in &self.scenes {
                    while !scene.connections().await.is_empty() {
                        sleep(Duration::from_millis(50)).await;
                    }
                }
            }
            Outage::ReadOnly => self.set_global("read_only = ON").await,
        }
    }

    /// Ends what lasts, when its time is over.
    async fn recover(&self, outage: Outage) {
        if outage == Outage::ReadOnly {
            sleep(FAILOVER).await;
            self.set_global("read_only = OFF").await;
        }
        if outage == Outage::IdleTimeout {
            self.set_global("wait_timeout = 28800").await;
        }
    }

    /// Lets it happen while all functions are frozen.
    async fn survive(&mut self, outage: Outage) {
        self.warm_up(outage).await;
        let mut errands = Vec::new();
        for scene in &self.scenes {
            errands.push(scene.errand().await);
            scene.function.freeze().unwrap();
        }
        self.suffer(outage).await;
        let mut invocations = JoinSet::new();
        for (scene, errand) in self.scenes.iter().cloned().zip(errands) {
            invocations.spawn(async move {
                let answer = scene.thaw_with(errand.event.clone()).await;
                scene.check(&errand, &answer).await;
            });
        }
        self.recover(outage).await;
        invocations.join_all().await;
        for scene in &self.scenes {
            scene.wait_until_no_transaction_is_open().await;
        }
    }

    /// Lets it happen on the way of every flight of every call, and of its answer.
    async fn meet_on_the_way(&mut self, outage: Outage) {
        let most = Call::ALL.map(Call::flights).into_iter().max().unwrap();
        for flight in 1..=most {
            for at in [At::BeforeServer, At::Answer(0)] {
                self.warm_up(outage).await;
                let mut held = Vec::new();
                for scene in &self.scenes {
                    if scene.call.flights() >= flight {
                        held.push(Held::hold(scene, flight, at).await);
                    }
                }
                self.suffer(outage).await;
                let answers: Vec<_> = held.into_iter().map(Held::release).collect();
                self.recover(outage).await;
                for answer in answers {
                    answer.judge().await;
                }
            }
        }
    }

    /// Lets it happen while the server works on a statement of every function.
    async fn meet_in_a_statement(&mut self, outage: Outage) {
        self.warm_up(outage).await;
        let (mut locks, mut under_way) = (Vec::new(), Vec::new());
        for scene in &self.scenes {
            let mut lock = scene.stack.admin().await.unwrap();
            let schema = scene.database.name();
            let statement = format!("LOCK TABLES `{schema}`.orders WRITE");
            let errand = scene.errand().await;
            lock.query_drop(statement).await.unwrap();
            locks.push(lock);
            under_way.push(UnderWay::start(scene, errand));
            scene.wait_until_blocked().await;
        }
        // What is sent again at once must not be ended too.
        match outage {
            Outage::Kill => {
                for scene in &self.scenes {
                    scene.kill_once().await;
                }
            }
            Outage::Rotate => {
                for scene in &self.scenes {
                    scene.rotate_password().await;
                    scene.kill_once().await;
                }
            }
            other => self.suffer(other).await,
        }
        drop(locks);
        for answer in under_way {
            answer.judge().await;
        }
    }
}

/// An invocation that has been begun.
struct UnderWay {
    scene: Arc<Scene>,
    errand: Errand,
    invocation: JoinHandle<Answer>,
}

impl UnderWay {
    fn start(scene: &Arc<Scene>, errand: Errand) -> Self {
        let invoked = Arc::clone(scene);
        let event = errand.event.clone();
        let invocation = async move {
            let began = Instant::now();
            let answer = invoked.function.invoke(event).await.unwrap();
            assert!(began.elapsed() < TIMEOUT, "{answer:#?}");
            answer
        };
        Self {
            scene: Arc::clone(scene),
            errand,
            invocation: tokio::spawn(invocation),
        }
    }

    /// Asserts that the answer comes in time and is the truth, and that the next invocation works.
    async fn judge(self) {
        let Self {
            scene,
            errand,
            invocation,
        } = self;
        let answer = invocation.await.unwrap();
        scene.wait_until_no_transaction_is_open().await;
        scene.judge(&errand, &answer).await;
        scene.succeed().await;
    }
}

/// An invocation with a flight that is held.
struct Held {
    hold: Hold,
    under_way: UnderWay,
}

impl Held {
    async fn hold(scene: &Arc<Scene>, flight: usize, at: At) -> Self {
        // On a slow machine a connection may have idled for too long before its turn.
        for _ in 0..5 {
            match Self::try_hold(scene, flight, at).await {
                Ok(held) => return held,
                Err(ended) => ended.judge().await,
            }
        }
        panic!("{:?} has no flight {flight}", scene.call)
    }

    /// Fails with an invocation that ended before the flight.
    async fn try_hold(scene: &Arc<Scene>, flight: usize, at: At) -> Result<Self, UnderWay> {
        let errand = scene.errand().await;
        let hold = scene.proxy.hold(flight, at);
        let under_way = UnderWay::start(scene, errand);
        while !hold.is_reached() {
            if under_way.invocation.is_finished() {
                scene.proxy.lift_ambush();
                return Err(under_way);
            }
            sleep(Duration::from_millis(2)).await;
        }
        Ok(Self { hold, under_way })
    }

    fn release(self) -> UnderWay {
        drop(self.hold);
        self.under_way
    }
}

#[tokio::test]
async fn frozen_functions_notice_nothing() {
    let mut house = House::new().await;
    for outage in [Outage::Restart, Outage::Renew, Outage::ReadOnly] {
        house.survive(outage).await;
    }
    if Backend::one().ends_idle_connections() {
        house.survive(Outage::IdleTimeout).await;
    }
}

#[tokio::test]
async fn connections_killed_or_idle_for_too_long_on_the_way() {
    let mut house = House::new().await;
    house.meet_on_the_way(Outage::Kill).await;
    if Backend::one().ends_idle_connections() {
        house.meet_on_the_way(Outage::IdleTimeout).await;
    }
}

#[tokio::test]
async fn the_password_rotated_and_the_certificate_renewed_on_the_way() {
    let mut house = House::new().await;
    house.meet_on_the_way(Outage::Rotate).await;
    house.meet_on_the_way(Outage::Renew).await;
}

#[tokio::test]
async fn the_server_restarted_on_the_way() {
    House::new().await.meet_on_the_way(Outage::Restart).await;
}

#[tokio::test]
async fn the_server_read_only_on_the_way() {
    House::new().await.meet_on_the_way(Outage::ReadOnly).await;
}

#[tokio::test]
async fn the_server_lost_at_work() {
    let mut house = House::new().await;
    for outage in [Outage::Kill, Outage::Rotate, Outage::Restart] {
        house.meet_in_a_statement(outage).await;
    }
    // Vitess reads every table when it starts, which it can't while one is locked.
    if Backend::one() != Backend::Vitess {
        house.meet_in_a_statement(Outage::Renew).await;
    }
}

#[tokio::test]
async fn a_renewed_certificate_is_looked_at() {
    let server = PrivateServer::start(&Stack::from_env().unwrap()).await;
    let mut server = server.unwrap();
    let scene = Scene::on(server.stack(), Call::Get, Backend::one(), |setup| setup).await;
    scene.succeed().await;
    let errand = scene.errand().await;
    let other = server.present_certificate_for(&["database.example"]);
    other.await.unwrap();
    scene.proxy.strike(Fault::Reset).await;
    let refused = scene.function.invoke(errand.event.clone()).await.unwrap();
    assert_eq!(refused.status, 503, "{refused:#?}");
    assert!(scene.function.output().unwrap().contains("certificate"));

    server.renew_certificate().await.unwrap();
    scene.succeed().await;
}
