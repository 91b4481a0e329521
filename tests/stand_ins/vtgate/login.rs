//! The login of a client: greeting, TLS, and a password that only the stand-in knows.

use std::io;

use mysql_common::constants::{CapabilityFlags, StatusFlags};
use mysql_common::io::ParseBuf;
use mysql_common::packets::{AuthPlugin, HandshakePacket, HandshakeResponse, SslRequest};
use mysql_common::proto::{MyDeserialize, MySerialize};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::errors::named;
use super::wire::{COLLATION, Wire, error_packet, server_error};
use super::{Account, Shared};

/// The version that clients are told.
const SERVER_VERSION: &str = "8.0.30-Vitess";

/// The method that PlanetScale asks for. The password itself comes through TLS and no hash is
/// compared, so the nonce may be predictable.
const PLUGIN: AuthPlugin<'_> = AuthPlugin::CachingSha2Password;
const NONCE: &[u8; 20] = b"the password follows";
const SEND_THE_PASSWORD: [u8; 2] = [0x01, 0x04];

/// A client that has logged in.
pub(super) struct Client {
    pub(super) wire: Wire<TlsStream<TcpStream>>,
    pub(super) user: String,
    pub(super) account: Account,
    /// The capabilities that both sides have, without those that only concern the login.
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

/// Greets a client and checks its password. The caller still has to send the OK packet.
pub(super) async fn receive(
    stream: TcpStream,
    shared: &Shared,
    connection_id: u32,
) -> io::Result<Option<Client>> {
    let (head, tail) = NONCE.split_at(8);
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
        Some([PLUGIN.as_bytes(), &[0]].concat()),
    )
    .serialize(&mut greeting);
    let mut plain = Wire::new(stream, 0);
    plain.send(&greeting).await?;
    let request = plain.read().await?;
    let request = SslRequest::deserialize((), &mut ParseBuf(&request))?;
    if !request.capabilities().contains(CapabilityFlags::CLIENT_SSL) {
        plain
            .send(&error_packet(&named("INSECURE").about("", "", "")))
            .await?;
        return Ok(None);
    }
    let mut wire = Wire::new(shared.tls.accept(plain.stream).await?, plain.sequence);
    let response = wire.read().await?;
    let response = HandshakeResponse::deserialize((), &mut ParseBuf(&response))?;
    if response.auth_plugin() != Some(&PLUGIN) {
        let other = [&[0xFE], PLUGIN.as_bytes(), &[0], NONCE, &[0]].concat();
        wire.send(&other).await?;
        wire.read().await?;
    }
    wire.send(&SEND_THE_PASSWORD).await?;
    let password = wire.read().await?;

    let user = String::from_utf8_lossy(response.user()).into_owned();
    let account = shared.account(&user);
    let right = |account: &Account| [account.password.as_bytes(), &[0]].concat() == password;
    let database = String::from_utf8_lossy(response.db_name().unwrap_or_default());
    let refusal = match account.filter(right) {
        None => server_error(1045, "28000", format!("Access denied for user '{user}'")),
        Some(account) if account.knows(&database) => {
            let only_here =
                CapabilityFlags::CLIENT_CONNECT_ATTRS | CapabilityFlags::CLIENT_CONNECT_WITH_DB;
            let capabilities = response.capabilities() & (offered() - only_here);
            return Ok(Some(Client {
                wire,
                user,
                account,
                capabilities,
            }));
        }
        Some(_) => named("UNKNOWN_DATABASE").about(&database, &user, ""),
    };
    wire.send(&error_packet(&refusal)).await?;
    Ok(None)
}

impl Account {
    /// Whether this names the account's keyspace. A tablet type may follow the name or stand alone
    /// (Vitess, `go/vt/topo/topoproto`, `ParseDestination`).
    pub(super) fn knows(&self, database: &str) -> bool {
        let keyspace = database.split('@').next().unwrap_or_default();
        keyspace.is_empty() || keyspace == self.keyspace
    }
}
