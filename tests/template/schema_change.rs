//! The state machine, its function and the README name the same steps and errors.

use std::fs;

use serde_json::{Value, json};

use crate::document::Document;

/// A file of `migrate-schema`.
fn file(path: &str) -> String {
    let folder = stack::root().join("functions/migrate-schema");
    fs::read_to_string(folder.join(path)).unwrap()
}

#[test]
fn the_state_machine_may_call_its_function_and_deliver_its_logs_and_nothing_else() {
    let document = Document::read();
    let policies = &document.resource("SchemaChange")["Properties"]["Policies"];
    let statements = policies[0]["Statement"].as_array().unwrap();
    let ids: Vec<_> = statements.iter().map(|one| &one["Sid"]).collect();
    assert_eq!(ids, ["CarryOutSteps", "DeliverLogs"]);
    assert_eq!(policies.as_array().unwrap().len(), 1);
    assert_eq!(
        statements[0]["Resource"],
        json!({ "Fn::GetAtt": "MigrateSchema.Arn" })
    );
    let logs = statements[1]["Action"].as_array().unwrap();
    assert!(logs.iter().all(|action| {
        let action = action.as_str().unwrap();
        action.starts_with("logs:") && !action.contains('*')
    }));
}

#[test]
fn the_state_machine_names_the_steps_that_its_function_has() {
    let definition: Value = serde_json::from_str(&file("state_machine.asl.json")).unwrap();
    let function = file("src/main.rs");
    for (name, state) in definition["States"].as_object().unwrap() {
        if state["Type"] != "Task" {
            continue;
        }
        let step = state["Parameters"]["Payload"]["step"].as_str().unwrap();
        let variant: String = step
            .split('_')
            .map(|word| word[..1].to_uppercase() + &word[1..])
            .collect();
        assert_eq!(*name, variant);
        assert!(function.contains(&format!("Step::{variant}(")), "{step}");
        assert!(state["TimeoutSeconds"].as_u64().unwrap() > 300, "{name}");
        assert!(state["Retry"].is_array(), "{name}");
        assert!(state["Catch"].is_array(), "{name}");
    }
}

#[test]
fn the_readme_says_what_to_do_about_each_error_of_a_schema_change() {
    let source = file("src/failure.rs");
    let readme = fs::read_to_string(stack::root().join("README.md")).unwrap();
    let names: Vec<_> = source
        .lines()
        .filter(|line| line.contains("=> \"") || line.contains("&str = \""))
        .filter_map(|line| line.split('"').nth(1))
        .collect();
    assert!(names.len() > 10, "{names:?}");
    for name in names {
        assert!(readme.contains(&format!("`{name}`")), "{name}");
    }
}
