//! Calls to the control plane over HTTP, for tests that act as a person or a tool would.

use axum::http::Method;
use serde_json::Value;

use super::{DATABASE, ORGANIZATION, ServiceToken};

/// Makes calls below the path of the database, with one service token.
#[derive(Clone)]
pub struct ApiClient {
    http: reqwest::Client,
    database: String,
    authorization: String,
}

impl ApiClient {
    /// A client of the control plane at `api_url`, which has no `/v1`.
    #[must_use]
    pub fn new(api_url: &str, token: &ServiceToken) -> Self {
        let authorization = format!("{}:{}", token.id, token.token);
        Self::with_authorization(api_url, authorization)
    }

    /// A client that sends this text as `Authorization`, or no such header if it is empty.
    #[must_use]
    pub fn with_authorization(api_url: &str, authorization: String) -> Self {
        Self {
            http: crate::http_client(),
            database: format!("{api_url}/v1/organizations/{ORGANIZATION}/databases/{DATABASE}"),
            authorization,
        }
    }

    /// Sends a request and returns the status and the body, which is `null` if it is not JSON.
    ///
    /// # Errors
    ///
    /// There is no answer.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(u16, Value), reqwest::Error> {
        let url = format!("{}{path}", self.database);
        let mut request = self.http.request(method, url);
        if !self.authorization.is_empty() {
            request = request.header("authorization", &self.authorization);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await?;
        let status = response.status().as_u16();
        let body = response.bytes().await?;
        Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
    }
}
