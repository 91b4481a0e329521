//! MySQL's protocol as a client speaks it, packet by packet: the stand-in's way to the server, and what
//! shows its tests more of an answer than a driver does.

use std::io;
use std::net::SocketAddr;

use mysql_async::ServerError;
use mysql_common::constants::{CapabilityFlags, Command, StatusFlags};
use mysql_common::io::ParseBuf;
use mysql_common::packets::{AuthPlugin, HandshakePacket, HandshakeResponse, SslRequest};
use mysql_common::proto::{MyDeserialize, MySerialize};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::tls::Tls;
use super::wire::{COLLATION, Wire, malformed, status_of_eof, status_of_ok};
use crate::stack::FreshDatabase;
use crate::stack::access::{Administration, ConnectError, Login};

pub use super::wire::parse_error;

/// What the functions' driver can do.
const FUNCTIONS_CAPABILITIES: CapabilityFlags = CapabilityFlags::CLIENT_PROTOCOL_41
    .union(CapabilityFlags::CLIENT_SECURE_CONNECTION)
    .union(CapabilityFlags::CLIENT_LONG_PASSWORD)
    .union(CapabilityFlags::CLIENT_SSL)
    .union(CapabilityFlags::CLIENT_PLUGIN_AUTH)
    .union(CapabilityFlags::CLIENT_TRANSACTIONS)
    .union(CapabilityFlags::CLIENT_MULTI_STATEMENTS)
    .union(CapabilityFlags::CLIENT_MULTI_RESULTS)
    .union(CapabilityFlags::CLIENT_DEPRECATE_EOF);

const MAX_PACKET: u32 = 64 << 20;

/// The server's answer or its refusal. An `Err` outside says that the connection is lost.
pub type Answer<T> = io::Result<Result<T, ServerError>>;

/// A connection to a server that speaks MySQL's protocol.
pub struct RawConnection {
    wire: Wire<TlsStream<TcpStream>>,
    deprecate_eof: bool,
}

/// The packets of an answer.
#[derive(Default)]
pub struct Reply {
    /// All of them, as they came.
    pub packets: Vec<Vec<u8>>,
    /// The last status in them.
    pub status: Option<StatusFlags>,
}

/// A statement that the server has prepared.
pub struct Prepared {
    /// The server's id of it.
    pub id: u32,
    /// The answer's packets; the first begins with 0 and the server's id.
    pub packets: Vec<Vec<u8>>,
}

impl RawConnection {
    /// A connection as the database's user, with the capabilities of the functions, to the Vitess or the
    /// stand-in before it.
    pub async fn to(database: &FreshDatabase) -> anyhow::Result<Self> {
        let administration = database.access().administration.as_ref();
        let Administration { certificates, .. } =
            administration.ok_or(ConnectError::NotAdministered)?;
        let address = database.address();
        let tls = Tls::new(&address.ip().to_string(), certificates)?;
        let login = Login {
            username: database.username().to_owned(),
            password: database.password().to_owned(),
            schema: database.name().to_owned(),
        };
        let opened = Self::open(address, &tls, &login, FUNCTIONS_CAPABILITIES).await?;
        Ok(opened.map_err(mysql_async::Error::from)?)
    }

    /// Logs in over TLS. The stand-in passes answers on unchanged, so it has the `capabilities` of its
    /// client here too.
    pub(super) async fn open(
        address: SocketAddr,
        tls: &Tls,
        login: &Login,
        capabilities: CapabilityFlags,
    ) -> Answer<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut plain = Wire::new(stream, 0);
        let greeting = plain.read().await?;
        if let Some(refused) = parse_error(&greeting) {
            return Ok(Err(refused));
        }
        let greeting = HandshakePacket::deserialize((), &mut ParseBuf(&greeting))?;
        // MySQL reads the response by the flags of this request.
        let with_schema = capabilities | CapabilityFlags::CLIENT_CONNECT_WITH_DB;
        let mut request = Vec::new();
        SslRequest::new(with_schema, MAX_PACKET, COLLATION).serialize(&mut request);
        plain.send(&request).await?;
        let mut wire = Wire::new(tls.connect(plain.stream).await?, plain.sequence);

        let plugin = match greeting.auth_plugin() {
            Some(AuthPlugin::CachingSha2Password) => AuthPlugin::CachingSha2Password,
            _ => AuthPlugin::MysqlNativePassword,
        };
        let mut response = Vec::new();
        HandshakeResponse::new(
            Some(scrambled(&plugin, &login.password, &greeting.nonce())),
            greeting.server_version_parsed().unwrap_or((8, 0, 0)),
            Some(login.username.as_bytes()),
            Some(login.schema.as_bytes()),
            Some(plugin),
            with_schema,
            None,
            MAX_PACKET,
        )
        .serialize(&mut response);
        wire.send(&response).await?;
        let deprecate_eof = capabilities.contains(CapabilityFlags::CLIENT_DEPRECATE_EOF);
        let let_in = authenticate(&mut wire, &login.password).await?;
        Ok(let_in.map(|()| Self {
            wire,
            deprecate_eof,
        }))
    }

    /// Sends a command that has no answer.
    pub async fn tell(&mut self, command: &[u8]) -> io::Result<()> {
        self.wire.sequence = 0;
        self.wire.send(command).await
    }

    /// Sends a command and reads the whole answer.
    pub async fn run(&mut self, command: &[u8]) -> Answer<Reply> {
        self.tell(command).await?;
        let mut reply = Reply::default();
        loop {
            let last = self.read_result(&mut reply).await?;
            if let Some(error) = parse_error(&last) {
                // The results before it have been promised more.
                if reply.packets.is_empty() {
                    return Ok(Err(error));
                }
                reply.packets.push(last);
                return Ok(Ok(reply));
            }
            reply.status = match last.first() {
                Some(0xFE) if last.len() < 7 => status_of_eof(&last),
                _ => status_of_ok(&last),
            };
            reply.packets.push(last);
            let more = StatusFlags::SERVER_MORE_RESULTS_EXISTS;
            if !reply.status.is_some_and(|status| status.contains(more)) {
                return Ok(Ok(reply));
            }
        }
    }

    /// Reads one result, columns and rows if it has them, and returns the packet that ends it.
    async fn read_result(&mut self, reply: &mut Reply) -> io::Result<Vec<u8>> {
        let first = self.wire.read().await?;
        if let Some(0x00 | 0xFF) = first.first() {
            return Ok(first);
        }
        let columns = ParseBuf(&first).checked_eat_lenenc_int();
        let columns = columns.ok_or_else(|| malformed("column count"))?;
        reply.packets.push(first);
        for _ in 0..columns + u64::from(!self.deprecate_eof) {
            reply.packets.push(self.wire.read().await?);
        }
        // A row may begin with 0xFE too, when its first value has 16 MiB or more.
        let longest = if self.deprecate_eof { 0xFF_FFFF } else { 9 };
        loop {
            let row = self.wire.read().await?;
            match row.first() {
                Some(0xFF) => return Ok(row),
                Some(0xFE) if row.len() < longest => return Ok(row),
                _ => reply.packets.push(row),
            }
        }
    }

    /// Prepares a statement.
    pub async fn prepare(&mut self, sql: &str) -> Answer<Prepared> {
        let command = [&[Command::COM_STMT_PREPARE as u8], sql.as_bytes()].concat();
        self.tell(&command).await?;
        let first = self.wire.read().await?;
        if let Some(error) = parse_error(&first) {
            return Ok(Err(error));
        }
        let mut parse = ParseBuf(first.get(1..).unwrap_or_default());
        let (Some(id), Some(columns), Some(parameters)) = (
            parse.checked_eat_u32_le(),
            parse.checked_eat_u16_le(),
            parse.checked_eat_u16_le(),
        ) else {
            return Err(malformed("answer to PREPARE"));
        };
        let mut packets = vec![first];
        for definitions in [parameters, columns] {
            let ends = u16::from(definitions > 0 && !self.deprecate_eof);
            for _ in 0..definitions + ends {
                packets.push(self.wire.read().await?);
            }
        }
        Ok(Ok(Prepared { id, packets }))
    }
}

fn scrambled(plugin: &AuthPlugin<'_>, password: &str, nonce: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(data) = plugin.gen_data(Some(password), nonce) {
        data.serialize(&mut bytes);
    }
    bytes
}

/// Continues the login as the server asks, until it accepts or refuses it.
async fn authenticate(wire: &mut Wire<TlsStream<TcpStream>>, password: &str) -> Answer<()> {
    loop {
        let packet = wire.read().await?;
        match packet.as_slice() {
            [0x00, ..] => return Ok(Ok(())),
            // The hash that the server keeps in memory matched; its OK follows.
            [0x01, 0x03] => {}
            // There is no hash in memory. The password itself may be sent, because TLS protects it.
            [0x01, 0x04] => wire.send(&[password.as_bytes(), &[0]].concat()).await?,
            [0xFE, switch @ ..] => {
                let mut parts = switch.splitn(2, |byte| *byte == 0);
                let plugin = AuthPlugin::from_bytes(parts.next().unwrap_or_default());
                let nonce = parts.next().and_then(|nonce| nonce.get(..20));
                let nonce = nonce.ok_or_else(|| malformed("change of authentication"))?;
                wire.send(&scrambled(&plugin, password, nonce)).await?;
            }
            _ => {
                let refused = parse_error(&packet);
                return refused
                    .map(Err)
                    .ok_or_else(|| malformed("answer to the login"));
            }
        }
    }
}
