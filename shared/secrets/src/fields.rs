//! The fields of a secret.

use secrecy::SecretString;
use serde_json::{Map, Value};

use super::SecretError;

/// The fields of a secret that is a JSON object. Text is trimmed. A field that is null or empty
/// counts as absent.
#[derive(Clone, PartialEq)]
pub struct Fields(Map<String, Value>);

impl Fields {
    /// Parses the text of a secret.
    ///
    /// # Errors
    ///
    /// [`SecretError::NotJson`].
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        serde_json::from_str(text)
            .map(Self)
            .map_err(|_| SecretError::NotJson)
    }

    /// The same fields with another text in one of them.
    #[must_use]
    pub fn with(mut self, name: &str, text: &str) -> Self {
        self.0.insert(name.to_owned(), text.into());
        self
    }

    /// The secret's text, with every field that it had.
    pub fn to_text(&self) -> SecretString {
        Value::from(self.0.clone()).to_string().into()
    }

    /// The text of a field.
    ///
    /// # Errors
    ///
    /// [`SecretError::Field`] if it is something else.
    pub fn text(&self, name: &'static str) -> Result<Option<&str>, SecretError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.trim()).filter(|text| !text.is_empty())),
            Some(_) => Err(SecretError::Field(name)),
        }
    }

    /// The text of a required field.
    ///
    /// # Errors
    ///
    /// [`SecretError::Field`] if it is absent or not text.
    pub fn required(&self, name: &'static str) -> Result<&str, SecretError> {
        self.text(name)?.ok_or(SecretError::Field(name))
    }

    /// A TCP port, as a number or as text.
    ///
    /// # Errors
    ///
    /// [`SecretError::Field`] if it is not a port.
    pub fn port(&self, name: &'static str) -> Result<Option<u16>, SecretError> {
        let port = match self.0.get(name) {
            Some(Value::Number(number)) => {
                number.as_u64().and_then(|port| u16::try_from(port).ok())
            }
            _ => match self.text(name)? {
                Some(text) => text.parse().ok(),
                None => return Ok(None),
            },
        };
        match port {
            None | Some(0) => Err(SecretError::Field(name)),
            port => Ok(port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_and_empty_count_as_absent_and_text_is_trimmed() {
        let fields = r#"{"a": null, "b": "", "c": " \n", "d": " text\n", "e": 7}"#;
        let fields = Fields::parse(fields).unwrap();
        for absent in ["a", "b", "c", "nowhere"] {
            assert_eq!(fields.text(absent), Ok(None), "{absent}");
            assert_eq!(fields.required(absent), Err(SecretError::Field(absent)));
            assert_eq!(fields.port(absent), Ok(None), "{absent}");
        }
        assert_eq!(fields.required("d"), Ok("text"));
        assert_eq!(fields.text("e"), Err(SecretError::Field("e")));
    }

    #[test]
    fn a_port_is_a_number_or_text() {
        for (text, port) in [
            ("3307", Ok(Some(3307))),
            ("\" 3307 \"", Ok(Some(3307))),
            ("0", Err(SecretError::Field("port"))),
            ("99999", Err(SecretError::Field("port"))),
            ("-1", Err(SecretError::Field("port"))),
            ("\"mysql\"", Err(SecretError::Field("port"))),
            ("true", Err(SecretError::Field("port"))),
        ] {
            let fields = Fields::parse(&format!("{{\"port\": {text}}}")).unwrap();
            assert_eq!(fields.port("port"), port, "{text}");
        }
    }

    #[test]
    fn a_secret_that_is_not_a_json_object_is_refused() {
        for text in ["", "hunter2", "[\"hunter2\"]", "\"hunter2\""] {
            assert_eq!(Fields::parse(text).err(), Some(SecretError::NotJson));
        }
    }
}
