//! Requests in the form that functions receive: events of API Gateway's HTTP API, payload format
//! 2.0.
//!
//! The shape follows API Gateway's own examples (`example-apigw-v2-request-*.json` of
//! `aws_lambda_events`) and what the gateway does with a request:
//!
//! - header names arrive in lower case, and the values of a repeated header are joined with commas;
//! - `rawPath` and `pathParameters` arrive decoded, but `rawQueryString` as the client wrote it
//!   (honojs/hono#2156, fastify/aws-lambda-fastify#169);
//! - the claims of a JWT are strings, and `scopes` is null if the route demands none;
//! - a body is text, or base64 if the gateway considers it binary.
//!
//! A function URL sends the same payload without a route: it has no `pathParameters`, its route key
//! is `$default`, and its path is still encoded (aws/aws-lambda-rust-runtime#490).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::{Map, Value, json};

use crate::stack::Route;

/// A client's request, from which an event is made.
///
/// By default it is authorized by IAM.
#[derive(Debug, Clone)]
pub struct Event {
    method: String,
    path: String,
    query: String,
    headers: BTreeMap<String, String>,
    body: Option<Vec<u8>>,
    base64: bool,
    authorizer: Option<Value>,
    function_url: bool,
    /// Values that differ from what the gateway would send, by JSON pointer.
    replaced: Vec<(String, Value)>,
}

impl Event {
    /// A request with any method. `url` is the path and the query as a client sends them:
    /// percent-encoded and without a host.
    pub fn new(method: &str, url: impl AsRef<str>) -> Self {
        let url = url.as_ref();
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: BTreeMap::new(),
            body: None,
            base64: false,
            authorizer: Some(iam()),
            function_url: false,
            replaced: Vec::new(),
        }
    }

    /// A GET.
    pub fn get(url: impl AsRef<str>) -> Self {
        Self::new("GET", url)
    }

    /// A POST.
    pub fn post(url: impl AsRef<str>) -> Self {
        Self::new("POST", url)
    }

    /// A PATCH.
    pub fn patch(url: impl AsRef<str>) -> Self {
        Self::new("PATCH", url)
    }

    /// Adds a query parameter and encodes its value.
    pub fn query(mut self, name: &str, value: impl AsRef<str>) -> Self {
        if !self.query.is_empty() {
            self.query.push('&');
        }
        let value = utf8_percent_encode(value.as_ref(), NON_ALPHANUMERIC);
        self.query.push_str(&format!("{name}={value}"));
        self
    }

    /// Adds a header. A second value for the same name is joined to the first with a comma.
    pub fn header(mut self, name: &str, value: impl AsRef<str>) -> Self {
        self.headers
            .entry(name.to_ascii_lowercase())
            .and_modify(|values| {
                values.push(',');
                values.push_str(value.as_ref());
            })
            .or_insert_with(|| value.as_ref().to_owned());
        self
    }

    /// Sets a JSON body and its content type.
    pub fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json")
            .body(body.to_string())
    }

    /// Sets a body without a content type.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Sends the body in base64, as the gateway does for a binary content type. A body that is not
    /// UTF-8 is always sent in base64.
    pub fn base64(mut self) -> Self {
        self.base64 = true;
        self
    }

    /// Authorised by the gateway's JWT authorizer. `scope` is a claim of the token: names separated
    /// by spaces.
    pub fn jwt(mut self, sub: &str, scope: &str) -> Self {
        let claims = json!({ "sub": sub, "scope": scope });
        self.authorizer = Some(json!({ "jwt": { "claims": claims, "scopes": null } }));
        self
    }

    /// Replaces a value of the event with one that the gateway would not send. `pointer` is its
    /// place, such as `/requestContext/stage`.
    pub fn with_value(mut self, pointer: &str, value: Value) -> Self {
        self.replaced.push((pointer.to_owned(), value));
        self
    }

    /// Without an authorizer, as from a route or a function URL that has none.
    pub fn anonymous(mut self) -> Self {
        self.authorizer = None;
        self
    }

    /// Sent through a function URL instead of the gateway.
    pub fn function_url(mut self) -> Self {
        self.function_url = true;
        self
    }

    /// Whether the gateway would match it with this route.
    pub fn matches_route(&self, route: &Route) -> bool {
        (route.method == self.method || route.method == "ANY") && self.matches_path(route)
    }

    /// Whether its path matches this route, with any method.
    pub fn matches_path(&self, route: &Route) -> bool {
        parameters(&route.path, &self.path).is_some()
    }

    /// The decoded parameters of its path, if that matches this route.
    pub(crate) fn path_parameters(&self, route: &Route) -> Option<Map<String, Value>> {
        parameters(&route.path, &self.path)
    }

    /// The event that a function with these routes receives.
    pub fn payload(&self, routes: &[Route]) -> Value {
        let mut routes = routes.iter().filter(|_| !self.function_url);
        let route = routes.find(|route| self.matches_route(route));
        let route_key = route.map_or_else(
            || "$default".to_owned(),
            |route| format!("{} {}", route.method, route.path),
        );
        let raw_path = if self.function_url {
            self.path.clone()
        } else {
            decoded(&self.path)
        };
        let (domain, account) = if self.function_url {
            ("6bx4q.lambda-url.us-east-1.on.aws", "anonymous")
        } else {
            (
                "r3pmxmplak.execute-api.us-east-1.amazonaws.com",
                "123456789012",
            )
        };
        let domain_prefix = domain.split('.').next();

        let query = (!self.query.is_empty()).then(|| self.query_parameters());
        let parameters = route
            .and_then(|route| parameters(&route.path, &self.path))
            .filter(|parameters| !parameters.is_empty());
        let (body, encoded) = self.sent_body();
        let event = json!({
            "version": "2.0",
            "routeKey": route_key,
            "rawPath": raw_path,
            "rawQueryString": self.query,
            "headers": self.sent_headers(domain),
            "queryStringParameters": query,
            "pathParameters": parameters,
            "requestContext": without_nulls(json!({
                "accountId": account,
                "apiId": domain_prefix,
                "authorizer": self.authorizer,
                "domainName": domain,
                "domainPrefix": domain_prefix,
                "http": {
                    "method": self.method,
                    "path": raw_path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": "205.255.255.176",
                    "userAgent": "curl/8.14.1"
                },
                "requestId": "JKJaXmPLvHcESHA=",
                "routeKey": route_key,
                "stage": "$default",
                "time": "10/Mar/2020:05:16:23 +0000",
                "timeEpoch": 1_583_817_383_220_i64
            })),
            "body": body,
            "isBase64Encoded": encoded
        });
        let mut event = without_nulls(event);
        for (pointer, value) in &self.replaced {
            let (object, field) = pointer.rsplit_once('/').unwrap_or_default();
            if let Some(object) = event.pointer_mut(object).and_then(Value::as_object_mut) {
                object.insert(field.to_owned(), value.clone());
            }
        }
        event
    }

    /// The body as text, and whether that is base64.
    fn sent_body(&self) -> (Option<String>, bool) {
        let Some(body) = &self.body else {
            return (None, false);
        };
        match String::from_utf8(body.clone()) {
            Ok(text) if !self.base64 => (Some(text), false),
            _ => (Some(STANDARD.encode(body)), true),
        }
    }

    /// The headers of the client and those that the gateway adds.
    fn sent_headers(&self, domain: &str) -> BTreeMap<String, String> {
        let length = self.body.as_ref().map_or(0, Vec::len);
        let mut headers = BTreeMap::from(
            [
                ("accept", "*/*"),
                ("content-length", &length.to_string()),
                ("host", domain),
                ("user-agent", "curl/8.14.1"),
                (
                    "x-amzn-trace-id",
                    "Root=1-5e6722a7-cc56xmpl46db7ae02d4da47e",
                ),
                ("x-forwarded-for", "205.255.255.176"),
                ("x-forwarded-port", "443"),
                ("x-forwarded-proto", "https"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        headers.extend(self.headers.clone());
        headers
    }

    /// The decoded query. The values of a repeated name are joined.
    fn query_parameters(&self) -> Value {
        let mut parameters = BTreeMap::<String, String>::new();
        for pair in self.query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decoded(&value.replace('+', " "));
            parameters
                .entry(decoded(name))
                .and_modify(|values| {
                    values.push(',');
                    values.push_str(&value);
                })
                .or_insert(value);
        }
        json!(parameters)
    }
}

/// The path parameters of `path` by a route's `pattern`, or `None` if it does not match.
fn parameters(pattern: &str, path: &str) -> Option<Map<String, Value>> {
    if pattern.split('/').count() != path.split('/').count() {
        return None;
    }
    let mut found = Map::new();
    for (expected, actual) in pattern.split('/').zip(path.split('/')) {
        match expected
            .strip_prefix('{')
            .and_then(|name| name.strip_suffix('}'))
        {
            Some(name) if !actual.is_empty() => {
                found.insert(name.to_owned(), Value::String(decoded(actual)));
            }
            None if expected == actual => {}
            _ => return None,
        }
    }
    Some(found)
}

/// Leaves out absent values, which would otherwise be null.
fn without_nulls(mut object: Value) -> Value {
    if let Some(fields) = object.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    object
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// What the gateway says of a caller with a signed request.
fn iam() -> Value {
    json!({
        "iam": {
            "accessKey": "AKIAIOSFODNN7EXAMPLE",
            "accountId": "123456789012",
            "callerId": "AIDACKCEVSQ6C2EXAMPLE",
            "cognitoIdentity": null,
            "principalOrgId": "aws:PrincipalOrgID",
            "userArn": "arn:aws:iam::123456789012:user/shop",
            "userId": "AIDACKCEVSQ6C2EXAMPLE"
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes() -> Vec<Route> {
        [("GET", "/orders/{order_id}"), ("POST", "/orders")]
            .map(|(method, path)| Route {
                method: method.to_owned(),
                path: path.to_owned(),
            })
            .to_vec()
    }

    #[test]
    fn the_gateway_fills_the_path_parameters_of_the_route_and_decodes_the_path() {
        let event = Event::get("/orders/a%7Cb").payload(&routes());

        assert_eq!(event["routeKey"], "GET /orders/{order_id}");
        assert_eq!(event["rawPath"], "/orders/a|b");
        assert_eq!(event["pathParameters"], json!({ "order_id": "a|b" }));
    }

    #[test]
    fn a_function_url_knows_no_route_and_leaves_the_path_encoded() {
        let event = Event::get("/orders/a%7Cb")
            .function_url()
            .payload(&routes());

        assert_eq!(event["routeKey"], "$default");
        assert_eq!(event["rawPath"], "/orders/a%7Cb");
        assert_eq!(event.get("pathParameters"), None);
    }

    #[test]
    fn a_query_arrives_raw_and_decoded() {
        let event = Event::get("/orders?status=paid&status=pending")
            .query("cursor", "a b")
            .payload(&routes());

        assert_eq!(
            event["rawQueryString"],
            "status=paid&status=pending&cursor=a%20b"
        );
        assert_eq!(
            event["queryStringParameters"],
            json!({ "status": "paid,pending", "cursor": "a b" })
        );
    }

    #[test]
    fn a_body_that_is_not_text_is_sent_in_base64() {
        let event = Event::post("/orders").body([0xff, 0xfe]).payload(&routes());

        assert_eq!(event["isBase64Encoded"], true);
        assert_eq!(event["body"], "//4=");
    }
}
