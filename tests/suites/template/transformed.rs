//! The template as AWS transforms it: with its loops carried out, with what SAM makes of its functions,
//! and with the values of its parameters.

use std::sync::OnceLock;

use serde_json::{Map, Value, json};

use crate::{document::Document, transform::stacks};

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
