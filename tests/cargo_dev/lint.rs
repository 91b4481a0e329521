//! `cargo dev lint`: what the migrations do, seen on a real server, under the rules.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use database::settings::Settings;
use database::{Database, DatabaseError};
use lambda::Deadline;
use lambda::clock::SystemClock;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};
use nix::sys::signal::Signal;
use schema::{Finding, Migrations, Options};

use super::{AlreadyRunning, Run, environment, environment_path, target};
use crate::stack::access::{ADMIN, ConnectError, LINT_SCHEMAS, connect};
use crate::stack::progress::print;
use crate::stack::server::{self, Data, Server};
use crate::stack::tls::{self, Authority, Certificates};

/// For all statements together, and for another run of the command to end.
const PATIENCE: Duration = Duration::from_secs(10 * 60);

/// What the command line asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// The migrations, in place of `shared/migrations`.
    pub folder: Option<PathBuf>,
    /// The server program, in place of the running stack's server or the first one found.
    pub server: Option<PathBuf>,
    /// Foreign keys are allowed.
    pub foreign_keys: bool,
    /// For a workflow of GitHub, which shows each finding at its line. So it is also where
    /// GitHub sets its variable.
    pub github: bool,
}

/// Prints every finding and a summary to standard output, and to standard error which server
/// answered. Fails when there is an error among the findings, or no migrations to read.
///
/// # Errors
///
/// No server can say what the migrations do.
pub async fn run(request: &Request) -> anyhow::Result<ExitCode> {
    let folder = request.folder.clone().unwrap_or_else(own_folder);
    let of_github = std::env::var("GITHUB_ACTIONS").is_ok_and(|value| value == "true");
    let github = request.github || of_github;
    let (text, passed) = match Migrations::read(&folder) {
        Ok(migrations) => {
            let findings = findings(request, &migrations).await?;
            report(&folder, &migrations, &findings, github)
        }
        Err(error) => (unreadable(&error, github), false),
    };
    // Who closed the output wants no more of it.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(match passed {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// Asks the server of the running stack, or one that is started for this.
async fn findings(request: &Request, migrations: &Migrations) -> anyhow::Result<Vec<Finding>> {
    let options = Options {
        foreign_keys: request.foreign_keys,
    };
    if request.server.is_none()
        && let Some(scratch) = Scratch::of_running_stack().await
    {
        return scratch.findings(migrations, &options).await;
    }
    let linter = Linter::start(request.server.as_deref()).await?;
    let found = async { linter.scratch().await?.findings(migrations, &options).await };
    let found = found.await;
    linter.end().await;
    found
}

/// A server for the migrations alone.
pub(super) struct Linter {
    server: Server,
    certificates: Certificates,
    /// It has the folder to itself.
    _run: Run,
}

impl Linter {
    pub(super) async fn start(program: Option<&Path>) -> anyhow::Result<Self> {
        let run = own_run().await?;
        let (server, certificates) = start(&run, program, Data::Discarded).await?;
        Ok(Self {
            server,
            certificates,
            _run: run,
        })
    }

    /// An empty schema on it.
    pub(super) async fn scratch(&self) -> Result<Scratch, ConnectError> {
        let Self {
            server,
            certificates,
            ..
        } = self;
        let address = Address {
            host: server.address.ip().to_string(),
            port: server.address.port(),
            ca_file: certificates.authority.display().to_string(),
            username: ADMIN.to_owned(),
            password: server.admin_password.clone(),
        };
        Scratch::new(address, server.program.to_string()).await
    }

    /// Kills it: nothing on it is worth an orderly end. The next run must not meet it on the same
    /// data.
    pub(super) async fn end(self) {
        self.server.process.signal(Signal::SIGKILL);
        self.server.process.ended().await;
    }
}

/// Takes the folder of the command's own server, once no other run has it.
async fn own_run() -> anyhow::Result<Run> {
    let folder = target().join("dev-lint");
    let mut waited = Duration::ZERO;
    loop {
        match Run::new("cargo dev lint", &folder).await {
            Err(error) if error.is::<AlreadyRunning>() && waited < PATIENCE => {
                let pause = Duration::from_millis(50);
                tokio::time::sleep(pause).await;
                waited += pause;
            }
            run => return run,
        }
    }
}

/// Starts a server and nothing else.
pub(super) async fn start(
    run: &Run,
    program: Option<&Path>,
    data: Data,
) -> anyhow::Result<(Server, Certificates)> {
    let Run {
        folder,
        processes,
        progress,
        ..
    } = run;
    let certificates = Certificates::by(&Authority::new()?, &folder.join(tls::FOLDER))?;
    let program = server::find(program, processes, progress).await?;
    let started = server::start(
        &program,
        data,
        false,
        &certificates,
        folder,
        processes,
        progress,
    );
    Ok((started.await?, certificates))
}

/// Where a server is, and who may make schemas there.
struct Address {
    host: String,
    port: u16,
    ca_file: String,
    username: String,
    password: String,
}

/// An empty schema of this run's own.
pub(super) struct Scratch {
    address: Address,
    pub(super) admin: Conn,
    /// What the server is called.
    server: String,
    pub(super) schema: String,
}

impl Scratch {
    /// On the server of `cargo dev`, if that is up and lets us.
    async fn of_running_stack() -> Option<Self> {
        let environment = environment::read(&environment_path(&super::default_folder())).ok()?;
        let url = Opts::from_url(environment.get("DATABASE_URL")?).ok()?;
        let address = Address {
            host: url.ip_or_hostname().to_owned(),
            port: url.tcp_port(),
            ca_file: environment.get("DATABASE_CA_FILE")?.clone(),
            username: url.user()?.to_owned(),
            password: url.pass()?.to_owned(),
        };
        Self::new(address, "the server of cargo dev".to_owned())
            .await
            .ok()
    }

    async fn new(address: Address, server: String) -> Result<Self, ConnectError> {
        let Address {
            host,
            port,
            ca_file,
            username,
            password,
        } = &address;
        let ca_file = Path::new(ca_file);
        let mut admin = connect(host, *port, Some(ca_file), username, password, None).await?;
        let schema = format!("{LINT_SCHEMAS}{}", uuid::Uuid::new_v4().simple());
        let create = format!("CREATE DATABASE `{schema}` CHARACTER SET utf8mb4");
        admin.query_drop(create).await?;
        Ok(Self {
            address,
            admin,
            server,
            schema,
        })
    }

    /// What the rules find. The schema is gone afterwards.
    pub(super) async fn findings(
        mut self,
        migrations: &Migrations,
        options: &Options,
    ) -> anyhow::Result<Vec<Finding>> {
        let version: Option<String> = self
            .admin
            .query_first("SELECT VERSION()")
            .await
            .unwrap_or(None);
        let version = version.unwrap_or_default();
        print(&format!("  {} answers: {version}", self.server));
        if version.contains("MariaDB") {
            print(
                "  MariaDB takes some things that MySQL refuses, and refuses others: MySQL decides in CI, and the branch before production",
            );
        }
        let database = self.database()?;
        let found = async {
            let mut session = database.session(Deadline::after(PATIENCE)).await?;
            schema::check(&mut session, migrations.iter(), options).await
        };
        let found = found.await;
        database.close().await;
        let drop = format!("DROP DATABASE `{}`", self.schema);
        // It is a scratch schema: what stays of it harms nobody.
        let _ = self.admin.query_drop(drop).await;
        Ok(found?)
    }

    fn database(&self) -> Result<Database, DatabaseError> {
        let Address {
            host,
            port,
            ca_file,
            username,
            password,
        } = &self.address;
        let schema = &self.schema;
        let url = format!("mysql://{username}:{password}@{host}:{port}/{schema}");
        let settings = Settings::read(|name| match name {
            "DATABASE_URL" => Some(url.clone()),
            "DATABASE_CA_FILE" => Some(ca_file.clone()),
            "DATABASE_STATEMENT_TIMEOUT_MS" | "DATABASE_CONNECT_TIMEOUT_MS" => {
                Some("60000".to_owned())
            }
            _ => None,
        });
        let settings = settings.map_err(|_| DatabaseError::Refused)?;
        Ok(Database::new(settings, Arc::new(SystemClock)))
    }
}

/// As it is seen from where the user is.
fn own_folder() -> PathBuf {
    let folder = crate::root().join("shared/migrations");
    let here = std::env::current_dir().unwrap_or_default();
    folder
        .strip_prefix(here)
        .map_or_else(|_| folder.clone(), Path::to_owned)
}

fn report(
    folder: &Path,
    migrations: &Migrations,
    findings: &[Finding],
    github: bool,
) -> (String, bool) {
    let mut text = String::new();
    for finding in findings {
        text += &if github {
            annotation(finding)
        } else {
            finding.to_string()
        };
        text += "\n";
    }
    let errors = findings.iter().filter(|finding| finding.is_error()).count();
    let warnings = findings.len() - errors;
    text += &format!(
        "{}: {}, {}, {}\n",
        folder.display(),
        counted(migrations.iter().count(), "file"),
        counted(errors, "error"),
        counted(warnings, "warning"),
    );
    (text, errors == 0)
}

fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

fn unreadable(error: &schema::FilesError, github: bool) -> String {
    if github {
        format!("::error::{}\n", escaped(&error.to_string()))
    } else {
        format!("error: {error}\n")
    }
}

/// GitHub's docs, "Workflow commands".
fn annotation(finding: &Finding) -> String {
    let property = |text: &str| escaped(text).replace(':', "%3A").replace(',', "%2C");
    format!(
        "::{severity} file={file},line={line},title={title}::{message}",
        severity = finding.rule.severity(),
        file = property(&finding.file),
        line = finding.line,
        title = property(finding.rule.code()),
        message = escaped(&finding.message()),
    )
}

fn escaped(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}
