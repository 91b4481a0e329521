//! The same work at the database without a function around it: the floor of what a function adds.
//!
//! - `bare connect` fetches the secret, logs in, and ends.
//! - `bare statements` has a connection open. For each line that it reads, such as `find 50`, it runs
//!   that statement so many times, and writes the nanoseconds of each in one line.
//! - `bare at-once 5 1000` runs `find` on five connections for 1000 ms, and writes how often.
//! - `bare` is a function that runs the statement of `BENCH_STATEMENT` for each event, and nothing else.
//!   So it shows what Lambda's runtime and the driver take together in one process.

use std::io::{BufRead, Write, stdin, stdout};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use aws_sdk_secretsmanager::Client;
use lambda_runtime::{Error, LambdaEvent, Runtime, service_fn};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder, Params, Row, SslOpts};
use orders::statements::{FIND_ORDER, LIST_ORDERS};
use serde::Deserialize;
use tokio::runtime::Builder;
use tokio::sync::Semaphore;

/// The login as the secret has it.
#[derive(Deserialize)]
struct Login {
    host: String,
    port: u16,
    username: String,
    password: String,
    dbname: String,
}

fn main() -> anyhow::Result<()> {
    lambda::tls::install_provider();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let one_thread = || Builder::new_current_thread().enable_all().build();
    match arguments.as_slice() {
        ["connect"] => one_thread()?.block_on(async {
            connect().await?;
            anyhow::Ok(writeln!(stdout(), "connected")?)
        }),
        ["statements"] => one_thread()?.block_on(statements()),
        ["at-once", connections, milliseconds] => {
            let duration = Duration::from_millis(milliseconds.parse()?);
            let threads = Builder::new_multi_thread().enable_all().build()?;
            threads.block_on(at_once(connections.parse()?, duration))
        }
        [] => match std::env::var_os("AWS_LAMBDA_MAX_CONCURRENCY") {
            Some(_) => {
                let threads = Builder::new_multi_thread().enable_all().build()?;
                threads.block_on(serve(10))
            }
            None => one_thread()?.block_on(serve(1)),
        },
        _ => bail!("bare [connect | statements | at-once CONNECTIONS MILLISECONDS]"),
    }
}

async fn connect() -> anyhow::Result<Conn> {
    let id = std::env::var("DATABASE_SECRET_ID")?;
    let secrets = Client::new(&lambda::aws::config());
    let secret = secrets.get_secret_value().secret_id(id).send().await?;
    let login: Login = serde_json::from_str(secret.secret_string().context("no secret")?)?;
    let authority = std::path::PathBuf::from(std::env::var("DATABASE_CA_FILE")?);
    let tls = SslOpts::default()
        .with_root_certs(vec![authority.into()])
        .with_disable_built_in_roots(true);
    let options: Opts = OptsBuilder::default()
        .ip_or_hostname(login.host)
        .tcp_port(login.port)
        .user(Some(login.username))
        .pass(Some(login.password))
        .db_name(Some(login.dbname))
        .prefer_socket(false)
        // What the server would otherwise be asked for.
        .max_allowed_packet(Some(64 * 1024 * 1024))
        .wait_timeout(Some(28_800))
        .ssl_opts(tls)
        .into();
    Ok(Conn::new(options).await?)
}

/// The parameters of the statements are in the environment, as the bench knows the order.
fn statement(name: &str) -> anyhow::Result<(String, Params)> {
    let order = uuid::Uuid::parse_str(&std::env::var("BENCH_ORDER")?)?;
    Ok(match name {
        "find" => (
            FIND_ORDER.sql().to_owned(),
            (order.as_bytes().as_slice(),).into(),
        ),
        "list" => {
            let customer = std::env::var("BENCH_CUSTOMER")?;
            let parameters = (customer, [0xff_u8; 16].as_slice(), 11);
            (LIST_ORDERS.sql().to_owned(), parameters.into())
        }
        _ => bail!("no statement {name}"),
    })
}

async fn statements() -> anyhow::Result<()> {
    let mut connection = connect().await?;
    for line in stdin().lock().lines() {
        let line = line?;
        let (name, times) = line.split_once(' ').context("find 50, for example")?;
        let (sql, parameters) = statement(name)?;
        let mut took = Vec::new();
        for _ in 0..times.parse()? {
            let began = Instant::now();
            let rows: Vec<Row> = connection.exec(&sql, &parameters).await?;
            took.push(began.elapsed().as_nanos().to_string());
            anyhow::ensure!(!rows.is_empty(), "no rows");
        }
        writeln!(stdout(), "{}", took.join(" "))?;
    }
    Ok(())
}

async fn at_once(connections: usize, duration: Duration) -> anyhow::Result<()> {
    let mut open = Vec::new();
    for _ in 0..connections {
        let mut connection = connect().await?;
        let (sql, parameters) = statement("find")?;
        // Prepared before the time begins.
        connection.exec_drop(&sql, &parameters).await?;
        open.push((connection, sql, parameters));
    }
    let end = Instant::now() + duration;
    let running = open.into_iter().map(|(mut connection, sql, parameters)| {
        tokio::spawn(async move {
            let mut times = 0_u64;
            while Instant::now() < end {
                let _: Vec<Row> = connection.exec(&sql, &parameters).await?;
                times += 1;
            }
            anyhow::Ok(times)
        })
    });
    let running: Vec<_> = running.collect();
    let mut times = 0;
    for one in running {
        times += one.await??;
    }
    Ok(writeln!(stdout(), "{times}")?)
}

/// What the invocations of the function share.
struct Shared {
    free: Semaphore,
    connections: Mutex<Vec<Conn>>,
    sql: String,
    parameters: Params,
}

/// By default there are as many connections as the functions have for the bench's events.
async fn serve(default: usize) -> anyhow::Result<()> {
    let (sql, parameters) = statement(&std::env::var("BENCH_STATEMENT")?)?;
    let count = match std::env::var("DATABASE_POOL_MAX").as_deref() {
        Ok("") | Err(_) => default,
        Ok(count) => count.parse()?,
    };
    let mut connections = Vec::new();
    for _ in 0..count {
        let mut connection = connect().await?;
        connection.exec_drop(&sql, &parameters).await?;
        connections.push(connection);
    }
    let shared = Arc::new(Shared {
        free: Semaphore::new(count),
        connections: Mutex::new(connections),
        sql,
        parameters,
    });
    let handler = service_fn(move |_: LambdaEvent<ApiGatewayV2httpRequest>| {
        let shared = Arc::clone(&shared);
        async move { shared.answer().await.map_err(Error::from) }
    });
    match Runtime::new(handler).run_concurrent().await {
        Ok(()) => Ok(()),
        Err(error) => bail!("the runtime has ended: {error}"),
    }
}

impl Shared {
    async fn answer(&self) -> anyhow::Result<ApiGatewayV2httpResponse> {
        let _free = self.free.acquire().await?;
        let connections = || {
            self.connections
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        let mut connection = connections().pop().context("no connection is free")?;
        let rows = connection.exec(&self.sql, &self.parameters).await;
        connections().push(connection);
        let rows: Vec<Row> = rows?;
        anyhow::ensure!(!rows.is_empty(), "no rows");
        let mut answer = ApiGatewayV2httpResponse::default();
        answer.status_code = 200;
        Ok(answer)
    }
}
