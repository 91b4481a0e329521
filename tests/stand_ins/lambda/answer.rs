//! The answer to an invocation.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;

/// What the client receives, and what the function logged for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The id that Lambda gave the invocation.
    pub request_id: String,
    /// The HTTP status.
    pub status: u16,
    /// The headers, with names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body. It is null if the body is empty, and a string if it is not JSON.
    pub body: Value,
    /// The log lines of this invocation.
    pub logs: Vec<Value>,
}

impl Answer {
    /// The value of a header, if there is one.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// Reads the function's response like the gateway.
    pub(super) fn parse(
        request_id: String,
        response: Value,
        logs: Vec<Value>,
    ) -> Result<Self, serde_json::Error> {
        let response: Response = serde_json::from_value(response)?;
        let body = match response.text().as_str() {
            "" => Value::Null,
            text => serde_json::from_str(text).unwrap_or_else(|_| Value::from(text)),
        };
        let headers = response.headers.into_iter();
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value));
        Ok(Self {
            request_id,
            status: response.status_code,
            headers: headers.collect(),
            body,
            logs,
        })
    }
}

/// A response in payload format 2.0. The gateway ignores `multiValueHeaders` there, which belong to
/// format 1.0.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    status_code: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

impl Response {
    fn text(&self) -> String {
        let text = self.body.clone().unwrap_or_default();
        if self.is_base64_encoded {
            let bytes = STANDARD.decode(text).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        } else {
            text
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(response: Value) -> Result<Answer, serde_json::Error> {
        Answer::parse("id".to_owned(), response, Vec::new())
    }

    #[test]
    fn a_response_is_read_by_the_gateways_rules() {
        let answer = parse(json!({
            "statusCode": 201,
            "headers": { "ETag": "\"1\"" },
            "multiValueHeaders": { "location": ["/orders/1"] },
            "body": "{\"id\": 1}",
            "isBase64Encoded": false,
            "cookies": []
        }))
        .unwrap();
        assert_eq!(
            (answer.status, answer.body.clone()),
            (201, json!({ "id": 1 }))
        );
        assert_eq!(answer.header("etag"), Some("\"1\""));
        assert_eq!(answer.header("location"), None);
    }

    #[test]
    fn a_body_may_be_missing_or_in_base64_or_not_json() {
        for (body, encoded, read) in [
            (json!(null), false, json!(null)),
            (json!(""), false, json!(null)),
            (json!("e30="), true, json!({})),
            (json!("hello"), false, json!("hello")),
        ] {
            let response = json!({ "statusCode": 200, "body": body, "isBase64Encoded": encoded });
            assert_eq!(parse(response).unwrap().body, read, "{body}");
        }
    }

    #[test]
    fn a_response_must_have_a_status() {
        assert!(parse(json!({ "body": "{}" })).is_err());
        assert!(parse(json!("hello")).is_err());
    }
}
