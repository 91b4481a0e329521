//! Every function has its alarms, and every alarm its section of the runbook.

use std::{
    collections::BTreeSet,
    io::Write,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use crate::{
    document::{Document, text, visit},
    transformed::{of_type, resources},
};

/// What each section of the runbook says.
const PARTS: [&str; 4] = [
    "**What users see.**",
    "**Find the cause.**",
    "**What to do.**",
    "**When to call PlanetScale.**",
];

/// The runbook's section under this anchor.
fn section(anchor: &str) -> Option<String> {
    let runbook = text("functions/runbook.md");
    runbook.split("\n## ").skip(1).find_map(|section| {
        let (title, text) = section.split_once('\n')?;
        let own = title.to_lowercase().replace(' ', "-");
        (own == anchor).then(|| text.to_owned())
    })
}

#[test]
fn every_function_has_its_alarms() {
    let Some(resources) = resources() else { return };
    for function in Document::read().functions() {
        let name = &function.name;
        let timeout = function.properties["Timeout"].as_u64().unwrap();
        for metric in ["Errors", "Throttles", "Duration"] {
            let Some(alarm) = resources.get(&format!("{name}{metric}")) else {
                panic!("{name} is in none of the lists of functions that have alarms");
            };
            let condition = &resources[name]["Condition"];
            assert_eq!(alarm["Condition"], *condition, "{name}{metric}");
            let properties = &alarm["Properties"];
            assert_eq!(properties["Namespace"], "AWS/Lambda");
            assert_eq!(properties["MetricName"], metric);
            let dimension = json!([{ "Name": "FunctionName", "Value": { "Ref": name } }]);
            assert_eq!(properties["Dimensions"], dimension, "{name}{metric}");
            if metric == "Duration" {
                let most = timeout * 1000 * 80 / 100;
                assert_eq!(
                    properties["Threshold"], most,
                    "{name}'s timeout and its alarm"
                );
            }
        }
    }
}

#[test]
fn every_alarm_is_sent_and_says_in_one_sentence_where_the_runbook_goes_on() {
    let Some(resources) = resources() else { return };
    for (name, alarm) in of_type(resources, "AWS::CloudWatch::Alarm") {
        let description = alarm["AlarmDescription"].as_str().unwrap();
        let (sentence, anchor) = description
            .split_once(": functions/runbook.md#")
            .unwrap_or_else(|| panic!("{name} names no section of the runbook: {description}"));
        assert!(!sentence.contains(". "), "{name}: {sentence}");
        assert!(
            sentence.starts_with(char::is_uppercase),
            "{name}: {sentence}"
        );
        let text = section(anchor);
        let text = text.unwrap_or_else(|| panic!("the runbook has no section {anchor} of {name}"));
        for part in PARTS {
            assert!(text.contains(part), "{anchor} does not say {part}");
        }
        assert!(text.contains("\n```text\n"), "{anchor} has no query");
        // Only deployments heed the alarms of this section.
        if anchor != "deployment-rolled-back" {
            assert_eq!(alarm["AlarmActions"], json!(["a-AlarmTopicArn"]), "{name}");
        }
    }
}

/// CloudWatch looks for a missing point in the periods before, unless the expression fills it.
#[test]
fn three_hours_without_a_check_of_the_backups_raise_the_alarm() {
    let Some(resources) = resources() else { return };
    let alarm = &resources["BackupTooOld"]["Properties"];
    let [age, newest] = alarm["Metrics"].as_array().unwrap().as_slice() else {
        panic!("{alarm}");
    };
    let filled = age["Expression"].as_str().unwrap();
    let filled = filled.strip_prefix("FILL(newest, ").unwrap();
    let filled: u64 = filled.strip_suffix(')').unwrap().parse().unwrap();
    assert!(
        filled > 9999,
        "the longest age that BackupMaxAgeHours allows"
    );
    assert_eq!(newest["Id"], "newest");
    assert_eq!(newest["MetricStat"]["Metric"]["MetricName"], "BackupAge");
    assert_eq!(newest["MetricStat"]["Period"], 3 * 60 * 60);
    assert_eq!(alarm["EvaluationPeriods"], 1);
    assert_eq!(alarm["TreatMissingData"], "breaching");
}

/// The same number begins a backup and raises the alarm, so one of PlanetScale's own must be younger. The
/// function parses no fractions.
#[test]
fn the_age_of_a_backup_is_a_whole_number_of_hours_with_time_for_the_next_one() {
    let document = Document::read();
    let parameter = &document.section("Parameters")["BackupMaxAgeHours"];
    let pattern = parameter["AllowedPattern"].as_str().unwrap();
    let mut grep = Command::new("grep")
        .args(["-E", pattern])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let given = "-26\n0\n1\n13\n14\n20\n26\n26.5\n026\n100\n9999\n10000\n";
    let mut input = grep.stdin.take().unwrap();
    input.write_all(given.as_bytes()).unwrap();
    drop(input);
    let allowed = String::from_utf8(grep.wait_with_output().unwrap().stdout).unwrap();
    assert_eq!(allowed, "14\n20\n26\n100\n9999\n");
}

#[test]
fn an_alarm_exists_where_what_it_watches_exists() {
    let Some(resources) = resources() else { return };
    for (name, alarm) in of_type(resources, "AWS::CloudWatch::Alarm") {
        let mut watched = BTreeSet::new();
        let mut see = |value: &'static Value| {
            watched.extend(value.get("Ref").and_then(Value::as_str));
        };
        visit(&alarm["Dimensions"], &mut see);
        visit(&alarm["Metrics"], &mut see);
        for other in watched {
            let condition = &resources[other]["Condition"];
            assert_eq!(
                resources[name]["Condition"], *condition,
                "{name} and {other}"
            );
        }
    }
}
