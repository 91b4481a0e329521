//! Logging in, and deciding whether a pooled connection may be used once more.
//!
//! The bound, the waiting line and the idle connections of the pool are deadpool's work. It asks
//! [`Connector`] for a new connection, and whether an idle one may be used again.

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use deadpool::managed::{Manager, Metrics, RecycleError, RecycleResult};
use lambda::{
    clock::{Clock, Moment},
    metrics::{Metric, add},
    tls::DatabaseRoots,
    trace::subsegment,
};
use mysql_async::{
    Conn, Opts, OptsBuilder, SslOpts,
    consts::{CapabilityFlags, StatusFlags},
};
use mysql_common::packets::HandshakePacket;
use secrecy::ExposeSecret;
use secrets::{Current, Generation, KeptSecret, SecretError};

use super::{
    connection::{Connection, OLDER_LOGIN},
    failure::{Failure, Repeat},
    retries::pauses,
};
use crate::{login::Login, settings::PoolSettings};

/// PlanetScale's largest result. Because it is set here, the driver does not ask the server for it
/// when it connects.
const MAX_PACKET: usize = 64 * 1024 * 1024;

/// Has the driver compile the regular expressions with which it reads a server's version. It would
/// do so when the first server greets it, and that is two fifths of the CPU time of a start.
pub(super) fn ready_driver() {
    let greeting = HandshakePacket::new(
        10,
        b"8.0.0",
        0,
        [0; 8],
        None::<&[u8]>,
        CapabilityFlags::empty(),
        0,
        StatusFlags::empty(),
        None::<&[u8]>,
    );
    let _ = greeting.maria_db_server_version_parsed();
    let _ = greeting.server_version_parsed();
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error(transparent)]
    Failure(#[from] Failure),
    #[error("none became free in time")]
    NoneFree,
    #[error("the invocation's time is up")]
    OutOfTime,
    /// The pool is closing, because the execution environment ends.
    #[error("the pool is closed")]
    PoolClosed,
}

/// A connection, and what decides whether it may be used again.
pub(super) struct PooledConnection {
    pub(super) connection: Connection,
    pub(super) generation: Generation,
    born: Moment,
}

pub(super) struct Connector {
    login: KeptSecret<Login>,
    clock: Arc<dyn Clock>,
    settings: PoolSettings,
    /// The options without a login. The options with a login are made from these, so that all of them
    /// share one TLS connector and its session tickets.
    options: Opts,
    /// The time of the last answer on a connection that then went silent. A connection without an
    /// answer since that time is taken to be silent too.
    silent_since: Mutex<Option<Moment>>,
}

impl Connector {
    pub(super) fn new(
        login: KeptSecret<Login>,
        clock: Arc<dyn Clock>,
        settings: PoolSettings,
        roots: DatabaseRoots,
    ) -> Self {
        let mut tls = SslOpts::default();
        if let DatabaseRoots::Own(pem) = roots {
            tls = tls
                .with_root_certs(vec![pem.into()])
                .with_disable_built_in_roots(true);
        }
        let options = OptsBuilder::default()
            .ssl_opts(tls)
            .prefer_socket(false)
            .max_allowed_packet(Some(MAX_PACKET))
            .wait_timeout(Some(28_800))
            // Each connection keeps its prepared statements itself.
            .stmt_cache_size(0);
        Self {
            login,
            clock,
            settings,
            options: options.into(),
            silent_since: Mutex::new(None),
        }
    }

    /// The generation of the login to use now. If the login is too old, it is fetched again.
    pub(super) async fn generation(&self) -> Result<Generation, SecretError> {
        let current = self.login.current(self.settings.connect_timeout);
        Ok(current.await?.generation)
    }

    pub(super) fn now(&self) -> Moment {
        self.clock.now()
    }

    /// Whether the login of `generation` is the newest one that is known.
    pub(super) fn is_current(&self, generation: Generation) -> bool {
        self.login.newest() == Some(generation)
    }

    /// Logs in. If the obstacle may pass, it tries again for as long as the setting allows. If the
    /// login is refused, it asks for newer credentials.
    ///
    /// It is boxed, because it is rare and large: unboxed, it would swell the future of every
    /// invocation.
    pub(super) fn connect(
        &self,
    ) -> Pin<Box<dyn Future<Output = Result<PooledConnection, ConnectError>> + Send + '_>> {
        Box::pin(self.connect_in_time())
    }

    async fn connect_in_time(&self) -> Result<PooledConnection, ConnectError> {
        let started = Instant::now();
        let left = || {
            self.settings
                .connect_timeout
                .saturating_sub(started.elapsed())
        };
        let mut current = self.login.current(left()).await?;
        let mut pauses = pauses();
        let mut before: Option<Failure> = None;
        loop {
            // The first attempt leaves time for another, because its flow may go silent.
            let limit = if before.is_none() { left() / 2 } else { left() };
            let login = self.log_in(&current, limit);
            let failure = match subsegment("connect", login).await {
                Ok(connection) => return Ok(connection),
                Err(failure) => failure,
            };
            if failure.refuses_login() && failure != Failure::HostNotFound {
                add(Metric::LoginRefused, 1);
            }
            let rotated = match failure.refuses_login() {
                true => self.login.after_refusal(current.generation, left()).await?,
                false => None,
            };
            match rotated {
                Some(newest) if newest.generation != current.generation => {
                    tracing::info!(%failure, "the login was refused; a newer one is tried");
                    add(Metric::Retries, 1);
                    current = newest;
                    continue;
                }
                // A rotation may be under way.
                Some(_) => {}
                None if failure.repeat() == Repeat::Never => return Err(failure.into()),
                None => {}
            }
            // The limit ends the last attempt early, so the one before it says more.
            let failure = match (failure, before.take()) {
                (Failure::TimedOut, Some(before)) => before,
                (failure, _) => failure,
            };
            match pauses.next() {
                Some(pause) if pause < left() => tokio::time::sleep(pause).await,
                _ => return Err(failure.into()),
            }
            before = Some(failure);
            add(Metric::Retries, 1);
        }
    }

    async fn log_in(
        &self,
        login: &Current<Login>,
        limit: Duration,
    ) -> Result<PooledConnection, Failure> {
        let options = with_login(&self.options, &login.value);
        let conn = tokio::time::timeout(limit, Conn::new(options))
            .await
            .map_err(|_| Failure::TimedOut)??;
        add(Metric::ConnectionsOpened, 1);
        Ok(PooledConnection {
            connection: Connection::new(conn, Arc::clone(&self.clock)),
            generation: login.generation,
            born: self.clock.now(),
        })
    }

    /// Whether a connection that was idle may be used again. It asks the server only if the connection
    /// was idle for long.
    async fn may_serve(&self, pooled: &mut PooledConnection) -> bool {
        let connection = &mut pooled.connection;
        if !connection.is_open() {
            return false;
        }
        let now = self.clock.now();
        let idle = now.since(connection.answered());
        let unfit = [
            (!self.is_current(pooled.generation), OLDER_LOGIN),
            (now.since(pooled.born) >= self.settings.max_age, "too old"),
            (idle >= self.settings.max_idle, "idle for too long"),
            (self.is_silent(connection.answered()), "silent"),
        ];
        if let Some((_, cause)) = unfit.into_iter().find(|(applies, _)| *applies) {
            connection.close(cause).await;
            return false;
        }
        if idle < self.settings.ping_after {
            return true;
        }
        match connection.ping(self.settings.ping_timeout).await {
            Ok(()) => true,
            Err(failure) => {
                add(Metric::PingFailed, 1);
                tracing::info!(%failure, "an idle connection did not answer; another takes its place");
                if failure == Failure::TimedOut {
                    self.is_silent_since(connection.answered());
                }
                false
            }
        }
    }

    /// Notes that a connection has gone silent after its answer at this moment. Of several such
    /// moments, the latest counts.
    pub(super) fn is_silent_since(&self, answered: Moment) {
        let mut silence = self.silence();
        if silence.is_none_or(|before| before.monotonic < answered.monotonic) {
            *silence = Some(answered);
        }
    }

    fn is_silent(&self, answered: Moment) -> bool {
        self.silence().is_some_and(|silent| {
            answered.monotonic <= silent.monotonic && answered.wall <= silent.wall
        })
    }

    fn silence(&self) -> std::sync::MutexGuard<'_, Option<Moment>> {
        self.silent_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Manager for Connector {
    type Type = PooledConnection;
    type Error = ConnectError;

    async fn create(&self) -> Result<PooledConnection, ConnectError> {
        self.connect().await
    }

    async fn recycle(
        &self,
        connection: &mut PooledConnection,
        _: &Metrics,
    ) -> RecycleResult<ConnectError> {
        if self.may_serve(connection).await {
            Ok(())
        } else {
            Err(RecycleError::message("not fit to serve again"))
        }
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").finish_non_exhaustive()
    }
}

fn with_login(options: &Opts, login: &Login) -> OptsBuilder {
    OptsBuilder::from_opts(options.clone())
        .ip_or_hostname(login.host.as_str())
        .tcp_port(login.port)
        .user(Some(login.username.as_str()))
        .pass(Some(login.password.expose_secret()))
        .db_name(Some(login.database.as_str()))
}
