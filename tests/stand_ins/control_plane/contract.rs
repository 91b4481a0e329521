//! Compares requests and answers with PlanetScale's API document (OpenAPI 3.0).
//!
//! The document belongs to PlanetScale and is not part of this project. [`Contract::from_env`] reads
//! it from the path in the variable `PLANETSCALE_OPENAPI`.

use std::path::Path;
use std::sync::LazyLock;

use anyhow::{Context as _, anyhow};
use axum::http::Method;
use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Exchange;
use crate::openapi::{Document, Operation, close};
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
pub struct Contract(Document);

impl Contract {
    /// The document, if the variable is set.
    pub fn from_env() -> anyhow::Result<Option<&'static Self>> {
        static CONTRACT: LazyLock<anyhow::Result<Option<Contract>>> = LazyLock::new(|| {
            let path = std::env::var_os(VARIABLE).filter(|path| !path.is_empty());
            path.map(|path| Contract::read(Path::new(&path)))
                .transpose()
        });
        let contract = CONTRACT.as_ref().map(Option::as_ref);
        contract.map_err(|error| anyhow!("{error:#}"))
    }

    fn read(path: &Path) -> anyhow::Result<Self> {
        let of_file = || path.display().to_string();
        let mut whole: Value = serde_json::from_str(&file::read(path)?).with_context(of_file)?;
        let paths = whole.get_mut("paths").and_then(Value::as_object_mut);
        let paths = paths.into_iter().flat_map(Map::values_mut);
        let operations = paths.filter_map(Value::as_object_mut);
        for operation in operations.flat_map(Map::values_mut) {
            // A tool must not send what the document does not name. An answer may have more.
            if let Some(body) = operation.get_mut("requestBody") {
                close(body);
            }
        }
        translate_nullable(&mut whole);
        Ok(Self(Document::new(whole).with_context(of_file)?))
    }

    /// The operations by their paths and their methods in lower case.
    pub fn operations(&self) -> impl Iterator<Item = (&str, &str, &Operation)> {
        self.0.paths.iter().flat_map(|(path, operations)| {
            let operations = operations.iter();
            operations.map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
        })
    }

    /// How the exchanges differ from the document, each difference with its request.
    #[must_use]
    pub fn violations(&self, exchanges: &[Exchange]) -> Vec<String> {
        let mut violations = Vec::new();
        for exchange in exchanges {
            let Exchange {
                method,
                path,
                status,
                ..
            } = exchange;
            let wrong = self.check(exchange).into_iter();
            violations.extend(wrong.map(|wrong| format!("{method} {path} ({status}): {wrong}")));
        }
        violations
    }

    fn check(&self, exchange: &Exchange) -> Vec<String> {
        let mut wrong = Vec::new();
        let path = exchange.path.strip_prefix("/v1").unwrap_or_default();
        match self.operation(&exchange.method, path) {
            Some(operation) => {
                if !matches!(exchange.status, 400 | 422) {
                    self.check_request(operation, exchange, &mut wrong);
                }
                self.check_response(operation, exchange, &mut wrong);
            }
            None if matches!(exchange.status, 404 | 501) => check_error(exchange, &mut wrong),
            None if is_undocumented(exchange.method.as_str(), path) => {}
            None => wrong.push("no such operation".to_owned()),
        }
        if let Some(body) = &exchange.response {
            check_times("", body, &mut wrong);
        }
        wrong
    }

    /// The operation whose path fits with the fewest parameters.
    fn operation(&self, method: &Method, path: &str) -> Option<&Operation> {
        let fitting = self.operations().filter(|(template, of_method, _)| {
            of_method.eq_ignore_ascii_case(method.as_str()) && fits(template, path)
        });
        let closest = fitting.min_by_key(|(template, ..)| template.matches('{').count());
        closest.map(|(.., operation)| operation)
    }

    fn check_request(&self, operation: &Operation, exchange: &Exchange, wrong: &mut Vec<String>) {
        for (name, value) in &exchange.query {
            let mut parameters = operation.parameters.iter();
            let parameter = parameters.find(|parameter| {
                parameter.place == "query" && parameter.name == name.trim_end_matches("[]")
            });
            match parameter {
                Some(parameter) if self.0.is_text_of(parameter.schema, value) => {}
                Some(_) => wrong.push(format!("the parameter {name} is not allowed")),
                None => wrong.push(format!("the query has no parameter {name}")),
            }
        }
        let body = operation.request_body.as_ref();
        let content = body.and_then(|body| body.content.get(JSON));
        match (&exchange.request, content) {
            (Some(body), Some(content)) => self.0.check(content.schema, body, "the request", wrong),
            // The tools send an empty object if there is nothing to say.
            (Some(body), None) if body.as_object().is_some_and(Map::is_empty) => {}
            (Some(_), None) => wrong.push("the request has no body".to_owned()),
            (None, _) => {}
        }
    }

    fn check_response(&self, operation: &Operation, exchange: &Exchange, wrong: &mut Vec<String>) {
        let response = operation.responses.get(&exchange.status.to_string());
        let content = response.and_then(|response| response.content.get(JSON));
        match (response, content, &exchange.response) {
            (None, ..) if !UNLISTED.contains(&exchange.status) => {
                wrong.push("no such status".to_owned());
            }
            (_, Some(content), Some(body)) => {
                self.0.check(content.schema, body, "the response", wrong);
            }
            (_, Some(_), None) => wrong.push("the response has no body".to_owned()),
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

/// OpenAPI 3.0 writes `nullable` where JSON Schema has another type.
fn translate_nullable(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(translate_nullable),
        Value::Object(members) => {
            members.values_mut().for_each(translate_nullable);
            if members.get("nullable") != Some(&Value::Bool(true)) {
                return;
            }
            if let Some(Value::String(kind)) = members.get("type").cloned() {
                members.insert("type".to_owned(), vec![kind, "null".to_owned()].into());
            }
            if let Some(Value::Array(allowed)) = members.get_mut("enum") {
                allowed.push(Value::Null);
            }
        }
        _ => {}
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
