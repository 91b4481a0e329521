//! What the environment says about the database.

use std::{num::NonZeroUsize, path::Path, sync::Arc, time::Duration};

use lambda::{
    clock::Clock,
    settings::{Environment, Faults, Variable},
    tls::DatabaseRoots,
};
use percent_encoding::percent_decode_str;
use secrecy::SecretString;
use secrets::KeptSecret;
use url::Url;

use crate::login::{Login, is_host, is_name};

/// Every variable about the database that a function reads. Tests compare `template.yaml` and the
/// documentation with this table.
pub const VARIABLES: &[Variable] = &[
    Variable {
        name: "DATABASE_SECRET_ID",
        default: "",
        local: false,
        meaning: "name or ARN of the secret: JSON with `host`, `port`, `username`, `password`, `dbname`",
    },
    Variable {
        name: "DATABASE_URL",
        default: "",
        local: true,
        meaning: "used when no secret is named: `mysql://user:password@host:port/name`",
    },
    Variable {
        name: "DATABASE_CA_FILE",
        default: "",
        local: true,
        meaning: "PEM file of a CA of your own, in place of the built-in public roots",
    },
    Variable {
        name: "DATABASE_POOL_MAX",
        default: "2",
        local: false,
        meaning: "most connections of one execution environment, up to 999; with `AWS_LAMBDA_MAX_CONCURRENCY` set, the default is that number, but from 2 to 10",
    },
    Variable {
        name: "DATABASE_ACQUIRE_TIMEOUT_MS",
        default: "2000",
        local: false,
        meaning: "longest wait for a free connection of the pool",
    },
    Variable {
        name: "DATABASE_CONNECT_TIMEOUT_MS",
        default: "2000",
        local: false,
        meaning: "longest time to connect and log in, repetitions included",
    },
    Variable {
        name: "DATABASE_STATEMENT_TIMEOUT_MS",
        default: "5000",
        local: false,
        meaning: "longest time for one statement",
    },
    Variable {
        name: "DATABASE_PING_AFTER_MS",
        default: "5000",
        local: false,
        meaning: "a connection idle for longer is pinged before it is used",
    },
    Variable {
        name: "DATABASE_PING_TIMEOUT_MS",
        default: "300",
        local: false,
        meaning: "longest wait for the answer to that ping, and for the first sign of life of any other connection",
    },
    Variable {
        name: "DATABASE_MAX_IDLE_MS",
        default: "240000",
        local: false,
        meaning: "a connection idle for longer is replaced (NAT gateways forget flows after 350 s)",
    },
    Variable {
        name: "DATABASE_MAX_AGE_MS",
        default: "1200000",
        local: false,
        meaning: "a connection older than this is replaced",
    },
    Variable {
        name: "DATABASE_SECRET_MAX_AGE_MS",
        default: "300000",
        local: false,
        meaning: "credentials older than this are fetched again",
    },
];

/// What the database module needs to know.
#[derive(Debug)]
pub struct Settings {
    /// Where the login comes from.
    pub login: LoginSource,
    /// The authorities that may have issued the server's certificate.
    pub roots: DatabaseRoots,
    /// The bound and the times of the pool.
    pub pool: PoolSettings,
}

/// Where the login comes from.
#[derive(Debug)]
pub enum LoginSource {
    /// A secret in Secrets Manager.
    Secret {
        /// Its name or ARN.
        id: String,
        /// The age at which it is fetched again.
        max_age: Duration,
    },
    /// `DATABASE_URL`.
    Fixed(Login),
}

impl LoginSource {
    /// Nothing is fetched before the first use.
    pub(crate) fn kept(self, clock: Arc<dyn Clock>) -> KeptSecret<Login> {
        match self {
            Self::Fixed(login) => KeptSecret::fixed(login, clock),
            Self::Secret { id, max_age } => KeptSecret::of_secret(id, max_age, clock),
        }
    }
}

/// The bound and the times of the pool. [`VARIABLES`] says what each means.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct PoolSettings {
    pub max: NonZeroUsize,
    pub acquire_timeout: Duration,
    pub connect_timeout: Duration,
    pub statement_timeout: Duration,
    pub ping_after: Duration,
    pub ping_timeout: Duration,
    pub max_idle: Duration,
    pub max_age: Duration,
}

impl Settings {
    /// Reads the environment of the process.
    ///
    /// # Errors
    ///
    /// [`Faults`] with every variable that is missing or wrong.
    pub fn from_env() -> Result<Self, Faults> {
        Self::read(|name| std::env::var(name).ok())
    }

    /// Reads the environment of the process, for one connection with another login.
    ///
    /// # Errors
    ///
    /// The errors of [`Settings::from_env`].
    pub fn of_login(login: Login) -> Result<Self, Faults> {
        let mut settings = Self::from_env()?;
        settings.login = LoginSource::Fixed(login);
        settings.pool.max = NonZeroUsize::MIN;
        Ok(settings)
    }

    /// Reads an environment. `lookup` returns the value of each variable.
    ///
    /// # Errors
    ///
    /// The errors of [`Settings::from_env`].
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Faults> {
        Environment::read(lookup, VARIABLES, |environment| Self {
            login: login(environment),
            roots: roots(environment),
            pool: pool(environment),
        })
    }
}

fn login(environment: &mut Environment<impl Fn(&str) -> Option<String>>) -> LoginSource {
    let max_age = environment.milliseconds("DATABASE_SECRET_MAX_AGE_MS");
    let (variable, login) = match (
        environment.get("DATABASE_SECRET_ID"),
        environment.get("DATABASE_URL"),
    ) {
        (Some(id), _) => return LoginSource::Secret { id, max_age },
        (None, Some(url)) => ("DATABASE_URL", parse_url(&url)),
        (None, None) => ("DATABASE_SECRET_ID", Err("or DATABASE_URL must be set")),
    };
    LoginSource::Fixed(login.unwrap_or_else(|reason| {
        environment.fault(variable, reason);
        Login::default()
    }))
}

fn roots(environment: &mut Environment<impl Fn(&str) -> Option<String>>) -> DatabaseRoots {
    let variable = "DATABASE_CA_FILE";
    let Some(path) = environment.get(variable) else {
        return DatabaseRoots::Public;
    };
    DatabaseRoots::from_file(Path::new(&path)).unwrap_or_else(|reason| {
        environment.fault(variable, reason);
        DatabaseRoots::Public
    })
}

fn pool(environment: &mut Environment<impl Fn(&str) -> Option<String>>) -> PoolSettings {
    PoolSettings {
        max: pool_max(environment),
        acquire_timeout: environment.milliseconds("DATABASE_ACQUIRE_TIMEOUT_MS"),
        connect_timeout: environment.milliseconds("DATABASE_CONNECT_TIMEOUT_MS"),
        statement_timeout: environment.milliseconds("DATABASE_STATEMENT_TIMEOUT_MS"),
        ping_after: environment.milliseconds("DATABASE_PING_AFTER_MS"),
        ping_timeout: environment.milliseconds("DATABASE_PING_TIMEOUT_MS"),
        max_idle: environment.milliseconds("DATABASE_MAX_IDLE_MS"),
        max_age: environment.milliseconds("DATABASE_MAX_AGE_MS"),
    }
}

/// If a process may handle many invocations at once, the default is their number, but from 2 to 10.
/// Lambda Managed Instances set that number in `AWS_LAMBDA_MAX_CONCURRENCY`. A second connection is
/// needed to ask whether the first one went silent.
fn pool_max(environment: &mut Environment<impl Fn(&str) -> Option<String>>) -> NonZeroUsize {
    let variable = "DATABASE_POOL_MAX";
    let concurrency: Option<usize> = environment
        .get("AWS_LAMBDA_MAX_CONCURRENCY")
        .and_then(|text| text.parse().ok());
    let max = match (environment.get(variable), concurrency) {
        (None, Some(concurrency)) => concurrency.clamp(2, 10),
        _ => usize::try_from(environment.number(variable, "", 999)).unwrap_or_default(),
    };
    NonZeroUsize::new(max).unwrap_or(NonZeroUsize::MIN)
}

/// Reads a connection string as PlanetScale shows it. What follows a `?` is for other drivers and mostly
/// about TLS, which is not a choice here, so it is ignored.
fn parse_url(text: &str) -> Result<Login, &'static str> {
    let url =
        Url::parse(text).map_err(|_| "must be a URL: mysql://user:password@host:port/name")?;
    if url.scheme() != "mysql" {
        return Err("must begin with mysql://");
    }
    let decoded = |part: &str, missing: &'static str| {
        let text = percent_decode_str(part)
            .decode_utf8()
            .map_err(|_| "must be UTF-8 once its %-escapes are decoded")?;
        match text.trim() {
            "" => Err(missing),
            text => Ok(text.to_owned()),
        }
    };
    let host = url.host_str().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let host = decoded(host, "names no host")?;
    if !is_host(&host) {
        return Err("names a host that can't be one");
    }
    let username = decoded(url.username(), "names no user")?;
    let password = decoded(url.password().unwrap_or_default(), "has no password")?;
    let database = decoded(url.path().trim_matches('/'), "names no database")?;
    if !is_name(&database) {
        return Err("names a database that can't be one");
    }
    Ok(Login {
        host,
        port: url.port().unwrap_or(Login::DEFAULT_PORT),
        username,
        password: SecretString::from(password),
        database,
    })
}

#[cfg(test)]
mod tests;
