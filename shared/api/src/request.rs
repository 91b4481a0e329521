//! A call of the API. Its route is parsed first, and everything else when the handler asks for it.

use std::{collections::BTreeMap, fmt::Display, str::FromStr, time::SystemTime};

use serde::Deserialize;

use super::{
    Caller, Problem, Route, Versions,
    body::Body,
    condition::Conditions,
    event::{Event, Headers},
    route::Parameters,
    settings::Settings,
};
use lambda::Deadline;

const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

/// One call of the API.
///
/// Its methods fail with a [`Problem`] that tells the client what is wrong. A handler passes it on
/// with `?`.
pub struct Request {
    parameters: Parameters,
    query: BTreeMap<String, String>,
    headers: Headers,
    body: Body,
    caller: Caller,
    end: SystemTime,
}

impl Request {
    /// 404 for another path, 405 for another method, 401 for a caller whom no authorizer has
    /// checked.
    pub(super) fn parse(
        route: Route,
        settings: &Settings,
        event: Event,
        end: SystemTime,
    ) -> Result<Self, Problem> {
        let parameters = route
            .parameters(&event)
            .ok_or_else(|| Problem::not_found("nothing is at this path"))?;
        if !route.takes(&event.method) {
            return Err(Problem::method_not_allowed(route.allow()));
        }
        Ok(Self {
            parameters,
            caller: Caller::of(event.authorizer.as_deref(), settings)?,
            query: event.query,
            headers: event.headers,
            body: Body::parse(event.body, event.is_base64),
            end,
        })
    }

    /// Parses a parameter of the path, percent-decoded.
    ///
    /// # Errors
    ///
    /// 400 with the parameter's name, and `T`'s error as the reason.
    pub fn path<T: FromStr<Err: Display>>(&self, name: &'static str) -> Result<T, Problem> {
        let value = self
            .parameters
            .get(name)
            .ok_or_else(|| Problem::internal(format!("the route has no parameter {name}")))?
            .map_err(|_| Problem::malformed(name, "not UTF-8"))?;
        parse(name, &value)
    }

    /// Parses a parameter of the query. A parameter without a value counts as absent, because many
    /// clients write it that way. Parameters that no handler asks for are ignored.
    ///
    /// # Errors
    ///
    /// 400 with the parameter's name, and `T`'s error as the reason.
    pub fn query<T: FromStr<Err: Display>>(
        &self,
        name: &'static str,
    ) -> Result<Option<T>, Problem> {
        let value = self.query.get(name).filter(|value| !value.is_empty());
        value.map(|value| parse(name, value)).transpose()
    }

    /// Whether the query has this parameter, without a value or with any value but `false`.
    pub fn asks_for(&self, name: &str) -> bool {
        self.query.get(name).is_some_and(|value| value != "false")
    }

    /// The value of a header. The name may be in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }

    /// Parses the body as JSON. `T` may borrow from the body. A `&str` can be borrowed only if the
    /// JSON string has no escapes, so prefer `String` or `Cow<str>` for a field.
    ///
    /// # Errors
    ///
    /// 413 over 256 KiB, 415 for a content type that is not JSON or for a compressed body, 422 for
    /// a number that is too large to read, and 400 for anything else that is not a `T`. The problem
    /// names the field by its path (`items[0].quantity`) and repeats no value.
    pub fn json<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Problem> {
        self.body.json(&self.headers)
    }

    /// The versions that the client wants to change, by `If-Match` and `If-None-Match`.
    ///
    /// A read does not need this call: [`serve`](super::serve) compares the conditions with the
    /// answer's [`etag`](super::Answer::etag).
    ///
    /// # Errors
    ///
    /// 428 without `If-Match`, 400 if one of the headers is not a list of entity tags.
    pub fn versions_to_change(&self) -> Result<Versions, Problem> {
        Conditions::parse(&self.headers)?.of_change()
    }

    /// The key under which the client may repeat this request: 1 to 255 visible ASCII characters.
    /// They are kept unchanged, including any quotes.
    ///
    /// # Errors
    ///
    /// 400 for any other key. If it were ignored, the request could be executed twice.
    pub fn idempotency_key(&self) -> Result<Option<&str>, Problem> {
        let Some(key) = self.header(IDEMPOTENCY_KEY) else {
            return Ok(None);
        };
        if (1..=255).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Ok(Some(key));
        }
        let reason = "not 1 to 255 visible ASCII characters";
        Err(Problem::malformed(IDEMPOTENCY_KEY, reason))
    }

    /// The caller.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// When the answer must be ready. Every wait for the database takes it.
    pub fn deadline(&self) -> Deadline {
        Deadline::of_invocation(self.end)
    }
}

fn parse<T: FromStr<Err: Display>>(name: &'static str, value: &str) -> Result<T, Problem> {
    value
        .parse()
        .map_err(|reason| Problem::malformed(name, reason))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    const ROUTE: Route = Route::get("/orders/{order_id}");

    fn request(event: Value) -> Request {
        let mut whole = json!({
            "version": "2.0",
            "rawPath": "/orders/7",
            "requestContext": {"stage": "$default", "http": {"method": "GET"}},
        });
        whole
            .as_object_mut()
            .unwrap()
            .extend(event.as_object().unwrap().clone());
        let event = serde_json::from_str(&whole.to_string()).unwrap();
        let settings = Settings {
            allow_unauthenticated: true,
            ..Settings::default()
        };
        Request::parse(ROUTE, &settings, event, SystemTime::now()).unwrap()
    }

    #[test]
    fn a_path_parameter_is_decoded_once() {
        let cases = [
            ("7", "7"),
            ("a%2Fb", "a/b"),
            ("a%7Cb", "a|b"),
            ("%2537", "%37"),
            ("%F0%9F%AB%96", "🫖"),
            ("a%00b", "a\0b"),
            ("100%", "100%"),
            ("%zz", "%zz"),
            ("a+b", "a+b"),
        ];
        for (raw, value) in cases {
            let request = request(json!({"rawPath": format!("/orders/{raw}")}));
            assert_eq!(request.path::<String>("order_id").unwrap(), value);
        }
        let request = request(json!({"rawPath": "/orders/%FF"}));
        assert!(request.path::<String>("order_id").is_err());
    }

    #[test]
    fn a_query_parameter_has_the_value_that_the_gateway_sent() {
        let request = request(json!({
            "queryStringParameters": {"limit": "20", "list": "a,,b", "page": 7, "cursor": null},
        }));
        assert_eq!(request.query::<u32>("limit").unwrap(), Some(20));
        assert_eq!(request.query::<u32>("page").unwrap(), Some(7));
        assert_eq!(
            request.query::<String>("list").unwrap().as_deref(),
            Some("a,,b")
        );
        for absent in ["cursor", "other"] {
            assert_eq!(request.query::<String>(absent).unwrap(), None);
        }
    }

    #[test]
    fn a_query_parameter_without_a_value_is_absent_but_may_be_a_flag() {
        for (value, asked_for) in [
            (json!(""), true),
            (json!("true"), true),
            (json!("1"), true),
            (json!("false"), false),
            (json!(null), false),
        ] {
            let request = request(json!({"queryStringParameters": {"ready": value}}));
            assert_eq!(request.asks_for("ready"), asked_for, "{value}");
            if value == "" {
                assert_eq!(request.query::<u32>("ready").unwrap(), None);
            }
        }
        assert!(!request(json!({})).asks_for("ready"));
    }

    #[test]
    fn a_header_is_found_in_any_case() {
        let request = request(json!({"headers": {"X-Thing": "value"}}));
        assert_eq!(request.header("x-thing"), Some("value"));
        assert_eq!(request.header("X-THING"), Some("value"));
        assert_eq!(request.header("x-other"), None);
    }

    proptest! {
        #[test]
        fn every_parameter_survives_its_encoding(value in "\\PC+") {
            let encoded = percent_encoding::utf8_percent_encode(&value, percent_encoding::NON_ALPHANUMERIC);
            let request = request(json!({"rawPath": format!("/orders/{encoded}")}));
            prop_assert_eq!(request.path::<String>("order_id").unwrap(), value);
        }
    }
}
