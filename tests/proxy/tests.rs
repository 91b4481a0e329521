use std::sync::atomic::AtomicUsize;
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::eventually_holds;

/// A server that answers each message with the message itself, and counts them.
struct Echo {
    address: SocketAddr,
    messages: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Echo {
    async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let messages = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&messages);
        let task = tokio::spawn(async move {
            let mut clients = JoinSet::new();
            while let Ok((mut client, _)) = listener.accept().await {
                let seen = Arc::clone(&seen);
                clients.spawn(async move {
                    let mut bytes = [0; 64];
                    while let Ok(read @ 1..) = client.read(&mut bytes).await {
                        seen.fetch_add(1, Ordering::SeqCst);
                        client.write_all(&bytes[..read]).await.unwrap();
                    }
                });
            }
        });
        Self {
            address,
            messages,
            task,
        }
    }
}

async fn connect(proxy: &Proxy) -> TcpStream {
    TcpStream::connect(proxy.address()).await.unwrap()
}

/// A proxy before a server, and a client that has had an answer.
async fn proxied() -> (Echo, Proxy, TcpStream) {
    let echo = Echo::start().await;
    let proxy = Proxy::start(echo.address).await.unwrap();
    let mut client = connect(&proxy).await;
    ask(&mut client, "hello").await.unwrap();
    (echo, proxy, client)
}

async fn assert_relays(proxy: &Proxy) {
    let answer = ask(&mut connect(proxy).await, "hello").await;
    assert_eq!(answer.unwrap(), "hello");
}

async fn assert_refuses(address: SocketAddr) {
    let refused = TcpStream::connect(address).await;
    assert_eq!(kind(refused), io::ErrorKind::ConnectionRefused);
}

fn assert_reset(answer: io::Result<String>) {
    assert_eq!(kind(answer), io::ErrorKind::ConnectionReset);
}

/// Sends a message and reads the answer.
async fn ask(client: &mut TcpStream, message: &str) -> io::Result<String> {
    client.write_all(message.as_bytes()).await?;
    read(client).await
}

/// Sends a message, and asserts that there is no answer.
async fn ask_in_vain(client: &mut TcpStream, message: &str) {
    client.write_all(message.as_bytes()).await.unwrap();
    assert_silent(client).await;
}

async fn read(client: &mut TcpStream) -> io::Result<String> {
    within(Duration::from_secs(60), client).await
}

async fn assert_silent(client: &mut TcpStream) {
    let nothing = within(Duration::from_millis(500), client).await;
    assert_eq!(kind(nothing), io::ErrorKind::TimedOut);
}

async fn within(limit: Duration, client: &mut TcpStream) -> io::Result<String> {
    let mut bytes = [0; 64];
    let read = tokio::time::timeout(limit, client.read(&mut bytes)).await??;
    Ok(String::from_utf8(bytes[..read].to_vec()).unwrap())
}

fn kind<T: std::fmt::Debug>(result: io::Result<T>) -> io::ErrorKind {
    result.unwrap_err().kind()
}

#[tokio::test]
async fn counts_connections_and_round_trips() {
    let echo = Echo::start().await;
    let proxy = Proxy::start(echo.address).await.unwrap();
    let mut first = connect(&proxy).await;
    let mut second = connect(&proxy).await;
    for message in ["one", "two", "three"] {
        assert_eq!(ask(&mut first, message).await.unwrap(), message);
    }
    assert_eq!(ask(&mut second, "four").await.unwrap(), "four");
    let counts = |open| Counts {
        open,
        ever: 2,
        peak: 2,
        round_trips: 4,
    };
    assert_eq!(proxy.counts(), counts(2));
    drop(first);
    eventually_holds("one connection is open", async || {
        proxy.counts() == counts(1)
    })
    .await;
}

#[tokio::test]
async fn resets_or_closes_open_connections_and_relays_new_ones() {
    let (_echo, proxy, mut client) = proxied().await;
    proxy.strike(Fault::Reset).await;
    assert_eq!(proxy.counts().open, 0);
    assert_reset(read(&mut client).await);

    let mut client = connect(&proxy).await;
    ask(&mut client, "hello").await.unwrap();
    proxy.strike(Fault::Close).await;
    assert_eq!(read(&mut client).await.unwrap(), "");

    assert_relays(&proxy).await;
}

#[tokio::test]
async fn swallows_bytes_silently() {
    let (echo, proxy, mut lost) = proxied().await;
    proxy.strike(Fault::Swallow).await;
    ask_in_vain(&mut lost, "hello?").await;
    assert_relays(&proxy).await;

    // A swallowed flow stays silent, and can still be reset.
    ask_in_vain(&mut lost, "hello?").await;
    assert_eq!(echo.messages.load(Ordering::SeqCst), 2);
    proxy.strike(Fault::Reset).await;
    assert_reset(read(&mut lost).await);
}

#[tokio::test]
async fn a_swallowed_connection_is_not_counted_once_its_client_left() {
    let (_echo, proxy, lost) = proxied().await;
    proxy.strike(Fault::Swallow).await;
    drop(lost);
    eventually_holds("no connection is open", async || proxy.counts().open == 0).await;
}

#[tokio::test]
async fn refuses_and_later_relays_on_the_same_port() {
    let (_echo, proxy, mut old) = proxied().await;
    proxy.refuse().await;
    assert_refuses(proxy.address()).await;
    assert_eq!(ask(&mut old, "still here").await.unwrap(), "still here");
    proxy.relay().unwrap();
    assert_relays(&proxy).await;
}

#[tokio::test]
async fn loses_the_answer_to_a_flight() {
    let echo = Echo::start().await;
    let proxy = Proxy::start(echo.address).await.unwrap();
    let mut client = connect(&proxy).await;
    proxy.ambush(1, At::Answer(0), Fault::Reset);
    assert_reset(ask(&mut client, "commit").await);
    assert_eq!(echo.messages.load(Ordering::SeqCst), 1);
    assert!(!proxy.lift_ambush());
}

#[tokio::test]
async fn cuts_the_nth_flight_before_the_server_or_in_its_answer() {
    let echo = Echo::start().await;
    let proxy = Proxy::start(echo.address).await.unwrap();
    let mut client = connect(&proxy).await;
    proxy.ambush(2, At::BeforeServer, Fault::Close);
    ask(&mut client, "one").await.unwrap();
    assert!(proxy.lift_ambush());
    ask(&mut client, "one").await.unwrap();
    proxy.ambush(2, At::BeforeServer, Fault::Close);
    ask(&mut client, "one").await.unwrap();
    // On some systems, unread bytes turn the FIN into a RST.
    ask(&mut client, "two").await.unwrap_or_default();
    assert_eq!(echo.messages.load(Ordering::SeqCst), 3);

    let mut client = connect(&proxy).await;
    proxy.ambush(1, At::Answer(3), Fault::Close);
    assert_eq!(ask(&mut client, "abcdef").await.unwrap(), "abc");
    assert_eq!(read(&mut client).await.unwrap(), "");

    let mut client = connect(&proxy).await;
    proxy.ambush(1, At::Answer(3), Fault::Swallow);
    assert_eq!(ask(&mut client, "abcdef").await.unwrap(), "abc");
    assert_silent(&mut client).await;
}

#[tokio::test]
async fn holds_a_flight_or_its_answer() {
    let echo = Echo::start().await;
    let proxy = Proxy::start(echo.address).await.unwrap();
    let mut client = connect(&proxy).await;
    let hold = proxy.hold(1, At::BeforeServer);
    assert!(!hold.is_reached());
    ask_in_vain(&mut client, "one").await;
    assert!(hold.is_reached());
    assert_eq!(echo.messages.load(Ordering::SeqCst), 0);
    drop(hold);
    assert_eq!(read(&mut client).await.unwrap(), "one");

    let hold = proxy.hold(1, At::Answer(0));
    client.write_all(b"two").await.unwrap();
    eventually_holds("the answer is held", async || hold.is_reached()).await;
    assert_eq!(echo.messages.load(Ordering::SeqCst), 2);
    drop(hold);
    assert_reset(read(&mut client).await);
}

#[tokio::test]
async fn delays_and_notices_a_server_that_is_down() {
    let echo = Echo::start().await;
    let proxy = Proxy::start(echo.address).await.unwrap();
    let mut client = connect(&proxy).await;
    proxy.delay(Duration::from_millis(30), Duration::from_millis(20));
    let start = Instant::now();
    ask(&mut client, "hello").await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(50));

    // A server that is down looks like a connection that ends at once.
    echo.task.abort();
    echo.task.await.unwrap_err();
    let result = ask(&mut connect(&proxy).await, "hello").await;
    assert_ne!(result.unwrap_or_default(), "hello");
}

#[tokio::test]
async fn dropping_the_proxy_ends_everything() {
    let (_echo, proxy, mut client) = proxied().await;
    let address = proxy.address();
    drop(proxy);
    assert_ne!(
        ask(&mut client, "hello?").await.unwrap_or_default(),
        "hello?"
    );
    assert_refuses(address).await;
}
