//! API Gateway's HTTP API before functions: it makes events of HTTP requests, and does CORS as the
//! `x-amazon-apigateway-cors` of the API says ("Configure CORS for HTTP APIs" in its documentation).
//!
//! - It answers a preflight by itself, with 204, whether or not there is a route for OPTIONS.
//! - An answer to an origin that is allowed has the CORS headers. To another it has none.
//! - It leaves out CORS headers of a function.
//!
//! It differs from API Gateway in that it authorizes every caller.

use std::{net::Ipv4Addr, sync::Arc};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::Response,
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{
    stack::Route,
    stand_ins::lambda::{Answer, Function, event::Event},
};

/// The most bytes that it takes in a body.
const BODY_LIMIT: usize = 10 << 20;

/// A running API. It stops when this is dropped.
pub struct ApiGateway {
    url: String,
    task: JoinHandle<()>,
}

/// The CORS configuration of an API.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cors {
    allow_origins: Vec<String>,
    allow_methods: Vec<String>,
    allow_headers: Vec<String>,
    expose_headers: Vec<String>,
    max_age: u32,
}

struct Shared {
    functions: Vec<(Vec<Route>, Function)>,
    cors: Option<Cors>,
}

impl ApiGateway {
    /// Starts with these functions behind their routes.
    ///
    /// # Errors
    ///
    /// There is no free port.
    pub async fn start(
        functions: Vec<(Vec<Route>, Function)>,
        cors: Option<Cors>,
    ) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let shared = Arc::new(Shared { functions, cors });
        let router = Router::new().fallback(answer).with_state(shared);
        let task = tokio::spawn(async move {
            // It ends with the task alone.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { url, task })
    }

    /// Where it answers.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for ApiGateway {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Cors {
    /// Adds the headers for a caller from this origin.
    fn add(&self, origin: Option<&HeaderValue>, preflight: bool, headers: &mut HeaderMap) {
        let origin = origin.filter(|origin| {
            let mut allowed = self.allow_origins.iter();
            allowed.any(|allowed| allowed == "*" || allowed.as_bytes() == origin.as_bytes())
        });
        let Some(origin) = origin else { return };
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        let expose_headers = self.expose_headers.join(",");
        let mut lists = vec![(header::ACCESS_CONTROL_EXPOSE_HEADERS, expose_headers)];
        if preflight {
            lists.extend([
                (
                    header::ACCESS_CONTROL_ALLOW_METHODS,
                    self.allow_methods.join(","),
                ),
                (
                    header::ACCESS_CONTROL_ALLOW_HEADERS,
                    self.allow_headers.join(","),
                ),
                (header::ACCESS_CONTROL_MAX_AGE, self.max_age.to_string()),
            ]);
        }
        for (name, value) in lists {
            if let Ok(value) = value.parse() {
                headers.insert(name, value);
            }
        }
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let origin = request.headers().get(header::ORIGIN).cloned();
    let asks = request
        .headers()
        .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let preflight = request.method() == Method::OPTIONS && origin.is_some() && asks;
    let mut response = match &shared.cors {
        Some(_) if preflight => of_gateway(StatusCode::NO_CONTENT, &Value::Null),
        _ => match shared.call(request).await {
            Ok(response) => response,
            Err(error) => of_gateway(
                StatusCode::INTERNAL_SERVER_ERROR,
                &json!({ "message": error.to_string() }),
            ),
        },
    };
    if let Some(cors) = &shared.cors {
        cors.add(origin.as_ref(), preflight, response.headers_mut());
    }
    response
}

impl Shared {
    /// Calls the function whose route matches the request.
    async fn call(&self, request: Request) -> anyhow::Result<Response> {
        let event = event_of(request).await?;
        let mut functions = self.functions.iter();
        let function =
            functions.find(|(routes, _)| routes.iter().any(|route| event.matches_route(route)));
        match function {
            Some((_, function)) => response_of(Some(&function.invoke(event).await?)),
            None => response_of(None),
        }
    }
}

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

#[cfg(test)]
mod tests {
    use reqwest::Method;

    use super::*;

    /// What it answers to OPTIONS with these headers: the status, and the CORS headers.
    async fn options(cors: Option<Value>, headers: &[(&str, &str)]) -> (u16, Vec<String>) {
        let cors = cors.map(|cors| serde_json::from_value(cors).expect("a configuration"));
        let gateway = ApiGateway::start(Vec::new(), cors).await.expect("a port");
        let mut request = crate::http_client().request(Method::OPTIONS, gateway.url());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.expect("an answer");
        let headers = answer.headers().iter();
        let mut cors: Vec<_> = headers
            .filter_map(|(name, value)| {
                let name = name.as_str().strip_prefix("access-control-")?;
                Some(format!("{name}: {}", value.to_str().ok()?))
            })
            .collect();
        cors.sort();
        (answer.status().as_u16(), cors)
    }

    #[tokio::test]
    async fn a_preflight_is_answered_for_the_origins_that_are_allowed() {
        let cors = json!({
            "allowOrigins": ["https://shop.example.com", "https://other.example.com"],
            "allowMethods": ["GET", "PATCH"], "allowHeaders": ["if-match"],
            "exposeHeaders": ["etag"], "maxAge": 60,
        });
        let asks = ("access-control-request-method", "PATCH");
        let shop = ("origin", "https://shop.example.com");
        let allowed = [
            "allow-headers: if-match",
            "allow-methods: GET,PATCH",
            "allow-origin: https://shop.example.com",
            "expose-headers: etag",
            "max-age: 60",
        ];
        let allowed = allowed.map(str::to_owned).to_vec();
        assert_eq!(
            options(Some(cors.clone()), &[shop, asks]).await,
            (204, allowed)
        );
        let stranger = ("origin", "https://shop.example.com.evil.example");
        assert_eq!(
            options(Some(cors.clone()), &[stranger, asks]).await,
            (204, vec![])
        );
        // Without an origin or a method it is no preflight, and there is no such route.
        assert_eq!(options(Some(cors), &[asks]).await, (404, vec![]));
        assert_eq!(options(None, &[shop, asks]).await, (404, vec![]));
    }
}
