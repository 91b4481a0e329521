//! One client's session: which statements are refused and which are passed on, and the state of its
//! transaction.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::Ordering;

use mysql_async::ServerError;
use mysql_common::constants::{Command, StatusFlags};
use tokio::net::TcpStream;

use super::Shared;
use super::errors::{VitessError, named};
use super::login::{self, Client};
use super::raw::RawConnection;
use super::wire::{error_packet, malformed, ok_packet, server_error};

const QUIT: u8 = Command::COM_QUIT as u8;
const INIT_DB: u8 = Command::COM_INIT_DB as u8;
const QUERY: u8 = Command::COM_QUERY as u8;
const PING: u8 = Command::COM_PING as u8;
const RESET_CONNECTION: u8 = Command::COM_RESET_CONNECTION as u8;
const PREPARE: u8 = Command::COM_STMT_PREPARE as u8;
const EXECUTE: u8 = Command::COM_STMT_EXECUTE as u8;
const SEND_LONG_DATA: u8 = Command::COM_STMT_SEND_LONG_DATA as u8;
const CLOSE: u8 = Command::COM_STMT_CLOSE as u8;
const RESET_STATEMENT: u8 = Command::COM_STMT_RESET as u8;

const MYSQL_SYNTAX_ERROR: u16 = 1064;

/// The packets or the error that the client gets. An `Err` outside says that the server is lost.
type Answer = io::Result<Result<Vec<Vec<u8>>, ServerError>>;

/// Serves a client until it or the server closes the connection.
pub(super) async fn serve(client: TcpStream, shared: &Shared, id: u32) -> io::Result<()> {
    client.set_nodelay(true)?;
    let Some(mut client) = login::receive(client, shared, id).await? else {
        return Ok(());
    };
    let (login, capabilities) = (&client.account.behind, client.capabilities);
    match RawConnection::open(shared.server, &shared.tls, login, capabilities).await? {
        Ok(server) => {
            let status = StatusFlags::SERVER_STATUS_AUTOCOMMIT;
            client.wire.send(&ok_packet(status)).await?;
            let session = Session {
                shared,
                client,
                server,
                transaction: Transaction::None,
                status,
                statements: HashMap::new(),
            };
            session.run().await
        }
        Err(refused) => client.wire.send(&error_packet(&refused)).await,
    }
}

struct Session<'s> {
    shared: &'s Shared,
    client: Client,
    server: RawConnection,
    transaction: Transaction,
    /// What the client was told of it. It is told only with an answer that is no error.
    status: StatusFlags,
    /// The texts of the prepared statements, by the server's ids.
    statements: HashMap<u32, String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transaction {
    None,
    Open,
    /// It was lost with a connection behind vtgate, and the next statement gets an error.
    Ended,
    /// Everything but ROLLBACK is refused.
    Poisoned,
}

impl Session<'_> {
    async fn run(mut self) -> io::Result<()> {
        loop {
            let packet = self.client.wire.read().await?;
            let (&code, body) = packet.split_first().ok_or_else(|| malformed("command"))?;
            let text = String::from_utf8_lossy(body);
            let answer = match code {
                QUIT => {
                    self.shared.farewells.fetch_add(1, Ordering::Relaxed);
                    return Ok(());
                }
                SEND_LONG_DATA | CLOSE => {
                    self.server.tell(&packet).await?;
                    continue;
                }
                INIT_DB => Ok(self.use_keyspace(&text)),
                QUERY => self.execute(&text, &packet).await,
                PREPARE => self.prepare(&text).await,
                EXECUTE => match id_of(&packet).and_then(|id| self.statements.get(&id)) {
                    Some(sql) => self.execute(&sql.clone(), &packet).await,
                    None => Ok(Err(named("UNKNOWN_STATEMENT").about("", "", ""))),
                },
                PING => Ok(Ok(vec![ok_packet(self.status)])),
                RESET_CONNECTION => self.reset(&packet).await,
                RESET_STATEMENT => self.relay(&packet).await,
                _ => {
                    let text = format!("command handling not implemented yet: {code}");
                    Ok(Err(server_error(1047, "08S01", text)))
                }
            };
            let packets = answer?.unwrap_or_else(|mut error| {
                if error.code == MYSQL_SYNTAX_ERROR {
                    error = named("SYNTAX").about("", "", "");
                }
                // Clients know their schema only by the keyspace's name.
                let account = &self.client.account;
                let (schema, keyspace) = (&account.behind.schema, &account.keyspace);
                error.message = error.message.replace(schema, keyspace);
                *self.shared.lock().errors.entry(schema.clone()).or_default() += 1;
                vec![error_packet(&error)]
            });
            for packet in &packets {
                self.client.wire.put(packet);
            }
            self.client.wire.flush().await?;
        }
    }

    /// Runs a statement, unless it is refused or a test lets it fail.
    async fn execute(&mut self, sql: &str, packet: &[u8]) -> Answer {
        let (word, rest) = first_word(sql);
        if word == "USE" {
            return Ok(self.use_keyspace(rest.trim_matches([' ', '`', ';', '\n'])));
        }
        let defines = ["CREATE", "ALTER", "DROP", "TRUNCATE", "RENAME"].contains(&word.as_str());
        let makes_foreign_key = defines && sql.to_ascii_uppercase().contains("REFERENCES");
        if makes_foreign_key && self.shared.lock().no_foreign_keys {
            return Ok(Err(self.error(named("FOREIGN_KEYS"), sql)));
        }
        match self.transaction {
            Transaction::Poisoned if word == "ROLLBACK" => self.transaction = Transaction::None,
            Transaction::Poisoned => return Ok(Err(self.error(named("ROLLBACK_FIRST"), sql))),
            Transaction::Ended => {
                self.transaction = Transaction::None;
                return Ok(Err(self.error(named("TRANSACTION_ENDED"), sql)));
            }
            Transaction::None | Transaction::Open => {}
        }
        let schema = &self.client.account.behind.schema;
        if defines && self.shared.lock().protected.contains(schema) {
            // It is refused only after it has ended the transaction, as DDL does.
            self.end_transaction("COMMIT").await?;
            return Ok(Err(self.error(named("DIRECT_DDL_DISABLED"), sql)));
        }
        let in_transaction = self.transaction == Transaction::Open;
        if let Some(error) = self.shared.scripted(sql, in_transaction, false) {
            return self.fail(error, sql).await;
        }
        let answer = self.relay(packet).await?;
        match self.shared.scripted(sql, in_transaction, true) {
            Some(error) => self.fail(error, sql).await,
            None => Ok(answer),
        }
    }

    /// A user stays in the schema of its account.
    fn use_keyspace(&mut self, keyspace: &str) -> Result<Vec<Vec<u8>>, ServerError> {
        if !self.client.account.knows(keyspace) {
            return Err(named("UNKNOWN_DATABASE").about(keyspace, "", ""));
        }
        let open = matches!(self.transaction, Transaction::Open | Transaction::Ended);
        self.status.set(StatusFlags::SERVER_STATUS_IN_TRANS, open);
        Ok(vec![ok_packet(self.status)])
    }

    /// Forgets all but the session's autocommit, and tells the client nothing of its status.
    async fn reset(&mut self, packet: &[u8]) -> Answer {
        let answer = self.server.run(packet).await?;
        self.transaction = Transaction::None;
        self.statements.clear();
        if !self.status.contains(StatusFlags::SERVER_STATUS_AUTOCOMMIT) {
            let _ = self.server.run(&query("SET autocommit = 0")).await?;
        }
        Ok(answer.map(|_| vec![ok_packet(StatusFlags::empty())]))
    }

    fn error(&self, error: &VitessError, sql: &str) -> ServerError {
        let Client { user, account, .. } = &self.client;
        error.about(&account.keyspace, user, sql)
    }

    /// Fails a statement. What happens to an open transaction is as at vtgate.
    async fn fail(&mut self, error: &VitessError, sql: &str) -> Answer {
        let (word, _) = first_word(sql);
        let after = match () {
            () if error.poisons() => Transaction::Poisoned,
            () if ["COMMIT", "ROLLBACK"].contains(&word.as_str()) => Transaction::None,
            () if error.loses_server() => Transaction::Ended,
            () if error.ends_transaction() => Transaction::None,
            () => Transaction::Open,
        };
        if self.transaction == Transaction::Open && after != Transaction::Open {
            self.end_transaction("ROLLBACK").await?;
            self.transaction = after;
        }
        Ok(Err(self.error(error, sql)))
    }

    /// Ends the transaction on the server, without the client's knowledge.
    async fn end_transaction(&mut self, how: &str) -> io::Result<()> {
        let _ = self.server.run(&query(how)).await?;
        self.transaction = Transaction::None;
        Ok(())
    }

    /// Passes a command to the server and reads the answer.
    async fn relay(&mut self, packet: &[u8]) -> Answer {
        let answer = self.server.run(packet).await?;
        Ok(answer.map(|reply| {
            if let Some(status) = reply.status {
                self.status = status;
                let open = status.contains(StatusFlags::SERVER_STATUS_IN_TRANS);
                self.transaction = match open {
                    true => Transaction::Open,
                    false => Transaction::None,
                };
            }
            reply.packets
        }))
    }

    async fn prepare(&mut self, sql: &str) -> Answer {
        let prepared = self.server.prepare(sql).await?;
        Ok(prepared.map(|prepared| {
            self.statements.insert(prepared.id, sql.to_owned());
            prepared.packets
        }))
    }
}

fn query(sql: &str) -> Vec<u8> {
    [&[QUERY], sql.as_bytes()].concat()
}

/// The first word outside of comments, in capitals, and the text after it.
fn first_word(sql: &str) -> (String, &str) {
    let mut rest = sql.trim_start();
    loop {
        let end = match rest.as_bytes() {
            [b'/', b'*', ..] => "*/",
            [b'-', b'-', ..] | [b'#', ..] => "\n",
            _ => break,
        };
        rest = rest
            .split_once(end)
            .map_or("", |(_, rest)| rest)
            .trim_start();
    }
    let end = rest.find(|c: char| !c.is_ascii_alphabetic());
    let (word, rest) = rest.split_at(end.unwrap_or(rest.len()));
    (word.to_ascii_uppercase(), rest)
}

/// The statement's id, which follows the first byte of every packet that has one.
fn id_of(packet: &[u8]) -> Option<u32> {
    let bytes = packet.get(1..5)?.try_into().ok()?;
    Some(u32::from_le_bytes(bytes))
}
