//! A TCP proxy that causes network faults on demand.
//!
//! It stands between a function and its database. TLS is end to end: the proxy only sees bytes and
//! their direction. A *flight* is what the client sends until the server answers. A flight and its
//! answer are one round trip.
//!
//! ```no_run
//! # use tests::proxy::{At, Fault, Proxy};
//! # async fn example(server: std::net::SocketAddr) -> std::io::Result<()> {
//! let proxy = Proxy::start(server).await?;
//! let before = proxy.counts();
//! // ... connect to `proxy.address()`, send statements ...
//! assert_eq!(proxy.counts().round_trips - before.round_trips, 1);
//! proxy.strike(Fault::Swallow).await; // every open connection, now
//! proxy.ambush(3, At::BeforeServer, Fault::Reset); // the third flight from now
//! # Ok(())
//! # }
//! ```

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

mod flow;
#[cfg(test)]
mod tests;

use flow::Flow;

/// What can happen to an open connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Both ends get a RST: the peer crashed, or a firewall lost the flow and says so.
    Reset,
    /// Both ends get a FIN: the peer closed the connection.
    Close,
    /// Both sockets stay open and every byte is lost, as when a NAT silently forgot the flow. When
    /// the client closes its end, the server's end stays open until another fault comes or the proxy
    /// is dropped.
    Swallow,
}

/// The place in a round trip where an [ambush](Proxy::ambush) waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// The flight has arrived at the proxy, and does not reach the server.
    BeforeServer,
    /// The server has answered the flight. This many bytes of the answer reach the client.
    Answer(usize),
}

/// What the proxy has seen since it started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Clients' connections that are open now.
    pub open: usize,
    /// Connections that were ever accepted.
    pub ever: usize,
    /// The most connections that were open at once. A connection counts from its client's first byte
    /// on. By then the proxy has noticed the end of every connection that the client closed before.
    pub peak: usize,
    /// Flights of the clients that the server answered.
    pub round_trips: usize,
}

/// A proxy in front of one server. Dropping it closes the port and every connection.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Shared,
    /// Bound, but never listening. It keeps the port while connections are refused.
    _reservation: TcpSocket,
}

impl Proxy {
    /// Listens on a free port of the loopback interface and relays to `upstream`.
    ///
    /// # Errors
    ///
    /// There is no free port.
    pub async fn start(upstream: SocketAddr) -> io::Result<Self> {
        let reservation = socket((Ipv4Addr::LOCALHOST, 0).into())?;
        let address = reservation.local_addr()?;
        let proxy = Self {
            address,
            shared: Shared::new(upstream),
            _reservation: reservation,
        };
        proxy.relay()?;
        Ok(proxy)
    }

    /// Where clients connect to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What was seen so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared.lock().counts
    }

    /// Delays every byte by this much in each direction.
    pub fn delay(&self, to_server: Duration, to_client: Duration) {
        self.shared.lock().delay = Delay {
            to_server,
            to_client,
        };
    }

    /// Causes `fault` on every open connection, and returns when that is done.
    pub async fn strike(&self, fault: Fault) {
        let commands = self.shared.lock().commands.clone();
        for flow in commands.values() {
            let (done, struck) = oneshot::channel();
            // Either end of the channel is gone only when the connection is.
            if flow.send((fault, done)).is_ok() {
                struck.await.unwrap_or_default();
            }
        }
    }

    /// Causes `fault` on the connection that sends the `flight`-th flight from now. Flights are counted
    /// from 1 over all connections. There is one ambush at a time: a new one replaces the old one.
    pub fn ambush(&self, flight: usize, at: At, fault: Fault) {
        let action = Action::Strike(fault);
        self.shared.lock().ambush = Some(Ambush { flight, at, action });
    }

    /// Holds the flight until the returned value is dropped, so that a test can do something to the
    /// server in the middle of an exchange. Then the flight goes on. If its answer was held, the
    /// connection is reset.
    #[must_use]
    pub fn hold(&self, flight: usize, at: At) -> Hold {
        let reached = Arc::new(AtomicBool::new(false));
        let (release, released) = oneshot::channel();
        let action = Action::Hold(Held {
            reached: Arc::clone(&reached),
            released,
        });
        self.shared.lock().ambush = Some(Ambush { flight, at, action });
        Hold {
            reached,
            _release: release,
        }
    }

    /// Removes an ambush that no flight has met, and returns whether there was one.
    pub fn lift_ambush(&self) -> bool {
        self.shared.lock().ambush.take().is_some()
    }

    /// Refuses new connections, and keeps the port. Open ones are not touched.
    pub async fn refuse(&self) {
        let acceptor = self.shared.lock().acceptor.take();
        if let Some(acceptor) = acceptor {
            acceptor.abort();
            // The port is closed once the task has ended.
            acceptor.await.unwrap_or_default();
        }
    }

    /// Relays new connections again.
    ///
    /// # Errors
    ///
    /// The proxy cannot listen on its port again.
    pub fn relay(&self) -> io::Result<()> {
        let mut state = self.shared.lock();
        if state.acceptor.is_none() {
            let listener = listen(self.address)?;
            state.acceptor = Some(tokio::spawn(accept(listener, self.shared.clone())));
        }
        Ok(())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.closed = true;
        if let Some(acceptor) = state.acceptor.take() {
            acceptor.abort();
        }
        state.flows.abort_all();
    }
}

/// A fault for a connection to cause, and where to report that it is done.
type Command = (Fault, oneshot::Sender<()>);

#[derive(Debug)]
struct State {
    upstream: SocketAddr,
    delay: Delay,
    ambush: Option<Ambush>,
    counts: Counts,
    /// How many open connections have clients that have sent something.
    speaking: usize,
    /// The way to each open connection.
    commands: HashMap<usize, mpsc::UnboundedSender<Command>>,
    flows: JoinSet<()>,
    /// Accepts connections, unless they are refused.
    acceptor: Option<JoinHandle<()>>,
    /// Whether the proxy is dropped. A connection may have been accepted just before.
    closed: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Delay {
    to_server: Duration,
    to_client: Duration,
}

#[derive(Debug)]
struct Ambush {
    flight: usize,
    at: At,
    action: Action,
}

/// What happens to a flight in an ambush.
#[derive(Debug)]
enum Action {
    Strike(Fault),
    Hold(Held),
}

/// A flight's side of a [`Hold`].
#[derive(Debug)]
struct Held {
    reached: Arc<AtomicBool>,
    released: oneshot::Receiver<()>,
}

impl Held {
    async fn wait(self) {
        self.reached.store(true, Ordering::SeqCst);
        // Nothing is sent: the other end is dropped.
        self.released.await.unwrap_or_default();
    }
}

/// Holds a flight from its arrival until the value is dropped.
#[derive(Debug)]
pub struct Hold {
    reached: Arc<AtomicBool>,
    _release: oneshot::Sender<()>,
}

impl Hold {
    /// Whether the flight has arrived.
    #[must_use]
    pub fn is_reached(&self) -> bool {
        self.reached.load(Ordering::SeqCst)
    }
}

#[derive(Debug, Clone)]
struct Shared(Arc<Mutex<State>>);

impl Shared {
    fn new(upstream: SocketAddr) -> Self {
        Self(Arc::new(Mutex::new(State {
            upstream,
            delay: Delay::default(),
            ambush: None,
            counts: Counts::default(),
            speaking: 0,
            commands: HashMap::new(),
            flows: JoinSet::new(),
            acceptor: None,
            closed: false,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a connection and relays it, unless the proxy is dropped.
    fn spawn_flow(&self, client: TcpStream) {
        let (commands, received) = mpsc::unbounded_channel();
        let mut state = self.lock();
        if state.closed {
            return;
        }
        let id = state.counts.ever;
        state.counts.ever += 1;
        state.counts.open += 1;
        state.commands.insert(id, commands);
        let open = Open {
            id,
            shared: self.clone(),
            counted: true,
            has_spoken: false,
        };
        // Those that have ended are let go.
        while state.flows.try_join_next().is_some() {}
        state.flows.spawn(Flow { client, open }.run(received));
    }
}

/// A connection that is in the counts until this is dropped.
struct Open {
    id: usize,
    shared: Shared,
    counted: bool,
    has_spoken: bool,
}

impl Open {
    /// Counts a flight that begins, and returns the ambush that it meets.
    fn begin_flight(&mut self) -> Option<Ambush> {
        let mut state = self.shared.lock();
        if !std::mem::replace(&mut self.has_spoken, true) {
            state.speaking += 1;
            state.counts.peak = state.counts.peak.max(state.speaking);
        }
        let ambush = state.ambush.as_mut()?;
        ambush.flight = ambush.flight.saturating_sub(1);
        (ambush.flight == 0).then(|| state.ambush.take()).flatten()
    }

    /// Stops counting the connection when its client has closed it. The server's end may live on.
    fn client_left(&mut self) {
        if std::mem::take(&mut self.counted) {
            let mut state = self.shared.lock();
            state.counts.open -= 1;
            state.speaking -= usize::from(self.has_spoken);
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.client_left();
        self.shared.lock().commands.remove(&self.id);
    }
}

fn socket(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    Ok(socket)
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    socket(address)?.listen(1024)
}

async fn accept(listener: TcpListener, shared: Shared) {
    loop {
        match listener.accept().await {
            Ok((client, _)) => shared.spawn_flow(client),
            // The process may have too many files open for a moment.
            Err(_) => sleep(Duration::from_millis(10)).await,
        }
    }
}
