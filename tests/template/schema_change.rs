//! The state machine, its function and the README name the same steps and errors.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

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
fn every_state_is_there_and_can_be_reached() {
    let definition: Value = serde_json::from_str(&file("state_machine.asl.json")).unwrap();
    let states = definition["States"].as_object().unwrap();
    let mut named = BTreeSet::from([definition["StartAt"].as_str().unwrap()]);
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

/// What `.ci/change-schema` prints, and whether it succeeds, with an AWS that answers each time that
/// the execution is described with the next of these.
fn change_schema(answers: &[Value]) -> Option<(String, bool)> {
    let has_jq = Command::new("jq").arg("--version").output().is_ok();
    if !has_jq {
        eprintln!("skipped: jq is not on the PATH");
        return None;
    }
    let folder = std::env::temp_dir().join(format!("change-schema-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    for (at, answer) in answers.iter().enumerate() {
        fs::write(folder.join(at.to_string()), answer.to_string()).unwrap();
    }
    let script = "#!/bin/sh\n\
         cd \"$(dirname \"$0\")\"\n\
         case \"$*\" in\n\
         'stepfunctions start-execution --state-machine-arn arn:sm --input {} '*) echo arn:execution ;;\n\
         'stepfunctions describe-execution --execution-arn arn:execution '*)\n\
         set -- $(ls | grep '^[0-9]'); cat \"$1\"; rm \"$1\" ;;\n\
         *) echo \"unknown: $*\" >&2; exit 2 ;;\n\
         esac\n";
    fs::write(folder.join("script"), script).unwrap();
    // Another process writes the program: a test beside this one that starts a process would hand
    // it down open, and nobody could run it.
    let mut install = Command::new("install");
    install
        .args(["-m", "755", "script", "aws"])
        .current_dir(&folder);
    assert!(install.status().unwrap().success());
    let path = std::env::var("PATH").unwrap();
    let output = Command::new(stack::root().join(".ci/change-schema"))
        .args(["arn:sm", "{}"])
        .env("PATH", format!("{}:{path}", folder.display()))
        .env("POLL_SECONDS", "0")
        .output()
        .unwrap();
    fs::remove_dir_all(&folder).unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    Some((printed, output.status.success()))
}

#[test]
fn a_merge_waits_for_the_execution_and_says_what_came_of_it() {
    let result = json!({
        "status": "deployed",
        "migrations": ["0002_notes", "0003_more"],
        "deploy_request": { "number": 7, "url": "https://app.planetscale.com/7" },
    });
    let ends = [
        (
            json!({ "status": "SUCCEEDED", "output": result.to_string() }),
            true,
            [
                "SUCCEEDED",
                "are in production",
                "- `0003_more`",
                "[Deploy request 7](https://app.planetscale.com/7)",
            ],
        ),
        (
            json!({ "status": "FAILED", "error": "DifferenceRefused", "cause": "it `drops`" }),
            false,
            ["FAILED", "**DifferenceRefused**", "it `drops`", ""],
        ),
        (
            json!({ "status": "ABORTED" }),
            false,
            ["ABORTED", "**no error is named**", "", ""],
        ),
    ];
    for (end, succeeds, parts) in ends {
        let running = json!({ "status": "RUNNING" });
        let Some((printed, succeeded)) = change_schema(&[running.clone(), running, end]) else {
            return;
        };
        assert_eq!(succeeded, succeeds, "{printed}");
        for part in parts {
            assert!(printed.contains(part), "{part}: {printed}");
        }
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
