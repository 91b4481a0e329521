//! The measurements. Each goes in rounds, and in each round everything takes its turn, the floors too.
//! One more round goes before them, which does not count: it is for caches.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use flate2::Compression;
use flate2::read::DeflateEncoder;

use super::figure::{Figure, median};
use super::program::{Setting, Subject};
use crate::proxy::Proxy;

/// The events at once, and the connections for them.
const EVENTS: usize = 64;
const CONNECTIONS: usize = 5;

const MAX_CONCURRENCY: &str = "AWS_LAMBDA_MAX_CONCURRENCY";

/// The rounds of one kind of figure, by what was measured.
#[derive(Default)]
pub struct Series(BTreeMap<String, (Vec<f64>, Vec<f64>)>);

impl Series {
    pub fn add(&mut self, subject: &str, value: f64, floor: f64) {
        let (values, floors) = self.0.entry(subject.to_owned()).or_default();
        values.push(value);
        floors.push(floor);
    }

    pub fn figures(self, group: &str) -> impl Iterator<Item = Figure> {
        self.0
            .into_iter()
            .map(move |(subject, (rounds, floor))| Figure {
                group: group.to_owned(),
                subject,
                rounds,
                floor,
            })
    }
}

/// The function that does nothing.
fn empty(setting: &Setting, like: &Subject) -> Subject {
    Subject {
        name: "an empty handler".to_owned(),
        program: setting.floors.join("empty"),
        ..like.clone()
    }
}

/// So many invocations in a turn, one after the other, on a connection that is open: time, CPU and
/// memory.
pub fn warm(
    setting: &Setting,
    subjects: &[Subject],
    rounds: usize,
    times: usize,
    whence: &str,
) -> anyhow::Result<Vec<Figure>> {
    let Some(first) = subjects.first() else {
        return Ok(Vec::new());
    };
    let (empty, _) = setting.start(&empty(setting, first))?;
    let mut bare = setting.statements()?;
    let mut functions = Vec::new();
    for subject in subjects {
        functions.push((subject, setting.start(subject)?.0));
    }
    let (mut time, mut cpu, mut memory) = (Series::default(), Series::default(), Series::default());
    for round in 0..=rounds {
        let before = empty.process.cpu();
        let nothing = median(&empty.invoke(&first.event, times)?);
        let cpu_of_nothing = spent(before, empty.process.cpu(), times);
        for (subject, function) in &functions {
            let before = bare.process.cpu();
            let statement = median(&bare.run(subject.statement, times)?);
            let cpu_of_statement = spent(before, bare.process.cpu(), times);
            let before = function.process.cpu();
            let took = median(&function.invoke(&subject.event, times)?);
            let cpu_of_it = spent(before, function.process.cpu(), times);
            if round == 0 {
                continue;
            }
            time.add(&subject.name, took, nothing + statement);
            if let (Some(it), Some(nothing), Some(statement)) =
                (cpu_of_it, cpu_of_nothing, cpu_of_statement)
            {
                cpu.add(&subject.name, it, nothing + statement);
            }
        }
    }
    for (subject, function) in &functions {
        if let (Some(it), Some(nothing)) = (function.process.memory(), empty.process.memory()) {
            memory.add(&subject.name, it, nothing);
        }
    }
    let mut figures: Vec<_> = time.figures(&format!("warm{whence}, ms")).collect();
    // Elsewhere they are the same.
    if whence.is_empty() {
        figures.extend(cpu.figures("CPU per warm invocation, µs"));
        figures.extend(memory.figures("memory in use, MB"));
    }
    Ok(figures)
}

fn spent(before: Option<f64>, after: Option<f64>, times: usize) -> Option<f64> {
    let times = u32::try_from(times).ok()?;
    Some((after? - before?) / f64::from(times))
}

/// From the start of the process to its first answer.
pub fn cold(
    setting: &Setting,
    subjects: &[Subject],
    rounds: usize,
    whence: &str,
) -> anyhow::Result<Vec<Figure>> {
    let mut time = Series::default();
    for round in 0..=rounds {
        let floor = milliseconds(setting.connect()?);
        for subject in subjects {
            let (_function, took) = setting.start(subject)?;
            if round > 0 {
                time.add(&subject.name, milliseconds(took), floor);
            }
        }
    }
    Ok(time.figures(&format!("cold{whence}, ms")).collect())
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// Many events at once in one process for the time of a turn, on five connections and on as many as it
/// would open by itself.
pub fn at_once(
    setting: &Setting,
    subjects: &[Subject],
    rounds: usize,
    turn: Duration,
) -> anyhow::Result<Vec<Figure>> {
    let mut functions = Vec::new();
    for subject in subjects
        .iter()
        .filter(|subject| subject.statement == "find")
    {
        for connections in [Some(CONNECTIONS), None] {
            let mut subject = subject.clone();
            let settings = &mut subject.environment;
            settings.insert(MAX_CONCURRENCY.to_owned(), EVENTS.to_string());
            match connections {
                Some(count) => {
                    settings.insert("DATABASE_POOL_MAX".to_owned(), count.to_string());
                    subject.name += &format!(", {count} connections");
                }
                None => subject.name += ", connections by default",
            }
            let function = setting.start(&subject)?.0;
            functions.push((subject, function));
        }
    }
    let mut rate = Series::default();
    for round in 0..=rounds {
        let floor = setting.at_once(CONNECTIONS, turn)?;
        for (subject, function) in &functions {
            let answered = function.api.at_once(&subject.event, EVENTS, turn)?;
            if round > 0 {
                rate.add(&subject.name, answered, floor);
            }
        }
    }
    let group = format!("{EVENTS} events at once, answers per second");
    Ok(rate.figures(&group).collect())
}

/// The round trips to the database, until the first answer and then for each.
pub fn round_trips(
    setting: &Setting,
    subjects: &[Subject],
    proxy: &Proxy,
) -> anyhow::Result<Vec<Figure>> {
    let trips = || u32::try_from(proxy.counts().round_trips).unwrap_or(u32::MAX);
    let counted = |before: u32| f64::from(trips() - before);
    let mut first = Series::default();
    let mut each = Series::default();
    let before = trips();
    setting.connect()?;
    let floor = counted(before);
    for subject in subjects {
        let before = trips();
        let (function, _) = setting.start(subject)?;
        first.add(&subject.name, counted(before), floor);
        let before = trips();
        function.invoke(&subject.event, 100)?;
        each.add(&subject.name, counted(before) / 100.0, 1.0);
    }
    let mut figures: Vec<_> = first
        .figures("round trips until the first answer")
        .collect();
    figures.extend(each.figures("round trips of a warm invocation"));
    Ok(figures)
}

/// The size of the programs, as files and as they are uploaded.
pub fn sizes(setting: &Setting, subjects: &[Subject]) -> anyhow::Result<Vec<Figure>> {
    let (mut size, mut zipped) = (Series::default(), Series::default());
    let empty = setting.floors.join("empty");
    for Subject { name, program, .. } in subjects {
        size.add(name, megabytes(program)?, megabytes(&empty)?);
        zipped.add(name, zipped_megabytes(program)?, zipped_megabytes(&empty)?);
    }
    let mut figures: Vec<_> = size.figures("program, MB").collect();
    figures.extend(zipped.figures("program zipped, MB"));
    Ok(figures)
}

#[expect(clippy::cast_precision_loss, reason = "it is shown with two digits")]
fn megabytes(program: &Path) -> anyhow::Result<f64> {
    Ok(program.metadata()?.len() as f64 / 1e6)
}

#[expect(clippy::cast_precision_loss, reason = "it is shown with two digits")]
fn zipped_megabytes(program: &Path) -> anyhow::Result<f64> {
    let mut zipped = DeflateEncoder::new(File::open(program)?, Compression::default());
    let bytes = io::copy(&mut zipped.by_ref(), &mut io::sink())?;
    Ok(bytes as f64 / 1e6)
}
