//! A call, parsed as far as the route goes. What a handler asks of it is parsed when it asks.

use std::{borrow::Cow, fmt::Display, str::FromStr, time::SystemTime};

use aws_lambda_events::{apigw::ApiGatewayV2httpRequest, query_map::QueryMap};
use http::{HeaderMap, header};
use serde::Deserialize;

use super::{Caller, Problem, Route, Versions, body::Body, route::Parameters};
use lambda::Deadline;

const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

/// One call of the API.
///
/// Its methods fail with the [`Problem`] that tells the client what was wrong, so that a handler
/// passes it on with `?`.
pub struct Request {
    parameters: Parameters,
    query: QueryMap,
    headers: HeaderMap,
    body: Body,
    caller: Caller,
    end: SystemTime,
}

impl Request {
    /// 404 for another path, 405 for another method, 401 for a caller that nobody vouches for.
    pub(super) fn parse(
        route: Route,
        event: ApiGatewayV2httpRequest,
        end: SystemTime,
    ) -> Result<Self, Problem> {
        let parameters = route
            .parameters(&event)
            .ok_or_else(|| Problem::not_found("nothing is at this path"))?;
        // The event's own `http_method` is a leftover of other formats, and GET where it is not
        // set.
        if event.request_context.http.method.as_str() != route.method() {
            return Err(Problem::method_not_allowed(route.method()));
        }
        Ok(Self {
            parameters,
            query: event.query_string_parameters,
            headers: event.headers,
            body: Body::parse(event.body, event.is_base64_encoded),
            caller: Caller::of(event.request_context.authorizer.as_ref())?,
            end,
        })
    }

    /// A parameter of the path, percent-decoded.
    ///
    /// # Errors
    /// 400 with the parameter's name, and `T`'s error as the reason.
    pub fn path<T: FromStr<Err: Display>>(&self, name: &'static str) -> Result<T, Problem> {
        let value = self
            .parameters
            .get(name)
            .ok_or_else(|| Problem::internal(format!("the route has no parameter {name}")))?
            .map_err(|_| Problem::malformed(name, "not UTF-8"))?;
        parse(name, &value)
    }

    /// A parameter of the query, if it is there. One that no handler asks for is passed over.
    ///
    /// # Errors
    /// 400 with the parameter's name, and `T`'s error as the reason.
    pub fn query<T: FromStr<Err: Display>>(
        &self,
        name: &'static str,
    ) -> Result<Option<T>, Problem> {
        let Some(values) = self.query.all(name) else {
            return Ok(None);
        };
        // The format joins the values of a parameter that is given twice with commas, and the
        // event's type splits at each. Joined again, it is what the gateway sent.
        let value = match values.as_slice() {
            [value] => Cow::Borrowed(*value),
            values => Cow::Owned(values.join(",")),
        };
        parse(name, &value).map(Some)
    }

    /// A header, if it is there and is text in ASCII. Names are compared without case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as JSON, parsed once; what `T` borrows, it borrows from the body. A `&str` is
    /// borrowed only where the JSON string has no escapes, so that a field is better a `String`
    /// or a `Cow<str>`.
    ///
    /// # Errors
    /// 413 over 256 KiB, 415 for another content type than JSON, 400 for all that is not a `T`,
    /// with the field's path (`items[0].quantity`) and without the value.
    pub fn json<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Problem> {
        self.body.json(self.headers.get(header::CONTENT_TYPE))
    }

    /// The versions that the client allows to be changed.
    ///
    /// # Errors
    /// 428 where there is no `If-Match`, 400 where it is no list of entity tags.
    pub fn if_match(&self) -> Result<Versions, Problem> {
        let header = self
            .headers
            .get(header::IF_MATCH)
            .ok_or_else(Problem::precondition_required)?;
        Versions::strong(header).ok_or_else(|| Problem::malformed("If-Match", "not an entity tag"))
    }

    /// The versions that the client has; none where there is no `If-None-Match`.
    ///
    /// # Errors
    /// 400 where it is no list of entity tags.
    pub fn if_none_match(&self) -> Result<Versions, Problem> {
        let Some(header) = self.headers.get(header::IF_NONE_MATCH) else {
            return Ok(Versions::NONE);
        };
        Versions::weak(header)
            .ok_or_else(|| Problem::malformed("If-None-Match", "not an entity tag"))
    }

    /// The key under which the client may repeat this request: 1 to 255 visible ASCII
    /// characters, taken as they are, with quotes if it has any.
    ///
    /// # Errors
    /// 400 for any other key: one that is passed over would let the request happen twice.
    pub fn idempotency_key(&self) -> Result<Option<&str>, Problem> {
        let Some(header) = self.headers.get(IDEMPOTENCY_KEY) else {
            return Ok(None);
        };
        header
            .to_str()
            .ok()
            .filter(|key| {
                (1..=255).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic())
            })
            .map(Some)
            .ok_or_else(|| {
                Problem::malformed(IDEMPOTENCY_KEY, "not 1 to 255 visible ASCII characters")
            })
    }

    /// Who calls.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// When the answer must be ready: every wait for the database takes it.
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
        let event = serde_json::from_value(whole).unwrap();
        Request::parse(ROUTE, event, SystemTime::now()).unwrap()
    }

    fn with_header(name: &str, value: &str) -> Request {
        request(json!({"headers": {name: value}}))
    }

    fn problem<T>(outcome: Result<T, Problem>) -> (i64, Option<String>) {
        let Err(problem) = outcome else {
            panic!("it was accepted")
        };
        let response = problem.into_response("");
        let body: Value = serde_json::from_slice(&response.body.unwrap()).unwrap();
        (
            response.status_code,
            body["field"].as_str().map(str::to_owned),
        )
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
        assert_eq!(
            problem(request.path::<String>("order_id")),
            (400, Some("order_id".to_owned()))
        );
    }

    #[test]
    fn a_parameter_that_does_not_parse_is_named() {
        let request = request(json!({
            "pathParameters": {"order_id": "x"},
            "queryStringParameters": {"limit": "abc", "page": "1,2"},
        }));
        assert_eq!(
            problem(request.path::<u32>("order_id")),
            (400, Some("order_id".to_owned()))
        );
        assert_eq!(
            problem(request.query::<u32>("limit")),
            (400, Some("limit".to_owned()))
        );
        assert_eq!(
            problem(request.query::<u32>("page")),
            (400, Some("page".to_owned()))
        );
    }

    #[test]
    fn a_query_parameter_is_what_the_gateway_sent() {
        let request =
            request(json!({"queryStringParameters": {"limit": "20", "ready": "", "list": "a,,b"}}));
        assert_eq!(request.query::<u32>("limit").unwrap(), Some(20));
        assert_eq!(
            request.query::<String>("ready").unwrap().as_deref(),
            Some("")
        );
        assert_eq!(
            request.query::<String>("list").unwrap().as_deref(),
            Some("a,,b")
        );
        assert_eq!(request.query::<u32>("cursor").unwrap(), None);
    }

    #[test]
    fn a_header_is_found_whatever_its_case() {
        let request = with_header("X-Thing", "value");
        assert_eq!(request.header("x-thing"), Some("value"));
        assert_eq!(request.header("X-THING"), Some("value"));
        assert_eq!(request.header("x-other"), None);
    }

    #[test]
    fn conditions_are_read_from_their_headers() {
        assert_eq!(
            problem(request(json!({})).if_match()),
            (428, Some("If-Match".to_owned()))
        );
        assert_eq!(
            problem(with_header("if-match", "7").if_match()),
            (400, Some("If-Match".to_owned()))
        );
        assert!(
            with_header("if-match", "\"7\"")
                .if_match()
                .unwrap()
                .includes(7)
        );
        assert!(
            !with_header("if-match", "W/\"7\"")
                .if_match()
                .unwrap()
                .includes(7)
        );

        assert!(!request(json!({})).if_none_match().unwrap().includes(7));
        assert!(
            with_header("if-none-match", "W/\"7\"")
                .if_none_match()
                .unwrap()
                .includes(7)
        );
        assert_eq!(
            problem(with_header("if-none-match", "7").if_none_match()),
            (400, Some("If-None-Match".to_owned()))
        );
    }

    #[test]
    fn an_idempotency_key_is_taken_or_refused_but_never_passed_over() {
        let longest = "k".repeat(255);
        for key in ["k", "\"8e03978e-40d5\"", "a,b", &longest] {
            assert_eq!(
                with_header("idempotency-key", key)
                    .idempotency_key()
                    .unwrap(),
                Some(key)
            );
        }
        assert_eq!(request(json!({})).idempotency_key().unwrap(), None);
        let too_long = "k".repeat(256);
        for key in ["", " ", "a b", "a\tb", "clé", "🔑", &too_long] {
            assert_eq!(
                problem(with_header("idempotency-key", key).idempotency_key()),
                (400, Some("Idempotency-Key".to_owned())),
                "{key}"
            );
        }
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
