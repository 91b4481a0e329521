//! The parts of an event in payload format 2.0 that are read.
//!
//! The types of `aws_lambda_events` describe the whole event, and refuse it for a single field of
//! an unexpected type: a claim that is not a string, `amr: null`, a header value with a control
//! character. Here each field is parsed separately and only when it is read, so the other fields
//! may contain anything.

use std::{
    borrow::{Borrow, Cow},
    collections::BTreeMap,
};

use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::value::RawValue;

/// A JSON object whose fields are parsed when they are read. It borrows from the event, because most
/// fields are never read.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct Fields<'e>(#[serde(borrow)] BTreeMap<Name<'e>, &'e RawValue>);

/// The name of a field. It is borrowed if the JSON has no escapes in it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(transparent)]
struct Name<'e>(#[serde(borrow)] Cow<'e, str>);

impl Borrow<str> for Name<'_> {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl<'e> Fields<'e> {
    /// The fields of an object, or `None` for anything else.
    pub(super) fn of(value: &'e RawValue) -> Option<Self> {
        serde_json::from_str(value.get()).ok()
    }

    /// The text of a field. Null counts as absent. A value that is not a string becomes its JSON.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.0.get(name).and_then(|value| text(value))
    }

    /// A field that is a string.
    pub(super) fn string(&self, name: &str) -> Option<String> {
        serde_json::from_str(self.0.get(name)?.get()).ok()
    }

    /// A field that is an object.
    pub(super) fn object(&self, name: &str) -> Option<Self> {
        Self::of(self.0.get(name)?)
    }

    /// The JSON of a field. Null counts as absent.
    fn json(&self, name: &str) -> Option<Box<RawValue>> {
        let value = self.0.get(name).filter(|value| !is_null(value))?;
        Some((*value).to_owned())
    }

    /// The texts of an object, or none if the field is not an object.
    fn texts(&self, name: &str) -> BTreeMap<String, String> {
        let object = self.object(name).unwrap_or_default();
        let fields = object.0.into_iter();
        fields
            .filter_map(|(name, value)| Some((name.0.into_owned(), text(value)?)))
            .collect()
    }

    /// Whether the field is there and not null.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|value| !is_null(value))
    }

    /// Whether every field is null.
    pub(super) fn is_empty(&self) -> bool {
        self.0.values().all(|value| is_null(value))
    }
}

fn text(value: &RawValue) -> Option<String> {
    let json = value.get();
    serde_json::from_str(json).unwrap_or_else(|_| Some(json.to_owned()))
}

fn is_null(value: &RawValue) -> bool {
    value.get() == "null"
}

/// An event of an HTTP API or a function URL.
#[derive(Debug, Default)]
pub(super) struct Event {
    /// `GET /orders/{order_id}`, or `$default`.
    pub(super) route_key: Option<String>,
    pub(super) raw_path: String,
    pub(super) stage: String,
    pub(super) method: String,
    pub(super) path_parameters: BTreeMap<String, String>,
    /// If a parameter appears twice, its values are joined with commas.
    pub(super) query: BTreeMap<String, String>,
    pub(super) headers: Headers,
    pub(super) body: Option<String>,
    pub(super) is_base64: bool,
    /// What the authorizer says of the caller, as JSON.
    pub(super) authorizer: Option<Box<RawValue>>,
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The parser's own message quotes values, and this one is logged.
        let event = Fields::deserialize(deserializer).ok();
        let event = event.filter(|event| event.text("version").as_deref() == Some("2.0"));
        event.map(Self::from).ok_or_else(|| {
            D::Error::custom("not an event of an HTTP API or a function URL in payload format 2.0")
        })
    }
}

impl From<Fields<'_>> for Event {
    fn from(event: Fields<'_>) -> Self {
        let context = event.object("requestContext").unwrap_or_default();
        let http = context.object("http").unwrap_or_default();
        Self {
            route_key: event.string("routeKey"),
            raw_path: event.string("rawPath").unwrap_or_default(),
            stage: context.string("stage").unwrap_or_default(),
            method: http.string("method").unwrap_or_default(),
            path_parameters: event.texts("pathParameters"),
            query: event.texts("queryStringParameters"),
            headers: Headers::new(event.texts("headers")),
            body: event.text("body"),
            is_base64: event.text("isBase64Encoded").as_deref() == Some("true"),
            authorizer: context.json("authorizer"),
        }
    }
}

/// Headers. Their names may be in any case.
#[derive(Debug, Default)]
pub(super) struct Headers(BTreeMap<String, String>);

impl Headers {
    pub(super) fn new(headers: BTreeMap<String, String>) -> Self {
        let headers = headers.into_iter();
        Self(
            headers
                .map(|(mut name, value)| {
                    name.make_ascii_lowercase();
                    (name, value)
                })
                .collect(),
        )
    }

    /// The value of a header. `name` must be in lower case.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}
