//! The state machine, its function and the README agree on steps and errors.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::document::{Document, text};

/// The text of a file of `migrate-schema`.
fn file(path: &str) -> String {
    text(&format!("functions/migrate-schema/{path}"))
}

/// The states of the state machine.
fn states() -> Map<String, Value> {
    let mut definition: Value = serde_json::from_str(&file("state_machine.asl.json")).unwrap();
    match definition["States"].take() {
        Value::Object(states) => states,
        other => panic!("{other}"),
    }
}

#[test]
fn the_state_machine_begins_the_steps_that_its_function_has() {
    let mut begun = BTreeSet::new();
    for (name, state) in states() {
        if state["Type"] != "Pass" || state["Next"] != "CarryOut" {
            continue;
        }
        let parameter = &state["Parameters"]["step"];
        let step = parameter
            .as_str()
            .or_else(|| state["Result"].as_str())
            .unwrap();
        let variant: String = step
            .split('_')
            .map(|word| word[..1].to_uppercase() + &word[1..])
            .collect();
        assert_eq!(name, variant);
        begun.insert(variant);
    }
    let function = file("src/step.rs");
    let handled = function.split("Self::").skip(1);
    let handled: BTreeSet<String> = handled
        .filter_map(|after| Some(after.split_once(" => ")?.0.to_owned()))
        .collect();
    assert_eq!(begun, handled);
}

#[test]
fn one_task_carries_out_every_step_and_may_be_repeated() {
    let states = states();
    let tasks: Vec<_> = states
        .iter()
        .filter(|(_, state)| state["Type"] == "Task")
        .collect();
    let [(name, task)] = tasks.as_slice() else {
        panic!("{tasks:?}");
    };
    assert_eq!(*name, "CarryOut");
    let document = Document::read();
    let function = &document.resource("MigrateSchema")["Properties"];
    assert!(task["TimeoutSeconds"].as_u64().unwrap() > function["Timeout"].as_u64().unwrap());
    assert_eq!(task["Retry"][0]["ErrorEquals"][0], "Transient");
    assert_eq!(task["Catch"][0]["ErrorEquals"], json!(["States.ALL"]));
}

#[test]
fn every_state_exists_and_can_be_reached() {
    let states = states();
    // Nothing leads to the first state.
    let mut named = BTreeSet::from(["Plan"]);
    for state in states.values() {
        let catches = state["Catch"].as_array().into_iter().flatten();
        let choices = state["Choices"].as_array().into_iter().flatten();
        let nexts = catches.chain(choices).map(|one| &one["Next"]);
        let nexts = nexts.chain([&state["Next"], &state["Default"]]);
        named.extend(nexts.filter_map(Value::as_str));
    }
    let all: BTreeSet<&str> = states.keys().map(String::as_str).collect();
    assert_eq!(named, all);
}

#[test]
fn the_readme_of_an_operation_says_what_to_do_about_each_of_its_errors() {
    for operation in ["migrate-schema", "rotate-credentials"] {
        let file = |path| text(&format!("functions/{operation}/{path}"));
        let (source, readme) = (file("src/error.rs"), file("README.md"));
        let names: Vec<&str> = match source.split_once("pub enum ErrorName {") {
            Some((_, variants)) => {
                let (variants, _) = variants.split_once("\n}").unwrap();
                let variants = variants
                    .lines()
                    .filter_map(|line| line.trim().strip_suffix(','));
                variants.collect()
            }
            None => {
                let lines = source.lines().filter(|line| line.contains("=> \""));
                let texts = lines.filter_map(|line| line.split('"').nth(1));
                // A name is one word, unlike a message.
                texts.filter(|text| !text.contains(' ')).collect()
            }
        };
        assert!(names.len() > 10, "{names:?}");
        for name in names {
            assert!(readme.contains(&format!("`{name}`")), "{operation}: {name}");
        }
    }
}
