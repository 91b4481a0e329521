//! One side of the comparison: the stand-in or Vitess, each in front of a schema of its own.

use std::collections::BTreeMap;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, ServerError, Value};
use mysql_common::constants::{Command as Code, StatusFlags};
use mysql_common::io::ParseBuf;
use mysql_common::packets::ComStmtExecuteRequestBuilder;
use mysql_common::proto::MySerialize;
use tests::stack::{FreshDatabase, Stack};
use tests::stand_ins::vtgate::Failure;
use tests::stand_ins::vtgate::errors::named;
use tests::stand_ins::vtgate::raw::{self, RawConnection, Reply, parse_error};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

const TABLES: [&str; 3] = [
    "CREATE TABLE notes (id INT NOT NULL PRIMARY KEY, n INT)",
    "CREATE TABLE many (id INT NOT NULL PRIMARY KEY, n INT)",
    "INSERT INTO many WITH RECURSIVE ids (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM ids WHERE id < 30) \
     SELECT id, 0 FROM ids",
];

/// The longest that an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a side said to one line, and what that left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub results: Vec<Said>,
    /// Whether the session commits by itself, and whether it is in a transaction; an error says
    /// neither.
    pub session: Option<(bool, bool)>,
    /// The rows that are committed.
    pub committed: Vec<(i32, Option<i32>)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    Done {
        affected: u64,
    },
    Rows(Vec<Vec<u8>>),
    Refused(ServerError),
    /// The connection ended.
    Lost,
}

pub struct Side {
    pub database: FreshDatabase,
    stack: Stack,
    /// The administrator's connection to the server, with the schema in use.
    direct: Conn,
}

impl Side {
    /// The stand-in, as PlanetScale sets vtgate up for production.
    pub async fn stand_in(stack: &Stack) -> Self {
        let database = stack.fresh_keyspace().await.unwrap();
        let vtgate = database.vtgate().unwrap();
        vtgate.protect_schema(database.name(), true);
        vtgate.forbid_foreign_keys(true);
        Self::new(stack, database).await
    }

    /// Vitess with these flags.
    pub async fn vitess(stack: &Stack, flags: &[&str]) -> Self {
        let database = stack.fresh_database_on_vitess().await.unwrap();
        let side = Self::new(stack, database).await;
        // Its tablet knows the new tables when it starts.
        let vitess = side.database.vitess().unwrap();
        vitess.restart(flags).await.unwrap();
        side
    }

    async fn new(stack: &Stack, database: FreshDatabase) -> Self {
        let mut direct = stack.admin().await.unwrap();
        let schema = format!("USE `{}`", database.name());
        for statement in [&[schema.as_str()][..], &TABLES].concat() {
            direct.query_drop(statement).await.unwrap();
        }
        Self {
            database,
            stack: stack.clone(),
            direct,
        }
    }

    /// Begins a session, with empty tables.
    pub async fn session(&mut self) -> Session<'_> {
        self.direct.query_drop("DELETE FROM notes").await.unwrap();
        Session {
            connection: RawConnection::to(&self.database).await.unwrap(),
            rivals: BTreeMap::new(),
            side: self,
        }
    }

    /// Does something to the MySQL behind vtgate. The stand-in's is left alone.
    async fn suffer(&mut self, event: &str) {
        match event {
            "kill" => {
                let mut admin = self.stack.admin().await.unwrap();
                let killed = self.database.kill_connections_once(&mut admin).await;
                assert!(killed.unwrap() > 0);
            }
            "read-only" => self.set_global("super_read_only = ON").await,
            // This turns the other off too.
            "writable" => self.set_global("read_only = OFF").await,
            rest => {
                let seconds = rest.strip_prefix("rest ").expect(rest);
                sleep(Duration::from_secs(seconds.parse().unwrap())).await;
            }
        }
    }

    async fn set_global(&mut self, setting: &str) {
        let statement = format!("SET GLOBAL {setting}");
        self.direct.query_drop(statement).await.unwrap();
    }

    async fn committed(&mut self) -> Vec<(i32, Option<i32>)> {
        let notes = "SELECT id, n FROM notes ORDER BY id";
        self.direct.query(notes).await.unwrap()
    }

    /// Whether a statement waits for a lock, or sleeps.
    async fn is_waited_for(&mut self) -> bool {
        let waiting = "SELECT (SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT') +
                              (SELECT COUNT(*) FROM information_schema.processlist WHERE state = 'User sleep')";
        let waiting: Option<u64> = self.direct.query_first(waiting).await.unwrap();
        waiting != Some(0)
    }

    /// What it says to logins that are wrong.
    pub async fn refusals(&self) -> Vec<String> {
        let (address, user) = (
            self.database.address().to_string(),
            self.database.username(),
        );
        let (password, name) = (self.database.password(), self.database.name());
        let mut refusals = Vec::new();
        for (password, keyspace) in [("wrong", name), (password, "other")] {
            let refused = self.stack.connect_to(&address, user, password, keyspace);
            let refusal = refused.await.unwrap_err().to_string();
            refusals.push(refusal.replace(name, "{keyspace}"));
        }
        refusals
    }
}

/// A client's session.
pub struct Session<'s> {
    side: &'s mut Side,
    connection: RawConnection,
    rivals: BTreeMap<String, Rival>,
}

impl Session<'_> {
    /// Says a line, and listens to the answer.
    pub async fn say(&mut self, line: &str) -> Answer {
        let on_vitess = self.side.database.vitess().is_some();
        let reply = match line.split_once(": ") {
            Some(("command", command)) => {
                let packet = self.packet_of(command);
                Some(self.connection.run(&packet).await)
            }
            Some((name, sql)) if name.ends_with("rival") => {
                if on_vitess {
                    self.rival(name, sql).await;
                }
                None
            }
            Some(("mysql", event)) => {
                if on_vitess {
                    self.side.suffer(event).await;
                }
                None
            }
            Some((met, statement)) if met.starts_with("met ") => {
                Some(self.send(statement, met.strip_prefix("met ")).await)
            }
            _ => Some(self.send(line, None).await),
        };
        let (mut results, status) = match reply {
            None => (Vec::new(), None),
            Some(Ok(Ok(reply))) => (results(reply.packets), reply.status),
            Some(Ok(Err(error))) => (vec![Said::Refused(error)], None),
            Some(Err(_)) => (vec![Said::Lost], None),
        };
        for result in &mut results {
            if let Said::Refused(ServerError { message, .. }) = result {
                *message = message.replace(self.side.database.name(), "{keyspace}");
            }
        }
        let has = |status: StatusFlags, flag| status.contains(flag);
        Answer {
            results,
            session: status.map(|status| {
                (
                    has(status, StatusFlags::SERVER_STATUS_AUTOCOMMIT),
                    has(status, StatusFlags::SERVER_STATUS_IN_TRANS),
                )
            }),
            committed: self.side.committed().await,
        }
    }

    /// Sends a statement, with parameters if it begins with them. At the stand-in it meets the error of
    /// this name.
    async fn send(&mut self, statement: &str, met: Option<&str>) -> raw::Answer<Reply> {
        let statement = statement.replace("{keyspace}", self.side.database.name());
        let parameters = statement.strip_prefix('(');
        let parameters = parameters.and_then(|rest| rest.split_once(") "));
        let sql = parameters.map_or(statement.as_str(), |(_, sql)| sql);
        if let (Some(vtgate), Some(error)) = (self.side.database.vtgate(), met) {
            vtgate.fail(Failure::with(named(error)).on(sql));
        }
        let answer = async {
            let Some((numbers, _)) = parameters else {
                let query = packet(Code::COM_QUERY, sql.as_bytes());
                return self.connection.run(&query).await;
            };
            let prepared = match self.connection.prepare(sql).await? {
                Ok(prepared) => prepared,
                Err(error) => return Ok(Err(error)),
            };
            let numbers = numbers.split(", ").filter(|number| !number.is_empty());
            let values = numbers.map(|number| Value::Int(number.parse().unwrap()));
            let values: Vec<_> = values.collect();
            let (execute, _) = ComStmtExecuteRequestBuilder::new(prepared.id).build(&values);
            let mut packet = Vec::new();
            execute.serialize(&mut packet);
            self.connection.run(&packet).await
        };
        timeout(PATIENCE, answer).await.unwrap()
    }

    fn packet_of(&self, command: &str) -> Vec<u8> {
        let name = self.side.database.name();
        match command {
            "reset" => packet(Code::COM_RESET_CONNECTION, &[]),
            "ping" => packet(Code::COM_PING, &[]),
            "change user" => packet(
                Code::COM_CHANGE_USER,
                &[name.as_bytes(), &[0, 0, 0]].concat(),
            ),
            "execute unknown statement" => {
                packet(Code::COM_STMT_EXECUTE, &[99, 0, 0, 0, 0, 1, 0, 0, 0])
            }
            _ => {
                let keyspace = command.strip_prefix("database ").expect(command);
                let keyspace = keyspace.replace("{keyspace}", name);
                packet(Code::COM_INIT_DB, keyspace.as_bytes())
            }
        }
    }

    /// Has another client send a statement, and returns when it is done or waits.
    async fn rival(&mut self, name: &str, sql: &str) {
        let mut conn = match self.rivals.remove(name) {
            Some(busy) => busy.await.unwrap(),
            None => {
                let database = &self.side.database;
                let (user, password) = (database.username(), database.password());
                let connecting = database.vitess().unwrap().connect(user, password);
                connecting.await.unwrap()
            }
        };
        let sql = sql.to_owned();
        let busy = tokio::spawn(async move {
            // It may lose a deadlock.
            let _ = conn.query_drop(sql).await;
            conn
        });
        while !busy.is_finished() && !self.side.is_waited_for().await {
            // InnoDB looks anew only if nobody has asked for 100 ms.
            sleep(Duration::from_millis(150)).await;
        }
        self.rivals.insert(name.to_owned(), busy);
    }
}

/// Another client of vtgate, once it has done what it was told to.
type Rival = JoinHandle<Conn>;

fn packet(command: Code, rest: &[u8]) -> Vec<u8> {
    [&[command as u8], rest].concat()
}

/// The results in the packets of an answer.
fn results(packets: Vec<Vec<u8>>) -> Vec<Said> {
    let (mut packets, mut results) = (packets.into_iter(), Vec::new());
    while let Some(first) = packets.next() {
        results.push(match first[0] {
            0x00 => Said::Done {
                affected: ParseBuf(&first[1..]).eat_lenenc_int(),
            },
            0xFF => Said::Refused(parse_error(&first).unwrap()),
            columns => {
                let rows = packets.by_ref().skip(columns.into());
                Said::Rows(rows.take_while(|row| row[0] != 0xFE).collect())
            }
        });
    }
    results
}
