//! `cargo dev`: the whole service on this machine; `cargo dev test`: its tests; `cargo dev lint`:
//! its migrations under PlanetScale's rules; `cargo dev migrate`: the same on their way to
//! production.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use lexopt::prelude::*;
use tests::cargo_dev::{self, DevError, Given, Options, lint, migrate};

const HELP: &str = "\
Runs the whole service on this machine: a database server with TLS, migrations, sample data, a
Secrets Manager, and the functions with the routes of template.yaml.

Usage: cargo dev [OPTIONS]                  runs it until Ctrl-C
       cargo dev test [OPTIONS] [-- ARGS]   runs every test beside it; ARGS go to cargo test
       cargo dev lint [FOLDER]              holds the migrations against PlanetScale's rules;
                                            without a server; FOLDER is else shared/migrations
       cargo dev migrate [OPTIONS]          brings new migrations to production, as AWS would, on
                                            the stack that runs in another terminal

Options:
  --server PATH   the database server program, mysqld or mariadbd (or the variable MYSQLD);
                  else the first one found
  --port N        the port of the API (not for tests); else 9000 or the next free one
  --release       tests only: the functions are built as they are deployed, which takes minutes
  --vitess        puts Vitess, which takes Go and minutes at the first time, before the server,
                  which has to be MySQL; of the tests, it runs those that Vitess can be tested with
  --url URL       tests only: those that need nothing but a database run on this one,
                  mysql://user:password@host:port/name, an empty schema or one of this project
  --ca FILE       its authority, as PEM; else the public ones
  --folder PATH   where data, logs and certificates are kept; else target/dev or target/dev-test
  --help          this text

Options of cargo dev migrate:
  --no-deploy     stops at the open deploy request
  --approval      waits until the deploy request is approved
  --folder PATH   that of the running stack

Options of cargo dev lint:
  --foreign-keys  they are allowed in the database's settings on PlanetScale
  --github        writes annotations of a GitHub workflow; where GITHUB_ACTIONS is set, as well
";

/// What the command line asks for.
enum Request {
    Help,
    Run(Options),
    Test(Options, Vec<OsString>),
    Lint(lint::Request),
    Migrate(migrate::Request),
}

fn main() -> ExitCode {
    let request = match parse(lexopt::Parser::from_env()) {
        Ok(request) => request,
        Err(error) => {
            return failure(&format!("{error}\n\n{HELP}"));
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return failure(&error),
    };
    let result = runtime.block_on(async {
        match request {
            Request::Help => {
                let _ = std::io::stdout().write_all(HELP.as_bytes());
                Ok(ExitCode::SUCCESS)
            }
            Request::Run(options) => cargo_dev::run(&options).await.map(|()| ExitCode::SUCCESS),
            Request::Test(options, arguments) => {
                let status = cargo_dev::test(&options, &arguments).await?;
                let code = status.code().and_then(|code| u8::try_from(code).ok());
                Ok::<_, DevError>(code.map_or(ExitCode::FAILURE, ExitCode::from))
            }
            Request::Lint(request) => Ok(lint::run(&request)),
            Request::Migrate(request) => Ok(match migrate::run(&request).await {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => failure(&error),
            }),
        }
    });
    result.unwrap_or_else(|error| failure(&error))
}

fn parse(mut arguments: lexopt::Parser) -> Result<Request, lexopt::Error> {
    let mut options = Options::default();
    let mut test = false;
    let (mut url, mut ca_file) = (None, None);
    let mut rest = Vec::new();
    while let Some(argument) = arguments.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(Request::Help),
            Long("server") => options.server = Some(PathBuf::from(arguments.value()?)),
            Long("release") if test => options.release = true,
            Long("vitess") => options.vitess = true,
            Long("url") if test => url = Some(arguments.value()?.string()?),
            Long("ca") if test => ca_file = Some(PathBuf::from(arguments.value()?)),
            Long("folder") => options.folder = Some(PathBuf::from(arguments.value()?)),
            Long("port") if !test => options.port = Some(arguments.value()?.parse()?),
            Value(word) if word == "test" && !test => test = true,
            Value(word) if word == "lint" && !test && options == Options::default() => {
                return parse_lint(arguments);
            }
            Value(word) if word == "migrate" && !test && options == Options::default() => {
                return parse_migrate(arguments);
            }
            other => return Err(other.unexpected()),
        }
        if test
            && let Some(raw) = arguments.try_raw_args()
            && raw.as_slice().first().is_some_and(|next| next == "--")
        {
            rest = raw.skip(1).collect();
        }
    }
    match (url, ca_file) {
        (Some(_), _) if options.server.is_some() || options.vitess => {
            return Err("--url goes with neither --server nor --vitess".into());
        }
        (None, Some(_)) => return Err("--ca goes with --url alone".into()),
        (url, ca_file) => options.given = url.map(|url| Given::new(url, ca_file)),
    }
    if test && options.port.is_some() {
        return Err("--port is not for tests".into());
    }
    if test {
        Ok(Request::Test(options, rest))
    } else {
        Ok(Request::Run(options))
    }
}

fn parse_lint(mut arguments: lexopt::Parser) -> Result<Request, lexopt::Error> {
    let mut request = lint::Request::default();
    while let Some(argument) = arguments.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(Request::Help),
            Long("foreign-keys") => request.foreign_keys = true,
            Long("github") => request.github = true,
            Value(folder) if request.folder.is_none() => request.folder = Some(folder.into()),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Request::Lint(request))
}

fn parse_migrate(mut arguments: lexopt::Parser) -> Result<Request, lexopt::Error> {
    let mut request = migrate::Request::default();
    while let Some(argument) = arguments.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(Request::Help),
            Long("no-deploy") => request.no_deploy = true,
            Long("approval") => request.approval = true,
            Long("folder") => request.folder = Some(PathBuf::from(arguments.value()?)),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Request::Migrate(request))
}

fn failure(error: &dyn std::fmt::Display) -> ExitCode {
    cargo_dev::print(&format!("error: {error}"));
    ExitCode::FAILURE
}
