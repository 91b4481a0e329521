//! One client's session: what is refused, what is relayed, and what becomes of its transaction.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use mysql_common::constants::StatusFlags;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};

use super::Gate;
use super::errors::{
    CANNOT_PREPARE, DIRECT_DDL_DISABLED, FOREIGN_KEYS, KILL_DENIED, NOT_SERVING, QUERY_TIMED_OUT,
    ROLLBACK_FIRST, SERVER_LOST, TRANSACTION_ENDED, UNKNOWN_STATEMENT,
};
use super::login::{self, Login};
use super::raised::{Echo, Raised};
use super::scan::{self, statements};
use super::script::Stage;
use super::statement::{bind_variables, numbered, query_timeout};
use super::tablet::{Reply, Tablet};
use super::wire::{
    CLOSE, EXECUTE, INIT_DB, PING, PREPARE, QUERY, QUIT, RESET_CONNECTION, RESET_STATEMENT,
    SEND_LONG_DATA, SET_OPTION, SqlError, malformed, ok,
};

/// Serves a client until it leaves or its connection's time is up.
pub(super) async fn serve(client: TcpStream, gate: Arc<Gate>, id: u32) -> io::Result<()> {
    client.set_nodelay(true)?;
    let born = Instant::now();
    let mut limit = gate.age.subscribe();
    let aged = async {
        loop {
            let end = born + *limit.borrow_and_update();
            tokio::select! {
                () = sleep_until(end) => return,
                changed = limit.changed() => if changed.is_err() { return },
            }
        }
    };
    tokio::select! {
        done = converse(client, &gate, id) => done,
        () = aged => Ok(()),
    }
}

async fn converse(client: TcpStream, gate: &Gate, id: u32) -> io::Result<()> {
    let Some(login) = login::receive(client, gate, id).await? else {
        return Ok(());
    };
    let session = Session {
        gate,
        login,
        tablet: None,
        transaction: Transaction::None,
        statements: HashMap::new(),
        last_statement: 0,
    };
    session.run().await
}

struct Session<'g> {
    gate: &'g Gate,
    login: Login,
    tablet: Option<Tablet>,
    transaction: Transaction,
    statements: HashMap<u32, Statement>,
    last_statement: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transaction {
    None,
    Open,
    /// It was lost with the server, and vtgate does not know yet.
    Ended,
    /// Everything but ROLLBACK is refused.
    Poisoned,
}

/// A statement that the client has prepared. Its own id for it outlives the server.
struct Statement {
    sql: String,
    parameters: usize,
    /// The server's id, unless the connection that knew it is gone.
    prepared: Option<u32>,
}

impl Session<'_> {
    async fn run(mut self) -> io::Result<()> {
        loop {
            let packet = self.login.wire.read().await?;
            let (&command, body) = packet.split_first().ok_or_else(|| malformed("command"))?;
            match command {
                QUIT => {
                    self.gate.farewells.fetch_add(1, Ordering::Relaxed);
                    return Ok(());
                }
                // vtgate answers a ping itself; the server behind it may be gone.
                PING | RESET_STATEMENT => self.put_ok(),
                RESET_CONNECTION => {
                    self.reset().await;
                    self.put_ok();
                }
                QUERY => {
                    let sql = String::from_utf8_lossy(body);
                    let reply = self.execute(&sql, packet.clone()).await;
                    self.put(reply, &sql, "");
                }
                INIT_DB if self.login.route.is_some() => {
                    let keyspace = String::from_utf8_lossy(body);
                    let reply = self.use_keyspace(&keyspace);
                    self.put(reply, "", "");
                }
                INIT_DB | SET_OPTION => {
                    let reply = self.relay(&packet, None).await;
                    self.put(reply, "", "");
                }
                PREPARE => {
                    let sql = String::from_utf8_lossy(body);
                    let reply = self.prepare(&sql).await;
                    self.put(reply, &sql, "");
                }
                EXECUTE => self.execute_prepared(packet).await,
                SEND_LONG_DATA => self.send_long_data(packet).await,
                CLOSE => self.close(&packet).await,
                _ => {
                    let text = format!("command handling not implemented yet: {command}");
                    let error = SqlError::new(1047, "08S01", text);
                    self.login.wire.put(&error.payload());
                }
            }
            self.login.wire.flush().await?;
        }
    }

    fn put_ok(&mut self) {
        let mut status = StatusFlags::SERVER_STATUS_AUTOCOMMIT;
        if self.transaction != Transaction::None {
            status |= StatusFlags::SERVER_STATUS_IN_TRANS;
        }
        self.login.wire.put(&ok(status));
    }

    fn put(&mut self, reply: Result<Reply, Raised>, sql: &str, bind_variables: &str) {
        let raised = match reply {
            Ok(reply) => {
                for packet in &reply.packets {
                    self.login.wire.put(packet);
                }
                reply.error.map(Raised::from)
            }
            Err(raised) => Some(raised),
        };
        if let Some(raised) = raised {
            let route = self.login.route.as_ref();
            let keyspace = match route {
                Some(route) => &route.keyspace,
                None => self.login.database.as_deref().unwrap_or_default(),
            };
            let mut error = raised.about(&Echo {
                keyspace,
                caller: &self.login.user,
                sql,
                bind_variables,
            });
            if let Some(route) = route {
                error.message = error.message.replace(&route.schema, &route.keyspace);
            }
            self.login.wire.put(&error.payload());
        }
    }

    /// Runs a statement, and does to its transaction what vtgate does after an error.
    async fn execute(&mut self, sql: &str, packet: Vec<u8>) -> Result<Reply, Raised> {
        let reply = self.attempt(sql, packet).await;
        if let Err(raised) = &reply {
            let open = self.transaction == Transaction::Open;
            if raised.loses_server {
                self.lose_server();
            } else if open && (raised.poisons || raised.ends_transaction()) {
                self.roll_back().await;
                if raised.poisons {
                    self.transaction = Transaction::Poisoned;
                }
            }
        }
        reply
    }

    async fn attempt(&mut self, sql: &str, packet: Vec<u8>) -> Result<Reply, Raised> {
        let statements = statements(sql);
        for statement in &statements {
            if statement.keyword() == "KILL" {
                return Err(KILL_DENIED.into());
            }
            let is_ddl = statement.is_ddl();
            let protected = |schema| self.gate.is_protected(schema);
            if (is_ddl || statement.hides_another()) && self.schema().is_some_and(protected) {
                return Err(DIRECT_DDL_DISABLED.into());
            }
            if is_ddl && statement.has_foreign_keys() && self.gate.forbids_foreign_keys() {
                return Err(FOREIGN_KEYS.into());
            }
        }
        let keyword = match statements.as_slice() {
            [only] if only.keyword() == "USE" && self.login.route.is_some() => {
                return self.use_keyspace(only.used_keyspace());
            }
            [first, ..] => first.keyword(),
            [] => String::new(),
        };
        let lost = self.transaction;
        if matches!(lost, Transaction::Ended | Transaction::Poisoned) {
            if keyword == "ROLLBACK" || lost == Transaction::Ended {
                self.transaction = Transaction::None;
            }
            return match (keyword.as_str(), lost) {
                ("ROLLBACK", _) => Ok(Reply::ok()),
                (_, Transaction::Ended) => Err(TRANSACTION_ENDED.into()),
                _ => Err(ROLLBACK_FIRST.into()),
            };
        }
        let open = lost == Transaction::Open;
        self.meet(Stage::BeforeExecution, sql, open)?;
        let packet = match packet.first() {
            Some(&EXECUTE) => self.with_server_id(packet).await?,
            _ => packet,
        };
        let reply = self.relay(&packet, query_timeout(sql)).await?;
        self.meet(Stage::AfterExecution, sql, open)?;
        Ok(reply)
    }

    /// The schema at the real server.
    fn schema(&self) -> Option<&str> {
        match &self.login.route {
            Some(route) => Some(&route.schema),
            None => self.login.database.as_deref(),
        }
    }

    /// A user with a schema of its own stays there, whatever it calls it.
    fn use_keyspace(&self, keyspace: &str) -> Result<Reply, Raised> {
        let route = self.login.route.as_ref();
        match self.gate.unknown(route, keyspace) {
            Some(error) => Err(Raised::plain(error)),
            None => Ok(Reply::ok()),
        }
    }

    /// Fails if a test wants it to.
    fn meet(&self, stage: Stage, sql: &str, in_transaction: bool) -> Result<(), Raised> {
        match self.gate.scripted(stage, sql, in_transaction) {
            Some(error) => Err(error.into()),
            None => Ok(()),
        }
    }

    /// Passes a command on and takes the answer.
    async fn relay(&mut self, packet: &[u8], limit: Option<Duration>) -> Result<Reply, Raised> {
        let answer = self.server().await?.run(packet);
        let answer = match limit {
            Some(limit) => timeout(limit, answer).await.ok(),
            None => Some(answer.await),
        };
        match answer {
            Some(Ok(reply)) => {
                if let Some(status) = reply.status {
                    let open = status.contains(StatusFlags::SERVER_STATUS_IN_TRANS);
                    self.transaction = match open {
                        true => Transaction::Open,
                        false => Transaction::None,
                    };
                }
                match reply.error {
                    Some(error) if reply.packets.is_empty() => {
                        let route = self.login.route.as_ref();
                        let denied = route.and_then(|route| Raised::denied(&error, route.role));
                        Err(denied.unwrap_or_else(|| error.into()))
                    }
                    _ => Ok(reply),
                }
            }
            Some(Err(_)) => {
                self.lose_server();
                Err(SERVER_LOST.into())
            }
            // What still runs there cannot be told from what comes next.
            None => {
                self.lose_server();
                Err(QUERY_TIMED_OUT.into())
            }
        }
    }

    async fn server(&mut self) -> Result<&mut Tablet, Raised> {
        if self.tablet.is_none() {
            let route = self.login.route.as_ref();
            let connected = Tablet::connect(
                route.map_or(&self.gate.upstream, |route| &route.upstream),
                self.login.capabilities,
                self.schema(),
            );
            self.tablet = Some(match connected.await {
                Ok(connected) => connected?,
                Err(_) => return Err(NOT_SERVING.into()),
            });
        }
        self.tablet.as_mut().ok_or_else(|| NOT_SERVING.into())
    }

    fn lose_server(&mut self) {
        self.tablet = None;
        for statement in self.statements.values_mut() {
            statement.prepared = None;
        }
        if self.transaction == Transaction::Open {
            self.transaction = Transaction::Ended;
        }
    }

    async fn roll_back(&mut self) {
        let mut packet = vec![QUERY];
        packet.extend(b"ROLLBACK");
        // A server that is lost has rolled back.
        self.relay(&packet, None).await.ok();
        self.transaction = Transaction::None;
    }

    async fn reset(&mut self) {
        if self.transaction == Transaction::Open {
            self.roll_back().await;
        }
        self.transaction = Transaction::None;
        for (_, statement) in std::mem::take(&mut self.statements) {
            self.forget(statement.prepared).await;
        }
    }

    async fn prepare(&mut self, sql: &str) -> Result<Reply, Raised> {
        let begins_with = statements(sql).first().map(scan::Statement::keyword);
        if begins_with.as_deref() == Some("WITH") {
            return Err(CANNOT_PREPARE.into());
        }
        self.meet(Stage::Prepare, sql, self.transaction == Transaction::Open)?;
        let Ok(prepared) = self.server().await?.prepare(sql).await else {
            self.lose_server();
            return Err(SERVER_LOST.into());
        };
        let mut prepared = prepared?;
        self.last_statement += 1;
        if let Some(first) = prepared.packets.first_mut() {
            set_id(first, self.last_statement);
        }
        let statement = Statement {
            sql: sql.to_owned(),
            parameters: prepared.parameters.into(),
            prepared: Some(prepared.id),
        };
        self.statements.insert(self.last_statement, statement);
        Ok(Reply {
            packets: prepared.packets,
            ..Reply::default()
        })
    }

    async fn execute_prepared(&mut self, packet: Vec<u8>) {
        let known = id_of(&packet).and_then(|id| self.statements.get(&id));
        let Some(statement) = known else {
            return self.put(Err(UNKNOWN_STATEMENT.into()), "", "");
        };
        let sql = statement.sql.clone();
        let values = bind_variables(&packet, statement.parameters);
        let reply = self.execute(&sql, packet).await;
        self.put(reply, &numbered(&sql), &values);
    }

    async fn send_long_data(&mut self, packet: Vec<u8>) {
        // Executing will say what is wrong: this command has no answer.
        if let Ok(packet) = self.with_server_id(packet).await
            && let Some(server) = &mut self.tablet
            && server.tell(&packet).await.is_err()
        {
            self.lose_server();
        }
    }

    async fn close(&mut self, packet: &[u8]) {
        if let Some(statement) = id_of(packet).and_then(|id| self.statements.remove(&id)) {
            self.forget(statement.prepared).await;
        }
    }

    async fn forget(&mut self, prepared: Option<u32>) {
        if let (Some(id), Some(server)) = (prepared, &mut self.tablet) {
            let mut packet = vec![CLOSE, 0, 0, 0, 0];
            set_id(&mut packet, id);
            if server.tell(&packet).await.is_err() {
                self.lose_server();
            }
        }
    }

    /// Puts the server's id for a statement in place of the client's, preparing it again where
    /// the server does not know it.
    async fn with_server_id(&mut self, mut packet: Vec<u8>) -> Result<Vec<u8>, Raised> {
        let id = id_of(&packet).unwrap_or_default();
        let Some(statement) = self.statements.get(&id) else {
            return Err(UNKNOWN_STATEMENT.into());
        };
        let prepared = match statement.prepared {
            Some(prepared) => prepared,
            None => {
                let sql = statement.sql.clone();
                let Ok(prepared) = self.server().await?.prepare(&sql).await else {
                    self.lose_server();
                    return Err(SERVER_LOST.into());
                };
                let prepared = prepared?.id;
                if let Some(statement) = self.statements.get_mut(&id) {
                    statement.prepared = Some(prepared);
                }
                prepared
            }
        };
        set_id(&mut packet, prepared);
        Ok(packet)
    }
}

/// The statement's id, which follows the first byte of every packet that has one.
fn id_of(packet: &[u8]) -> Option<u32> {
    let bytes = packet.get(1..5)?.try_into().ok()?;
    Some(u32::from_le_bytes(bytes))
}

fn set_id(packet: &mut [u8], id: u32) {
    if let Some(bytes) = packet.get_mut(1..5) {
        bytes.copy_from_slice(&id.to_le_bytes());
    }
}
