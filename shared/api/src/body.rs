//! The body of a request as JSON.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde::Deserialize;
use serde_json::error::Category;

use super::{Problem, event::Headers};

#[cfg(test)]
mod tests;

/// In bytes. It is about forty times the size of an order with a hundred items.
const LIMIT: usize = 256 * 1024;

/// The length of LIMIT bytes in base64.
const ENCODED_LIMIT: usize = LIMIT.div_ceil(3) * 4;

/// The body as the client sent it, without the transport encoding.
pub(super) enum Body {
    Empty,
    Text(String),
    TooLarge,
    NotBase64,
    NotUtf8,
}

impl Body {
    /// Takes the event's body. It is moved, unless it is in base64.
    pub(super) fn parse(body: Option<String>, is_base64: bool) -> Self {
        let text = match body {
            None => return Self::Empty,
            Some(body) if !is_base64 => body,
            Some(body) if body.len() > ENCODED_LIMIT => return Self::TooLarge,
            Some(body) => match BASE64_STANDARD.decode(body).map(String::from_utf8) {
                Ok(Ok(text)) => text,
                Ok(Err(_)) => return Self::NotUtf8,
                Err(_) => return Self::NotBase64,
            },
        };
        match text.len() {
            0 => Self::Empty,
            length if length > LIMIT => Self::TooLarge,
            _ => Self::Text(text),
        }
    }

    pub(super) fn json<'a, T: Deserialize<'a>>(&'a self, headers: &Headers) -> Result<T, Problem> {
        match self {
            Self::Empty => Err(Problem::malformed_body("is empty")),
            Self::TooLarge => Err(Problem::too_large(LIMIT)),
            _ if !headers.get("content-encoding").is_none_or(is_identity) => {
                Err(Problem::unsupported_encoding())
            }
            _ if !headers.get("content-type").is_some_and(is_json) => {
                Err(Problem::unsupported_media_type())
            }
            Self::Text(text) => from_json(text),
            Self::NotBase64 => Err(Problem::malformed_body(
                "is not base64, which the event says it is",
            )),
            Self::NotUtf8 => Err(Problem::malformed_body("is not UTF-8")),
        }
    }
}

/// Whether the body is not compressed.
fn is_identity(encodings: &str) -> bool {
    encodings
        .split(',')
        .map(str::trim)
        .all(|encoding| encoding.is_empty() || encoding.eq_ignore_ascii_case("identity"))
}

/// `application/json`, or another type whose syntax is JSON (`application/merge-patch+json`).
/// Parameters are ignored. JSON defines none, not even a charset (RFC 8259, section 11), and is
/// always UTF-8.
fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default();
    let essence = essence.trim().to_ascii_lowercase();
    essence.strip_prefix("application/").is_some_and(|subtype| {
        let name = subtype.strip_suffix("+json");
        subtype == "json" || name.is_some_and(|name| !name.is_empty() && name.bytes().all(is_token))
    })
}

/// RFC 9110, section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

const MUST_BE_OBJECT: &str = "must be an object";

fn from_json<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Problem> {
    // A parser of JSON may ignore a byte order mark (RFC 8259, section 8.1).
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // The code that serde derives for a struct also accepts an array of its fields. It would read
    // `["paid"]` as `{"status": "paid"}`.
    if text.trim_start().starts_with('[') {
        return Err(Problem::malformed_body(MUST_BE_OBJECT));
    }
    let mut parser = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut parser).map_err(|error| {
        let path = error.path().to_string();
        explain(&path, error.inner())
    })?;
    parser
        .end()
        .map_err(|_| Problem::malformed_body("goes on after its JSON value"))?;
    Ok(value)
}

/// Says what is wrong in our own words, because serde's quote the value.
fn explain(path: &str, error: &serde_json::Error) -> Problem {
    match error.classify() {
        // The parser refuses a number that does not fit into an f64 before it checks the type.
        _ if error.to_string().starts_with("number out of range") => {
            Problem::invalid(path, "must be a smaller number")
        }
        // These messages contain no value: "expected `,` or `}` at line 1 column 9".
        Category::Syntax | Category::Eof | Category::Io => {
            Problem::malformed_body(format_args!("is not JSON: {error}"))
        }
        Category::Data => {
            let (field, reason) = explain_data(path, &error.to_string());
            match field.as_str() {
                "." => Problem::malformed_body(reason),
                _ => Problem::malformed(field, reason),
            }
        }
    }
}

/// The field and the reason of an error of serde, recognised by the default wording of its `Error`
/// trait. The names in backticks there are those of the type.
fn explain_data(path: &str, message: &str) -> (String, &'static str) {
    if let Some(name) = named(message, "missing field `") {
        return (child(path, name), "is missing");
    }
    if let Some(name) = named(message, "duplicate field `") {
        return (child(path, name), "is given twice");
    }
    if message.starts_with("unknown field `") {
        return (path.to_owned(), "is not a field that is known here");
    }
    let expected = message
        .starts_with("invalid ")
        .then(|| message.rsplit_once(", expected "))
        .flatten()
        .map(|(_, expected)| {
            expected
                .rsplit_once(" at line ")
                .map_or(expected, |(kind, _)| kind)
        });
    let reason = match expected {
        Some("a string" | "a borrowed string" | "string" | "a character") => "must be a string",
        Some("a boolean") => "must be true or false",
        Some("f32" | "f64") => "must be a number",
        Some("a whole number") => "must be a whole number",
        Some(kind) if is_integer(kind) => "must be a whole number within its range",
        Some("a sequence") => "must be an array",
        Some(kind) if kind.starts_with("struct ") || kind == "a map" => MUST_BE_OBJECT,
        _ => "has a value that is not allowed here",
    };
    (path.to_owned(), reason)
}

fn named<'a>(message: &'a str, start: &str) -> Option<&'a str> {
    message
        .strip_prefix(start)?
        .split_once('`')
        .map(|(name, _)| name)
}

fn child(parent: &str, name: &str) -> String {
    match parent {
        "." => name.to_owned(),
        _ => format!("{parent}.{name}"),
    }
}

/// `u32`, `i64`, `usize` and the like.
fn is_integer(kind: &str) -> bool {
    kind.strip_prefix(['u', 'i'])
        .is_some_and(|bits| bits == "size" || bits.parse::<u8>().is_ok())
}
