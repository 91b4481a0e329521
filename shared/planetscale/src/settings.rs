//! Settings of the client, read from the environment.

use std::time::Duration;

use lambda::settings::{Environment, Faults, Variable};
use url::Url;

/// Every variable about PlanetScale that a function reads. Tests compare `template.yaml` and the
/// documentation with this table.
pub const VARIABLES: &[Variable] = &[
    Variable {
        name: "DATABASE_SECRET_MAX_AGE_MS",
        default: "300000",
        local: false,
        meaning: "credentials older than this are fetched again",
    },
    Variable {
        name: "PLANETSCALE_ORGANIZATION",
        default: "",
        local: false,
        meaning: "PlanetScale's name of the organization",
    },
    Variable {
        name: "PLANETSCALE_DATABASE",
        default: "",
        local: false,
        meaning: "PlanetScale's name of the database",
    },
    Variable {
        name: "PLANETSCALE_KEYSPACE",
        default: "",
        local: false,
        meaning: "the keyspace of the functions' tables; without it, the one named like the database",
    },
    Variable {
        name: "PLANETSCALE_BRANCH",
        default: "main",
        local: false,
        meaning: "the production branch, whose schema the functions use",
    },
    Variable {
        name: "PLANETSCALE_TOKEN_SECRET_ID",
        default: "",
        local: false,
        meaning: "name or ARN of the secret with PlanetScale's service token: JSON with `id` and `token`",
    },
    Variable {
        name: "PLANETSCALE_API_URL",
        default: "https://api.planetscale.com",
        local: false,
        meaning: "where PlanetScale's API answers, without its `/v1`",
    },
];

/// The settings of the client of PlanetScale's API.
#[derive(Debug, Clone)]
pub struct PlanetScaleSettings {
    /// The URL of the API, without `/v1`: https, or http to this machine.
    pub api_url: Url,
    /// The organization's name.
    pub organization: String,
    /// The database's name.
    pub database: String,
    /// The keyspace of the functions' tables. Unless it was sharded, it is named like the database.
    pub keyspace: String,
    /// The production branch's name.
    pub branch: String,
    /// Name or ARN of the secret with the service token.
    pub token_secret_id: String,
    /// The age at which that secret is fetched again.
    pub token_max_age: Duration,
}

impl PlanetScaleSettings {
    /// Reads the environment of the process.
    ///
    /// # Errors
    ///
    /// [`Faults`] with every variable that is missing or wrong.
    pub fn from_env() -> Result<Self, Faults> {
        Self::read(|name| std::env::var(name).ok())
    }

    /// Reads an environment, given as a function from names to values.
    ///
    /// # Errors
    ///
    /// As [`PlanetScaleSettings::from_env`].
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Faults> {
        Environment::read(lookup, VARIABLES, |environment| {
            let database = name(environment, "PLANETSCALE_DATABASE");
            let keyspace = environment.get_or_default("PLANETSCALE_KEYSPACE");
            Self {
                api_url: api_url(environment),
                organization: name(environment, "PLANETSCALE_ORGANIZATION"),
                keyspace: match keyspace.is_empty() {
                    true => database.clone(),
                    false => keyspace,
                },
                database,
                branch: name(environment, "PLANETSCALE_BRANCH"),
                token_secret_id: environment.required("PLANETSCALE_TOKEN_SECRET_ID"),
                token_max_age: environment.milliseconds("DATABASE_SECRET_MAX_AGE_MS"),
            }
        })
    }
}

/// Reads the name of an organization, database or branch. It becomes a part of a path, so it must
/// not be able to change the path.
fn name(
    environment: &mut Environment<impl Fn(&str) -> Option<String>>,
    variable: &'static str,
) -> String {
    let text = environment.required(variable);
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !text.chars().all(plain) || matches!(text.as_str(), "." | "..") {
        environment.fault(
            variable,
            "must be a name of letters, digits, `-`, `_` and `.`",
        );
    }
    text
}

/// Reads the URL of the API. The token is sent there, so nobody on the way may be able to read it.
fn api_url(environment: &mut Environment<impl Fn(&str) -> Option<String>>) -> Url {
    let variable = "PLANETSCALE_API_URL";
    let text = environment.get_or_default(variable);
    let stays_here = |url: &Url| {
        matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"))
            && url.scheme() == "http"
    };
    match Url::parse(&text) {
        Ok(url) if url.scheme() == "https" || stays_here(&url) => url,
        _ => {
            environment.fault(
                variable,
                "must be an https URL, or an http URL of this machine",
            );
            #[expect(clippy::expect_used, reason = "the URL is a constant")]
            Url::parse("https://localhost").expect("a valid URL")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planetscale(variables: &[(&str, &str)]) -> Result<PlanetScaleSettings, Faults> {
        let given = [
            ("PLANETSCALE_ORGANIZATION", "acme"),
            ("PLANETSCALE_DATABASE", "orders"),
            ("PLANETSCALE_TOKEN_SECRET_ID", "orders/planetscale"),
        ];
        PlanetScaleSettings::read(|name| {
            variables
                .iter()
                .chain(&given)
                .find(|(known, _)| *known == name)
                .map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_defaults_are_the_public_api_the_databases_keyspace_and_the_branch_main() {
        let settings = planetscale(&[]).unwrap();
        assert_eq!(settings.api_url.as_str(), "https://api.planetscale.com/");
        assert_eq!(settings.branch, "main");
        assert_eq!(settings.keyspace, "orders");
        let sharded = planetscale(&[("PLANETSCALE_KEYSPACE", "orders-sharded")]);
        assert_eq!(sharded.unwrap().keyspace, "orders-sharded");
    }

    #[test]
    fn the_api_url_is_https_or_on_this_machine() {
        for url in ["http://api.planetscale.com", "ftp://localhost", "nowhere"] {
            let faults = planetscale(&[("PLANETSCALE_API_URL", url)]).unwrap_err();
            assert!(faults.to_string().contains("https"), "{url}: {faults}");
        }
        for url in [
            "http://127.0.0.1:4000",
            "http://localhost:4000",
            "https://example.com",
        ] {
            assert!(
                planetscale(&[("PLANETSCALE_API_URL", url)]).is_ok(),
                "{url}"
            );
        }
    }

    #[test]
    fn a_name_that_would_change_the_path_is_refused() {
        for name in ["..", "a/b", "a?b", "a b"] {
            let faults = planetscale(&[("PLANETSCALE_DATABASE", name)]).unwrap_err();
            assert!(
                faults.to_string().contains("PLANETSCALE_DATABASE"),
                "{name}"
            );
        }
    }
}
