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

mod line;
mod table;

use std::{
    cell::RefCell,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde::Serialize;
use serde_json::Value;

use crate::log;

use line::Number;
pub(crate) use line::Settings;
pub use line::VARIABLES;
pub use table::Metric;

/// The format's limit for the values of one metric in a line.
const MOST_VALUES: usize = 100;

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

/// Counts a connection that was closed. The line has the causes as the field `discarded_because`.
pub fn connection_discarded(cause: &'static str) {
    with_record(|record| {
        record.add(Metric::ConnectionsDiscarded, 1.0);
        record.discarded_because.push(cause);
    });
}

/// Says how long a statement took. The line names the slowest one (`slowest_statement`) and its time
/// (`slowest_statement_ms`). As a dimension, each name would be a metric of its own to pay for.
pub fn statement_took(name: &'static str, time: Duration) {
    let Amount(milliseconds) = time.into();
    with_record(|record| {
        record.add(Metric::StatementDuration, milliseconds);
        let slowest = record.slowest_statement.get_or_insert((name, milliseconds));
        if milliseconds > slowest.1 {
            *slowest = (name, milliseconds);
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
    discarded_because: Vec<&'static str>,
    /// Its name and its time in milliseconds.
    slowest_statement: Option<(&'static str, f64)>,
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
    invocation: Arc<log::Invocation>,
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

#[cfg(test)]
mod tests {
    use super::*;

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
