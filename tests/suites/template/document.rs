//! `template.yaml` as a tree, and its functions together with what `Globals` gives them.

use std::fs;

use serde_json::{Map, Value};
use tests::stack::merged;

/// The template, with its short forms (`!Ref X`) written out (`{"Ref": "X"}`).
pub struct Document(Value);

/// A function's resource.
pub struct Function {
    /// Its logical id.
    pub name: String,
    /// The program that it runs.
    pub binary: String,
    pub metadata: Value,
    /// Its own properties, and those of `Globals` that it does not replace.
    pub properties: Value,
}

impl Document {
    pub fn read() -> Self {
        Self(yaml("template.yaml"))
    }

    pub fn section(&self, name: &str) -> &Map<String, Value> {
        self.0[name].as_object().unwrap()
    }

    pub fn resource(&self, name: &str) -> &Value {
        &self.section("Resources")[name]
    }

    pub fn functions(&self) -> impl Iterator<Item = Function> {
        let globals = &self.0["Globals"]["Function"];
        self.section("Resources")
            .iter()
            .filter(|(_, resource)| resource["Type"] == "AWS::Serverless::Function")
            .map(|(name, resource)| Function {
                name: name.clone(),
                binary: resource["Metadata"]["BuildProperties"]["Binary"]
                    .as_str()
                    .unwrap_or_else(|| panic!("{name} names no binary"))
                    .to_owned(),
                metadata: resource["Metadata"].clone(),
                properties: merged(globals, &resource["Properties"]),
            })
    }

    /// Whether anything refers to the parameter by `Ref`, or by `${…}` in a text.
    pub fn refers_to(&self, parameter: &str) -> bool {
        let in_text = format!("${{{parameter}}}");
        let mut found = false;
        visit(&self.0, &mut |value| {
            found |= value.get("Ref").is_some_and(|name| name == parameter);
            found |= value.as_str().is_some_and(|text| text.contains(&in_text));
        });
        found
    }
}

impl Function {
    /// The properties of the routes that call it, which only a function of the API has.
    pub fn events(&self) -> Vec<&Value> {
        let events = self.properties.get("Events").and_then(Value::as_object);
        events
            .into_iter()
            .flat_map(Map::values)
            .filter(|event| event["Type"] == "HttpApi")
            .map(|event| &event["Properties"])
            .collect()
    }
}

/// Calls `see` with the value and with every value in it.
pub fn visit<'a>(value: &'a Value, see: &mut impl FnMut(&'a Value)) {
    see(value);
    match value {
        Value::Object(fields) => fields.values().for_each(|field| visit(field, see)),
        Value::Array(values) => values.iter().for_each(|value| visit(value, see)),
        _ => {}
    }
}

/// The text of a file of the project.
pub fn text(path: &str) -> String {
    fs::read_to_string(tests::root().join(path)).unwrap()
}

/// A YAML file of the project as a tree.
pub fn yaml(path: &str) -> Value {
    tests::stack::yaml(&text(path)).unwrap()
}
