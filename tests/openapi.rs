//! The API's document, `functions/openapi.yaml`. Every call of a function that the tests make is held
//! against it, in both directions: an answer that it does not have is a fault, and so is a request
//! that is refused though the document allows it, or accepted though it does not.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use anyhow::{Context as _, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use boon::{CompileError, Compiler, SchemaIndex, Schemas};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::stack::{Route, file, yaml};
use crate::stand_ins::lambda::Answer;
use crate::stand_ins::lambda::event::Event;

/// Where the document is.
pub const FILE: &str = "functions/openapi.yaml";

/// Parts of the details of requests that are refused by rules that a schema cannot express.
const BEYOND_SCHEMAS: [&str; 6] = [
    "visible characters that are written from left to right",
    "must be at most 9999999999.99",
    "must not add up to more than",
    "must be the `next` of a page of the same list",
    "is given twice",
    "was used before with another request",
];

/// The document, with its references resolved.
#[derive(Deserialize)]
pub struct Document {
    /// The operations by their paths and their methods in lower case.
    pub paths: BTreeMap<String, BTreeMap<String, Operation>>,
    components: Components,
    #[serde(skip)]
    schemas: Schemas,
    #[serde(skip)]
    compiled: Vec<SchemaIndex>,
}

#[derive(Deserialize)]
struct Components {
    #[serde(default)]
    responses: BTreeMap<String, Response>,
}

/// A method of a path.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// Its own parameters and those of its path.
    #[serde(default)]
    pub parameters: Vec<Parameter>,
    /// The body, if it has one.
    pub request_body: Option<Body>,
    /// By their statuses.
    pub responses: BTreeMap<String, Response>,
}

/// A parameter of the path, the query or the headers.
#[derive(Clone, Deserialize)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// `path`, `query` or `header`.
    #[serde(rename = "in")]
    pub place: String,
    #[serde(default)]
    required: bool,
    #[serde(default, rename = "allowEmptyValue")]
    may_be_empty: bool,
    pub(crate) schema: usize,
    /// A value for an example.
    pub example: Option<Value>,
}

/// The body of a request.
#[derive(Deserialize)]
pub struct Body {
    /// By their types.
    pub content: BTreeMap<String, Content>,
}

/// An answer.
#[derive(Deserialize)]
pub struct Response {
    #[serde(default)]
    headers: BTreeMap<String, Header>,
    /// By their types. Without any, the body is empty.
    #[serde(default)]
    pub content: BTreeMap<String, Content>,
}

#[derive(Deserialize)]
struct Header {
    #[serde(default)]
    required: bool,
    schema: usize,
}

/// A body of one type.
#[derive(Deserialize)]
pub struct Content {
    pub(crate) schema: usize,
    example: Option<Value>,
    #[serde(default)]
    examples: BTreeMap<String, Example>,
}

#[derive(Deserialize)]
struct Example {
    value: Value,
}

impl Document {
    /// The document of this project's API.
    pub fn of_the_api() -> anyhow::Result<&'static Self> {
        static DOCUMENT: LazyLock<anyhow::Result<Document>> = LazyLock::new(|| {
            let mut whole = yaml(&file::read(&crate::root().join(FILE))?)?;
            close(&mut whole);
            Document::new(whole)
        });
        DOCUMENT
            .as_ref()
            .map_err(|error| anyhow!("{FILE}: {error:#}"))
    }

    /// The document with this content.
    pub(crate) fn new(mut whole: Value) -> anyhow::Result<Self> {
        let schemas = whole.pointer_mut("/components/schemas").map(Value::take);
        let mut document = resolved(&whole, &whole)?;
        let paths = document.get_mut("paths").and_then(Value::as_object_mut);
        for operations in paths.into_iter().flat_map(Map::values_mut) {
            share_parameters(operations);
        }
        // What the operations use goes into one list. The schemas refer to each other by their names.
        let mut used = Vec::new();
        take_schemas(&mut document, &mut used);
        let mut compiler = Compiler::new();
        compiler.enable_format_assertions();
        let resource = json!({ "components": { "schemas": schemas }, "used": used });
        let wrong = |error: CompileError| anyhow!("a schema: {error:#}");
        compiler.add_resource("api.json", resource).map_err(wrong)?;
        let mut document: Self = serde_json::from_value(document)?;
        for place in 0..used.len() {
            let schema = format!("api.json#/used/{place}");
            let schema = compiler.compile(&schema, &mut document.schemas);
            document.compiled.push(schema.map_err(wrong)?);
        }
        Ok(document)
    }

    /// Every response: those of the operations, and those that are only named.
    pub fn responses(&self) -> impl Iterator<Item = &Response> {
        let operations = self.paths.values().flat_map(BTreeMap::values);
        operations
            .flat_map(|operation| operation.responses.values())
            .chain(self.components.responses.values())
    }

    /// How an answer to `event` differs from the document. `routes` are those of the function.
    pub fn faults(&self, event: &Event, routes: &[Route], answer: &Answer) -> Vec<String> {
        let request = Request::of(event, routes);
        // HEAD is answered like GET, without the body.
        let method = match request.method.as_str() {
            "HEAD" => "get".to_owned(),
            method => method.to_ascii_lowercase(),
        };
        let has = |route: &Route| route.method.eq_ignore_ascii_case(&method);
        let has = routes
            .iter()
            .any(|route| has(route) && event.matches_path(route));
        let mut faults = Vec::new();
        let status = answer.status.to_string();
        let response = match &request.path {
            Some(path) if has => {
                let operation = self.paths.get(path).and_then(|path| path.get(&method));
                let Some(operation) = operation else {
                    return vec!["the route is not documented".to_owned()];
                };
                self.check_request(operation, &request, answer, &mut faults);
                operation.responses.get(&status)
            }
            // The function was called directly.
            Some(_) if answer.status == 405 => self.components.responses.get("MethodNotAllowed"),
            None if answer.status == 404 => self.components.responses.get("NotFound"),
            _ => None,
        };
        match response {
            Some(response) => self.check_answer(response, &request, answer, &mut faults),
            None => faults.push("the status is not documented".to_owned()),
        }
        faults
    }

    fn check_answer(
        &self,
        response: &Response,
        request: &Request,
        answer: &Answer,
        faults: &mut Vec<String>,
    ) {
        let documented: BTreeMap<_, _> = response
            .headers
            .iter()
            .map(|(name, header)| (name.to_ascii_lowercase(), header))
            .collect();
        for (name, header) in &documented {
            match answer.header(name) {
                Some(value) => self.check(header.schema, &value.into(), name, faults),
                None if header.required => faults.push(format!("{name} is missing")),
                None => {}
            }
        }
        for name in answer.headers.keys() {
            if name != "content-type" && !documented.contains_key(name) {
                faults.push(format!("the header {name} is not documented"));
            }
        }
        let content_type = answer.header("content-type");
        let content = content_type.map(|name| response.content.get(name));
        match (content, content_type) {
            (Some(None), _) => faults.push(format!("{content_type:?} is not documented")),
            (None, _) if !response.content.is_empty() => {
                faults.push("content-type is missing".to_owned());
            }
            (Some(Some(content)), name) if request.method != "HEAD" => {
                self.check(content.schema, &answer.body, "the body", faults);
                let known = |example: &Value| {
                    let same = |member| example.get(member) == answer.body.get(member);
                    ["type", "title", "status"].into_iter().all(same)
                };
                if name == Some("application/problem+json") && !content.examples().any(known) {
                    faults.push("no example is of this problem".to_owned());
                }
            }
            _ if !answer.body.is_null() => faults.push("there is a body".to_owned()),
            _ => {}
        }
    }

    /// A request that is accepted must be allowed, and one that is refused must not.
    fn check_request(
        &self,
        operation: &Operation,
        request: &Request,
        answer: &Answer,
        faults: &mut Vec<String>,
    ) {
        let mut wrong = Vec::new();
        for parameter in &operation.parameters {
            let Parameter { place, name, .. } = parameter;
            match request.parameter(parameter) {
                Some("") if parameter.may_be_empty => {}
                Some(text) if self.is_text_of(parameter.schema, text) => {}
                Some(_) => wrong.push(format!("the {place}'s {name} is not allowed")),
                None if parameter.required => wrong.push(format!("{name} is missing")),
                None => {}
            }
        }
        let content = operation.request_body.iter();
        for content in content.flat_map(|body| body.content.values()) {
            let body = request.body.strip_prefix("\u{feff}".as_bytes());
            match serde_json::from_slice(body.unwrap_or(&request.body)) {
                Ok(body) => self.check(content.schema, &body, "the request", &mut wrong),
                Err(error) => wrong.push(error.to_string()),
            }
        }
        let detail = answer.body.get("detail").and_then(Value::as_str);
        let beyond = |part: &&str| detail.is_some_and(|detail| detail.contains(*part));
        let beyond = BEYOND_SCHEMAS.iter().any(beyond);
        match answer.status {
            200..=399 if !wrong.is_empty() => {
                faults.push(format!("it is accepted, though {}", wrong.join(" and ")));
            }
            400 | 422 if wrong.is_empty() && !beyond => {
                faults.push("it is refused, though the document allows it".to_owned());
            }
            _ => {}
        }
    }

    /// Whether a text stands for a value of the schema, which may be a number, a boolean or an item of
    /// a list.
    pub(crate) fn is_text_of(&self, schema: usize, text: &str) -> bool {
        let number = text.parse::<i64>().ok();
        let number = number.filter(|number| number.to_string() == text);
        let boolean = text.parse::<bool>().ok();
        let (number, boolean) = (number.map(Value::from), boolean.map(Value::from));
        let values = [Some(text.into()), number, boolean, Some(json!([text]))];
        values.iter().flatten().any(|value| {
            let mut faults = Vec::new();
            self.check(schema, value, "", &mut faults);
            faults.is_empty()
        })
    }

    /// Adds how a value differs from the schema.
    pub(crate) fn check(&self, schema: usize, value: &Value, what: &str, faults: &mut Vec<String>) {
        let Some(compiled) = self.compiled.get(schema) else {
            return faults.push(format!("{what} has no schema"));
        };
        if let Err(error) = self.schemas.validate(value, *compiled) {
            faults.push(format!("{what}: {error:#}"));
        }
    }
}

impl Content {
    /// Its examples.
    pub fn examples(&self) -> impl Iterator<Item = &Value> {
        let named = self.examples.values().map(|example| &example.value);
        self.example.iter().chain(named)
    }
}

/// What a function receives.
struct Request {
    method: String,
    /// The path of its route, as in `/orders/{order_id}`, if the function has it.
    path: Option<String>,
    path_parameters: Value,
    query: Value,
    headers: Value,
    body: Vec<u8>,
}

impl Request {
    fn of(event: &Event, routes: &[Route]) -> Self {
        let payload = event.payload(routes);
        let route = routes.iter().find(|route| event.matches_path(route));
        let at = |pointer| payload.pointer(pointer).cloned().unwrap_or_default();
        let text = |pointer| at(pointer).as_str().unwrap_or_default().to_owned();
        Self {
            method: text("/requestContext/http/method"),
            path: route.map(|route| route.path.clone()),
            path_parameters: route.and_then(|route| event.path_parameters(route)).into(),
            query: at("/queryStringParameters"),
            headers: at("/headers"),
            body: match at("/isBase64Encoded") == true {
                true => STANDARD.decode(text("/body")).unwrap_or_default(),
                false => text("/body").into(),
            },
        }
    }

    fn parameter(&self, parameter: &Parameter) -> Option<&str> {
        let (place, name) = match parameter.place.as_str() {
            "path" => (&self.path_parameters, parameter.name.clone()),
            "query" => (&self.query, parameter.name.clone()),
            _ => (&self.headers, parameter.name.to_ascii_lowercase()),
        };
        place.get(name)?.as_str()
    }
}

/// Forbids what a schema of an object does not name. To clients the document promises less, so that
/// answers may grow.
pub(crate) fn close(value: &mut Value) {
    match value {
        Value::Object(members) => {
            if members.contains_key("properties") && members.get("type") == Some(&json!("object")) {
                members.insert("additionalProperties".to_owned(), false.into());
            }
            members.values_mut().for_each(close);
        }
        Value::Array(values) => values.iter_mut().for_each(close),
        _ => {}
    }
}

/// `value` with the parts of the document that it refers to, except for schemas.
fn resolved(value: &Value, document: &Value) -> anyhow::Result<Value> {
    Ok(match value {
        Value::Object(members) => {
            let reference = members.get("$ref").and_then(Value::as_str);
            match reference.filter(|name| !name.starts_with("#/components/schemas/")) {
                Some(name) => {
                    let target = document.pointer(name.trim_start_matches('#'));
                    resolved(
                        target.with_context(|| format!("{name} is nowhere"))?,
                        document,
                    )?
                }
                None => {
                    let members = members.iter();
                    members
                        .map(|(name, value)| Ok((name.clone(), resolved(value, document)?)))
                        .collect::<anyhow::Result<_>>()?
                }
            }
        }
        Value::Array(values) => {
            let values = values.iter();
            values
                .map(|value| resolved(value, document))
                .collect::<anyhow::Result<_>>()?
        }
        other => other.clone(),
    })
}

/// Gives the parameters of a path to each of its operations.
fn share_parameters(operations: &mut Value) {
    let Some(operations) = operations.as_object_mut() else {
        return;
    };
    let shared = operations.remove("parameters");
    let shared = shared.as_ref().and_then(Value::as_array);
    for operation in operations.values_mut().filter_map(Value::as_object_mut) {
        let own = operation.entry("parameters").or_insert_with(|| json!([]));
        if let Some(own) = own.as_array_mut() {
            own.extend(shared.into_iter().flatten().cloned());
        }
    }
}

/// Moves each member `schema` to `used`, and leaves its place in the list.
fn take_schemas(value: &mut Value, used: &mut Vec<Value>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match name.as_str() {
                    "schema" => {
                        used.push(member.take());
                        *member = (used.len() - 1).into();
                    }
                    "example" | "examples" => {}
                    _ => take_schemas(member, used),
                }
            }
        }
        Value::Array(values) => values
            .iter_mut()
            .for_each(|value| take_schemas(value, used)),
        _ => {}
    }
}
