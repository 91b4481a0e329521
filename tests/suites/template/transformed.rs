//! The template as AWS transforms it: with its loops carried out, and with what SAM makes of its
//! functions. Every condition holds.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
    sync::OnceLock,
};

use serde_json::{Map, Value};

/// The resources that SAM's translator makes from the template; none without the SAM CLI.
pub fn resources() -> Option<&'static Map<String, Value>> {
    static RESOURCES: OnceLock<Option<Value>> = OnceLock::new();
    let resources = RESOURCES.get_or_init(|| {
        let Some(python) = python() else {
            eprintln!("skipped: no Python has the SAM CLI (.ci/tools installs it)");
            return None;
        };
        let output = Command::new(python)
            .args(["-c", include_str!("transform.py")])
            .arg(tests::root().join("template.yaml"))
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        let mut template: Value = serde_json::from_slice(&output.stdout).unwrap();
        Some(template["Resources"].take())
    });
    resources.as_ref().and_then(Value::as_object)
}

/// A Python that has the SAM CLI: the one in `target/tools`, or the one on the PATH.
fn python() -> Option<PathBuf> {
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
