//! Outages of a whole server, which is the test's own. After an outage while the functions are
//! frozen, their next invocations answer as if nothing had happened. After an outage in the middle
//! of an exchange, a statement or a transaction, the answer is true and comes in time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use tests::eventually_holds;
use tests::proxy::{At, Fault, Hold};
use tests::stack::{PrivateServer, Stack};
use tests::stand_ins::lambda::{Answer, Setup};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

use crate::function_under_test::{FunctionUnderTest, is_vitess};
use crate::request::{Call, Request};

/// The timeout of an invocation. A server takes long to start, above all on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The limit of a statement and of a login, in milliseconds.
const PATIENCE: &str = "20000";

/// How long a failover takes.
const FAILOVER: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outage {
    /// The server kills all connections.
    Kill,
    /// The old password is refused from now on, and its connections are killed.
    Rotate,
    /// The server gets another certificate of the same authority, and all connections are reset.
    /// Vitess keeps the certificate that it started with, so it is restarted.
    Renew,
    /// The server crashes, and the next time it stops in order. It starts again at once.
    Restart,
    /// Connections were idle for longer than the server allows.
    IdleTimeout,
    /// The server takes no write for two seconds.
    ReadOnly,
}

/// Every function, each with a database of its own, all on one server.
struct Functions {
    all: Vec<Arc<FunctionUnderTest>>,
    server: PrivateServer,
    /// Whether the last restart was a crash.
    crashed: bool,
}

impl Functions {
    async fn new() -> Self {
        let server = PrivateServer::start(&Stack::from_env().unwrap()).await;
        let server = server.unwrap();
        let mut starting = JoinSet::new();
        for call in Call::ALL {
            let stack = server.stack().clone();
            let patient = |setup: Setup| {
                setup
                    .timeout(TIMEOUT)
                    .env("DATABASE_STATEMENT_TIMEOUT_MS", PATIENCE)
                    .env("DATABASE_CONNECT_TIMEOUT_MS", PATIENCE)
                    // A flight that is held must not look like a silent flow.
                    .env("DATABASE_PING_TIMEOUT_MS", PATIENCE)
            };
            starting
                .spawn(async move { Arc::new(FunctionUnderTest::on(&stack, call, patient).await) });
        }
        let all = starting.join_all().await;
        Self {
            all,
            server,
            crashed: false,
        }
    }

    async fn set_global(&self, setting: &str) {
        let mut admin = self.server.stack().admin().await.unwrap();
        let statement = format!("SET GLOBAL {setting}");
        admin.query_drop(statement).await.unwrap();
    }

    /// Gives every function a connection with its statements prepared.
    async fn warm_up(&self, outage: Outage) {
        if outage == Outage::IdleTimeout {
            // This applies to the connections that are made now.
            self.set_global("wait_timeout = 1").await;
            for under_test in &self.all {
                under_test.proxy.strike(Fault::Reset).await;
                under_test.kill().await;
            }
        }
        for under_test in &self.all {
            under_test.succeed().await;
            under_test.succeed().await;
        }
    }

    /// Begins an outage. Most are over when this returns, but some last.
    async fn begin_outage(&mut self, outage: Outage) {
        match outage {
            Outage::Kill => {
                for under_test in &self.all {
                    under_test.kill().await;
                }
            }
            Outage::Rotate => {
                for under_test in &self.all {
                    under_test.rotate_password().await;
                    under_test.kill().await;
                }
            }
            Outage::Renew => {
                self.server.renew_certificate().await.unwrap();
                for under_test in &self.all {
                    if let Some(vitess) = under_test.database.vitess() {
                        vitess.restart(&[]).await.unwrap();
                    }
                    under_test.proxy.strike(Fault::Reset).await;
                }
            }
            Outage::Restart => {
                self.crashed = !self.crashed;
                match self.crashed {
                    true => self.server.crash().await,
                    false => self.server.stop().await,
                }
                self.server.start_again().await.unwrap();
            }
            Outage::IdleTimeout => {
                for under_test in &self.all {
                    eventually_holds("the server ends idle connections", async || {
                        under_test.connections().await.is_empty()
                    })
                    .await;
                }
            }
            Outage::ReadOnly => self.set_global("read_only = ON").await,
        }
    }

    /// Ends an outage that lasts, after a while.
    async fn end_outage(&self, outage: Outage) {
        if outage == Outage::ReadOnly {
            sleep(FAILOVER).await;
            self.set_global("read_only = OFF").await;
        }
        if outage == Outage::IdleTimeout {
            self.set_global("wait_timeout = 28800").await;
        }
    }

    /// Causes an outage while all functions are frozen.
    async fn survive_when_frozen(&mut self, outage: Outage) {
        self.warm_up(outage).await;
        let mut requests = Vec::new();
        for under_test in &self.all {
            requests.push(under_test.new_request().await);
            under_test.function.freeze().unwrap();
        }
        self.begin_outage(outage).await;
        let mut invocations = JoinSet::new();
        for (under_test, request) in self.all.iter().cloned().zip(requests) {
            invocations.spawn(async move {
                let answer = under_test.thaw_with(request.event.clone()).await;
                under_test.assert_success(&request, &answer).await;
            });
        }
        self.end_outage(outage).await;
        invocations.join_all().await;
        for under_test in &self.all {
            under_test.wait_until_no_transaction_is_open().await;
        }
    }

    /// Causes an outage during every flight of every call, and during its answer.
    async fn survive_on_each_flight(&mut self, outage: Outage) {
        let most = Call::ALL.map(Call::flights).into_iter().max().unwrap();
        for flight in 1..=most {
            for at in [At::BeforeServer, At::Answer(0)] {
                self.warm_up(outage).await;
                let mut held = Vec::new();
                for under_test in &self.all {
                    if under_test.call.flights() >= flight {
                        held.push(Held::hold(under_test, flight, at).await);
                    }
                }
                self.begin_outage(outage).await;
                let answers: Vec<_> = held.into_iter().map(Held::release).collect();
                self.end_outage(outage).await;
                for answer in answers {
                    answer.assert_truthful().await;
                }
            }
        }
    }

    /// Causes an outage while the server works on a statement of every function.
    async fn survive_in_a_statement(&mut self, outage: Outage) {
        self.warm_up(outage).await;
        let (mut locks, mut under_way) = (Vec::new(), Vec::new());
        for under_test in &self.all {
            let request = under_test.new_request().await;
            locks.push(under_test.database.lock_orders().await.unwrap());
            under_way.push(UnderWay::start(under_test, request));
            under_test.wait_until_blocked().await;
        }
        // A statement that is sent again at once must not be killed too.
        match outage {
            Outage::Kill => {
                for under_test in &self.all {
                    under_test.kill_once().await;
                }
            }
            Outage::Rotate => {
                for under_test in &self.all {
                    under_test.rotate_password().await;
                    under_test.kill_once().await;
                }
            }
            other => self.begin_outage(other).await,
        }
        drop(locks);
        for answer in under_way {
            answer.assert_truthful().await;
        }
    }
}

/// An invocation that has begun.
struct UnderWay {
    under_test: Arc<FunctionUnderTest>,
    request: Request,
    invocation: JoinHandle<Answer>,
}

impl UnderWay {
    fn start(under_test: &Arc<FunctionUnderTest>, request: Request) -> Self {
        let invoked = Arc::clone(under_test);
        let event = request.event.clone();
        let invocation = async move {
            let began = Instant::now();
            let answer = invoked.function.invoke(event).await.unwrap();
            assert!(began.elapsed() < TIMEOUT, "{answer:#?}");
            answer
        };
        Self {
            under_test: Arc::clone(under_test),
            request,
            invocation: tokio::spawn(invocation),
        }
    }

    /// Asserts that the answer is true and comes in time, and that the next invocation works.
    async fn assert_truthful(self) {
        let Self {
            under_test,
            request,
            invocation,
        } = self;
        let answer = invocation.await.unwrap();
        under_test.wait_until_no_transaction_is_open().await;
        under_test.assert_truthful(&request, &answer).await;
        under_test.succeed().await;
    }
}

/// An invocation whose flight the proxy holds.
struct Held {
    hold: Hold,
    under_way: UnderWay,
}

impl Held {
    async fn hold(under_test: &Arc<FunctionUnderTest>, flight: usize, at: At) -> Self {
        // On a slow machine, a connection may have been idle for too long before its turn.
        for _ in 0..5 {
            match Self::try_hold(under_test, flight, at).await {
                Ok(held) => return held,
                Err(ended) => ended.assert_truthful().await,
            }
        }
        panic!("{:?} has no flight {flight}", under_test.call)
    }

    /// Fails with the invocation if it ended before the flight.
    async fn try_hold(
        under_test: &Arc<FunctionUnderTest>,
        flight: usize,
        at: At,
    ) -> Result<Self, UnderWay> {
        let request = under_test.new_request().await;
        let hold = under_test.proxy.hold(flight, at);
        let under_way = UnderWay::start(under_test, request);
        while !hold.is_reached() {
            if under_way.invocation.is_finished() {
                under_test.proxy.lift_ambush();
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

/// Whether MySQL's `wait_timeout` ends connections of the functions. Behind Vitess it only ends those
/// of the tablets.
fn ends_idle_connections() -> bool {
    !is_vitess()
}

#[tokio::test]
async fn frozen_functions_notice_nothing() {
    let mut functions = Functions::new().await;
    for outage in [Outage::Restart, Outage::Renew, Outage::ReadOnly] {
        functions.survive_when_frozen(outage).await;
    }
    if ends_idle_connections() {
        functions.survive_when_frozen(Outage::IdleTimeout).await;
    }
}

#[tokio::test]
async fn connections_are_killed_or_expire_on_each_flight() {
    let mut functions = Functions::new().await;
    functions.survive_on_each_flight(Outage::Kill).await;
    if ends_idle_connections() {
        functions.survive_on_each_flight(Outage::IdleTimeout).await;
    }
}

#[tokio::test]
async fn password_and_certificate_are_renewed_on_each_flight() {
    let mut functions = Functions::new().await;
    functions.survive_on_each_flight(Outage::Rotate).await;
    functions.survive_on_each_flight(Outage::Renew).await;
}

#[tokio::test]
async fn the_server_restarts_on_each_flight() {
    Functions::new()
        .await
        .survive_on_each_flight(Outage::Restart)
        .await;
}

#[tokio::test]
async fn the_server_becomes_read_only_on_each_flight() {
    Functions::new()
        .await
        .survive_on_each_flight(Outage::ReadOnly)
        .await;
}

#[tokio::test]
async fn the_server_is_lost_during_a_statement() {
    let mut functions = Functions::new().await;
    for outage in [Outage::Kill, Outage::Rotate, Outage::Restart] {
        functions.survive_in_a_statement(outage).await;
    }
    // Vitess reads every table when it starts, and cannot do so while one is locked.
    if !is_vitess() {
        functions.survive_in_a_statement(Outage::Renew).await;
    }
}

#[tokio::test]
async fn a_renewed_certificate_is_verified() {
    let server = PrivateServer::start(&Stack::from_env().unwrap()).await;
    let mut server = server.unwrap();
    let under_test = FunctionUnderTest::on(server.stack(), Call::Get, |setup| setup).await;
    under_test.succeed().await;
    let request = under_test.new_request().await;
    let other = server.present_certificate_for(&["database.example"]);
    other.await.unwrap();
    under_test.proxy.strike(Fault::Reset).await;
    let refused = under_test.invoke(&request).await;
    assert_eq!(refused.status, 503, "{refused:#?}");
    assert!(
        under_test
            .function
            .output()
            .unwrap()
            .contains("certificate")
    );

    server.renew_certificate().await.unwrap();
    under_test.succeed().await;
}
