//! The workflows. A job that may obtain rights in AWS runs no code of the project. A merge reports the
//! result of its schema change.

use std::{fs, process::Command};

use serde_json::{Map, Value, json};

use crate::document::{text, yaml};

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

/// The names of the workflows' files.
fn files() -> Vec<String> {
    let folder = tests::root().join(".github/workflows");
    let files = fs::read_dir(folder).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".yml")).collect()
}

#[test]
fn a_job_that_may_obtain_a_token_runs_nothing_of_the_project() {
    let token = json!({ "id-token": "write" });
    let token_and_attestations = json!({ "attestations": "write", "id-token": "write" });
    let mut with_token = Vec::new();
    for file in files() {
        let permissions = yaml(&format!(".github/workflows/{file}"))["permissions"].take();
        let read = json!({ "contents": "read" });
        assert!([json!({}), read].contains(&permissions), "{file}");
        for (name, job) in jobs(&file) {
            let permissions = &job["permissions"];
            if permissions.get("id-token").is_none() {
                continue;
            }
            let name = format!("{file} {name}");
            let (expected, allowed): (_, &[&str]) = match name.as_str() {
                "deploy.yml attest" => (&token_and_attestations, &["actions/attest"]),
                "deploy-stage.yml deploy" => (
                    &token,
                    &[
                        "aws-actions/configure-aws-credentials",
                        "aws-actions/setup-sam",
                    ],
                ),
                _ => (&token, &["aws-actions/configure-aws-credentials"]),
            };
            assert_eq!(permissions, expected, "{name}");
            with_token.push(name.clone());
            if let Some(called) = job["uses"].as_str() {
                assert!(called.ends_with("-stage.yml"), "{name}: {called}");
                continue;
            }
            for step in steps(&job) {
                if let Some(action) = step["uses"].as_str() {
                    let (action, _) = action.split_once('@').unwrap();
                    let known = action == "actions/download-artifact" || allowed.contains(&action);
                    assert!(known, "{name}: {action}");
                    continue;
                }
                let run = step["run"].as_str().unwrap();
                for foreign in [
                    "./",
                    ".ci/",
                    "cargo",
                    "rustup",
                    "pip",
                    "python",
                    "sam build",
                    "git ",
                ] {
                    assert!(!run.contains(foreign), "{name}: {foreign}: {run}");
                }
            }
        }
    }
    with_token.sort();
    let expected = [
        "deploy-stage.yml deploy",
        "deploy.yml attest",
        "deploy.yml dev",
        "deploy.yml prod",
        "schema-stage.yml deploy",
        "schema.yml dev",
        "schema.yml prod",
    ];
    assert_eq!(with_token, expected);
}

#[test]
fn what_was_built_without_rights_goes_to_dev_and_then_to_prod() {
    for file in ["deploy.yml", "schema.yml"] {
        let jobs = jobs(file);
        assert_eq!(jobs["build"].get("permissions"), None, "{file}");
        let main_alone = jobs["build"]["if"].as_str().unwrap();
        assert!(main_alone.contains("github.ref == 'refs/heads/main'"));
        for (stage, before) in [("dev", "build"), ("prod", "dev")] {
            let job = &jobs[stage];
            assert_eq!(job["with"]["stage"], stage, "{file}");
            assert!(job["needs"].to_string().contains(before), "{file} {stage}");
            let succeeded = format!("needs.{before}.result == 'success'");
            let condition = job["if"].as_str().unwrap();
            assert!(condition.contains(&succeeded), "{file} {stage}");
        }
    }
    for file in ["deploy-stage.yml", "schema-stage.yml"] {
        let environment = &jobs(file)["deploy"]["environment"];
        assert_eq!(environment, "${{ inputs.stage }}", "{file}");
    }
}

#[test]
fn a_stage_is_deployed_by_the_version_of_sam_that_has_built_it() {
    let jobs = jobs("deploy-stage.yml");
    let mut steps = steps(&jobs["deploy"]).iter();
    let version = steps.find_map(|step| step["with"]["version"].as_str());
    let requirements = text("tests/requirements.in");
    let pin = format!("aws-sam-cli=={}\n", version.unwrap());
    assert!(requirements.contains(&pin), "{pin}");
}

#[test]
fn a_deployment_has_the_parameters_of_its_stage() {
    let sam = tests::root().join("target/tools/venv/bin");
    if !sam.join("sam").exists() {
        tests::skipped("there is no SAM CLI (.ci/tools installs it)");
        return;
    }
    let jobs = jobs("deploy-stage.yml");
    let mut steps = steps(&jobs["deploy"]).iter();
    let step = steps.find(|step| step["name"] == "Deploy").unwrap();
    let folder = std::env::temp_dir().join(format!("deploy-stage-{}", std::process::id()));
    let built = folder.join(".aws-sam/build/template.yaml");
    fs::create_dir_all(built.parent().unwrap()).unwrap();
    fs::write(&built, "Resources: {Topic: {Type: AWS::SNS::Topic}}").unwrap();
    let config = tests::root().join("samconfig.toml");
    fs::copy(config, folder.join("samconfig.toml")).unwrap();
    let pack = "tar --create --gzip --file deployment.tar.gz samconfig.toml .aws-sam\n\
         rm -r samconfig.toml .aws-sam\n";
    let path = format!("{}:{}", sam.display(), std::env::var("PATH").unwrap());
    // Nothing answers at this address, so it ends after it has said what it deploys.
    let output = Command::new("bash")
        .args(["-eo", "pipefail", "-c"])
        .arg(format!("{pack}{}", step["run"].as_str().unwrap()))
        .current_dir(&folder)
        .envs([
            ("PATH", path.as_str()),
            ("STAGE", "prod"),
            ("STACK_NAME", "my-stack"),
            ("ARTIFACT_BUCKET", "my-bucket"),
            (
                "EXECUTION_ROLE_ARN",
                "arn:aws:iam::123456789012:role/execution",
            ),
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
            ("AWS_DEFAULT_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", "a"),
            ("AWS_SECRET_ACCESS_KEY", "a"),
            ("AWS_MAX_ATTEMPTS", "1"),
            ("SAM_CLI_TELEMETRY", "0"),
        ])
        .output()
        .unwrap();
    fs::remove_dir_all(&folder).unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    for expected in [
        "Stack name                   : my-stack\n",
        "Confirm changeset            : False\n",
        "Deployment s3 bucket         : my-bucket\n",
        "\"DeploymentType\": \"Canary10Percent10Minutes\"",
    ] {
        assert!(said.contains(expected), "{expected}: {output:?}");
    }
}

/// Runs the step that changes the schema, and returns what it prints and whether it succeeds. The AWS
/// CLI is a script here: each time it describes the execution, it prints the next of these answers.
fn change_schema(answers: &[Value]) -> Option<(String, bool)> {
    let has_jq = Command::new("jq").arg("--version").output().is_ok();
    if !has_jq {
        tests::skipped("jq is not on the PATH");
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
    let jobs = jobs("schema-stage.yml");
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
    let nothing = json!({
        "status": "deployed",
        "migrations": ["0002_nothing"],
        "deploy_request": null,
        "warnings": ["0002_nothing.sql:1: warning[no-change]: the same", "they change nothing"],
    });
    let ends = [
        (
            json!({ "status": "SUCCEEDED", "output": nothing.to_string() }),
            true,
            [
                "are in the database. Nothing had to be deployed.",
                "- `0002_nothing`\n",
                "\n> 0002_nothing.sql:1: warning[no-change]: the same\n",
                "\n> they change nothing\n",
            ],
        ),
        (
            json!({ "status": "SUCCEEDED", "output": result.to_string() }),
            true,
            [
                "SUCCEEDED",
                "are in the database.\n",
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
