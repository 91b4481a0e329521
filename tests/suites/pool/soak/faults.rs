//! What befalls the functions and their connections, while they are frozen and while they work.

use std::time::Duration;

use fastrand::Rng;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tests::proxy::{At, Fault, Hold, Proxy, Reception};
use tests::stack::{FreshDatabase, PrivateServer};
use uuid::Uuid;

use super::{Call, PING_AFTER, Soak};
use crate::function_under_test::secret;

/// What befalls one invocation.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Trouble {
    pub(super) between: Option<Between>,
    pub(super) during: Option<During>,
}

/// What happens while all functions are frozen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Between {
    /// So long that connections are pinged.
    Idling,
    Reset,
    Close,
    /// The flows go silent right after they were used.
    Silence,
    /// The flows go silent, and idle so long that they are pinged.
    Swallow,
    /// The server ends all connections.
    Kill,
    /// The old password is refused from now on.
    Rotate,
    /// The server has another certificate, and connections have to be made anew.
    Renew,
    /// The server cannot be reached until the next invocation is under way.
    Refuse,
    /// The server takes no write until the next invocation is under way.
    ReadOnly,
    /// The server ends and starts again.
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

    /// Whether it goes on in the invocation that follows, for a while.
    pub(super) fn lasts(self) -> bool {
        matches!(self, Self::Refuse | Self::ReadOnly)
    }

    /// Ends what lasts.
    pub(super) async fn end(self, proxy: &Proxy, admin: &mut Conn) {
        match self {
            Self::Refuse => proxy.receive(Reception::Relay).await.unwrap(),
            Self::ReadOnly => admin
                .query_drop("SET GLOBAL read_only = OFF")
                .await
                .unwrap(),
            _ => {}
        }
    }
}

/// What happens on the way of one flight of an invocation.
#[derive(Debug, Clone, Copy)]
pub(super) struct During {
    pub(super) flight: usize,
    pub(super) at: At,
    pub(super) deed: Deed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Deed {
    Reset,
    Close,
    Swallow,
    Kill,
    /// The connection is reset, and no other can be made until the invocation is over.
    Outage,
}

impl Deed {
    pub(super) const ALL: [Self; 5] = [
        Self::Reset,
        Self::Close,
        Self::Swallow,
        Self::Kill,
        Self::Outage,
    ];
}

impl During {
    /// Lays the ambush. What is done to more than the connection alone is done while it is held.
    pub(super) fn lay(self, proxy: &Proxy) -> Option<Hold> {
        let fault = match self.deed {
            Deed::Reset => Fault::Reset,
            Deed::Close => Fault::Close,
            Deed::Swallow => Fault::Swallow,
            Deed::Kill | Deed::Outage => return Some(proxy.hold(self.flight, self.at)),
        };
        proxy.ambush(self.flight, self.at, fault);
        None
    }

    /// Does it to the connection that is held, when it is.
    pub(super) async fn strike(
        self,
        hold: Hold,
        proxy: &Proxy,
        database: &FreshDatabase,
        admin: &mut Conn,
    ) {
        while !hold.is_reached() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        if self.deed == Deed::Outage {
            proxy.receive(Reception::Refuse).await.unwrap();
            proxy.strike(Fault::Reset).await;
        } else {
            database.kill_connections(admin).await.unwrap();
        }
    }
}

impl Trouble {
    /// A quarter of all calls have some before, half of them have some on the way. The server seldom
    /// starts again, which takes seconds.
    pub(super) fn choose(random: &mut Rng, call: Call) -> Self {
        let between = random.u8(..4) == 0;
        let between = between.then(|| match random.u8(..40) {
            0 => Between::Restart,
            _ => Between::ALL[random.usize(..Between::ALL.len() - 1)],
        });
        let during = random.bool().then(|| {
            // A connection that must be made first has its own flights before.
            let login = if between.is_some() { 5 } else { 0 };
            let flight = random.usize(1..=login + call.flights());
            // It takes long, and says most where a change was sent.
            let outage = flight == call.flights() && random.u8(..8) == 0;
            During {
                flight,
                at: match random.u8(..3) {
                    0 => At::BeforeServer,
                    1 => At::Answer(0),
                    _ => At::Answer(random.usize(1..200)),
                },
                deed: match outage {
                    true => Deed::Outage,
                    false => Deed::ALL[random.usize(..Deed::ALL.len() - 1)],
                },
            }
        });
        Self { between, during }
    }

    /// Whether the ambush is for a flight on a warm connection, where flights are statements.
    pub(super) fn wants_warmth(&self) -> bool {
        self.between.is_none() && self.during.is_some()
    }
}

impl Soak {
    pub(super) async fn befall(&mut self, between: Between) {
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
                self.proxy.receive(Reception::Refuse).await.unwrap();
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
                self.cool();
            }
        }
    }

    pub(super) async fn strike(&mut self, fault: Fault) {
        self.proxy.strike(fault).await;
        self.cool();
    }

    /// Ends every connection of the functions at the server, and waits until they are gone.
    async fn kill(&mut self) {
        let killed = self.database.kill_connections(&mut self.admin).await;
        killed.unwrap();
        self.cool();
    }

    fn cool(&mut self) {
        for worker in self.workers.values_mut() {
            worker.warm = false;
        }
    }

    /// Waits until no transaction is open that has touched the tables.
    pub(super) async fn wait_until_no_transaction_is_open(&mut self) {
        // A transaction holds its tables' definitions until it ends.
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
