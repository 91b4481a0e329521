//! What the environment says about the database.

use std::{num::NonZeroUsize, path::Path, sync::Arc, time::Duration};

use lambda::{
    clock::Clock,
    settings::{Environment, Faults, Variable},
};
use percent_encoding::percent_decode_str;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use secrecy::SecretString;
use secrets::Credentials;
use url::Url;

use crate::login::Login;

/// Every variable about the database that a function reads. The tests hold `template.yaml` and the
/// documentation against this table.
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
        meaning: "PEM file of an own CA, in place of the built-in public roots",
    },
    Variable {
        name: "DATABASE_POOL_MAX",
        default: "2",
        local: false,
        meaning: "most connections of one execution environment, up to 999; with `AWS_LAMBDA_MAX_CONCURRENCY` set, the default is the smaller of that and 10",
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
        meaning: "longest wait for the answer to that ping",
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
    /// PEM certificates that stand in for the built-in public roots.
    pub ca: Option<Vec<u8>>,
    /// The pool's bound and times.
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
    pub(crate) fn credentials(self, clock: Arc<dyn Clock>) -> Credentials<Login> {
        match self {
            Self::Fixed(login) => Credentials::fixed(login, clock),
            Self::Secret { id, max_age } => Credentials::of_secret(id, max_age, clock),
        }
    }
}

/// The pool's bound and times; see [`VARIABLES`] for what each means.
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
    /// Reads the process' environment.
    ///
    /// # Errors
    ///
    /// [`Faults`] with every variable that is missing or wrong.
    pub fn from_env() -> Result<Self, Faults> {
        Self::read(|name| std::env::var(name).ok())
    }

    /// Reads an environment given as a function from names to values.
    ///
    /// # Errors
    ///
    /// As [`Settings::from_env`].
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Faults> {
        Environment::read(lookup, VARIABLES, |environment| Self {
            login: login(environment),
            ca: ca(environment),
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

fn ca(environment: &mut Environment<impl Fn(&str) -> Option<String>>) -> Option<Vec<u8>> {
    let variable = "DATABASE_CA_FILE";
    let path = environment.get(variable)?;
    match read_certificates(Path::new(&path)) {
        Ok(pem) => Some(pem),
        Err(reason) => {
            environment.fault(variable, reason);
            None
        }
    }
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

/// With many invocations at once in a process the default follows their number, which
/// Lambda Managed Instances say in `AWS_LAMBDA_MAX_CONCURRENCY`.
fn pool_max(environment: &mut Environment<impl Fn(&str) -> Option<String>>) -> NonZeroUsize {
    let variable = "DATABASE_POOL_MAX";
    let concurrency: Option<NonZeroUsize> = environment
        .get("AWS_LAMBDA_MAX_CONCURRENCY")
        .and_then(|text| text.trim().parse().ok());
    match (
        environment.get(variable),
        concurrency,
        NonZeroUsize::new(10),
    ) {
        (None, Some(concurrency), Some(most)) => concurrency.min(most),
        _ => {
            let max = environment.number(variable, "", 999);
            let max = usize::try_from(max).ok().and_then(NonZeroUsize::new);
            max.unwrap_or(NonZeroUsize::MIN)
        }
    }
}

/// Takes a connection string as PlanetScale shows it. What follows a `?` in one is for other
/// drivers and mostly about TLS, which is not up for choice here: it is passed over.
fn parse_url(text: &str) -> Result<Login, &'static str> {
    let url =
        Url::parse(text).map_err(|_| "must be a URL: mysql://user:password@host:port/name")?;
    if url.scheme() != "mysql" {
        return Err("must begin with mysql://");
    }
    let decoded = |part: &str| {
        percent_decode_str(part)
            .decode_utf8()
            .map(|text| text.into_owned())
            .map_err(|_| "must be UTF-8 once its %-escapes are decoded")
    };
    let host = url
        .host_str()
        .map(|host| host.trim_start_matches('[').trim_end_matches(']'))
        .filter(|host| !host.is_empty())
        .ok_or("names no host")?;
    if url.username().is_empty() {
        return Err("names no user");
    }
    let password = url.password().ok_or("has no password")?;
    let database = decoded(url.path().trim_start_matches('/'))?;
    Ok(Login {
        host: decoded(host)?,
        port: url.port().unwrap_or(Login::DEFAULT_PORT),
        username: decoded(url.username())?,
        password: SecretString::from(decoded(password)?),
        database: Some(database).filter(|name| !name.is_empty()),
    })
}

fn read_certificates(path: &Path) -> Result<Vec<u8>, String> {
    let pem = std::fs::read(path)
        .map_err(|error| format!("names a file that can't be read: {}", error.kind()))?;
    let mut certificates = 0;
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        certificate.map_err(|_| "names a file that is not PEM")?;
        certificates += 1;
    }
    if certificates == 0 {
        return Err("names a file without a PEM certificate".to_owned());
    }
    Ok(pem)
}

#[cfg(test)]
mod tests;
