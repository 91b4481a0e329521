//! `cargo dev bench`: how fast the functions are, each figure beside its floor.
//!
//! A floor is what the same work takes without the function: a handler that does nothing, a statement
//! on an open connection, a process that fetches the secret and logs in. Floors are measured in the
//! same moments as the functions. So the ratios say something on a busy machine too, and nothing else
//! here does.

mod figure;
mod growth;
mod measure;
mod orders;
mod others;
mod program;
mod report;
mod revision;
mod runtime_api;
mod share;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::anyhow;
use mysql_async::Conn;

use self::others::Others;
use self::program::{Setting, Subject};
use self::report::Report;
use self::revision::Revision;
use self::share::Share;
use super::{Run, StopSignals, lint, target};
use crate::proxy::Proxy;
use crate::stack::access::{ADMIN, connect};
use crate::stack::server::Data;
use crate::stack::{Template, background, file};
use crate::stand_ins::lambda::event::Event;

/// The functions that are measured, what they are asked, and what they ask the database. The program
/// of the floors knows these statements by the same names.
const MEASURED: [(&str, &str); 2] = [("get-order", "find"), ("list-orders", "list")];

/// The delay of what is sent to the database in one part of the bench. Timers add up to a millisecond.
const AWAY: Duration = Duration::from_millis(1);

/// What the command line asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// The server program, in place of the first one found.
    pub server: Option<PathBuf>,
    /// A few rounds only, to see that everything can be measured.
    pub brief: bool,
    /// Another revision of this project, to measure beside this one.
    pub compare: Option<String>,
    /// The same routes in Go, and with sqlx, beside these.
    pub others: bool,
    /// How things grow, and nothing else.
    pub growth: bool,
}

/// Measures, prints the table and writes the report.
///
/// # Errors
///
/// Something cannot be measured. However slow the functions are, that is none.
pub async fn run(request: &Request) -> anyhow::Result<()> {
    let mut stop = StopSignals::new()?;
    let folder = target().join("dev-bench");
    let run = Run::new("cargo dev bench", &folder).await?;
    let result = tokio::select! {
        result = run.bench(request) => result,
        () = stop.next() => Err(anyhow!("stopped before everything was measured")),
    };
    run.end(&mut stop).await;
    if request.growth {
        // Some gigabytes, which the next run would drop.
        file::remove_folder(&folder.join("data"))?;
    }
    // Who closed the output wants no more of it.
    let _ = std::io::stdout().write_all(result?.table().as_bytes());
    Ok(())
}

impl Run {
    async fn bench(&self, request: &Request) -> anyhow::Result<Report> {
        let floors = [
            "--workspace",
            "--release",
            "--example=bare",
            "--example=empty",
        ];
        let functions = MEASURED.map(|(name, _)| format!("--bin={name}"));
        let arguments = floors
            .into_iter()
            .chain(functions.iter().map(String::as_str));
        self.cargo_build(crate::root(), arguments).await?;
        let revision = match &request.compare {
            Some(revision) => Some(Revision::build(self, revision, &functions).await?),
            None => None,
        };
        let others = match request.others {
            true => Others::build(self).await?,
            false => Others::default(),
        };
        // Ten million orders are for a disk.
        let data = if request.growth {
            Data::Kept
        } else {
            Data::Discarded
        };
        let (server, certificates) = lint::start(self, request.server.as_deref(), data).await?;

        let step = self.progress.step("filling the database");
        let (host, port) = (server.address.ip().to_string(), server.address.port());
        let (authority, password) = (&certificates.authority, &server.admin_password);
        let mut admin = connect(&host, port, Some(authority), ADMIN, password, None).await?;
        let filled = orders::fill(&mut admin, "bench", orders::BUSY_ORDERS).await?;
        step.done("database filled");

        let programs = target().join("release");
        let setting = Setting {
            database: server.address,
            login: filled.login,
            ca_file: authority.clone(),
            floors: programs.join("examples"),
            order: filled.order.to_string(),
            share: None,
        };
        let mut subjects = subjects(&programs, &setting, "")?;
        subjects.extend(others.subjects(&subjects));
        // Another revision may answer differently.
        let alike = if request.others {
            subjects.clone()
        } else {
            Vec::new()
        };
        if let Some(Revision { name, programs }) = &revision {
            subjects.extend(self::subjects(programs, &setting, &format!(" at {name}"))?);
        }
        if !request.growth {
            subjects.extend(bare_functions(&setting, &subjects));
        }
        let report = if request.growth {
            self.growth(request, &mut admin, setting, subjects).await?
        } else {
            let starting = Proxy::start(server.address);
            let proxy = background::runtime()?.spawn(starting).await??;
            let step = self.progress.step("measuring");
            let brief = request.brief;
            let measuring = move || {
                others::answer_alike(&setting, &alike)?;
                everything(&setting, &subjects, &proxy, brief)
            };
            let mut report = tokio::task::spawn_blocking(measuring).await??;
            report.figures.extend(others.beside(&report.figures));
            report.notes.extend(others.notes);
            step.done("measured");
            report
        };
        let folder = self.folder.join("report");
        report.write(&folder)?;
        self.progress.say(&format!(
            "  the report: {}",
            folder.join("report.html").display()
        ));
        Ok(report)
    }

    async fn growth(
        &self,
        request: &Request,
        admin: &mut Conn,
        setting: Setting,
        subjects: Vec<Subject>,
    ) -> anyhow::Result<Report> {
        let server = request.server.as_deref();
        let figures = growth::rules(&self.folder.join("migrations"), server).await?;
        let mut report = Report {
            figures,
            ..Report::default()
        };
        let step = self.progress.step("writing millions of orders");
        let settings = growth::fill(admin, &setting).await?;
        step.done("millions of orders written");
        let step = self.progress.step("asking for pages");
        let measuring = move || growth::pages(&settings, &subjects);
        let pages = tokio::task::spawn_blocking(measuring).await?;
        growth::remove(admin).await?;
        report.figures.extend(pages?);
        step.done("asked for pages");
        Ok(report)
    }
}

/// The functions in this folder, with the environment that the template gives them.
fn subjects(programs: &Path, setting: &Setting, whose: &str) -> anyhow::Result<Vec<Subject>> {
    let template = Template::read()?;
    let subjects = MEASURED.map(|(name, statement)| {
        let declared = template.function(name)?;
        let secret = BTreeMap::from([("DATABASE_SECRET_ID".to_owned(), "bench".to_owned())]);
        let path = match statement {
            "find" => format!("/orders/{}", setting.order),
            _ => format!("/customers/{}/orders?limit=10", orders::BUSY),
        };
        Ok(Subject {
            name: format!("{name}{whose}"),
            program: programs.join(name),
            environment: declared.environment(&secret)?,
            event: Event::get(path)
                .payload(&declared.routes)
                .to_string()
                .into(),
            statement,
        })
    });
    subjects.into_iter().collect()
}

/// Functions that only run the statements of ours. No function with this runtime and this driver is
/// faster, so they show how near the floors one can come.
fn bare_functions(setting: &Setting, ours: &[Subject]) -> Vec<Subject> {
    let ours = MEASURED.map(|(name, _)| ours.iter().find(|subject| subject.name == name));
    let bare = ours.into_iter().flatten().map(|subject| {
        let mut bare = Subject {
            name: format!("{}, the bare statement in a function", subject.name),
            program: setting.floors.join("bare"),
            ..subject.clone()
        };
        let statement = ("BENCH_STATEMENT".to_owned(), subject.statement.to_owned());
        bare.environment.extend([statement]);
        bare
    });
    bare.collect()
}

fn everything(
    setting: &Setting,
    subjects: &[Subject],
    proxy: &Proxy,
    brief: bool,
) -> anyhow::Result<Report> {
    let rounds = |rounds| if brief { 2 } else { rounds };
    let times = |times| if brief { 10 } else { times };
    let turn = Duration::from_millis(if brief { 100 } else { 1000 });
    let mut report = Report::default();
    let behind_proxy = Setting {
        database: proxy.address(),
        ..setting.clone()
    };
    let figures = &mut report.figures;
    figures.extend(measure::warm(
        setting,
        subjects,
        rounds(40),
        times(100),
        "",
    )?);
    figures.extend(measure::cold(setting, subjects, rounds(30), "")?);
    figures.extend(measure::at_once(setting, subjects, rounds(5), turn)?);
    figures.extend(measure::sizes(setting, subjects)?);
    proxy.delay(AWAY, Duration::ZERO);
    // At this distance the server's TLS tickets never come between what a client sends together.
    figures.extend(measure::round_trips(&behind_proxy, subjects, proxy)?);
    let whence = ", about 2 ms away";
    figures.extend(measure::warm(
        &behind_proxy,
        subjects,
        rounds(15),
        times(20),
        whence,
    )?);
    figures.extend(measure::cold(&behind_proxy, subjects, rounds(20), whence)?);
    match Share::find() {
        Some(share) => {
            let setting = Setting {
                share: Some(share),
                ..setting.clone()
            };
            let whence = ", with the CPU of 256 MB";
            figures.extend(measure::warm(&setting, subjects, rounds(20), times(30), whence)?);
            figures.extend(measure::cold(&setting, subjects, rounds(20), whence)?);
        }
        None => report.notes.push(
            "Left out: the CPU of 256 MB. It takes cgroups that this user may make (root, on Linux)."
                .to_owned(),
        ),
    }
    if setting.statements()?.process.cpu().is_none() {
        let note = "Left out: CPU and memory, which are read from /proc of Linux.";
        report.notes.push(note.to_owned());
    }
    Ok(report)
}
