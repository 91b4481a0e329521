//! Sends a request and returns its answer: authorization, deadlines, retries, pages.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use lambda::{Deadline, tls};
use reqwest::{
    Client, Method, StatusCode,
    header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER},
    redirect,
};
use rustls::ClientConfig;
use secrecy::ExposeSecret;
use secrets::{Current, KeptSecret};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::Value;
use tokio::time::timeout;
use url::Url;

use super::{ApiError, Calls};
use crate::{service_token::ServiceToken, settings::PlanetScaleSettings};

/// The longest time to connect, and for one attempt in all. The API answers within seconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(20);

/// The shortest pause before an attempt is repeated, whatever `Retry-After` says.
const SHORTEST_PAUSE: Duration = Duration::from_millis(200);

/// The longest wait for the secret with the token.
const TOKEN_TIMEOUT: Duration = Duration::from_secs(5);

/// The largest page of the API.
const PER_PAGE: &str = "100";

/// More pages than any list has, so that a wrong answer cannot make a list endless.
const MOST_PAGES: u32 = 1000;

/// The access that an operation needs. Several are alternatives.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grants(pub(super) &'static str);

/// One request, with a path below that of the database.
#[derive(Debug, Clone)]
pub(super) struct ApiRequest<'r> {
    doing: &'static str,
    grants: Grants,
    method: Method,
    path: &'r [&'r str],
    query: Vec<(&'static str, String)>,
    body: Option<Value>,
}

impl<'r> ApiRequest<'r> {
    fn new(method: Method, doing: &'static str, path: &'r [&'r str], grants: Grants) -> Self {
        Self {
            doing,
            grants,
            method,
            path,
            query: Vec::new(),
            body: None,
        }
    }

    pub(super) fn get(doing: &'static str, path: &'r [&'r str], grants: Grants) -> Self {
        Self::new(Method::GET, doing, path, grants)
    }

    pub(super) fn post(doing: &'static str, path: &'r [&'r str], grants: Grants) -> Self {
        Self::new(Method::POST, doing, path, grants)
    }

    pub(super) fn patch(doing: &'static str, path: &'r [&'r str], grants: Grants) -> Self {
        Self::new(Method::PATCH, doing, path, grants)
    }

    pub(super) fn delete(doing: &'static str, path: &'r [&'r str], grants: Grants) -> Self {
        Self::new(Method::DELETE, doing, path, grants)
    }

    /// Adds a parameter if it has a value.
    pub(super) fn query(mut self, name: &'static str, value: Option<&str>) -> Self {
        if let Some(value) = value {
            self.query.push((name, value.to_owned()));
        }
        self
    }

    pub(super) fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }
}

#[derive(Deserialize)]
struct Page<T> {
    data: Vec<T>,
    /// Missing if the list is not paginated.
    #[serde(default)]
    next_page: Option<u32>,
}

/// An attempt without a usable answer.
struct Setback {
    may_have_happened: bool,
    reason: String,
    /// The pause that `Retry-After` asks for.
    pause: Option<Duration>,
}

impl Setback {
    fn new(may_have_happened: bool, reason: &str) -> Self {
        Self {
            may_have_happened,
            reason: reason.to_owned(),
            pause: None,
        }
    }
}

impl From<reqwest::Error> for Setback {
    /// Leaves out the error's own text, which contains the URL.
    fn from(error: reqwest::Error) -> Self {
        match error.is_connect() {
            true => Self::new(false, "no connection"),
            false => Self::new(true, "the connection was lost"),
        }
    }
}

pub(super) struct Transport {
    http: Client,
    token: KeptSecret<ServiceToken>,
    database: Url,
}

impl Transport {
    pub(super) fn new(settings: &PlanetScaleSettings, token: KeptSecret<ServiceToken>) -> Self {
        let mut database = settings.api_url.clone();
        // This fails only for URLs that cannot have a path. https and http URLs can.
        if let Ok(mut path) = database.path_segments_mut() {
            path.pop_if_empty().extend([
                "v1",
                "organizations",
                &settings.organization,
                "databases",
                &settings.database,
            ]);
        }
        Self {
            http: client(),
            token,
            database,
        }
    }

    /// Sends the request and returns the body of a 2xx answer. It is sent again while that is safe
    /// and there is time.
    async fn send(
        &self,
        request: &ApiRequest<'_>,
        deadline: Deadline,
    ) -> Result<Vec<u8>, ApiError> {
        let doing = request.doing;
        let url = self.url(request)?;
        let mut token = self
            .token
            .current(deadline.left().min(TOKEN_TIMEOUT))
            .await?;
        let mut delays = delays();
        let mut asked_for_token = false;
        let mut may_have_happened = false;
        loop {
            let setback = match self.attempt(request, url.clone(), &token, deadline).await {
                Ok((status, body)) if status.is_success() => return Ok(body),
                // An earlier attempt, whose answer was lost, deleted it.
                Ok((StatusCode::NOT_FOUND, _))
                    if may_have_happened && request.method == Method::DELETE =>
                {
                    return Ok(Vec::new());
                }
                Ok((StatusCode::UNAUTHORIZED, _)) if !asked_for_token => {
                    asked_for_token = true;
                    let limit = deadline.left().min(TOKEN_TIMEOUT);
                    let newest = self.token.after_refusal(token.generation, limit).await?;
                    if let Some(newest) = newest.filter(|new| new.generation != token.generation) {
                        tracing::info!("the service token was refused, trying the rotated one");
                        token = newest;
                        continue;
                    }
                    let (status, grants) = (StatusCode::UNAUTHORIZED.as_u16(), request.grants);
                    return Err(ApiError::from_answer(doing, grants, status, &[]));
                }
                Ok((status, body)) => {
                    let (status, grants) = (status.as_u16(), request.grants);
                    return Err(ApiError::from_answer(doing, grants, status, &body));
                }
                Err(setback) => setback,
            };
            may_have_happened |= setback.may_have_happened;
            let reason = setback.reason;
            if setback.may_have_happened && request.method == Method::POST {
                return Err(ApiError::OutcomeUnknown { doing, reason });
            }
            let delay = delays
                .next()
                .map(|delay| setback.pause.unwrap_or(delay).max(SHORTEST_PAUSE))
                .filter(|delay| *delay < deadline.left());
            let Some(delay) = delay else {
                return Err(if may_have_happened && request.method != Method::GET {
                    ApiError::OutcomeUnknown { doing, reason }
                } else {
                    ApiError::Unavailable { doing, reason }
                });
            };
            tracing::info!(doing, reason, "calling PlanetScale's API again");
            tokio::time::sleep(delay).await;
        }
    }

    async fn attempt(
        &self,
        request: &ApiRequest<'_>,
        url: Url,
        token: &Current<ServiceToken>,
        deadline: Deadline,
    ) -> Result<(StatusCode, Vec<u8>), Setback> {
        let limit = deadline.left().min(ATTEMPT_TIMEOUT);
        if limit.is_zero() {
            return Err(Setback::new(false, "no time is left"));
        }
        // The client's own timeout would not say whether there was a connection.
        timeout(limit, self.exchange(request, url, token))
            .await
            .unwrap_or_else(|_| Err(Setback::new(true, "no answer in time")))
    }

    async fn exchange(
        &self,
        request: &ApiRequest<'_>,
        url: Url,
        token: &Current<ServiceToken>,
    ) -> Result<(StatusCode, Vec<u8>), Setback> {
        let mut sent = self
            .http
            .request(request.method.clone(), url)
            .header(ACCEPT, "application/json")
            .header(AUTHORIZATION, authorization(token));
        if let Some(body) = &request.body {
            sent = sent.json(body);
        }
        let answer = sent.send().await?;
        let status = answer.status();
        if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
            return Err(Setback {
                may_have_happened: status != StatusCode::TOO_MANY_REQUESTS,
                reason: format!("the answer was {}", status.as_u16()),
                pause: retry_after(answer.headers()),
            });
        }
        Ok((status, answer.bytes().await?.to_vec()))
    }

    fn url(&self, request: &ApiRequest<'_>) -> Result<Url, ApiError> {
        // The URL parser drops these segments, so that another resource would be addressed.
        if request
            .path
            .iter()
            .any(|part| matches!(*part, "" | "." | ".."))
        {
            return Err(ApiError::NotFound {
                doing: request.doing,
                grants: request.grants.0,
            });
        }
        let mut url = self.database.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.extend(request.path);
        }
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&request.query);
        }
        Ok(url)
    }
}

impl Calls<'_> {
    /// Reads a single object.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        request: ApiRequest<'_>,
    ) -> Result<T, ApiError> {
        let body = self.transport.send(&request, self.deadline).await?;
        parse(request.doing, &body)
    }

    /// Makes a call whose answer has no content.
    pub(super) async fn done(&self, request: ApiRequest<'_>) -> Result<(), ApiError> {
        self.transport.send(&request, self.deadline).await.map(drop)
    }

    /// Deletes something that may be gone already. PlanetScale also says that it is not found if the
    /// token may not delete it, so `list` decides.
    pub(super) async fn delete<T>(
        &self,
        request: ApiRequest<'_>,
        list: impl Future<Output = Result<Vec<T>, ApiError>>,
        is_it: impl Fn(&T) -> bool,
    ) -> Result<(), ApiError> {
        let deleted = self.done(request).await;
        if deleted.as_ref().is_err_and(ApiError::is_not_found) && !list.await?.iter().any(is_it) {
            return Ok(());
        }
        deleted
    }

    /// Reads the first page of a list that has no others.
    pub(super) async fn first_page<T: DeserializeOwned>(
        &self,
        request: ApiRequest<'_>,
    ) -> Result<Vec<T>, ApiError> {
        let page: Page<T> = self.get(request.query("per_page", Some(PER_PAGE))).await?;
        Ok(page.data)
    }

    /// Reads all elements of a list, page by page.
    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        request: ApiRequest<'_>,
    ) -> Result<Vec<T>, ApiError> {
        let mut elements = Vec::new();
        let mut page = 1;
        loop {
            let numbered = request
                .clone()
                .query("page", Some(&page.to_string()))
                .query("per_page", Some(PER_PAGE));
            let read: Page<T> = self.get(numbered).await?;
            elements.extend(read.data);
            match read.next_page {
                Some(next) if next > page && next <= MOST_PAGES => page = next,
                None => return Ok(elements),
                Some(_) => {
                    return Err(ApiError::Unreadable {
                        doing: request.doing,
                        reason: "the list has no last page".to_owned(),
                    });
                }
            }
        }
    }
}

/// Trusts the built-in public roots. Reading and parsing the system's store would slow down every
/// cold start.
#[expect(
    clippy::expect_used,
    reason = "ring supports both protocol versions, and the TLS configuration has the type that the client expects"
)]
fn client() -> Client {
    let roots = tls::public_roots();
    let tls =
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring supports TLS 1.2 and 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
    Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        // An idle connection may be dead after a freeze, and calls are rare.
        .pool_max_idle_per_host(0)
        .user_agent(concat!(
            env!("CARGO_PKG_NAME"),
            "/",
            env!("CARGO_PKG_VERSION")
        ))
        .build()
        .expect("the TLS configuration is a rustls one")
}

/// `ID:TOKEN` without a scheme (PlanetScale's docs, Service tokens).
fn authorization(token: &Current<ServiceToken>) -> HeaderValue {
    let ServiceToken { id, token } = token.value.as_ref();
    let text = format!("{id}:{}", token.expose_secret());
    // A token that cannot be a header is wrong, and the API refuses it like any other wrong token.
    let mut value =
        HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("unusable"));
    value.set_sensitive(true);
    value
}

fn parse<T: DeserializeOwned>(doing: &'static str, body: &[u8]) -> Result<T, ApiError> {
    let mut json = serde_json::Deserializer::from_slice(body);
    serde_path_to_error::deserialize(&mut json).map_err(|error| {
        // The parser's message may quote the value, which may be a password.
        let (path, category) = (error.path().to_string(), error.inner().classify());
        ApiError::Unreadable {
            doing,
            reason: format!("at `{path}` ({category:?})"),
        }
    })
}

/// Reads `null` as the default, because the document does not mark every field that may be null.
pub(super) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Pauses without an end. The deadline ends them.
fn delays() -> ExponentialBackoff {
    ExponentialBuilder::new()
        .with_min_delay(SHORTEST_PAUSE)
        .with_max_delay(Duration::from_secs(10))
        .without_max_times()
        .with_jitter()
        .build()
}

/// Reads seconds or a date (RFC 9110) and ignores anything else.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}
