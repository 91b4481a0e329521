//! The answer of a handler that succeeded.

use aws_lambda_events::{apigw::ApiGatewayV2httpResponse, encodings::Body};
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use serde::Serialize;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A response that is not an error.
///
/// Shared caches may not keep it. The client's own cache asks again each time, and gets a 304 if
/// nothing has changed.
#[derive(Debug)]
pub struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Option<String>,
    version: Option<u32>,
    /// What could not be written. It makes the answer an error.
    fault: Option<String>,
}

impl Answer {
    /// 200 with `body` as JSON.
    pub fn ok(body: &impl Serialize) -> Self {
        Self::empty(StatusCode::OK).with_body(body)
    }

    /// 201 with `body` as JSON. `location` is the path of what was created, on the stage
    /// `$default`, which no URL names.
    pub fn created(location: &str, body: &impl Serialize) -> Self {
        Self::empty(StatusCode::CREATED)
            .with_body(body)
            .header("location", location)
    }

    /// Adds the entity tag for this version, such as `"7"`. The conditions of a read are compared
    /// with it.
    pub fn etag(mut self, version: u32) -> Self {
        self.version = Some(version);
        self.header("etag", &format!("\"{version}\""))
    }

    pub(super) fn version(&self) -> Option<u32> {
        self.version
    }

    /// Turns it into a 304, for a client that has this version.
    pub(super) fn not_modified(mut self) -> Self {
        self.status = StatusCode::NOT_MODIFIED;
        self.headers.remove(CONTENT_TYPE);
        self.body = None;
        self
    }

    /// If `replayed`, says that an earlier request with the same `Idempotency-Key` had this answer.
    pub fn replayed(self, replayed: bool) -> Self {
        match replayed {
            true => self.header("idempotent-replayed", "true"),
            false => self,
        }
    }

    /// Sets a header. It replaces one with the same name.
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        match (HeaderName::try_from(name), HeaderValue::from_str(value)) {
            (Ok(name), Ok(value)) => {
                self.headers.insert(name, value);
            }
            _ => self.fault = Some(format!("the header {name} can't be written")),
        }
        self
    }

    fn empty(status: StatusCode) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        Self {
            status,
            headers,
            body: None,
            version: None,
            fault: None,
        }
    }

    fn with_body(mut self, body: &impl Serialize) -> Self {
        match serde_json::to_string(body) {
            Ok(json) => {
                self.headers
                    .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                self.body = Some(json);
            }
            // The serializer's message is left out because it may quote a value.
            Err(_) => self.fault = Some("the body can't be written as JSON".to_owned()),
        }
        self
    }

    /// The response, or what could not be written.
    pub(super) fn into_response(self) -> Result<ApiGatewayV2httpResponse, String> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let mut response = ApiGatewayV2httpResponse::default();
        response.status_code = self.status.as_u16().into();
        response.headers = self.headers;
        response.body = self.body.map(Body::Text);
        Ok(response)
    }
}

/// Sets `x-request-id` to the id that the logs have for the request.
pub(super) fn name_request(response: &mut ApiGatewayV2httpResponse, request_id: &str) {
    if let Ok(request_id) = HeaderValue::from_str(request_id) {
        response.headers.insert(REQUEST_ID, request_id);
    }
}
