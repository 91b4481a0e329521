//! API Gateway's HTTP API before functions: it makes events of HTTP requests, and responses of the
//! functions' answers. It leaves out CORS headers of a function, because those are its own.

use axum::{
    body::{Body, to_bytes},
    extract::Request,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::Response,
};
use serde_json::{Value, json};

use crate::stand_ins::lambda::{Answer, event::Event};

/// The most bytes that it takes in a body.
const BODY_LIMIT: usize = 10 << 20;

/// The event of a request.
///
/// # Errors
///
/// The body is too large, or its client has gone.
pub async fn event_of(request: Request) -> anyhow::Result<Event> {
    let (parts, body) = request.into_parts();
    let url = parts.uri.path_and_query().map_or("/", |url| url.as_str());
    let mut event = Event::new(parts.method.as_str(), url);
    for (name, value) in &parts.headers {
        event = event.header(name.as_str(), String::from_utf8_lossy(value.as_bytes()));
    }
    let body = to_bytes(body, BODY_LIMIT).await?;
    Ok(match body.is_empty() {
        true => event,
        false => event.body(body),
    })
}

/// The response that a function's answer becomes, or that to a request without a route.
///
/// # Errors
///
/// The status or a header is none of HTTP.
pub fn response_of(answer: Option<&Answer>) -> anyhow::Result<Response> {
    let Some(answer) = answer else {
        let not_found = json!({ "message": "Not Found" });
        let mut response = of_gateway(StatusCode::NOT_FOUND, &not_found);
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        return Ok(response);
    };
    let mut response = of_gateway(StatusCode::from_u16(answer.status)?, &answer.body);
    for (name, value) in &answer.headers {
        if !name.starts_with("access-control-") {
            let name: HeaderName = name.parse()?;
            response.headers_mut().insert(name, value.parse()?);
        }
    }
    Ok(response)
}

/// An answer with this body.
fn of_gateway(status: StatusCode, body: &Value) -> Response {
    let body = match body {
        Value::Null => Body::empty(),
        body => Body::from(body.to_string()),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}
