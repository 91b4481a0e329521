//! The connection behind a session: a login at the real server, and whole answers from it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use mysql_async::Opts;
use mysql_common::constants::{CapabilityFlags, StatusFlags};
use mysql_common::io::ParseBuf;
use mysql_common::packets::{AuthPlugin, HandshakePacket, HandshakeResponse, SslRequest};
use mysql_common::proto::{MyDeserialize, MySerialize};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::wire::{COLLATION, PREPARE, SqlError, Wire, malformed, ok, status_of_eof, status_of_ok};

const MAX_PACKET: u32 = 64 << 20;

/// The real server, and the login that every session uses there.
#[derive(Clone)]
pub struct Upstream {
    address: SocketAddr,
    name: ServerName<'static>,
    tls: Arc<rustls::ClientConfig>,
    user: String,
    password: String,
    /// The one that clients may log in to.
    pub(super) keyspace: String,
}

impl Upstream {
    /// The server at `url` (`mysql://user:password@host:port/keyspace`), whose certificate one of the
    /// authorities in `ca_pem` has signed for that host.
    ///
    /// # Errors
    ///
    /// `url` or `ca_pem` is malformed, or the host has no address.
    pub async fn new(url: &str, ca_pem: &[u8]) -> io::Result<Self> {
        let options = Opts::from_url(url).map_err(io::Error::other)?;
        let host = options.ip_or_hostname();
        let address = tokio::net::lookup_host((host, options.tcp_port()))
            .await?
            .next()
            .ok_or_else(|| io::Error::other("the host has no address"))?;
        let mut roots = rustls::RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(ca_pem) {
            let certificate = certificate.map_err(io::Error::other)?;
            roots.add(certificate).map_err(io::Error::other)?;
        }
        let tls = rustls::ClientConfig::builder_with_provider(super::provider())
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            address,
            name: ServerName::try_from(host.to_owned()).map_err(io::Error::other)?,
            tls: Arc::new(tls),
            user: options.user().unwrap_or_default().to_owned(),
            password: options.pass().unwrap_or_default().to_owned(),
            keyspace: options.db_name().unwrap_or_default().to_owned(),
        })
    }
}

impl Upstream {
    /// The same server with another login.
    #[must_use]
    pub fn with_login(&self, user: &str, password: &str) -> Self {
        Self {
            user: user.to_owned(),
            password: password.to_owned(),
            ..self.clone()
        }
    }
}

/// What the server answered: packets to pass on, or an error after them.
#[derive(Default)]
pub(super) struct Reply {
    pub(super) packets: Vec<Vec<u8>>,
    pub(super) error: Option<SqlError>,
    pub(super) status: Option<StatusFlags>,
}

impl Reply {
    /// Done, outside of a transaction.
    pub(super) fn ok() -> Self {
        Self {
            packets: vec![ok(StatusFlags::SERVER_STATUS_AUTOCOMMIT)],
            ..Self::default()
        }
    }
}

/// A statement that the server has prepared.
pub(super) struct Prepared {
    pub(super) id: u32,
    pub(super) parameters: u16,
    /// The answer's packets; the first begins with 0 and the server's id.
    pub(super) packets: Vec<Vec<u8>>,
}

pub(super) struct Tablet {
    wire: Wire<TlsStream<TcpStream>>,
    deprecate_eof: bool,
}

impl Tablet {
    /// Logs in at the server.
    ///
    /// `capabilities` are those that the session's client agreed to: answers are passed on as
    /// they come, so that both connections have to speak the same dialect.
    pub(super) async fn connect(
        upstream: &Upstream,
        capabilities: CapabilityFlags,
        database: Option<&str>,
    ) -> io::Result<Result<Self, SqlError>> {
        let stream = TcpStream::connect(upstream.address).await?;
        stream.set_nodelay(true)?;
        let mut plain = Wire::new(stream, 0);
        let greeting = plain.read().await?;
        if let Some(refused) = SqlError::parse(&greeting) {
            return Ok(Err(refused));
        }
        let greeting = HandshakePacket::deserialize((), &mut ParseBuf(&greeting))?;
        // MySQL goes by the flags of this request when it reads the response.
        let mut capabilities = capabilities;
        capabilities.set(CapabilityFlags::CLIENT_CONNECT_WITH_DB, database.is_some());
        let mut request = Vec::new();
        SslRequest::new(capabilities, MAX_PACKET, COLLATION).serialize(&mut request);
        plain.put(&request);
        plain.flush().await?;
        let stream = TlsConnector::from(Arc::clone(&upstream.tls))
            .connect(upstream.name.clone(), plain.stream)
            .await?;
        let mut wire = Wire::new(stream, plain.sequence);

        let plugin = match greeting.auth_plugin() {
            Some(plugin @ (AuthPlugin::CachingSha2Password | AuthPlugin::MysqlNativePassword)) => {
                plugin
            }
            _ => AuthPlugin::MysqlNativePassword,
        };
        let mut response = Vec::new();
        HandshakeResponse::new(
            scrambled(&plugin, &upstream.password, &greeting.nonce()),
            greeting.server_version_parsed().unwrap_or((8, 0, 0)),
            Some(upstream.user.as_bytes()),
            database.map(str::as_bytes),
            Some(plugin),
            capabilities,
            None,
            MAX_PACKET,
        )
        .serialize(&mut response);
        wire.put(&response);
        wire.flush().await?;
        let deprecate_eof = capabilities.contains(CapabilityFlags::CLIENT_DEPRECATE_EOF);
        Ok(authenticate(&mut wire, &upstream.password)
            .await?
            .map(|()| Self {
                wire,
                deprecate_eof,
            }))
    }

    /// Sends a command and takes the whole answer.
    pub(super) async fn run(&mut self, payload: &[u8]) -> io::Result<Reply> {
        self.wire.command(payload).await?;
        let mut reply = Reply::default();
        loop {
            let complete = reply.packets.len();
            if let Some(error) = self.read_result(&mut reply).await? {
                reply.packets.truncate(complete);
                reply.error = Some(error);
                return Ok(reply);
            }
            let more = StatusFlags::SERVER_MORE_RESULTS_EXISTS;
            if !reply.status.is_some_and(|status| status.contains(more)) {
                return Ok(reply);
            }
        }
    }

    /// Reads one result: an OK, an error, or columns and rows up to their end.
    async fn read_result(&mut self, reply: &mut Reply) -> io::Result<Option<SqlError>> {
        let first = self.wire.read().await?;
        match first.first() {
            Some(0xFF) => return Ok(Some(parse_error(&first)?)),
            Some(0x00) => {
                reply.status = status_of_ok(&first);
                reply.packets.push(first);
                return Ok(None);
            }
            Some(0xFE) if first.len() < 9 => {
                reply.status = status_of_eof(&first);
                reply.packets.push(first);
                return Ok(None);
            }
            _ => {}
        }
        let columns = ParseBuf(&first)
            .checked_eat_lenenc_int()
            .ok_or_else(|| malformed("column count"))?;
        reply.packets.push(first);
        let definitions = columns + u64::from(!self.deprecate_eof);
        for _ in 0..definitions {
            reply.packets.push(self.wire.read().await?);
        }
        loop {
            let row = self.wire.read().await?;
            match row.first() {
                Some(0xFF) => return Ok(Some(parse_error(&row)?)),
                // A row may begin with 0xFE too, when its first value has 16 MiB or more.
                Some(0xFE) if self.deprecate_eof && row.len() < 0xFF_FFFF => {
                    reply.status = status_of_ok(&row);
                    reply.packets.push(row);
                    return Ok(None);
                }
                Some(0xFE) if !self.deprecate_eof && row.len() < 9 => {
                    reply.status = status_of_eof(&row);
                    reply.packets.push(row);
                    return Ok(None);
                }
                _ => reply.packets.push(row),
            }
        }
    }

    /// Prepares a statement.
    pub(super) async fn prepare(&mut self, sql: &str) -> io::Result<Result<Prepared, SqlError>> {
        let mut payload = vec![PREPARE];
        payload.extend(sql.as_bytes());
        self.wire.command(&payload).await?;
        let first = self.wire.read().await?;
        if let Some(error) = SqlError::parse(&first) {
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
        Ok(Ok(Prepared {
            id,
            parameters,
            packets,
        }))
    }

    /// Sends a command that has no answer.
    pub(super) async fn tell(&mut self, payload: &[u8]) -> io::Result<()> {
        self.wire.command(payload).await
    }
}

fn parse_error(payload: &[u8]) -> io::Result<SqlError> {
    SqlError::parse(payload).ok_or_else(|| malformed("error packet"))
}

fn scrambled(plugin: &AuthPlugin<'_>, password: &str, nonce: &[u8]) -> Option<Vec<u8>> {
    plugin.gen_data(Some(password), nonce).map(|data| {
        let mut bytes = Vec::new();
        data.serialize(&mut bytes);
        bytes
    })
}

/// Follows the server's wishes until it lets us in or not.
async fn authenticate(
    wire: &mut Wire<TlsStream<TcpStream>>,
    password: &str,
) -> io::Result<Result<(), SqlError>> {
    loop {
        let packet = wire.read().await?;
        match packet.as_slice() {
            [0x00, ..] => return Ok(Ok(())),
            [0xFF, ..] => return parse_error(&packet).map(Err),
            // The hash that the server keeps in memory matched; its OK follows.
            [0x01, 0x03] => continue,
            // It has none in memory, and TLS protects the password itself.
            [0x01, 0x04] => wire.put(&[password.as_bytes(), &[0]].concat()),
            [0xFE, switch @ ..] => {
                let mut parts = switch.splitn(2, |byte| *byte == 0);
                let plugin = AuthPlugin::from_bytes(parts.next().unwrap_or_default());
                let nonce = parts.next().and_then(|nonce| nonce.get(..20));
                let nonce = nonce.ok_or_else(|| malformed("change of authentication"))?;
                wire.put(&scrambled(&plugin, password, nonce).unwrap_or_default());
            }
            _ => return Err(malformed("answer to the login")),
        }
        wire.flush().await?;
    }
}
