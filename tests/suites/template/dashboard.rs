//! The dashboard is one that CloudWatch accepts, and what it and the alarms show is written.

use std::collections::BTreeSet;

use lambda::metrics::Metric;
use serde_json::{Value, json};

use crate::{
    document::Document,
    transformed::{of_type, resources},
};

/// The metrics of AWS that may be named, each with its one dimension (documentation of API Gateway,
/// Step Functions and Lambda, "CloudWatch metrics").
const OF_AWS: [(&str, &[&str], &str); 3] = [
    (
        "AWS/ApiGateway",
        &["4xx", "5xx", "Count", "Latency"],
        "ApiId",
    ),
    (
        "AWS/States",
        &[
            "ExecutionsStarted",
            "ExecutionsSucceeded",
            "ExecutionsFailed",
        ],
        "StateMachineArn",
    ),
    (
        "AWS/Lambda",
        &["Errors", "Throttles", "Duration"],
        "FunctionName",
    ),
];

/// A metric that a widget or an alarm names.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Named {
    namespace: String,
    metric: String,
    dimensions: String,
}

impl Named {
    fn new(namespace: &str, metric: &str, dimensions: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            metric: metric.to_owned(),
            dimensions: dimensions.to_owned(),
        }
    }

    /// The one metric of a search, `SEARCH('{"namespace",dimensions} MetricName="metric"…`, or of a
    /// query, `SELECT statistic(metric) FROM SCHEMA("namespace", dimensions)`.
    fn in_expression(expression: &str) -> Option<Self> {
        let between = |after: &str, before: &str| {
            let (_, rest) = expression.split_once(after)?;
            Some(rest.split_once(before)?.0)
        };
        let of_search = || {
            let (namespace, dimensions) = between("SEARCH('{\"", "} ")?.split_once("\",")?;
            let metric = between("MetricName=\"", "\"")?;
            Some(Self::new(namespace, metric, dimensions))
        };
        let of_query = || {
            let (namespace, dimensions) = between("SCHEMA(\"", ")")?.split_once("\", ")?;
            let (_, metric) = between("SELECT ", ") FROM ")?.split_once('(')?;
            Some(Self::new(namespace, metric, dimensions))
        };
        of_search().or_else(of_query)
    }
}

/// The text of the dashboard before anything is filled in, and what is filled in by name.
fn body() -> (String, Value) {
    let document = Document::read();
    let body = document.resource("Dashboard")["Properties"]["DashboardBody"]["Fn::Sub"].clone();
    (body[0].as_str().unwrap().to_owned(), body[1].clone())
}

fn widgets() -> Vec<Value> {
    let body: Value = serde_json::from_str(&body().0).unwrap();
    body["widgets"].as_array().unwrap().clone()
}

#[test]
fn the_widgets_lie_beside_and_below_each_other() {
    let number = |widget: &Value, field: &str| widget[field].as_u64().unwrap();
    let mut taken = BTreeSet::new();
    let mut below = 0;
    for widget in widgets() {
        let [x, y, width, height] = ["x", "y", "width", "height"].map(|f| number(&widget, f));
        assert!(x + width <= 24, "{widget}");
        assert!(y >= below, "it is out of order: {widget}");
        below = y;
        for cell in (x..x + width).flat_map(|x| (y..y + height).map(move |y| (x, y))) {
            assert!(taken.insert(cell), "it lies on another one: {widget}");
        }
    }
}

#[test]
fn what_is_filled_into_the_dashboard_exists() {
    let Some(resources) = resources() else { return };
    let (text, given) = body();
    for reference in text.split("${").skip(1) {
        let name = reference.split_once('}').unwrap().0;
        let resource = name.strip_suffix(".Arn").unwrap_or(name);
        assert!(
            name.starts_with("AWS::")
                || given.get(name).is_some()
                || resources.contains_key(resource),
            "{name}"
        );
    }
}

#[test]
fn every_metric_that_a_widget_or_an_alarm_names_is_written() {
    let Some(resources) = resources() else { return };
    let mut named = BTreeSet::new();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    for (name, alarm) in of_type(resources, "AWS::CloudWatch::Alarm") {
        let metrics = alarm["Metrics"].as_array().cloned().unwrap_or_default();
        let stats = metrics.iter().map(|metric| &metric["MetricStat"]["Metric"]);
        for metric in stats
            .chain([alarm])
            .filter(|metric| metric.get("MetricName").is_some())
        {
            let dimensions = metric["Dimensions"].as_array().unwrap();
            let [dimension] = dimensions.as_slice() else {
                panic!("{name}: {dimensions:?}");
            };
            let [namespace, metric] = ["Namespace", "MetricName"].map(|field| text(&metric[field]));
            named.insert(Named::new(
                &namespace,
                &metric,
                dimension["Name"].as_str().unwrap(),
            ));
        }
        let expressions = metrics
            .iter()
            .filter_map(|metric| metric["Expression"].as_str());
        named.extend(expressions.filter_map(Named::in_expression));
    }
    for widget in widgets() {
        for line in widget["properties"]["metrics"]
            .as_array()
            .into_iter()
            .flatten()
        {
            let metric = match line[0]["expression"].as_str() {
                Some(expression) => Named::in_expression(expression),
                None => Some(Named::new(
                    line[0].as_str().unwrap(),
                    line[1].as_str().unwrap(),
                    line[2].as_str().unwrap(),
                )),
            };
            named.insert(metric.unwrap_or_else(|| panic!("it names no metric: {line}")));
        }
    }

    let own: BTreeSet<&str> = Metric::ALL.iter().map(|metric| metric.name()).collect();
    let of_operations = Metric::ALL
        .iter()
        .skip_while(|metric| **metric != Metric::BackupAge);
    let of_operations: BTreeSet<&str> = of_operations.map(|metric| metric.name()).collect();
    for Named {
        namespace,
        metric,
        dimensions,
    } in &named
    {
        if let Some((_, metrics, dimension)) = OF_AWS.iter().find(|(aws, ..)| aws == namespace) {
            assert!(
                metrics.contains(&metric.as_str()),
                "{namespace} has no {metric}"
            );
            assert_eq!(dimensions, dimension, "{namespace} {metric}");
            continue;
        }
        // Its value in the transformed alarms, and its name in the dashboard.
        let is_own = ["a-MetricsNamespace", "${Namespace}"].contains(&namespace.as_str());
        assert!(is_own, "{namespace} {metric}");
        assert!(own.contains(metric.as_str()), "no function writes {metric}");
        match dimensions.replace(", ", ",").as_str() {
            "FunctionName" => {}
            // Only the API's functions write this set.
            "FunctionName,Route" => assert!(!of_operations.contains(metric.as_str()), "{metric}"),
            other => panic!("{metric}: {other}"),
        }
    }
}

#[test]
fn the_functions_write_into_the_namespace_that_is_watched() {
    let watched = json!({
        "Fn::If": ["HasMetricsNamespace", { "Ref": "MetricsNamespace" }, { "Ref": "AWS::StackName" }],
    });
    assert_eq!(body().1["Namespace"], watched);
    for function in Document::read().functions() {
        let variables = &function.properties["Environment"]["Variables"];
        assert_eq!(variables["METRICS_NAMESPACE"], watched, "{}", function.name);
    }
}
