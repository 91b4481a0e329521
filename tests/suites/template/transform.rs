//! Transforms the template as AWS does.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::{Map, Value, json};
use tests::stack::find_program;

/// What AWS makes of the template, for each of these parameters; those left out have their defaults.
/// None without the SAM CLI.
pub fn stacks(parameters: &[Map<String, Value>]) -> Option<Vec<Value>> {
    stacks_of(&tests::root().join("template.yaml"), parameters)
}

/// The same of another template.
pub fn stacks_of(template: &Path, parameters: &[Map<String, Value>]) -> Option<Vec<Value>> {
    let Some(python) = python() else {
        tests::skipped("no Python has the SAM CLI (.ci/tools installs it)");
        return None;
    };
    let output = Command::new(python)
        .args(["-c", include_str!("transform.py")])
        .arg(template)
        .arg(json!(parameters).to_string())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

/// A Python that has the SAM CLI.
pub fn python() -> Option<PathBuf> {
    find_program("python3").filter(|python| {
        let mut import = Command::new(python);
        import.args(["-c", "import samcli"]).stderr(Stdio::null());
        import.status().is_ok_and(|status| status.success())
    })
}
