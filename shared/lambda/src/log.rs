//! Logs: one JSON line on stdout for each event, which CloudWatch's queries can read.
//!
//! A line contains `timestamp` (RFC 3339, UTC, milliseconds), `level`, `message`, `request_id` and
//! `trace_id` (within an invocation), `function_name`, `cold_start` and `target`. After these come
//! the event's own fields with their JSON types. A field with one of these names is left out, so
//! that a line cannot lie about where it comes from.
//!
//! The level is `AWS_LAMBDA_LOG_LEVEL`, which Lambda sets from the function's logging
//! configuration. It applies to the crates of this workspace. All other crates log only at WARN and
//! above, because below that drivers and SDKs print SQL, headers and bodies.
//!
//! A panic becomes one line with its place in the source. Its message is logged only if it is a
//! literal. A formatted message, such as that of `unwrap` on an error, may contain a customer's
//! value.

use std::{
    io::Write as _,
    panic::PanicHookInfo,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use lambda_runtime::Context;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use time::{OffsetDateTime, format_description::BorrowedFormatItem, macros::format_description};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    span::{Attributes, Id, Record},
    subscriber::Interest,
};
use tracing_subscriber::{
    Layer, Registry,
    layer::{Context as LayerContext, SubscriberExt},
    registry::LookupSpan,
};

use crate::trace;

#[cfg(test)]
mod tests;

pub(crate) const LEVEL_VARIABLE: &str = "AWS_LAMBDA_LOG_LEVEL";

/// The level at which invocations are logged.
pub(crate) const INFO: &str = "INFO";

const TIMESTAMP: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// The keys that every line has. No field of an event can replace them.
const FIXED: [&str; 8] = [
    "timestamp",
    "level",
    "message",
    "request_id",
    "trace_id",
    "function_name",
    "cold_start",
    "target",
];

tokio::task_local! {
    /// The invocation that runs. It is no span of tracing, which would cost ten times as much.
    static INVOCATION: Arc<Invocation>;
}

/// True until the first invocation of this process begins.
static COLD: AtomicBool = AtomicBool::new(true);

/// Logs the events and panics of the process to stdout.
pub(crate) fn init() {
    let setting = std::env::var(LEVEL_VARIABLE).ok();
    let level = setting.as_deref().map(parse_level);
    let lines = JsonLines {
        level: level
            .flatten()
            .map_or(LevelFilter::INFO, |(_, level)| level),
        function_name: std::env::var("AWS_LAMBDA_FUNCTION_NAME").ok(),
        write,
    };
    // This fails only if logs are already set up, which is fine.
    let _ = tracing::subscriber::set_global_default(Registry::default().with(lines));
    std::panic::set_hook(Box::new(log_panic));
    if let (Some(setting), Some(None)) = (setting, level) {
        tracing::warn!(
            "{LEVEL_VARIABLE} is {setting:?}: not TRACE, DEBUG, INFO, WARN, ERROR or FATAL; logging at INFO"
        );
    }
}

/// Writes a line to the log. If that can't be done, the function goes on. `println!` would panic.
pub(crate) fn write(line: &[u8]) {
    drop(std::io::stdout().lock().write_all(line));
}

/// The invocation that lines belong to.
pub(crate) struct Invocation {
    pub(crate) request_id: String,
    /// The id by which X-Ray finds its trace: `1-5759e988-bd862e3fe1be46a994272793` of
    /// `Root=1-5759e988-…;Parent=…;Sampled=1`.
    pub(crate) trace_id: Option<String>,
    /// Whether it is the first one of the process.
    pub(crate) cold_start: bool,
}

impl Invocation {
    pub(crate) fn new(context: &Context) -> Self {
        let trace = context.xray_trace_id.as_deref();
        Self {
            request_id: context.request_id.clone(),
            trace_id: trace.map(|header| trace::field(header, "Root").unwrap_or(header).to_owned()),
            cold_start: COLD.swap(false, Ordering::Relaxed),
        }
    }
}

/// Runs the work of an invocation. Every line within it has the ids of the invocation.
pub(crate) fn within<F: Future>(
    invocation: Arc<Invocation>,
    work: F,
) -> impl Future<Output = F::Output> {
    INVOCATION.scope(invocation, work)
}

/// A level by its name, in any case, with the name as Lambda writes it.
fn parse_level(name: &str) -> Option<(&'static str, LevelFilter)> {
    let levels = [
        ("TRACE", LevelFilter::TRACE),
        ("DEBUG", LevelFilter::DEBUG),
        (INFO, LevelFilter::INFO),
        ("WARN", LevelFilter::WARN),
        ("ERROR", LevelFilter::ERROR),
        // No level here is above ERROR.
        ("FATAL", LevelFilter::ERROR),
    ];
    let is_it = |(known, _): &(&str, _)| known.eq_ignore_ascii_case(name.trim());
    levels.into_iter().find(is_it)
}

/// The level of a line that is kept at the function's level `setting`: INFO, or that level if it is
/// higher. Lambda drops each line whose level is lower than the function's.
pub(crate) fn lowest_kept(setting: Option<&str>) -> &'static str {
    match setting.and_then(parse_level) {
        Some((name, level)) if level < LevelFilter::INFO => name,
        _ => INFO,
    }
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let location = panic.location().map(tracing::field::display);
    match panic.payload().downcast_ref::<&'static str>() {
        Some(literal) => tracing::error!(location, "panicked: {literal}"),
        None => tracing::error!(location, "panicked"),
    }
}

/// Cargo compiles the crates of the workspace by relative paths, and all others by absolute paths.
fn is_of_workspace(file: &str) -> bool {
    Path::new(file).is_relative()
}

/// Writes each event as one line.
struct JsonLines<W> {
    level: LevelFilter,
    function_name: Option<String>,
    /// Is called once for each line, with its newline.
    write: W,
}

impl<W> JsonLines<W> {
    fn records(&self, metadata: &Metadata<'_>) -> bool {
        let level = if metadata.file().is_some_and(is_of_workspace) {
            self.level
        } else {
            self.level.min(LevelFilter::WARN)
        };
        *metadata.level() <= level
    }
}

impl<S, W> Layer<S> for JsonLines<W>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: Fn(&[u8]) + 'static,
{
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.records(metadata) {
            Interest::always()
        } else {
            Interest::never()
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: LayerContext<'_, S>) -> bool {
        self.records(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level)
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: LayerContext<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().replace(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: LayerContext<'_, S>) {
        let mut later = Fields::default();
        values.record(&mut later);
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            fields.0.retain(|(name, _)| later.get(name).is_none());
            fields.0.append(&mut later.0);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: LayerContext<'_, S>) {
        let mut own = Fields::default();
        event.record(&mut own);

        let mut spans = Fields::default();
        for span in context
            .event_scope(event)
            .into_iter()
            .flat_map(|scope| scope.from_root())
        {
            if let Some(fields) = span.extensions().get::<Fields>() {
                for (name, value) in &fields.0 {
                    if spans.get(name).is_none() {
                        spans.0.push((name, value.clone()));
                    }
                }
            }
        }

        let invocation = INVOCATION.try_with(Arc::clone).ok();
        let invocation = invocation.as_deref();
        let line = Line {
            header: Header {
                level: event.metadata().level().as_str(),
                message: own.text("message").unwrap_or_default(),
                request_id: invocation.map(|one| one.request_id.as_str()),
                trace_id: invocation.and_then(|one| one.trace_id.as_deref()),
                function_name: self.function_name.as_deref(),
                cold_start: invocation
                    .map_or_else(|| COLD.load(Ordering::Relaxed), |one| one.cold_start),
                target: event.metadata().target(),
            },
            own: &own,
            spans: &spans,
        };
        if let Ok(mut line) = serde_json::to_vec(&line) {
            line.push(b'\n');
            (self.write)(&line);
        }
    }
}

/// The keys that every line begins with.
pub(crate) struct Header<'a> {
    pub(crate) level: &'a str,
    pub(crate) message: &'a str,
    pub(crate) request_id: Option<&'a str>,
    pub(crate) trace_id: Option<&'a str>,
    pub(crate) function_name: Option<&'a str>,
    pub(crate) cold_start: bool,
    pub(crate) target: &'a str,
}

impl Header<'_> {
    pub(crate) fn write_to<M: SerializeMap>(&self, line: &mut M) -> Result<(), M::Error> {
        if let Ok(now) = OffsetDateTime::now_utc().format(TIMESTAMP) {
            line.serialize_entry("timestamp", &now)?;
        }
        line.serialize_entry("level", self.level)?;
        line.serialize_entry("message", self.message)?;
        for (key, value) in [
            ("request_id", self.request_id),
            ("trace_id", self.trace_id),
            ("function_name", self.function_name),
        ] {
            if let Some(value) = value {
                line.serialize_entry(key, value)?;
            }
        }
        line.serialize_entry("cold_start", &self.cold_start)?;
        line.serialize_entry("target", self.target)
    }
}

struct Line<'a> {
    header: Header<'a>,
    own: &'a Fields,
    spans: &'a Fields,
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut line = serializer.serialize_map(None)?;
        self.header.write_to(&mut line)?;
        let outer = self
            .spans
            .0
            .iter()
            .filter(|(name, _)| self.own.get(name).is_none());
        for (name, value) in self.own.0.iter().chain(outer) {
            if !FIXED.contains(name) {
                line.serialize_entry(name, value)?;
            }
        }
        line.end()
    }
}

/// Fields in the order in which they were added, each name once.
#[derive(Default)]
struct Fields(Vec<(&'static str, Value)>);

impl Fields {
    fn get(&self, name: &str) -> Option<&Value> {
        self.0
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_str)
    }

    fn add(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.push((field.name(), value.into()));
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.add(field, value.to_string());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.add(field, format!("{value:?}"));
    }
}
