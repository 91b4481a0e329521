//! The template as AWS transforms it: with its loops carried out, with what SAM makes of its functions,
//! and with the values of its parameters.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
    sync::OnceLock,
};

use serde_json::{Map, Value, json};

use crate::document::Document;

/// The resources of a stack with a text for every parameter that may be empty, so that every condition
/// holds; none without the SAM CLI.
pub fn resources() -> Option<&'static Map<String, Value>> {
    static STACK: OnceLock<Option<Value>> = OnceLock::new();
    let stack = STACK.get_or_init(|| {
        let document = Document::read();
        let parameters = document.section("Parameters").iter();
        let empty = parameters.filter(|(_, parameter)| parameter["Default"] == "");
        let mut given: Map<_, _> = empty
            .map(|(name, _)| (name.clone(), json!(format!("a-{name}"))))
            .collect();
        given.insert("JwtScopes".to_owned(), json!("to-read,to-write"));
        let gradual = json!("Canary10Percent5Minutes");
        given.insert("DeploymentType".to_owned(), gradual);
        stacks(&[given])?.pop()
    });
    stack.as_ref()?["Resources"].as_object()
}

/// What AWS makes of the template, for each of these parameters; those left out have their defaults.
/// None without the SAM CLI.
pub fn stacks(parameters: &[Map<String, Value>]) -> Option<Vec<Value>> {
    let Some(python) = python() else {
        eprintln!("skipped: no Python has the SAM CLI (.ci/tools installs it)");
        return None;
    };
    let output = Command::new(python)
        .args(["-c", include_str!("transform.py")])
        .arg(tests::root().join("template.yaml"))
        .arg(json!(parameters).to_string())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

/// A Python that has the SAM CLI: the one in `target/tools`, or the one on the PATH.
pub fn python() -> Option<PathBuf> {
    let in_tools = tests::root().join("target/tools/venv/bin/python");
    [in_tools, PathBuf::from("python3")]
        .into_iter()
        .find(|python| {
            let mut import = Command::new(python);
            import.args(["-c", "import samcli"]).stderr(Stdio::null());
            import.status().is_ok_and(|status| status.success())
        })
}

/// The resources of this type, with their names and properties.
pub fn of_type<'a>(
    resources: &'a Map<String, Value>,
    kind: &'static str,
) -> impl Iterator<Item = (&'a str, &'a Value)> {
    let found = resources
        .iter()
        .filter(move |(_, resource)| resource["Type"] == kind);
    found.map(|(name, resource)| (name.as_str(), &resource["Properties"]))
}
