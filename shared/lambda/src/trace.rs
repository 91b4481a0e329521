//! Subsegments for X-Ray: which part of an invocation went to secrets, logins and statements.
//!
//! Lambda decides which invocations are traced, and says so in their trace header. In those, each
//! subsegment is one datagram to X-Ray's daemon, which Lambda runs beside the function. Nothing
//! runs in the background, and nothing waits for the daemon: a datagram that can't be sent at once
//! is lost. In all others, nothing is done.

use std::{
    net::{SocketAddr, ToSocketAddrs, UdpSocket},
    sync::LazyLock,
    time::SystemTime,
};

use serde_json::json;

/// The daemon's address and port, which Lambda sets.
const DAEMON_ADDRESS: &str = "AWS_XRAY_DAEMON_ADDRESS";

/// What the daemon expects before each document.
const HEADER: &str = "{\"format\": \"json\", \"version\": 1}\n";

static DAEMON: LazyLock<Option<UdpSocket>> = LazyLock::new(|| {
    let address = std::env::var(DAEMON_ADDRESS).ok()?;
    let addresses = address.trim().to_socket_addrs().ok()?;
    // A name may have addresses of both kinds, and the daemon listens on IPv4 by default.
    let address = addresses.min_by_key(SocketAddr::is_ipv6)?;
    let own = match address {
        SocketAddr::V4(_) => "0.0.0.0:0",
        SocketAddr::V6(_) => "[::]:0",
    };
    let socket = UdpSocket::bind(own).ok()?;
    socket.set_nonblocking(true).ok()?;
    socket.connect(address).ok()?;
    Some(socket)
});

tokio::task_local! {
    static TRACE: Option<Trace>;
}

/// The recorded trace that an invocation belongs to.
pub(crate) struct Trace {
    id: String,
    parent: String,
}

impl Trace {
    /// Reads `Root=1-5759e988-…;Parent=53995c3f42cd8ad8;Sampled=1`. A trace that is not sampled is
    /// none.
    pub(crate) fn parse(header: &str) -> Option<Self> {
        (field(header, "Sampled") == Some("1")).then_some(())?;
        Some(Self {
            id: field(header, "Root")?.to_owned(),
            parent: field(header, "Parent")?.to_owned(),
        })
    }
}

/// A field of a trace header.
pub(crate) fn field<'h>(header: &'h str, name: &str) -> Option<&'h str> {
    let mut fields = header
        .split(';')
        .filter_map(|field| field.trim().split_once('='));
    fields
        .find(|(known, _)| *known == name)
        .map(|(_, value)| value)
}

/// Runs an invocation, in which [`subsegment`] belongs to its trace.
pub(crate) fn of_invocation<F: Future>(
    trace: Option<Trace>,
    work: F,
) -> impl Future<Output = F::Output> {
    TRACE.scope(trace, work)
}

/// Runs `work` and tells X-Ray how long it took and whether it failed, if the invocation is traced.
/// X-Ray shows `name` in the trace.
pub async fn subsegment<T, E>(
    name: &'static str,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let start = SystemTime::now();
    let outcome = work.await;
    let _ = TRACE.try_with(|trace| {
        if let (Some(trace), Some(daemon)) = (trace, &*DAEMON) {
            let document = json!({
                "trace_id": trace.id,
                "parent_id": trace.parent,
                "id": format!("{:016x}", fastrand::u64(..)),
                "name": name,
                "type": "subsegment",
                "start_time": seconds(start),
                "end_time": seconds(SystemTime::now()),
                "fault": outcome.is_err(),
            });
            let _ = daemon.send(format!("{HEADER}{document}").as_bytes());
        }
    });
    outcome
}

fn seconds(time: SystemTime) -> f64 {
    let since_epoch = time.duration_since(SystemTime::UNIX_EPOCH);
    since_epoch.unwrap_or_default().as_secs_f64()
}
