//! A server with scripted answers that records the requests.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

use super::*;

/// What the server does with one request.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Answers with a status, a header and a body.
    With(u16, &'static str, String),
    /// Ends the connection after it has read the request.
    Nothing,
}

/// One request as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Method and target, as in `GET /v1/…`.
    pub line: String,
    pub authorization: String,
    pub body: String,
}

/// A server with scripted answers.
pub struct Server {
    address: std::net::SocketAddr,
    /// A client of this server.
    pub client: PlanetScale,
    asked: Arc<Mutex<Vec<Received>>>,
}

impl Server {
    pub async fn answering(script: impl IntoIterator<Item = Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let mut script: VecDeque<_> = script.into_iter().collect();
        let kept = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let answer = script.pop_front();
                let answer = answer.unwrap_or_else(|| status(418));
                serve(stream, answer, &kept).await;
            }
        });
        let client = client_of(&format!("http://{address}"));
        Self {
            address,
            client,
            asked,
        }
    }

    pub fn address(&self) -> std::net::SocketAddr {
        self.address
    }

    /// The calls of a client of this server.
    pub fn calls(&self) -> Calls<'_> {
        self.client.until(Deadline::after(Duration::from_secs(20)))
    }

    pub fn received(&self) -> Vec<Received> {
        self.asked.lock().unwrap().clone()
    }

    /// Method and target of every request, without the path of the database.
    pub fn lines(&self) -> Vec<String> {
        let prefix = "/v1/organizations/acme/databases/orders";
        let asked = self.received().into_iter();
        asked.map(|asked| asked.line.replace(prefix, "")).collect()
    }
}

pub fn client_of(api_url: &str) -> PlanetScale {
    let settings = PlanetScaleSettings {
        api_url: api_url.parse().unwrap(),
        organization: "acme".to_owned(),
        database: "orders".to_owned(),
        keyspace: "orders".to_owned(),
        branch: "main".to_owned(),
        token_secret_id: String::new(),
        token_max_age: Duration::from_secs(1),
    };
    let token = ServiceToken {
        id: "token-id".to_owned(),
        token: "hunter2".into(),
    };
    let token = KeptSecret::fixed(token, Arc::new(SystemClock));
    PlanetScale::with_token(settings, token)
}

pub fn ok(body: impl ToString) -> Answer {
    Answer::With(200, "x-none: ", body.to_string())
}

pub fn status(status: u16) -> Answer {
    Answer::With(status, "x-none: ", String::new())
}

async fn serve(mut stream: TcpStream, answer: Answer, asked: &Mutex<Vec<Received>>) {
    let mut reader = BufReader::new(&mut stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).await.unwrap() == 0 || line == "\r\n" {
            break;
        }
        head.push(line.trim_end().to_owned());
    }
    let header = |name: &str| {
        let found = head.iter().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then(|| value.to_owned())
        });
        found.unwrap_or_default()
    };
    let mut body = vec![0; header("content-length").parse().unwrap_or(0)];
    reader.read_exact(&mut body).await.unwrap();
    asked.lock().unwrap().push(Received {
        line: head[0].trim_end_matches(" HTTP/1.1").to_owned(),
        authorization: header("authorization"),
        body: String::from_utf8(body).unwrap(),
    });
    if let Answer::With(status, header, body) = answer {
        let length = body.len();
        let text = format!(
            "HTTP/1.1 {status} Said\r\n{header}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        );
        stream.write_all(text.as_bytes()).await.unwrap();
    }
}
