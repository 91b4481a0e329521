//! Faults of the server and the connections, while the functions are frozen and while they work.

use std::time::Duration;

use fastrand::Rng;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tests::proxy::{At, Fault, Hold, Proxy};
use tests::stack::{FreshDatabase, PrivateServer};
use uuid::Uuid;

use super::{Call, PING_AFTER, Soak};
use crate::function_under_test::secret;

/// The faults of one invocation.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Faults {
    pub(super) between: Option<Between>,
    pub(super) during: Option<During>,
}

/// A fault while all functions are frozen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Between {
    /// The connections are idle so long that they are pinged.
    Idling,
    Reset,
    Close,
    /// The flows go silent right after they were used.
    Silence,
    /// The flows go silent, and are idle so long that they are pinged.
    Swallow,
    /// The server kills all connections.
    Kill,
    /// The old password is refused from now on.
    Rotate,
    /// The server gets another certificate, and all connections are reset.
    Renew,
    /// Connections are refused until the next invocation is under way.
    Refuse,
    /// The server is read-only until the next invocation is under way.
    ReadOnly,
    /// The server stops and starts again.
    Restart,
}

impl Between {
    pub(super) const ALL: [Self; 11] = [
        Self::Idling,
        Self::Reset,
        Self::Close,
        Self::Silence,
        Self::Swallow,
        Self::Kill,
        Self::Rotate,
        Self::Renew,
        Self::Refuse,
        Self::ReadOnly,
        Self::Restart,
    ];

    /// Whether it lasts for a while into the next invocation.
    pub(super) fn lasts(self) -> bool {
        matches!(self, Self::Refuse | Self::ReadOnly)
    }

    /// Ends a fault that lasts.
    pub(super) async fn end(self, proxy: &Proxy, admin: &mut Conn) {
        match self {
            Self::Refuse => proxy.relay().unwrap(),
            Self::ReadOnly => admin
                .query_drop("SET GLOBAL read_only = OFF")
                .await
                .unwrap(),
            _ => {}
        }
    }
}

/// A fault on one flight of an invocation.
#[derive(Debug, Clone, Copy)]
pub(super) struct During {
    pub(super) flight: usize,
    pub(super) at: At,
    pub(super) kind: FaultKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum FaultKind {
    Reset,
    Close,
    Swallow,
    Kill,
    /// The connection is reset, and new ones are refused until the invocation is over.
    Outage,
}

impl FaultKind {
    pub(super) const ALL: [Self; 5] = [
        Self::Reset,
        Self::Close,
        Self::Swallow,
        Self::Kill,
        Self::Outage,
    ];
}

impl During {
    /// Prepares the fault. If it concerns more than the connection, the flight is held for it.
    pub(super) fn prepare(self, proxy: &Proxy) -> Option<Hold> {
        let fault = match self.kind {
            FaultKind::Reset => Fault::Reset,
            FaultKind::Close => Fault::Close,
            FaultKind::Swallow => Fault::Swallow,
            FaultKind::Kill | FaultKind::Outage => return Some(proxy.hold(self.flight, self.at)),
        };
        proxy.ambush(self.flight, self.at, fault);
        None
    }

    /// Waits until the flight is held, and then causes the fault.
    pub(super) async fn cause_on(
        self,
        hold: Hold,
        proxy: &Proxy,
        database: &FreshDatabase,
        admin: &mut Conn,
    ) {
        while !hold.is_reached() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        if self.kind == FaultKind::Outage {
            proxy.refuse().await;
            proxy.strike(Fault::Reset).await;
        } else {
            database.kill_connections(admin).await.unwrap();
        }
    }
}

impl Faults {
    /// A quarter of all calls have a fault before them, and half of them have one during them. The
    /// server seldom restarts, because that takes seconds.
    pub(super) fn choose(random: &mut Rng, call: Call) -> Self {
        let between = random.u8(..4) == 0;
        let between = between.then(|| match random.u8(..40) {
            0 => Between::Restart,
            _ => Between::ALL[random.usize(..Between::ALL.len() - 1)],
        });
        let during = random.bool().then(|| {
            // If a connection must be made first, its flights come before those of the call.
            let login = if between.is_some() { 5 } else { 0 };
            let flight = random.usize(1..=login + call.flights());
            // An outage takes long, and is most interesting where a write was sent.
            let outage = flight == call.flights() && random.u8(..8) == 0;
            During {
                flight,
                at: match random.u8(..3) {
                    0 => At::BeforeServer,
                    1 => At::Answer(0),
                    _ => At::Answer(random.usize(1..200)),
                },
                kind: match outage {
                    true => FaultKind::Outage,
                    false => FaultKind::ALL[random.usize(..FaultKind::ALL.len() - 1)],
                },
            }
        });
        Self { between, during }
    }

    /// Whether the fault is for a flight on a warm connection, where each flight is a statement.
    pub(super) fn needs_warm_connection(&self) -> bool {
        self.between.is_none() && self.during.is_some()
    }
}

impl Soak {
    pub(super) async fn cause(&mut self, between: Between) {
        match between {
            Between::Idling => tokio::time::sleep(2 * PING_AFTER).await,
            Between::Reset => self.strike(Fault::Reset).await,
            Between::Close => self.strike(Fault::Close).await,
            Between::Silence => self.strike(Fault::Swallow).await,
            Between::Swallow => {
                self.strike(Fault::Swallow).await;
                tokio::time::sleep(2 * PING_AFTER).await;
            }
            Between::Kill => self.kill().await,
            Between::Rotate => {
                let password = Uuid::new_v4().simple().to_string();
                self.database.change_password(&password).await.unwrap();
                let secret = secret(&self.proxy, &self.database, &password);
                let stack = self.server.stack();
                stack.change_secret(&self.secret_id, &secret).await.unwrap();
                self.kill().await;
            }
            Between::Renew => {
                self.server.renew_certificate().await.unwrap();
                self.strike(Fault::Reset).await;
            }
            Between::Refuse => {
                self.proxy.refuse().await;
                self.strike(Fault::Reset).await;
            }
            Between::ReadOnly => {
                let read_only = "SET GLOBAL read_only = ON";
                self.admin.query_drop(read_only).await.unwrap();
            }
            Between::Restart => {
                self.server.stop().await;
                self.server.start_again().await.unwrap();
                self.admin = admin(&self.server, &self.database).await;
                self.mark_cold();
            }
        }
    }

    pub(super) async fn strike(&mut self, fault: Fault) {
        self.proxy.strike(fault).await;
        self.mark_cold();
    }

    /// Kills every connection of the functions at the server, and waits until they are gone.
    async fn kill(&mut self) {
        let killed = self.database.kill_connections(&mut self.admin).await;
        killed.unwrap();
        self.mark_cold();
    }

    fn mark_cold(&mut self) {
        for worker in self.workers.values_mut() {
            worker.warm = false;
        }
    }

    /// Waits until no open transaction has touched the tables.
    pub(super) async fn wait_until_no_transaction_is_open(&mut self) {
        // A transaction locks the definitions of its tables until it ends.
        let lock = "LOCK TABLES orders WRITE, order_items WRITE";
        let locked = self.admin.query_drop(lock).await;
        locked.expect("a transaction stays open");
        self.admin.query_drop("UNLOCK TABLES").await.unwrap();
    }
}

/// An administrator's connection with the schema in use.
pub(super) async fn admin(server: &PrivateServer, database: &FreshDatabase) -> Conn {
    let mut admin = server.stack().admin().await.unwrap();
    let schema = format!("USE `{}`", database.name());
    for statement in [schema.as_str(), "SET SESSION lock_wait_timeout = 20"] {
        admin.query_drop(statement).await.unwrap();
    }
    admin
}
