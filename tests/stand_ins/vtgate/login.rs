//! The front door: greeting, TLS, and a password that vtgate itself knows.

use std::io;

use mysql_common::constants::{CapabilityFlags, StatusFlags};
use mysql_common::io::ParseBuf;
use mysql_common::packets::{HandshakePacket, HandshakeResponse, SslRequest};
use mysql_common::proto::{MyDeserialize, MySerialize};
use mysql_common::scramble::{scramble_native, scramble_sha256};
use ring::rand::{SecureRandom, SystemRandom};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::errors::INSECURE;
use super::raised::{Echo, Raised};
use super::script::Stage;
use super::wire::{COLLATION, SqlError, Wire, malformed, ok};
use super::{Account, Authentication, Gate, Route, SERVER_VERSION};

/// A client that was let in.
pub(super) struct Login {
    pub(super) wire: Wire<TlsStream<TcpStream>>,
    pub(super) user: String,
    pub(super) database: Option<String>,
    /// Where the user is led, if it has a schema of its own.
    pub(super) route: Option<Route>,
    /// What both sides agreed to, without what only concerns this login.
    pub(super) capabilities: CapabilityFlags,
}

fn offered() -> CapabilityFlags {
    CapabilityFlags::CLIENT_LONG_PASSWORD
        | CapabilityFlags::CLIENT_FOUND_ROWS
        | CapabilityFlags::CLIENT_LONG_FLAG
        | CapabilityFlags::CLIENT_CONNECT_WITH_DB
        | CapabilityFlags::CLIENT_PROTOCOL_41
        | CapabilityFlags::CLIENT_SSL
        | CapabilityFlags::CLIENT_TRANSACTIONS
        | CapabilityFlags::CLIENT_SECURE_CONNECTION
        | CapabilityFlags::CLIENT_MULTI_STATEMENTS
        | CapabilityFlags::CLIENT_MULTI_RESULTS
        | CapabilityFlags::CLIENT_PLUGIN_AUTH
        | CapabilityFlags::CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA
        | CapabilityFlags::CLIENT_CONNECT_ATTRS
        | CapabilityFlags::CLIENT_DEPRECATE_EOF
}

/// Greets a client and lets it in or not.
pub(super) async fn receive(
    stream: TcpStream,
    gate: &Gate,
    connection_id: u32,
) -> io::Result<Option<Login>> {
    let nonce = nonce()?;
    let (head, tail) = nonce.split_at(8);
    let plugin = gate.authentication.plugin();
    let mut greeting = Vec::new();
    HandshakePacket::new(
        10,
        SERVER_VERSION.as_bytes(),
        connection_id,
        head.try_into().map_err(io::Error::other)?,
        Some([tail, &[0]].concat()),
        offered(),
        COLLATION,
        StatusFlags::SERVER_STATUS_AUTOCOMMIT,
        Some([plugin.as_bytes(), &[0]].concat()),
    )
    .serialize(&mut greeting);
    let mut plain = Wire::new(stream, 0);
    plain.put(&greeting);
    plain.flush().await?;

    let request = plain.read().await?;
    let request = SslRequest::deserialize((), &mut ParseBuf(&request))?;
    if !request.capabilities().contains(CapabilityFlags::CLIENT_SSL) {
        let refusal = Raised::from(INSECURE).about(&Echo::default());
        plain.put(&refusal.payload());
        plain.flush().await?;
        return Ok(None);
    }
    let stream = gate.tls().accept(plain.stream).await?;
    let mut wire = Wire::new(stream, plain.sequence);
    let response = wire.read().await?;
    let response = HandshakeResponse::deserialize((), &mut ParseBuf(&response))?;
    let user = String::from_utf8_lossy(response.user()).into_owned();

    let mut answer = response.scramble_buf().to_vec();
    if response.auth_plugin() != Some(&plugin) {
        wire.put(&[&[0xFE], plugin.as_bytes(), &[0], &nonce, &[0]].concat());
        wire.flush().await?;
        answer = wire.read().await?;
    }
    let account = gate.account(&user);
    let database = response
        .db_name()
        .filter(|name| !name.is_empty())
        .map(|name| String::from_utf8_lossy(name).into_owned());
    let refusal = if !is_right(&mut wire, gate, &user, account.as_ref(), &answer, &nonce).await? {
        let text = format!("Access denied for user '{user}'");
        Some(SqlError::new(1045, "28000", text))
    } else if let Some(error) = gate.scripted(Stage::Login, &user, false) {
        Some(Raised::from(error).about(&Echo::default()))
    } else {
        let route = account.as_ref().and_then(|account| account.route.as_ref());
        database
            .as_deref()
            .and_then(|database| gate.unknown(route, database))
    };
    if let Some(refusal) = refusal {
        wire.put(&refusal.payload());
        wire.flush().await?;
        return Ok(None);
    }
    wire.put(&ok(StatusFlags::SERVER_STATUS_AUTOCOMMIT));
    wire.flush().await?;
    let only_here = CapabilityFlags::CLIENT_CONNECT_ATTRS | CapabilityFlags::CLIENT_CONNECT_WITH_DB;
    Ok(Some(Login {
        capabilities: response.capabilities() & (offered() - only_here),
        database,
        route: account.and_then(|account| account.route),
        wire,
        user,
    }))
}

impl Gate {
    /// The error of a client that asks for another keyspace than its own; the tablet's type may
    /// follow the name, or stand alone (Vitess, `go/vt/topo/topoproto`, `ParseDestination`).
    pub(super) fn unknown(&self, route: Option<&Route>, database: &str) -> Option<SqlError> {
        let own = route.map_or(&self.upstream.keyspace, |route| &route.keyspace);
        let keyspace = database.split('@').next().unwrap_or_default();
        let known = keyspace.is_empty() || keyspace == own;
        let text = format!("VT05003: unknown database '{keyspace}' in vschema");
        (!known).then(|| SqlError::new(1049, "42000", text))
    }
}

/// Whether `answer` proves the user's password.
async fn is_right(
    wire: &mut Wire<TlsStream<TcpStream>>,
    gate: &Gate,
    user: &str,
    account: Option<&Account>,
    answer: &[u8],
    nonce: &[u8],
) -> io::Result<bool> {
    let Some(account) = account else {
        return Ok(false);
    };
    let password = account.password.as_bytes();
    match gate.authentication {
        Authentication::Native => {
            Ok(scramble_native(nonce, password).is_some_and(|right| right == answer))
        }
        Authentication::CachingSha2 => {
            let matches = scramble_sha256(nonce, password).is_some_and(|right| right == answer);
            if matches && gate.is_cached(user) {
                wire.put(&[0x01, 0x03]);
                return Ok(true);
            }
            wire.put(&[0x01, 0x04]);
            wire.flush().await?;
            let clear = wire.read().await?;
            let clear = clear
                .strip_suffix(&[0])
                .ok_or_else(|| malformed("password"))?;
            let right = clear == password;
            if right {
                gate.cache(user);
            }
            Ok(right)
        }
    }
}

/// Twenty printable bytes that nobody can foresee.
fn nonce() -> io::Result<[u8; 20]> {
    let mut nonce = [0; 20];
    SystemRandom::new()
        .fill(&mut nonce)
        .map_err(|_| io::Error::other("the system has no random bytes"))?;
    Ok(nonce.map(|byte| b'!' + byte % 94))
}
