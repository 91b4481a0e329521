//! The line of an invocation: the keys of every log line, the metrics, and what CloudWatch has to know
//! of them.

use std::{sync::OnceLock, time::SystemTime};

use serde::{
    Serialize,
    ser::{SerializeMap, Serializer},
};

use crate::{
    Resource,
    log::{self, Header},
    settings::{Environment, Faults, Variable},
};

use super::Record;

const METRICS_NAMESPACE: &str = "METRICS_NAMESPACE";
const FUNCTION_NAME: &str = "FunctionName";

/// Every variable that is read here.
pub const VARIABLES: &[Variable] = &[Variable {
    name: METRICS_NAMESPACE,
    default: "",
    local: false,
    meaning: "namespace of the metrics in CloudWatch; without it, the functions write no metrics",
}];

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
    pub(super) fn line(
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
            discarded_because,
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
        if !discarded_because.is_empty() {
            line.serialize_entry("discarded_because", discarded_because)?;
        }
        // Logs Insights finds only the first 200 fields of a line, and a report can have more.
        for (name, value) in properties {
            line.serialize_entry(name, value)?;
        }
        if let Some((name, time)) = slowest_statement {
            line.serialize_entry("slowest_statement", name)?;
            line.serialize_entry("slowest_statement_ms", &Number(*time))?;
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

/// A number that is written with three decimals, or without any if it is whole.
pub(super) struct Number(pub(super) f64);

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
}
