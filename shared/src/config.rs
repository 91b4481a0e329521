//! The environment, parsed once into typed settings.
//!
//! [`Settings::from_env`] reads every variable before it complains, so that one message names
//! all that is missing or wrong ([`Faults`]); the function stops at start with it. A variable
//! that is set to nothing counts as not set, because a template's empty parameter arrives so.
//! Values never appear in a message: a pasted URL holds a password.

use std::{
    fmt,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    time::Duration,
};

use percent_encoding::percent_decode_str;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use secrecy::SecretString;
use url::Url;

use crate::credentials::Login;

mod variables;

pub use variables::{Readers, VARIABLES, Variable};

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

/// The folder of the migrations to take in place of those that are compiled in.
pub fn migrations_folder() -> Option<PathBuf> {
    let folder = std::env::var_os("MIGRATIONS_FOLDER")?;
    (!folder.is_empty()).then(|| folder.into())
}

/// What the client of PlanetScale's API needs to know.
#[derive(Debug, Clone)]
pub struct PlanetScaleSettings {
    /// Where the API answers, without `/v1`; https, or http to this machine.
    pub api_url: Url,
    /// The organization's name.
    pub organization: String,
    /// The database's name.
    pub database: String,
    /// The production branch's name.
    pub branch: String,
    /// Name or ARN of the secret with the service token.
    pub token_secret_id: String,
    /// The age at which that secret is fetched again.
    pub token_max_age: Duration,
}

/// Everything that is wrong with the environment, in one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults(Vec<Fault>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Fault {
    variable: &'static str,
    reason: String,
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the settings are wrong: ")?;
        for (position, Fault { variable, reason }) in self.0.iter().enumerate() {
            let separator = if position == 0 { "" } else { "; " };
            write!(f, "{separator}{variable} {reason}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

impl Faults {
    /// These and `others` in one.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        for fault in others.0 {
            if !self.0.contains(&fault) {
                self.0.push(fault);
            }
        }
        self
    }
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
        Environment::read(lookup, |environment| Self {
            login: environment.login(),
            ca: environment.ca(),
            pool: environment.pool(),
        })
    }
}

impl PlanetScaleSettings {
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
    /// As [`PlanetScaleSettings::from_env`].
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Faults> {
        Environment::read(lookup, |environment| Self {
            api_url: environment.api_url(),
            organization: environment.name("PLANETSCALE_ORGANIZATION"),
            database: environment.name("PLANETSCALE_DATABASE"),
            branch: environment.name("PLANETSCALE_BRANCH"),
            token_secret_id: environment.required("PLANETSCALE_TOKEN_SECRET_ID"),
            token_max_age: environment.milliseconds("DATABASE_SECRET_MAX_AGE_MS"),
        })
    }
}

/// An environment under reading. A wrong variable leaves a fault and a stand-in value, so that
/// the reading goes on.
struct Environment<L> {
    lookup: L,
    faults: Vec<Fault>,
}

impl<L: Fn(&str) -> Option<String>> Environment<L> {
    fn read<S>(lookup: L, settings: impl FnOnce(&mut Self) -> S) -> Result<S, Faults> {
        let mut environment = Self {
            lookup,
            faults: Vec::new(),
        };
        let settings = settings(&mut environment);
        if environment.faults.is_empty() {
            Ok(settings)
        } else {
            Err(Faults(environment.faults))
        }
    }

    fn get(&self, name: &str) -> Option<String> {
        (self.lookup)(name).filter(|value| !value.trim().is_empty())
    }

    fn fault(&mut self, variable: &'static str, reason: impl Into<String>) {
        self.faults.push(Fault {
            variable,
            reason: reason.into(),
        });
    }

    /// The variable's value, or else the default that [`VARIABLES`] gives it.
    fn get_or_default(&self, variable: &str) -> String {
        let default = VARIABLES.iter().find(|known| known.name == variable);
        self.get(variable)
            .unwrap_or_else(|| default.map_or("", |known| known.default).to_owned())
            .trim()
            .to_owned()
    }

    /// The variable's value from 1 to `most`; `what` says of what it is a whole number.
    fn number(&mut self, variable: &'static str, what: &str, most: u32) -> u32 {
        match self.get_or_default(variable).parse() {
            Ok(number) if (1..=most).contains(&number) => number,
            _ => {
                let reason = format!("must be a whole number{what} from 1 to {most}");
                self.fault(variable, reason);
                1
            }
        }
    }

    fn milliseconds(&mut self, variable: &'static str) -> Duration {
        let span = self.number(variable, " of milliseconds", 86_400_000);
        Duration::from_millis(span.into())
    }

    fn required(&mut self, variable: &'static str) -> String {
        let text = self.get_or_default(variable);
        if text.is_empty() {
            self.fault(variable, "must be set");
        }
        text
    }

    /// A name as PlanetScale gives it to organizations, databases and branches, which must not
    /// lead a request elsewhere.
    fn name(&mut self, variable: &'static str) -> String {
        let text = self.required(variable);
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if !text.chars().all(plain) || matches!(text.as_str(), "." | "..") {
            self.fault(
                variable,
                "must be a name of letters, digits, `-`, `_` and `.`",
            );
        }
        text
    }

    /// The token is sent there, so that what lies between must not be able to read it.
    fn api_url(&mut self) -> Url {
        let variable = "PLANETSCALE_API_URL";
        let text = self.get_or_default(variable);
        let stays_here = |url: &Url| {
            matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"))
                && url.scheme() == "http"
        };
        match Url::parse(&text) {
            Ok(url) if url.scheme() == "https" || stays_here(&url) => url,
            _ => {
                self.fault(
                    variable,
                    "must be an https URL, or an http URL of this machine",
                );
                #[expect(clippy::expect_used, reason = "it is written here")]
                Url::parse("https://localhost").expect("it is a URL")
            }
        }
    }

    fn login(&mut self) -> LoginSource {
        let max_age = self.milliseconds("DATABASE_SECRET_MAX_AGE_MS");
        let (variable, login) = match (self.get("DATABASE_SECRET_ID"), self.get("DATABASE_URL")) {
            (Some(id), _) => return LoginSource::Secret { id, max_age },
            (None, Some(url)) => ("DATABASE_URL", parse_url(&url)),
            (None, None) => ("DATABASE_SECRET_ID", Err("or DATABASE_URL must be set")),
        };
        LoginSource::Fixed(login.unwrap_or_else(|reason| {
            self.fault(variable, reason);
            Login::default()
        }))
    }

    fn ca(&mut self) -> Option<Vec<u8>> {
        let variable = "DATABASE_CA_FILE";
        let path = self.get(variable)?;
        match read_certificates(Path::new(&path)) {
            Ok(pem) => Some(pem),
            Err(reason) => {
                self.fault(variable, reason);
                None
            }
        }
    }

    fn pool(&mut self) -> PoolSettings {
        PoolSettings {
            max: self.pool_max(),
            acquire_timeout: self.milliseconds("DATABASE_ACQUIRE_TIMEOUT_MS"),
            connect_timeout: self.milliseconds("DATABASE_CONNECT_TIMEOUT_MS"),
            statement_timeout: self.milliseconds("DATABASE_STATEMENT_TIMEOUT_MS"),
            ping_after: self.milliseconds("DATABASE_PING_AFTER_MS"),
            ping_timeout: self.milliseconds("DATABASE_PING_TIMEOUT_MS"),
            max_idle: self.milliseconds("DATABASE_MAX_IDLE_MS"),
            max_age: self.milliseconds("DATABASE_MAX_AGE_MS"),
        }
    }

    /// With many invocations at once in a process the default follows their number, which
    /// Lambda Managed Instances say in `AWS_LAMBDA_MAX_CONCURRENCY`.
    fn pool_max(&mut self) -> NonZeroUsize {
        let variable = "DATABASE_POOL_MAX";
        let concurrency: Option<NonZeroUsize> = self
            .get("AWS_LAMBDA_MAX_CONCURRENCY")
            .and_then(|text| text.trim().parse().ok());
        match (self.get(variable), concurrency, NonZeroUsize::new(10)) {
            (None, Some(concurrency), Some(most)) => concurrency.min(most),
            _ => {
                let max = self.number(variable, "", 999);
                let max = usize::try_from(max).ok().and_then(NonZeroUsize::new);
                max.unwrap_or(NonZeroUsize::MIN)
            }
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
