//! The members of the API's objects that are always the same here. `constants.json` has them by the
//! kind of the object.

use std::sync::LazyLock;

use serde_json::Value;

static CONSTANTS: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("constants.json")).unwrap_or_default());

/// An object of this kind, whose other members are these.
pub fn with_constants(kind: &str, own: Value) -> Value {
    merged(CONSTANTS.get(kind).cloned().unwrap_or_default(), own)
}

/// An object with more members.
pub fn merged(mut object: Value, more: Value) -> Value {
    if let (Some(members), Value::Object(more)) = (object.as_object_mut(), more) {
        members.extend(more);
    }
    object
}
