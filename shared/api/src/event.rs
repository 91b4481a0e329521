//! The parts of an event in payload format 2.0 that are read.
//!
//! The types of `aws_lambda_events` describe the whole event, and refuse it for a single field of
//! an unexpected type: a claim that is not a string, `amr: null`, a header value with a control
//! character. Here each field is parsed separately and only when it is read, so the other fields
//! may contain anything.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// A JSON object whose fields are parsed when they are read. It borrows from the event, because most
/// fields are never read. It is a list, because a map of so few fields takes longer to make than to
/// search.
#[derive(Debug, Default)]
pub(super) struct Fields<'e>(Vec<(Name<'e>, &'e RawValue)>);

/// The name of a field. It is borrowed if the JSON has no escapes in it.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
struct Name<'e>(#[serde(borrow)] Cow<'e, str>);

impl<'de: 'e, 'e> Deserialize<'de> for Fields<'e> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut object: M) -> Result<Fields<'de>, M::Error> {
        let mut fields = Vec::with_capacity(16);
        while let Some(field) = object.next_entry()? {
            fields.push(field);
        }
        Ok(Fields(fields))
    }
}

impl<'e> Fields<'e> {
    /// The fields of an object, or `None` for anything else.
    pub(super) fn of(value: &'e RawValue) -> Option<Self> {
        serde_json::from_str(value.get()).ok()
    }

    /// The text of a field. Null counts as absent. A value that is not a string becomes its JSON.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.get(name).and_then(text)
    }

    /// A field that is a string.
    pub(super) fn string(&self, name: &str) -> Option<String> {
        serde_json::from_str(self.get(name)?.get()).ok()
    }

    /// A field that is an object.
    pub(super) fn object(&self, name: &str) -> Option<Self> {
        Self::of(self.get(name)?)
    }

    /// The JSON of a field. Null counts as absent.
    fn json(&self, name: &str) -> Option<Box<RawValue>> {
        let value = self.get(name).filter(|value| !is_null(value))?;
        Some(value.to_owned())
    }

    /// The texts of an object, or none if the field is not an object.
    fn texts<C: FromIterator<(String, String)>>(&self, name: &str) -> C {
        let object = self.object(name).unwrap_or_default();
        let fields = object.0.into_iter();
        fields
            .filter_map(|(name, value)| Some((name.0.into_owned(), text(value)?)))
            .collect()
    }

    /// Whether the field is there and not null.
    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| !is_null(value))
    }

    /// Whether every field is null.
    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|(_, value)| is_null(value))
    }

    /// If a name appears twice, its last value counts.
    fn get(&self, name: &str) -> Option<&'e RawValue> {
        let mut fields = self.0.iter().rev();
        fields
            .find(|(known, _)| known.0 == name)
            .map(|(_, value)| *value)
    }
}

fn text(value: &RawValue) -> Option<String> {
    let json = value.get();
    if is_null(value) {
        return None;
    }
    let string = json.starts_with('"').then(|| serde_json::from_str(json));
    match string {
        Some(Ok(string)) => Some(string),
        Some(Err(_)) | None => Some(json.to_owned()),
    }
}

fn is_null(value: &RawValue) -> bool {
    value.get() == "null"
}

/// An event of an HTTP API or a function URL.
#[derive(Debug, Default)]
pub(super) struct Event {
    /// `GET /orders/{order_id}`, or `$default`.
    pub(super) route_key: String,
    pub(super) raw_path: String,
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
            route_key: event.string("routeKey").unwrap_or_default(),
            raw_path: event.string("rawPath").unwrap_or_default(),
            method: http.string("method").unwrap_or_default(),
            path_parameters: event.texts("pathParameters"),
            query: event.texts("queryStringParameters"),
            headers: event.texts("headers"),
            body: event.text("body"),
            is_base64: event.text("isBase64Encoded").as_deref() == Some("true"),
            authorizer: context.json("authorizer"),
        }
    }
}

/// Headers. Their names may be in any case.
#[derive(Debug, Default)]
pub(super) struct Headers(Vec<(String, String)>);

impl FromIterator<(String, String)> for Headers {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(headers: I) -> Self {
        Self(headers.into_iter().collect())
    }
}

impl Headers {
    /// The value of a header. If a name appears twice, its last value counts.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let mut headers = self.0.iter().rev();
        headers
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}
