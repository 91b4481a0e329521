//! Packets of the MySQL protocol, and parsers for the few whose content matters here.

use std::io;

use mysql_async::ServerError;
use mysql_common::constants::StatusFlags;
use mysql_common::io::ParseBuf;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// utf8mb4_general_ci, which both MySQL and MariaDB know.
pub(super) const COLLATION: u8 = 45;

/// The most bytes that one packet can hold. A longer payload continues in the next packet.
const FULL: usize = 0xFF_FFFF;

/// A connection that sends and receives packets. `put` only collects a packet, and
/// `flush` sends what was collected.
pub(super) struct Wire<S> {
    pub(super) stream: S,
    pub(super) sequence: u8,
    out: Vec<u8>,
}

impl<S> Wire<S> {
    pub(super) fn new(stream: S, sequence: u8) -> Self {
        Self {
            stream,
            sequence,
            out: Vec::new(),
        }
    }

    pub(super) fn put(&mut self, payload: &[u8]) {
        let mut rest = payload;
        loop {
            let (packet, after) = rest.split_at(rest.len().min(FULL));
            let [a, b, c, ..] = packet.len().to_le_bytes();
            self.out.extend([a, b, c, self.sequence]);
            self.out.extend(packet);
            self.sequence = self.sequence.wrapping_add(1);
            rest = after;
            if packet.len() < FULL {
                return;
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    /// Reads a whole payload. If the peer has closed the connection, the error is `UnexpectedEof`.
    pub(super) async fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut payload = Vec::new();
        loop {
            let mut header = [0; 4];
            self.stream.read_exact(&mut header).await?;
            let [a, b, c, sequence] = header;
            let length = u32::from_le_bytes([a, b, c, 0]) as usize;
            self.sequence = sequence.wrapping_add(1);
            let start = payload.len();
            payload.resize(start + length, 0);
            let part = payload.get_mut(start..).unwrap_or_default();
            self.stream.read_exact(part).await?;
            if length < FULL {
                return Ok(payload);
            }
        }
    }

    pub(super) async fn flush(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.out).await?;
        self.out.clear();
        self.stream.flush().await
    }

    /// Sends one payload.
    pub(super) async fn send(&mut self, payload: &[u8]) -> io::Result<()> {
        self.put(payload);
        self.flush().await
    }
}

pub(super) fn server_error(code: u16, state: &str, message: impl Into<String>) -> ServerError {
    ServerError {
        code,
        state: state.to_owned(),
        message: message.into(),
    }
}

/// An error as a packet.
pub(super) fn error_packet(error: &ServerError) -> Vec<u8> {
    let mut payload = vec![0xFF];
    payload.extend(error.code.to_le_bytes());
    payload.push(b'#');
    payload.extend(error.state.as_bytes());
    payload.extend(error.message.as_bytes());
    payload
}

/// The error in a packet, if it is one.
pub fn parse_error(payload: &[u8]) -> Option<ServerError> {
    let [0xFF, low, high, rest @ ..] = payload else {
        return None;
    };
    // An error before the handshake's end has no SQLSTATE.
    let (state, message) = match rest {
        [b'#', rest @ ..] => rest.split_at_checked(5)?,
        message => (b"HY000".as_slice(), message),
    };
    Some(server_error(
        u16::from_le_bytes([*low, *high]),
        &String::from_utf8_lossy(state),
        String::from_utf8_lossy(message),
    ))
}

/// An OK packet that changed nothing.
pub(super) fn ok_packet(status: StatusFlags) -> Vec<u8> {
    let [low, high] = status.bits().to_le_bytes();
    vec![0, 0, 0, low, high, 0, 0]
}

/// The status in an OK packet. The first byte is not checked.
pub(super) fn status_of_ok(payload: &[u8]) -> Option<StatusFlags> {
    let mut parse = ParseBuf(payload.get(1..)?);
    parse.checked_eat_lenenc_int()?;
    parse.checked_eat_lenenc_int()?;
    parse
        .checked_eat_u16_le()
        .map(StatusFlags::from_bits_truncate)
}

/// The status in an old EOF packet.
pub(super) fn status_of_eof(payload: &[u8]) -> Option<StatusFlags> {
    let bytes = payload.get(3..5)?.try_into().ok()?;
    Some(StatusFlags::from_bits_truncate(u16::from_le_bytes(bytes)))
}

pub(super) fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("malformed {what}"))
}
