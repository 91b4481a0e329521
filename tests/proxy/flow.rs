//! One connection through the proxy.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

use super::{Action, Ambush, At, Command, Fault, Open};

/// A client's connection and the one behind it.
pub(super) struct Flow {
    pub(super) client: TcpStream,
    pub(super) open: Open,
}

impl Flow {
    /// Relays until an end closes, an ambush is met or a command comes. Then causes the fault.
    pub(super) async fn run(mut self, mut commands: mpsc::UnboundedReceiver<Command>) {
        let mut server = None;
        let (mut fault, mut done) = tokio::select! {
            biased;
            command = commands.recv() => command.unzip(),
            end = self.relay(&mut server) => (Some(end), None),
        };
        while fault == Some(Fault::Swallow) {
            done.take().map(|done: oneshot::Sender<()>| done.send(()));
            tokio::select! {
                command = commands.recv() => (fault, done) = command.unzip(),
                () = self.swallow(&mut server) => {}
            }
        }
        if fault == Some(Fault::Reset) {
            for end in [Some(&self.client), server.as_ref()].into_iter().flatten() {
                // An end that is gone already needs no RST.
                end.set_zero_linger().ok();
            }
        }
        drop((self, server));
        done.map(|done| done.send(()));
    }

    /// Relays until an end closes or an ambush is met. Returns how the connection ends.
    async fn relay(&mut self, upstream: &mut Option<TcpStream>) -> Fault {
        let address = self.open.shared.lock().upstream;
        let Ok(connected) = TcpStream::connect(address).await else {
            return Fault::Reset;
        };
        let server = upstream.insert(connected);
        // Otherwise a delayed acknowledgement may hold up a small packet for 40 ms.
        server.set_nodelay(true).ok();
        self.client.set_nodelay(true).ok();
        match exchange(&mut self.client, server, &mut self.open).await {
            Ok(fault) => fault,
            Err(_) => Fault::Reset,
        }
    }

    /// Reads what both ends send and drops it. Returns when the client has left, and may be called
    /// again.
    async fn swallow(&mut self, server: &mut Option<TcpStream>) {
        let from_client = async {
            if self.open.counted {
                devour(&mut self.client).await;
            } else {
                std::future::pending().await
            }
        };
        let from_server = async {
            if let Some(server) = server {
                devour(server).await;
            }
            std::future::pending().await
        };
        tokio::select! {
            () = from_client => self.open.client_left(),
            () = from_server => {}
        }
    }
}

/// Reads until the peer closes.
async fn devour(stream: &mut TcpStream) {
    let mut bytes = [0; 4096];
    while stream.read(&mut bytes).await.is_ok_and(|read| read > 0) {}
}

/// Passes bytes on in both directions. Database protocols take turns, so one direction at a time is
/// enough, and each change of turns from client to server and back is a round trip.
async fn exchange(
    client: &mut TcpStream,
    server: &mut TcpStream,
    open: &mut Open,
) -> io::Result<Fault> {
    let (mut sent, mut answered) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    let shared = open.shared.clone();
    let mut in_flight = false;
    let mut met: Option<(usize, Action)> = None;
    loop {
        tokio::select! {
            read = client.read(&mut sent) => {
                let bytes = sent.get(..read?).unwrap_or_default();
                if bytes.is_empty() {
                    return Ok(Fault::Close);
                }
                if !std::mem::replace(&mut in_flight, true) {
                    match open.begin_flight() {
                        Some(Ambush { at: At::BeforeServer, action: Action::Strike(fault), .. }) => return Ok(fault),
                        Some(Ambush { at: At::BeforeServer, action: Action::Hold(held), .. }) => held.wait().await,
                        Some(Ambush { at: At::Answer(bytes), action, .. }) => met = Some((bytes, action)),
                        None => {}
                    }
                }
                let delay = shared.lock().delay.to_server;
                pass(bytes, server, delay).await?;
            }
            read = server.read(&mut answered) => {
                let mut bytes = answered.get(..read?).unwrap_or_default();
                if bytes.is_empty() {
                    return Ok(Fault::Close);
                }
                if std::mem::replace(&mut in_flight, false) {
                    shared.lock().counts.round_trips += 1;
                }
                if let Some((left, _)) = &mut met {
                    bytes = bytes.get(..*left).unwrap_or(bytes);
                    *left -= bytes.len();
                }
                let delay = shared.lock().delay.to_client;
                pass(bytes, client, delay).await?;
                match met.take_if(|(left, _)| *left == 0) {
                    Some((_, Action::Strike(fault))) => return Ok(fault),
                    Some((_, Action::Hold(held))) => {
                        held.wait().await;
                        return Ok(Fault::Reset);
                    }
                    None => {}
                }
            }
        }
    }
}

async fn pass(bytes: &[u8], to: &mut TcpStream, delay: Duration) -> io::Result<()> {
    if !delay.is_zero() {
        sleep(delay).await;
    }
    to.write_all(bytes).await
}
