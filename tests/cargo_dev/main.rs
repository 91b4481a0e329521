//! The command line of `cargo dev`.

#![warn(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use lexopt::prelude::*;
use tests::cargo_dev::{
    self, ExistingDatabase, Options, bench, lint, migrate, restore, review, rotate,
};

const HELP: &str = "\
Runs the whole service on this machine: a database server with TLS, the migrations, sample data, a
Secrets Manager, PlanetScale's API, and the functions with the routes of template.yaml.

Usage: cargo dev [OPTIONS]                 runs everything until Ctrl-C
       cargo dev test [OPTIONS] [-- ARGS]  runs the tests; ARGS go to cargo test
       cargo dev lint [OPTIONS] [FOLDER]   runs the migrations in FOLDER (shared/migrations) on an
                                           empty schema, and says what would fail in production
       cargo dev migrate [OPTIONS]         brings new migrations to production as AWS would, on the
                                           stack that runs in another terminal
       cargo dev restore [OPTIONS]         restores the newest backup of that stack into a branch, and
                                           counts the rows of each table in both
       cargo dev review [OPTIONS]          reviews the queries of the running stack, and shows the
                                           report
       cargo dev rotate [OPTIONS]          gives the functions of that stack another password, as
                                           Secrets Manager would
       cargo dev bench [OPTIONS]           measures the functions as they are deployed, each figure
                                           beside its floor

Options of cargo dev and cargo dev test:
  --server PATH    the database server, mysqld or mariadbd; the default is the variable MYSQLD, then
                   the first server that is found
  --vitess         puts Vitess in front of the server, which must be MySQL; this needs Go, and the
                   first build takes minutes. The tests that run are those that Vitess can run
  --folder PATH    keeps data, logs and certificates there instead of in target/dev or
                   target/dev-test

Options of cargo dev:
  --port N         the port of the API; the default is the first free one from 9000 on
  --template FILE  declares the functions instead of template.yaml

Options of cargo dev test:
  --release        builds the functions as they are deployed, which takes minutes
  --sharded        as --vitess, with the orders on two shards
  --vitess-cluster runs the tests that start clusters of Vitess, with failovers, and no others; needs
                   Go and MySQL, and takes minutes
  --url URL        tests on this database, mysql://user:password@host:port/name, whose schema must be
                   empty or made by this project's migrations; runs the tests that need no server of
                   their own
  --ca FILE        the authority of that server's certificate, as PEM; the default is the public ones

Options of cargo dev migrate:
  --no-deploy      stops when the deploy request is open
  --approval       waits until the deploy request is approved
  --folder PATH    the folder of the running stack

Options of cargo dev restore, cargo dev review and cargo dev rotate:
  --folder PATH    the folder of the running stack

Options of cargo dev lint:
  --server PATH    the database server; the default is that of the running stack, then the first
                   server that is found
  --foreign-keys   allows foreign keys, as the database's settings on PlanetScale may
  --github         writes annotations for GitHub's workflows; the default where GITHUB_ACTIONS is set

Options of cargo dev bench:
  --server PATH    the database server; the default is the first one that is found
  --brief          measures a few rounds only, to see that everything can be measured
  --compare REV    builds another revision of this project too, and measures both in turns
  --others         measures the same routes in Go, and in Rust with sqlx, beside the functions
  --growth         measures pages of lists with up to ten million orders, and the rules with many
                   migrations and tables; this takes some minutes and 5 GB of disk
";

/// What the command line asks for.
enum Request {
    Help,
    Run(Options),
    Test(Options, Vec<OsString>),
    Lint(lint::Request),
    Migrate(migrate::Request),
    Restore(Option<PathBuf>),
    Review(Option<PathBuf>),
    Rotate(Option<PathBuf>),
    Bench(bench::Request),
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
            }
            Request::Run(options) => cargo_dev::run(&options).await?,
            Request::Test(options, arguments) => {
                let status = cargo_dev::test(&options, &arguments).await?;
                let code = status.code().and_then(|code| u8::try_from(code).ok());
                return Ok(code.map_or(ExitCode::FAILURE, ExitCode::from));
            }
            Request::Lint(request) => return lint::run(&request).await,
            Request::Migrate(request) => migrate::run(&request).await?,
            Request::Restore(folder) => restore::run(folder.as_deref()).await?,
            Request::Review(folder) => review::run(folder.as_deref()).await?,
            Request::Rotate(folder) => rotate::run(folder.as_deref()).await?,
            Request::Bench(request) => bench::run(&request).await?,
        }
        anyhow::Ok(ExitCode::SUCCESS)
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
            Long("sharded") if test => (options.vitess, options.sharded) = (true, true),
            Long("vitess-cluster") if test => options.vitess_cluster = true,
            Long("url") if test => url = Some(arguments.value()?.string()?),
            Long("ca") if test => ca_file = Some(PathBuf::from(arguments.value()?)),
            Long("folder") => options.folder = Some(PathBuf::from(arguments.value()?)),
            Long("template") if !test => {
                options.template = Some(PathBuf::from(arguments.value()?));
            }
            Long("port") if !test => options.port = Some(arguments.value()?.parse()?),
            Value(word) if word == "test" && !test => test = true,
            Value(word) if !test && options == Options::default() => {
                return match word.to_str() {
                    Some("lint") => parse_lint(arguments),
                    Some("migrate") => parse_migrate(arguments),
                    Some("restore") => parse_folder(arguments, Request::Restore),
                    Some("review") => parse_folder(arguments, Request::Review),
                    Some("rotate") => parse_folder(arguments, Request::Rotate),
                    Some("bench") => parse_bench(arguments),
                    _ => Err(Value(word).unexpected()),
                };
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
        (Some(_), _) if options.server.is_some() || options.vitess || options.vitess_cluster => {
            return Err(
                "--url goes with none of --server, --vitess, --sharded and --vitess-cluster".into(),
            );
        }
        _ if options.vitess && options.vitess_cluster => {
            return Err("--vitess-cluster does not go with --vitess or --sharded".into());
        }
        (None, Some(_)) => return Err("--ca goes with --url alone".into()),
        (url, ca_file) => {
            options.existing_database = url.map(|url| ExistingDatabase::new(url, ca_file))
        }
    }
    if test && (options.port.is_some() || options.template.is_some()) {
        return Err("--port and --template do not go with test".into());
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
            Long("server") => request.server = Some(PathBuf::from(arguments.value()?)),
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

fn parse_bench(mut arguments: lexopt::Parser) -> Result<Request, lexopt::Error> {
    let mut request = bench::Request::default();
    while let Some(argument) = arguments.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(Request::Help),
            Long("server") => request.server = Some(PathBuf::from(arguments.value()?)),
            Long("brief") => request.brief = true,
            Long("compare") => request.compare = Some(arguments.value()?.string()?),
            Long("others") => request.others = true,
            Long("growth") => request.growth = true,
            other => return Err(other.unexpected()),
        }
    }
    if request.growth && (request.brief || request.others || request.compare.is_some()) {
        return Err("--growth goes with none of --brief, --compare and --others".into());
    }
    Ok(Request::Bench(request))
}

/// The arguments of a command that takes only the folder of the running stack.
fn parse_folder(
    mut arguments: lexopt::Parser,
    command: fn(Option<PathBuf>) -> Request,
) -> Result<Request, lexopt::Error> {
    let mut folder = None;
    while let Some(argument) = arguments.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(Request::Help),
            Long("folder") => folder = Some(PathBuf::from(arguments.value()?)),
            other => return Err(other.unexpected()),
        }
    }
    Ok(command(folder))
}

fn failure(error: &dyn std::fmt::Display) -> ExitCode {
    cargo_dev::print(&format!("error: {error}"));
    ExitCode::FAILURE
}
