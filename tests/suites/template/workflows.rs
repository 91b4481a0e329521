//! The workflows. The job that may obtain rights in AWS runs no code of the project. A merge reports
//! the result of its schema change.

use std::{fs, process::Command};

use serde_json::{Map, Value, json};

use crate::document::yaml;

/// The jobs of a workflow.
fn jobs(file: &str) -> Map<String, Value> {
    let mut workflow = yaml(&format!(".github/workflows/{file}"));
    match workflow["jobs"].take() {
        Value::Object(jobs) => jobs,
        other => panic!("{other}"),
    }
}

fn steps(job: &Value) -> &[Value] {
    job["steps"].as_array().unwrap()
}

#[test]
fn the_job_that_may_obtain_a_token_runs_nothing_of_the_project() {
    let mut with_token = Vec::new();
    for file in ["ci.yml", "schema.yml"] {
        let workflow = yaml(&format!(".github/workflows/{file}"));
        assert_eq!(
            workflow["permissions"],
            json!({ "contents": "read" }),
            "{file}"
        );
        for (name, job) in jobs(file) {
            if job["permissions"].get("id-token").is_some() {
                with_token.push((name, job));
            }
        }
    }
    let [(name, job)] = with_token.as_slice() else {
        panic!("{with_token:?}");
    };
    assert_eq!(name, "deploy");
    assert_eq!(job["permissions"], json!({ "id-token": "write" }));
    for step in steps(job) {
        if let Some(action) = step["uses"].as_str() {
            let (action, _) = action.split_once('@').unwrap();
            let allowed = [
                "actions/download-artifact",
                "aws-actions/configure-aws-credentials",
            ];
            assert!(allowed.contains(&action), "{action}");
            continue;
        }
        let run = step["run"].as_str().unwrap();
        for foreign in [
            "./", ".ci/", "cargo", "rustup", "pip", "python", "sam ", "git ",
        ] {
            assert!(!run.contains(foreign), "{foreign}: {run}");
        }
    }
}

/// Runs the step that changes the schema, and returns what it prints and whether it succeeds. The AWS
/// CLI is a script here: each time it describes the execution, it prints the next of these answers.
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
    // Another process writes the program. If this one did, a process that another test starts at the
    // same time would inherit the open file, and then the program could not be run.
    let mut install = Command::new("install");
    install
        .args(["-m", "755", "script", "aws"])
        .current_dir(&folder);
    assert!(install.status().unwrap().success());
    let jobs = jobs("schema.yml");
    let mut steps = steps(&jobs["deploy"]).iter();
    let step = steps
        .find(|step| step["name"] == "Change the schema")
        .unwrap();
    let path = std::env::var("PATH").unwrap();
    let output = Command::new("bash")
        .args(["-eo", "pipefail", "-c", step["run"].as_str().unwrap()])
        .env("PATH", format!("{}:{path}", folder.display()))
        .envs([("STATE_MACHINE", "arn:sm"), ("INPUT", "{}")])
        .envs([("POLL_SECONDS", "0"), ("GITHUB_STEP_SUMMARY", "/dev/null")])
        .output()
        .unwrap();
    fs::remove_dir_all(&folder).unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    Some((printed, output.status.success()))
}

#[test]
fn a_merge_waits_for_the_execution_and_reports_its_result() {
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
    for (end, succeeds, expected) in ends {
        let running = json!({ "status": "RUNNING" });
        let Some((printed, succeeded)) = change_schema(&[running.clone(), running, end]) else {
            return;
        };
        assert_eq!(succeeded, succeeds, "{printed}");
        for text in expected {
            assert!(printed.contains(text), "{text}: {printed}");
        }
    }
}
