//! The runbook's queries read fields that the log lines have.

use std::{collections::BTreeSet, fs, path::Path};

use lambda::metrics::Metric;

use crate::document::{Document, text};

/// What CloudWatch adds to every line, and the fields of lines that AWS writes: a function's
/// `platform.report` (documentation of Lambda, "Telemetry API schema reference"), and the state
/// machine's `ExecutionFailed` (documentation of Step Functions, "Using CloudWatch Logs").
const OF_AWS: [&str; 11] = [
    "@timestamp",
    "@logStream",
    "type",
    "record.requestId",
    "record.status",
    "record.errorType",
    "record.metrics.durationMs",
    "record.metrics.maxMemoryUsedMB",
    "execution_arn",
    "details.error",
    "details.cause",
];

/// The words of the query language that the runbook uses.
const WORDS: [&str; 19] = [
    "filter",
    "parse",
    "fields",
    "stats",
    "sort",
    "limit",
    "by",
    "as",
    "in",
    "and",
    "or",
    "desc",
    "count",
    "sum",
    "avg",
    "pct",
    "bin",
    "ispresent",
    "earliest",
];

/// The names in a query, without its texts and numbers, and without those that it gives itself.
fn fields(query: &str) -> BTreeSet<&str> {
    // Every second part is within quotes.
    let outside = query.split('"').step_by(2);
    let words: Vec<&str> = outside
        .flat_map(|part| part.split(|c: char| !(c.is_alphanumeric() || "@._".contains(c))))
        .filter(|word| !word.is_empty())
        .collect();
    let pairs = words.windows(2).filter(|pair| pair[0] == "as");
    let own: BTreeSet<&str> = pairs.map(|pair| pair[1]).collect();
    let named = words
        .into_iter()
        .filter(|word| !word.starts_with(|c: char| c.is_ascii_digit()) && !WORDS.contains(word));
    named.filter(|word| !own.contains(word)).collect()
}

/// The sources of the functions and of what they stand on, without their tests.
fn sources(folder: &Path, found: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "tests" {
            sources(&path, found);
        } else if name.ends_with(".rs") && name != "tests.rs" {
            found.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

/// The names in the arguments of every line that the code logs.
fn logged(code: &str) -> BTreeSet<&str> {
    let levels = ["tracing::info!(", "tracing::warn!(", "tracing::error!("];
    let lines = levels
        .into_iter()
        .flat_map(|level| code.split(level).skip(1));
    let arguments = lines.map(|line| {
        let mut depth = 1;
        let end = line.find(|c| {
            depth += match c {
                '(' => 1,
                ')' => -1,
                _ => 0,
            };
            depth == 0
        });
        &line[..end.unwrap()]
    });
    arguments.flat_map(fields).collect()
}

#[test]
fn the_queries_of_the_runbook_read_fields_that_are_written() {
    let runbook = text("functions/runbook.md");
    let document = Document::read();
    let api = &document.resource("Api")["Properties"];
    let access_log = api["AccessLogSettings"]["Format"].as_str().unwrap();
    let metrics: BTreeSet<&str> = Metric::ALL.iter().map(|metric| metric.name()).collect();
    let mut code = String::new();
    for folder in ["shared", "functions"] {
        sources(&tests::root().join(folder), &mut code);
    }
    let logged = logged(&code);
    // A field of the functions' own lines is an argument of a line, or a name in the code.
    let is_written = |field: &str| {
        let field = field.trim_end_matches(".0");
        OF_AWS.contains(&field)
            || metrics.contains(field)
            || access_log.contains(&format!("\"{field}\":"))
            || logged.contains(field)
            || code.contains(&format!("\"{field}\""))
    };
    let queries: Vec<&str> = runbook
        .split("```text\n")
        .skip(1)
        .map(|after| after.split_once("```").unwrap().0)
        .collect();
    assert!(queries.len() > 10, "{queries:?}");
    for query in queries {
        for field in fields(query) {
            assert!(is_written(field), "no line has the field {field}: {query}");
        }
    }
}
