//! `cargo dev test --url`: runs tests on a database that is there already, for example a branch of
//! PlanetScale.
//!
//! There is no administrator, so no test can make users or schemas, lock tables or end connections.
//! Missing tables are created. What the tests write belongs to customers of their own, and stays.

use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitStatus;

use anyhow::{Context as _, anyhow, bail};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};
use schema::ledger;

use super::base::Purpose;
use super::{Options, Run, programs, target};
use crate::stack::access::{Access, Login};
use crate::stack::file;
use crate::stack::migrations;
use crate::stack::secrets;
use crate::stack::tools::Tools;

/// The modules of the API's tests that do not run, and why.
const NOT_RUN: [(&str, &str); 5] = [
    ("faults", "break the server, the user or the schema"),
    ("generated", "place orders for customers that they make up"),
    ("metrics", "put a proxy before a schema of their own"),
    ("start", "count the connections at the server"),
    ("statements", "fill a schema of their own"),
];

/// The names of Vitess' own tables begin with this: those that it keeps before it drops them, and
/// those that it makes while it changes a table (Vitess, `go/vt/schema/name.go`).
const OF_VITESS: &str = "_vt_";

/// A database that is there already.
#[derive(Clone, PartialEq, Eq)]
pub struct ExistingDatabase {
    url: String,
    ca_file: Option<PathBuf>,
}

impl fmt::Debug for ExistingDatabase {
    /// Without the URL, which holds the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExistingDatabase")
            .field("ca_file", &self.ca_file)
            .finish_non_exhaustive()
    }
}

impl ExistingDatabase {
    /// The database at `url`. A public authority or the one in `ca_file` has signed its certificate.
    #[must_use]
    pub fn new(url: String, ca_file: Option<PathBuf>) -> Self {
        Self { url, ca_file }
    }

    fn login(&self) -> anyhow::Result<(String, u16, Login)> {
        // No message may hold the URL, which holds the password.
        const WRONG: &str =
            "--url is to be mysql://user:password@host:port/name, with every part of it";
        let options = Opts::from_url(&self.url).map_err(|_| anyhow!(WRONG))?;
        let part = |part: Option<&str>| part.map(str::to_owned).context(WRONG);
        let login = Login {
            username: part(options.user())?,
            password: part(options.pass())?,
            schema: part(options.db_name())?,
        };
        Ok((
            options.ip_or_hostname().to_owned(),
            options.tcp_port(),
            login,
        ))
    }
}

impl Run {
    /// Runs the tests that can run on the database.
    pub(super) async fn tests_on(
        &self,
        given: &ExistingDatabase,
        options: &Options,
        arguments: &[OsString],
    ) -> anyhow::Result<ExitStatus> {
        let (host, port, login) = given.login()?;
        let ca_file = given.ca_file.as_ref();
        if let Some(ca_file) = ca_file {
            file::read(ca_file).map_err(|error| anyhow!("--ca: {error}"))?;
        }
        let ca_file = ca_file.map(|path| std::path::absolute(path).unwrap_or(path.clone()));
        let server = resolve(&host, port).await?;
        let mut access = Access {
            folder: self.folder.clone(),
            vitess: None,
            cluster: None,
            sharded: false,
            host,
            server,
            ca_file,
            administration: None,
            existing_database: Some(login.clone()),
            secrets_url: String::new(),
            programs: programs(options),
            moto_server: PathBuf::new(),
        };
        let step = self.progress.step("looking at the database");
        let Login {
            username,
            password,
            schema,
        } = &login;
        let mut connection = access.connect(username, password, Some(schema)).await?;
        let made = make_tables(&mut connection, schema).await?;
        let (version,): (String,) = connection
            .query_first("SELECT VERSION()")
            .await?
            .unwrap_or_default();
        connection.disconnect().await?;
        step.done(&format!(
            "database {schema} ({version}), migrations applied: {made}"
        ));

        let tools = Tools::find(&target(), &self.processes, &self.progress).await?;
        let (secrets, secrets_url) =
            secrets::start(&tools.moto_server, None, &self.processes).await?;
        access.secrets_url = secrets_url;
        self.build(options, Purpose::Testing).await?;
        for (module, why) in NOT_RUN {
            let line = format!("  not run: {module}, because these tests {why}");
            self.progress.say(&line);
        }
        self.progress
            .say("  not run: all other tests, because they need a server of their own");
        let arguments = chosen(arguments);
        let tests = self.cargo_test(&access, &arguments, None);
        tokio::select! {
            status = tests => status,
            status = secrets.ended() => Err(secrets.failure(status)),
        }
    }
}

async fn resolve(host: &str, port: u16) -> anyhow::Result<SocketAddr> {
    let addresses = tokio::net::lookup_host((host, port)).await;
    let address = addresses.ok().and_then(|mut addresses| addresses.next());
    address.with_context(|| format!("the host {host} has no address"))
}

/// Applies the pending migrations. A schema without their ledger has to be empty: it may be somebody
/// else's. Views and Vitess' own tables do not count.
async fn make_tables(connection: &mut Conn, schema: &str) -> anyhow::Result<usize> {
    let there: Vec<(String, String)> = connection.query("SHOW FULL TABLES").await?;
    let tables = there
        .into_iter()
        .filter(|(table, kind)| kind != "VIEW" && !table.starts_with(OF_VITESS));
    let tables: Vec<_> = tables.map(|(table, _)| table).collect();
    if !tables.is_empty() && !tables.iter().any(|table| table == ledger::TABLE) {
        bail!(
            "the schema {schema} holds tables that are not this project's ({}): name a schema that \
             is empty or has this project's tables",
            tables.join(", ")
        );
    }
    migrations::apply(connection, &crate::root().join("shared/migrations")).await
}

/// The arguments for the API's tests: the user's, and those that leave out what can't run.
fn chosen(arguments: &[OsString]) -> Vec<OsString> {
    let mut all: Vec<OsString> = ["--package", "tests", "--test", "api"]
        .map(Into::into)
        .into();
    all.extend_from_slice(arguments);
    if !arguments.iter().any(|argument| argument == "--") {
        all.push("--".into());
    }
    for (module, _) in NOT_RUN {
        all.extend(["--skip".into(), format!("{module}::").into()]);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_every_part() {
        let given = |url: &str| ExistingDatabase::new(url.to_owned(), None).login();
        let (host, port, login) = given("mysql://me:p%40ss@db.example:3307/orders").unwrap();
        assert_eq!((host.as_str(), port), ("db.example", 3307));
        assert_eq!(login.username, "me");
        assert_eq!(login.password, "p@ss");
        assert_eq!(login.schema, "orders");
        for url in [
            "",
            "orders",
            "mysql://db.example/orders",
            "mysql://me@db.example/orders",
            "mysql://me:hunter2@db.example",
        ] {
            let error = given(url).err().unwrap().to_string();
            assert!(error.starts_with("--url is to be"), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn arguments_choose_among_the_tests_that_can_run() {
        let text = |arguments: &[&str]| {
            let arguments: Vec<OsString> = arguments.iter().map(Into::into).collect();
            let chosen = chosen(&arguments).into_iter();
            let words: Vec<_> = chosen.map(|word| word.into_string().unwrap()).collect();
            words.join(" ")
        };
        let skipped = "--skip faults:: --skip generated:: --skip metrics:: --skip start:: \
                       --skip statements::";
        assert_eq!(
            text(&[]),
            format!("--package tests --test api -- {skipped}")
        );
        assert_eq!(
            text(&["logs", "--", "--nocapture"]),
            format!("--package tests --test api logs -- --nocapture {skipped}")
        );
    }
}
