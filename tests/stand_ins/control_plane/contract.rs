//! Compares requests and answers with PlanetScale's API document (OpenAPI 3.0).
//!
//! The document belongs to PlanetScale and is not part of this project. [`Contract::from_env`] reads
//! it from the path in the variable `PLANETSCALE_OPENAPI`.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Context as _;
use boon::{Compiler, Schemas};
use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Exchange;
use crate::stack::file;

/// The variable with the path of the document.
pub(crate) const VARIABLE: &str = "PLANETSCALE_OPENAPI";

/// Operations that PlanetScale's tools call but the document does not have.
const UNDOCUMENTED: [(&str, &str); 11] = [
    ("GET", "/organizations"),
    ("GET", "/organizations/{organization}"),
    ("GET", "/organizations/{organization}/databases"),
    ("GET", "{database}/passwords"),
    ("GET", "{database}/branches/{branch}/diff"),
    ("POST", "{database}/branches/{branch}/refresh-schema"),
    ("POST", "{database}/branches/{branch}/promote"),
    ("POST", "{database}/branches/{branch}/demote"),
    ("GET", "{database}/deploy-requests/{number}/diff"),
    ("PUT", "{database}/deploy-requests/{number}/auto-apply"),
    (
        "PUT",
        "{database}/deploy-requests/{number}/auto-delete-branch",
    ),
];

/// The path that `{database}` stands for.
const DATABASE_PATH: &str = "/organizations/{organization}/databases/{database}";

/// Statuses of wrong requests and of faults. The document lists them for no operation.
const UNLISTED: [u16; 5] = [400, 422, 429, 502, 503];

/// The document.
pub struct Contract {
    operations: Vec<Operation>,
}

struct Operation {
    id: String,
    method: String,
    path: String,
    document: Value,
}

/// The result of a comparison with the document.
#[derive(Debug, Default)]
pub struct Findings {
    /// The ids of the operations that succeeded at least once.
    pub succeeded: BTreeSet<String>,
    /// The differences, each with its request.
    pub violations: Vec<String>,
}

impl Contract {
    /// Reads the document, if the variable is set.
    pub fn from_env() -> anyhow::Result<Option<Self>> {
        let path = std::env::var_os(VARIABLE).filter(|path| !path.is_empty());
        path.map(|path| Self::read(Path::new(&path))).transpose()
    }

    fn read(path: &Path) -> anyhow::Result<Self> {
        let text = file::read(path)?;
        let document: Value =
            serde_json::from_str(&text).with_context(|| path.display().to_string())?;
        let mut operations = Vec::new();
        for (path, methods) in members(&document, "paths") {
            for (method, document) in methods.as_object().into_iter().flatten() {
                let id = document.get("operationId").and_then(Value::as_str);
                operations.push(Operation {
                    id: id.unwrap_or_default().to_owned(),
                    method: method.to_uppercase(),
                    path: path.clone(),
                    document: json_schema(document),
                });
            }
        }
        Ok(Self { operations })
    }

    /// The ids of all operations.
    pub fn operations(&self) -> BTreeSet<String> {
        let operations = self.operations.iter();
        operations.map(|operation| operation.id.clone()).collect()
    }

    /// Compares every exchange with the document.
    #[must_use]
    pub fn check(&self, exchanges: &[Exchange]) -> Findings {
        let mut findings = Findings::default();
        for exchange in exchanges {
            let mut wrong = Vec::new();
            let path = exchange.path.strip_prefix("/v1").unwrap_or_default();
            match self.operation(exchange.method.as_str(), path) {
                Some(operation) => {
                    if exchange.status < 300 {
                        findings.succeeded.insert(operation.id.clone());
                    }
                    if !matches!(exchange.status, 400 | 422) {
                        operation.check_request(exchange, &mut wrong);
                    }
                    operation.check_response(exchange, &mut wrong);
                }
                None if exchange.status == 404 => check_error(exchange, &mut wrong),
                None if is_undocumented(exchange.method.as_str(), path) => {}
                None => wrong.push("no such operation".to_owned()),
            }
            if let Some(body) = &exchange.response {
                check_times("", body, &mut wrong);
            }
            let Exchange {
                method,
                path,
                status,
                ..
            } = exchange;
            let wrong = wrong.into_iter();
            findings
                .violations
                .extend(wrong.map(|wrong| format!("{method} {path} ({status}): {wrong}")));
        }
        findings
    }

    /// The operation whose path fits with the fewest parameters.
    fn operation(&self, method: &str, path: &str) -> Option<&Operation> {
        let operations = self.operations.iter();
        operations
            .filter(|operation| operation.method == method && fits(&operation.path, path))
            .min_by_key(|operation| operation.path.matches('{').count())
    }
}

impl Operation {
    fn check_request(&self, exchange: &Exchange, wrong: &mut Vec<String>) {
        let parameters = self.document.get("parameters").and_then(Value::as_array);
        let parameters: Vec<&Value> = parameters.into_iter().flatten().collect();
        for (name, value) in &exchange.query {
            let parameter = parameters.iter().find(|parameter| {
                let is = |key: &str, wanted: &str| parameter.get(key) == Some(&wanted.into());
                is("in", "query") && is("name", name.trim_end_matches("[]"))
            });
            match parameter.and_then(|parameter| parameter.get("schema")) {
                Some(schema) => {
                    let value = typed(value, schema);
                    violations(schema, &value, &format!("parameter {name}"), wrong);
                }
                None => wrong.push(format!("the query has no parameter {name}")),
            }
        }
        let schema = pointer(&self.document, &["requestBody", "content", JSON, "schema"]);
        match (&exchange.request, schema) {
            (Some(body), Some(schema)) => {
                violations(schema, body, "request", wrong);
                for name in body.as_object().into_iter().flat_map(Map::keys) {
                    if pointer(schema, &["properties", name]).is_none() {
                        wrong.push(format!("the request has no member {name}"));
                    }
                }
            }
            // The tools send an empty object if there is nothing to say.
            (Some(body), None) if body.as_object().is_some_and(Map::is_empty) => {}
            (Some(_), None) => wrong.push("the request has no body".to_owned()),
            (None, _) => {}
        }
    }

    fn check_response(&self, exchange: &Exchange, wrong: &mut Vec<String>) {
        let status = exchange.status.to_string();
        let declared = pointer(&self.document, &["responses", &status]);
        let schema = declared.and_then(|declared| pointer(declared, &["content", JSON, "schema"]));
        match (declared, schema, &exchange.response) {
            (None, ..) if !UNLISTED.contains(&exchange.status) => {
                wrong.push("no such status".to_owned());
            }
            (Some(_), Some(schema), Some(body)) => violations(schema, body, "response", wrong),
            (Some(_), Some(_), None) => wrong.push("the response has no body".to_owned()),
            _ if exchange.status >= 400 => check_error(exchange, wrong),
            (_, _, Some(_)) => wrong.push("the response has a body".to_owned()),
            _ => {}
        }
    }
}

const JSON: &str = "application/json";

/// Errors are not in the document: planetscale-go, client.go, reads `code` and `message`.
fn check_error(exchange: &Exchange, wrong: &mut Vec<String>) {
    let text = |name| {
        let body = exchange.response.as_ref();
        body.is_some_and(|body| body.get(name).is_some_and(Value::is_string))
    };
    if !text("code") || !text("message") {
        wrong.push("the error has no code and message".to_owned());
    }
}

/// A member that ends in `_at` is a time or null.
fn check_times(at: &str, value: &Value, wrong: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let at = format!("{at}/{name}");
                if let (true, Some(text)) = (name.ends_with("_at"), value.as_str())
                    && OffsetDateTime::parse(text, &Rfc3339).is_err()
                {
                    wrong.push(format!("{at} is not a time: {text:?}"));
                }
                check_times(&at, value, wrong);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| check_times(at, item, wrong)),
        _ => {}
    }
}

fn violations(schema: &Value, value: &Value, what: &str, wrong: &mut Vec<String>) {
    let url = "memory:///schema.json";
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    let compiled = compiler
        .add_resource(url, schema.clone())
        .map_err(|error| error.to_string())
        .and_then(|()| {
            let compiled = compiler.compile(url, &mut schemas);
            compiled.map_err(|error| error.to_string())
        });
    match compiled {
        Ok(compiled) => {
            if let Err(error) = schemas.validate(value, compiled) {
                wrong.push(format!("{what}: {error:#}"));
            }
        }
        Err(error) => wrong.push(format!("{what}: the document: {error}")),
    }
}

/// OpenAPI 3.0 writes `nullable` where JSON Schema has another type.
fn json_schema(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(json_schema).collect(),
        Value::Object(members) => {
            let mut members: Map<String, Value> = members
                .iter()
                .map(|(name, value)| (name.clone(), json_schema(value)))
                .collect();
            if members.get("nullable") == Some(&Value::Bool(true)) {
                if let Some(Value::String(kind)) = members.get("type").cloned() {
                    members.insert("type".to_owned(), vec![kind, "null".to_owned()].into());
                }
                if let Some(Value::Array(allowed)) = members.get_mut("enum") {
                    allowed.push(Value::Null);
                }
            }
            Value::Object(members)
        }
        other => other.clone(),
    }
}

/// The value of a parameter in the type of its schema.
fn typed(text: &str, schema: &Value) -> Value {
    match schema.get("type").and_then(Value::as_str) {
        Some("integer") => text
            .parse::<i64>()
            .map_or_else(|_| text.into(), Value::from),
        Some("boolean") => text
            .parse::<bool>()
            .map_or_else(|_| text.into(), Value::from),
        Some("array") => vec![text].into(),
        _ => text.into(),
    }
}

fn is_undocumented(method: &str, path: &str) -> bool {
    UNDOCUMENTED.iter().any(|(other, template)| {
        let template = match template.strip_prefix("{database}") {
            Some(rest) => format!("{DATABASE_PATH}{rest}"),
            None => (*template).to_owned(),
        };
        *other == method && fits(&template, path)
    })
}

fn fits(template: &str, path: &str) -> bool {
    let (template, path) = (template.split('/'), path.split('/'));
    template.clone().count() == path.clone().count()
        && template
            .zip(path)
            .all(|(word, actual)| word == actual || (word.starts_with('{') && !actual.is_empty()))
}

fn members<'v>(value: &'v Value, name: &str) -> impl Iterator<Item = (&'v String, &'v Value)> {
    let members = value.get(name).and_then(Value::as_object);
    members.into_iter().flatten()
}

fn pointer<'v>(value: &'v Value, names: &[&str]) -> Option<&'v Value> {
    names.iter().try_fold(value, |value, name| value.get(name))
}
