//! Metrics: one log line for each invocation, from which CloudWatch reads numbers.
//!
//! Any code that runs in an invocation calls [`add`]. When the invocation ends, [`process::run`]
//! writes its line in CloudWatch's [embedded metric format]. The line is also the invocation's
//! summary in the log: it has the [properties](property) that the function adds, such as the status
//! of its answer.
//!
//! A metric is written only by an invocation that adds to it, if only a zero. What happens rarely
//! is not written as zero all the time, because CloudWatch bills a metric for each hour in which it
//! gets a value. So an alarm on it treats missing data as good.
//!
//! The dimension is `FunctionName`. A function may [add a second set](dimension).
//!
//! `README.md` of this crate says why these lines come from here and not from another crate.
//!
//! [embedded metric format]: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
//! [`process::run`]: crate::process::run

use std::{
    cell::RefCell,
    sync::{Mutex, OnceLock, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use serde::{
    Serialize,
    ser::{SerializeMap, Serializer},
};
use serde_json::Value;

use crate::{
    Resource,
    log::{self, Header},
    settings::{Environment, Faults, Variable},
};

const METRICS_NAMESPACE: &str = "METRICS_NAMESPACE";
const FUNCTION_NAME: &str = "FunctionName";

/// Every variable that is read here.
pub const VARIABLES: &[Variable] = &[Variable {
    name: METRICS_NAMESPACE,
    default: "",
    local: false,
    meaning: "namespace of the metrics in CloudWatch; without it, the functions write no metrics",
}];

/// The format's limit for the values of one metric in a line.
const MOST_VALUES: usize = 100;

macro_rules! table {
    ($($name:ident: $unit:ident, $meaning:literal;)*) => {
        /// Every metric. The README of the functions has the same table.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Metric {
            $(#[doc = $meaning] $name,)*
        }

        impl Metric {
            /// All of them, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Its name in CloudWatch.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// Its unit, by CloudWatch's name.
            pub const fn unit(self) -> &'static str {
                match self { $(Self::$name => stringify!($unit),)* }
            }

            /// What it means.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning,)* }
            }
        }
    };
}

table! {
    ColdStart: Count, "1 in the first invocation of an execution environment, 0 in the others";
    InitDuration: Milliseconds, "time from the start of `main` until the function asks for its first event; in the first invocation";
    Duration: Milliseconds, "time that the invocation took";
    ConnectionWait: Milliseconds, "time that the invocation waited for connections: for its turn, a login, a ping";
    ConnectionsOpened: Count, "logins that succeeded";
    ConnectionsDiscarded: Count, "connections that were closed; `discarded_because` has the causes";
    PingFailed: Count, "pings of a connection that had no good answer";
    Statements: Count, "statements sent, with those that open and end transactions";
    StatementDuration: Milliseconds, "time from sending a statement to its answer or failure, for each statement, up to 100 in an invocation";
    Retries: Count, "statements, transactions and logins that were repeated";
    SecretRefreshed: Count, "secrets that were fetched from Secrets Manager";
    LoginRefused: Count, "logins that the database refused";
    DatabaseUnavailable: Count, "sessions, statements and transactions that failed because the database could not be reached or did not answer in time";
    OutcomeUnknown: Count, "1 if the answer says that nobody knows whether the change has happened";
    Status4xx: Count, "1 if the answer has a status from 400 to 499, else 0";
    Status5xx: Count, "1 if the answer has a status of 500 or more, else 0";
    BackupAge: None, "hours since the newest successful backup was taken, or since the branch was made if there is none";
    BackupFailed: Count, "backups that failed, or could not be checked or started";
    RotationFailed: Count, "steps of a rotation that failed";
    SchemaChangeFailed: Count, "steps of a schema change that failed for good";
    QueriesWithoutIndex: Count, "statements of the catalogue that do not use their index, by the weekly review";
    SlowQueries: Count, "queries that take more than 250 ms in one of a hundred runs, by the weekly review";
}

/// Adds to a metric of the invocation. Counts are numbers, and times are [`Duration`]s. Outside an
/// invocation and the warm-up, nothing is counted.
pub fn add(metric: Metric, amount: impl Into<Amount>) {
    let Amount(amount) = amount.into();
    with_record(|record| record.add(metric, amount));
}

/// Adds a field to the invocation's line that is not a metric.
pub fn property(name: &'static str, value: impl Into<Value>) {
    let value = value.into();
    with_record(|record| record.properties.push((name, value)));
}

/// Adds one to a metric, and `cause` to the list that the line has as the field `causes`.
pub fn add_because(metric: Metric, causes: &'static str, cause: &'static str) {
    with_record(|record| {
        record.add(metric, 1.0);
        let mut lists = record.causes.iter_mut();
        match lists.find(|(name, _)| *name == causes) {
            Some((_, list)) => list.push(cause),
            None => record.causes.push((causes, vec![cause])),
        }
    });
}

/// Says how long a statement took. The line names the slowest one (`slowest_statement`) and its time
/// (`slowest_statement_ms`). As a dimension, each name would be a metric of its own to pay for.
pub fn statement_took(name: &'static str, time: Duration) {
    with_record(|record| {
        let slowest = record.slowest_statement.get_or_insert((name, time));
        if time > slowest.1 {
            *slowest = (name, time);
        }
    });
}

/// Adds a second set of dimensions, `FunctionName` and this one, to the invocation's metrics.
pub fn dimension(name: &'static str, value: impl Into<String>) {
    let value = value.into();
    with_record(|record| record.dimension = Some((name, value)));
}

/// What is added to a metric, in its unit.
#[derive(Debug, Clone, Copy)]
pub struct Amount(f64);

impl From<u32> for Amount {
    fn from(count: u32) -> Self {
        Self(count.into())
    }
}

impl From<f64> for Amount {
    fn from(number: f64) -> Self {
        Self(number)
    }
}

impl From<Duration> for Amount {
    /// In milliseconds.
    fn from(time: Duration) -> Self {
        Self(time.as_secs_f64() * 1e3)
    }
}

tokio::task_local! {
    static RECORD: RefCell<Record>;
}

/// What the warm-up left, for the first invocation.
static BEFORE_FIRST: Mutex<Option<Record>> = Mutex::new(None);

fn with_record(change: impl FnOnce(&mut Record)) {
    let _ = RECORD.try_with(|record| change(&mut record.borrow_mut()));
}

/// What one invocation has added so far.
#[derive(Default)]
struct Record {
    metrics: Vec<(Metric, Values)>,
    properties: Vec<(&'static str, Value)>,
    causes: Vec<(&'static str, Vec<&'static str>)>,
    slowest_statement: Option<(&'static str, Duration)>,
    dimension: Option<(&'static str, String)>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Values {
    Sum(Number),
    /// At most [`MOST_VALUES`].
    Each(Vec<Number>),
}

impl Record {
    fn add(&mut self, metric: Metric, amount: f64) {
        let mut metrics = self.metrics.iter_mut();
        match (metrics.find(|(known, _)| *known == metric), metric) {
            (Some((_, Values::Sum(Number(sum)))), _) => *sum += amount,
            (Some((_, Values::Each(values))), _) if values.len() < MOST_VALUES => {
                values.push(Number(amount));
            }
            (Some(_), _) => {}
            (None, Metric::StatementDuration) => {
                let values = Values::Each(vec![Number(amount)]);
                self.metrics.push((metric, values));
            }
            (None, _) => self.metrics.push((metric, Values::Sum(Number(amount)))),
        }
    }
}

/// A number that is written with three decimals, or without any if it is whole.
struct Number(f64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let rounded = (self.0 * 1e3).round() / 1e3;
        // Saturates at numbers that are far larger than any count or time.
        let whole = rounded as u64;
        match whole as f64 == rounded {
            true => serializer.serialize_u64(whole),
            false => serializer.serialize_f64(rounded),
        }
    }
}

/// Runs the warm-up, for which the process has started at `start`. The first invocation counts what
/// it adds.
pub(crate) async fn of_warm_up(start: Instant, warm_up: impl Future<Output = ()>) {
    let work = async {
        warm_up.await;
        add(Metric::InitDuration, start.elapsed());
        RECORD.with(RefCell::take)
    };
    let record = RECORD.scope(RefCell::default(), work).await;
    *BEFORE_FIRST.lock().unwrap_or_else(PoisonError::into_inner) = Some(record);
}

/// Runs an invocation and writes its line, with the message that `message` makes of the output.
pub(crate) async fn of_invocation<F: Future>(
    invocation: log::Invocation,
    settings: &Settings,
    work: F,
    message: impl FnOnce(&F::Output) -> &'static str,
) -> F::Output {
    let before = match invocation.cold_start {
        true => BEFORE_FIRST
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take(),
        false => None,
    };
    let start = Instant::now();
    let work = async {
        add(Metric::ColdStart, u32::from(invocation.cold_start));
        let output = work.await;
        add(Metric::Duration, start.elapsed());
        (output, RECORD.with(RefCell::take))
    };
    let record = RefCell::new(before.unwrap_or_default());
    let (output, record) = RECORD.scope(record, work).await;
    if let Some(line) = settings.line(&invocation, message(&output), record) {
        log::write(&line);
    }
    output
}

/// Where the metrics go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    namespace: Option<String>,
    function_name: String,
    /// What the lines say of their level: INFO, or the lowest that Lambda keeps if that is higher.
    level: &'static str,
}

impl Settings {
    fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Faults> {
        Environment::read(lookup, VARIABLES, |environment| {
            let namespace = environment.get(METRICS_NAMESPACE);
            // CloudWatch leaves out metrics whose namespace is wrong, and says so nowhere.
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".-_/#: ".contains(&byte);
            let is_right = |name: &String| {
                name.len() <= 255 && name.bytes().all(fits) && !name.starts_with("AWS/")
            };
            if !namespace.as_ref().is_none_or(is_right) {
                environment.fault(
                    METRICS_NAMESPACE,
                    "must have at most 255 letters, digits, spaces and . - _ / # : and not begin with AWS/",
                );
            }
            Self {
                namespace,
                function_name: environment
                    .get("AWS_LAMBDA_FUNCTION_NAME")
                    .unwrap_or_default(),
                level: log::lowest_kept(environment.get(log::LEVEL_VARIABLE).as_deref()),
            }
        })
    }

    /// The invocation's line with its newline. Without a namespace, it is a log line like another,
    /// and not written if the level is higher.
    fn line(
        &self,
        invocation: &log::Invocation,
        message: &'static str,
        record: Record,
    ) -> Option<Vec<u8>> {
        if self.namespace.is_none() && self.level != log::INFO {
            return None;
        }
        let line = Line {
            settings: self,
            header: Header {
                level: self.level,
                message,
                request_id: Some(&invocation.request_id),
                trace_id: invocation.trace_id.as_deref(),
                function_name: Some(&self.function_name),
                cold_start: invocation.cold_start,
                target: module_path!(),
            },
            record,
        };
        let mut line = serde_json::to_vec(&line).ok()?;
        line.push(b'\n');
        Some(line)
    }
}

impl Resource for &'static Settings {
    fn from_env() -> Result<Self, Faults> {
        static SETTINGS: OnceLock<Settings> = OnceLock::new();
        let settings = Settings::read(|name| std::env::var(name).ok())?;
        Ok(SETTINGS.get_or_init(|| settings))
    }
}

struct Line<'a> {
    settings: &'a Settings,
    header: Header<'a>,
    record: Record,
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Record {
            metrics,
            properties,
            causes,
            slowest_statement,
            dimension,
        } = &self.record;
        let mut line = serializer.serialize_map(None)?;
        self.header.write_to(&mut line)?;
        if let Some((name, value)) = dimension {
            line.serialize_entry(name, value)?;
        }
        for (metric, values) in metrics {
            line.serialize_entry(metric.name(), values)?;
        }
        for (name, list) in causes {
            line.serialize_entry(name, list)?;
        }
        // Logs Insights finds only the first 200 fields of a line, and a report can have more.
        for (name, value) in properties {
            line.serialize_entry(name, value)?;
        }
        if let Some((name, time)) = slowest_statement {
            line.serialize_entry("slowest_statement", name)?;
            let Amount(time) = (*time).into();
            line.serialize_entry("slowest_statement_ms", &Number(time))?;
        }
        if let Some(namespace) = &self.settings.namespace {
            line.serialize_entry(FUNCTION_NAME, &self.settings.function_name)?;
            let metrics = Metrics {
                namespace,
                dimensions: match dimension {
                    Some((name, _)) => &[&[FUNCTION_NAME], &[FUNCTION_NAME, name]],
                    None => &[&[FUNCTION_NAME]],
                },
                metrics: metrics
                    .iter()
                    .map(|(metric, _)| Definition {
                        name: metric.name(),
                        unit: metric.unit(),
                    })
                    .collect(),
            };
            let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            let metadata = Metadata {
                timestamp: since_epoch.unwrap_or_default().as_millis() as u64,
                cloud_watch_metrics: [metrics],
            };
            line.serialize_entry("_aws", &metadata)?;
        }
        line.end()
    }
}

/// What CloudWatch reads first: which fields of the line are metrics.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata<'a> {
    timestamp: u64,
    cloud_watch_metrics: [Metrics<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metrics<'a> {
    namespace: &'a str,
    dimensions: &'a [&'a [&'a str]],
    metrics: Vec<Definition>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Definition {
    name: &'static str,
    unit: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(namespace: &str) -> Result<Settings, Faults> {
        Settings::read(|name| (name == METRICS_NAMESPACE).then(|| namespace.to_owned()))
    }

    #[test]
    fn a_namespace_that_cloudwatch_ignores_is_a_fault() {
        for wrong in ["AWS/Lambda", "größe", &"a".repeat(256)] {
            let faults = read(wrong).unwrap_err().to_string();
            assert!(faults.contains(METRICS_NAMESPACE), "{faults}");
        }
        assert_eq!(read(" ").unwrap().namespace, None);
        let namespace = read("orders-dev/1").unwrap().namespace;
        assert_eq!(namespace.as_deref(), Some("orders-dev/1"));
    }

    #[test]
    fn counts_and_times_are_added_up_and_each_statement_stands_for_itself() {
        let mut record = Record::default();
        for _ in 0..=MOST_VALUES {
            record.add(Metric::Statements, 1.0);
            record.add(Metric::ConnectionWait, 0.000_25);
            record.add(Metric::StatementDuration, 1.5);
        }
        let written = record.metrics.iter().map(|(_, values)| values);
        let written = serde_json::to_value(written.collect::<Vec<_>>()).unwrap();
        let each = vec![1.5; MOST_VALUES];
        assert_eq!(written, serde_json::json!([101, 0.025, each]));
    }
}
