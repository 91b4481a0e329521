//! Lambda's Runtime API and a Secrets Manager, in a few lines over plain sockets. They answer within
//! microseconds also in a debug build. The tests' stand-ins for both take longer than a function does,
//! and what is measured would be them.

use std::collections::{HashMap, VecDeque};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, ensure};

/// No answer takes longer. Lambda's own limit for a start is 10 s.
const PATIENCE: Duration = Duration::from_secs(20);

/// What one function talks to.
pub struct RuntimeApi {
    address: SocketAddr,
    shared: Arc<Shared>,
    answers: Receiver<Answer>,
}

/// An answered event.
pub struct Answer {
    /// From when the event was about to be sent until the answer had been read.
    pub took: Duration,
    /// When it had been read.
    pub at: Instant,
    /// What the function said.
    pub body: String,
}

struct Shared {
    secret: String,
    state: Mutex<State>,
    /// Told of each event, and when all is over.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    events: VecDeque<Arc<str>>,
    /// When the events were sent that the function works on, by their ids.
    sent: HashMap<u64, Instant>,
    ids: u64,
    /// Whether the function is gone for the bench.
    over: bool,
}

impl RuntimeApi {
    /// Listens on a free port. The secret is given to whoever asks.
    pub fn start(secret: String) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            secret,
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let (answered, answers) = channel();
        let serving = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if serving.lock().over {
                    break;
                }
                let (shared, answered) = (Arc::clone(&serving), answered.clone());
                // A connection that breaks is the function's end.
                thread::spawn(move || {
                    Connection {
                        stream,
                        shared,
                        answered,
                    }
                    .serve()
                });
            }
        });
        Ok(Self {
            address,
            shared,
            answers,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends an event when the function asks for the next one.
    pub fn send(&self, event: &Arc<str>) {
        self.shared.lock().events.push_back(Arc::clone(event));
        self.shared.changed.notify_one();
    }

    /// The next answer. One that does not say 200 is an error, and so is a failed invocation: how long
    /// they take says nothing.
    pub fn answer(&self) -> anyhow::Result<Answer> {
        let answer = self.answers.recv_timeout(PATIENCE).context("no answer")?;
        let body = &answer.body;
        ensure!(body.contains(r#""statusCode":200"#), "it answers {body}");
        Ok(answer)
    }

    /// Keeps `width` events at the function for as long, and says how many it answered in a second.
    pub fn at_once(
        &self,
        event: &Arc<str>,
        width: usize,
        duration: Duration,
    ) -> anyhow::Result<f64> {
        for _ in 0..width {
            self.send(event);
        }
        let began = Instant::now();
        let mut count = 0_u32;
        while began.elapsed() < duration {
            self.answer()?;
            self.send(event);
            count += 1;
        }
        let rate = f64::from(count) / began.elapsed().as_secs_f64();
        // The rest is answered before the next measurement begins.
        for _ in 0..width {
            self.answer()?;
        }
        Ok(rate)
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.shared.lock().over = true;
        self.shared.changed.notify_all();
        // It waits for a connection.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for an event to send.
    fn next(&self) -> Option<(u64, Arc<str>)> {
        let mut state = self.lock();
        loop {
            if state.over {
                return None;
            }
            if let Some(event) = state.events.pop_front() {
                state.ids += 1;
                let id = state.ids;
                state.sent.insert(id, Instant::now());
                return Some((id, event));
            }
            let waited = self.changed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

struct Connection {
    stream: TcpStream,
    shared: Arc<Shared>,
    answered: Sender<Answer>,
}

impl Connection {
    fn serve(mut self) -> io::Result<()> {
        self.stream.set_nodelay(true)?;
        let mut buffer = Vec::new();
        while let Some((path, body)) = read(&mut self.stream, &mut buffer)? {
            let at = Instant::now();
            let names: Vec<&str> = path.trim_matches('/').split('/').collect();
            match names.as_slice() {
                [""] => {
                    let secret = serde_json::json!({
                        "ARN": "arn", "Name": "bench", "VersionId": "1",
                        "VersionStages": ["AWSCURRENT"], "SecretString": self.shared.secret,
                    });
                    self.write("200 OK", "", &secret.to_string())?;
                }
                [_, "extension", "register"] => self.write(
                    "200 OK",
                    "Lambda-Extension-Identifier: bench\r\n",
                    r#"{"functionName": "bench", "functionVersion": "1", "handler": "bootstrap"}"#,
                )?,
                // There is no event for it.
                [_, "extension", "event", "next"] => {}
                [.., "invocation", "next"] => {
                    let Some((id, event)) = self.shared.next() else {
                        break;
                    };
                    let deadline = SystemTime::now() + PATIENCE;
                    let deadline = deadline.duration_since(SystemTime::UNIX_EPOCH);
                    let headers = format!(
                        "Lambda-Runtime-Aws-Request-Id: {id}\r\n\
                         Lambda-Runtime-Deadline-Ms: {}\r\n\
                         Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:123456789012:function:bench\r\n\
                         Lambda-Runtime-Trace-Id: Root=1-5e6722a7-cc56ed00db42da79ae02d4a7;Sampled=0\r\n",
                        deadline.unwrap_or_default().as_millis(),
                    );
                    self.write("200 OK", &headers, &event)?;
                }
                [.., id, _] => {
                    self.finish(id.parse().unwrap_or_default(), body, at);
                    self.write("202 Accepted", "", "")?;
                }
                _ => self.write("404 Not Found", "", "")?,
            }
        }
        Ok(())
    }

    /// Takes the answer to an event, or an error.
    fn finish(&self, id: u64, body: String, at: Instant) {
        let sent = self.shared.lock().sent.remove(&id);
        let took = sent.map_or(Duration::ZERO, |began| at - began);
        // Nobody waits for it at the end.
        let _ = self.answered.send(Answer { took, at, body });
    }

    fn write(&mut self, status: &str, headers: &str, body: &str) -> io::Result<()> {
        let length = body.len();
        let kind = "Content-Type: application/json";
        let answer = format!(
            "HTTP/1.1 {status}\r\n{kind}\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
        );
        self.stream.write_all(answer.as_bytes())
    }
}

/// Reads a request: its path and its body. There is none when the peer has closed the connection.
fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<Option<(String, String)>> {
    let mut piece = [0; 16 * 1024];
    loop {
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut request = httparse::Request::new(&mut headers);
        let parsed = request.parse(buffer).map_err(io::Error::other)?;
        if let httparse::Status::Complete(head) = parsed {
            let path = request.path.unwrap_or_default().to_owned();
            let header = |name| {
                let mut headers = request.headers.iter();
                headers.find(|header| header.name.eq_ignore_ascii_case(name))
            };
            let rest = buffer.get(head..).unwrap_or_default();
            let body = if header("transfer-encoding").is_some() {
                chunks(rest)?
            } else {
                let length = header("content-length");
                let length =
                    length.and_then(|one| std::str::from_utf8(one.value).ok()?.parse().ok());
                let length = length.unwrap_or(0);
                rest.get(..length).map(|body| (body.to_vec(), length))
            };
            if let Some((body, length)) = body {
                let body = String::from_utf8_lossy(&body).into_owned();
                buffer.drain(..head + length);
                return Ok(Some((path, body)));
            }
        }
        match stream.read(&mut piece)? {
            0 => return Ok(None),
            count => buffer.extend(piece.iter().take(count)),
        }
    }
}

/// A body that is sent in chunks, and where it ends, if all of it is there. Go's runtime sends its answers
/// like this, with trailers.
fn chunks(sent: &[u8]) -> io::Result<Option<(Vec<u8>, usize)>> {
    let (mut body, mut at) = (Vec::new(), 0);
    loop {
        let rest = sent.get(at..).unwrap_or_default();
        let size = httparse::parse_chunk_size(rest);
        let size = size.map_err(|_| io::Error::other("a chunk has no size"))?;
        let httparse::Status::Complete((begin, length)) = size else {
            return Ok(None);
        };
        at += begin;
        let length = usize::try_from(length).map_err(io::Error::other)?;
        let rest = sent.get(at..).unwrap_or_default();
        if length == 0 {
            let mut trailers = [httparse::EMPTY_HEADER; 8];
            let end = httparse::parse_headers(rest, &mut trailers).map_err(io::Error::other)?;
            return Ok(match end {
                httparse::Status::Complete((end, _)) => Some((body, at + end)),
                httparse::Status::Partial => None,
            });
        }
        let Some(chunk) = rest.get(..length) else {
            return Ok(None);
        };
        body.extend_from_slice(chunk);
        at += length + "\r\n".len();
    }
}
