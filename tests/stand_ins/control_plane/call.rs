//! One call of the API and its possible answers.

use std::collections::HashMap;

use axum::http::{Method, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::Shared;
use super::constants::merged;
use super::records::Records;
use super::server::Server;

/// The default and the largest size of a page.
const PER_PAGE: usize = 25;
const MAX_PER_PAGE: usize = 100;

/// A call with a valid token. It has exclusive access to the control plane.
pub struct Call<'a> {
    pub shared: &'a Shared,
    pub records: &'a mut Records,
    pub server: &'a mut Server,
    /// The id of the token.
    pub actor: String,
    pub method: Method,
    /// The path, for the URLs of other pages.
    pub path: &'a str,
    pub query: HashMap<String, String>,
    pub body: &'a [u8],
}

/// A status and a body. There is no body with 204.
pub type Answer = (StatusCode, Option<Value>);

/// Why a call is refused. The codes are those that PlanetScale's Go library knows (planetscale-go,
/// client.go).
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// There is no token, or it is wrong.
    #[error("Unauthorized")]
    Unauthorized,
    /// The token lacks an access.
    #[error("Forbidden")]
    Forbidden,
    /// It does not exist, or the token may not see it.
    #[error("Not Found")]
    NotFound,
    /// The request is malformed.
    #[error("{0}")]
    BadRequest(String),
    /// The request is not possible at the moment.
    #[error("{0}")]
    Unprocessable(String),
    /// The schema has lint errors. `pscale` recognises the code (planetscale/cli, branch
    /// safe-migrations) and reads the lint errors then.
    #[error("Safe migrations cannot be enabled: the schema has lint errors")]
    LintErrors,
    /// The API may have this operation, but the stand-in does not.
    #[error("The local control plane has no such operation")]
    NotHere,
    /// The local server refuses, or is gone.
    #[error("Internal Server Error")]
    Server(#[from] mysql_async::Error),
    /// Vitess cannot start for a branch.
    #[error("Internal Server Error")]
    Vitess(#[from] anyhow::Error),
}

impl Refusal {
    pub fn unprocessable(message: impl Into<String>) -> Self {
        Self::Unprocessable(message.into())
    }

    /// Refuses the request as not possible if this holds.
    pub fn when(impossible: bool, message: impl Into<String>) -> Result<(), Self> {
        match impossible {
            true => Err(Self::unprocessable(message)),
            false => Ok(()),
        }
    }

    fn status(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized"),
            Self::Forbidden => (StatusCode::FORBIDDEN, "forbidden"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found"),
            Self::BadRequest(_) => (StatusCode::BAD_REQUEST, "bad_request"),
            Self::Unprocessable(_) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid_params"),
            Self::LintErrors => (StatusCode::UNPROCESSABLE_ENTITY, "unprocessable"),
            Self::NotHere => (StatusCode::NOT_IMPLEMENTED, "not_implemented"),
            Self::Server(_) | Self::Vitess(_) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "internal_server_error")
            }
        }
    }

    pub fn answer(&self) -> Answer {
        let (status, code) = self.status();
        (status, Some(error(code, &self.to_string())))
    }
}

/// The body of an error.
pub fn error(code: &str, message: &str) -> Value {
    json!({"code": code, "message": message})
}

/// 200 with a body.
pub fn ok(body: Value) -> Answer {
    (StatusCode::OK, Some(body))
}

/// 201 with a body.
pub fn created(body: Value) -> Answer {
    (StatusCode::CREATED, Some(body))
}

/// 204.
pub fn gone() -> Answer {
    (StatusCode::NO_CONTENT, None)
}

/// Whether a list contains the total count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Total {
    Told,
    Untold,
}

impl Call<'_> {
    /// The body, which is an object. No body counts as an empty object.
    pub fn input<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        let wrong = |error: serde_json::Error| Refusal::BadRequest(error.to_string());
        let members: Map<String, Value> = match self.body.trim_ascii() {
            b"" | b"null" => Map::new(),
            body => serde_json::from_slice(body).map_err(wrong)?,
        };
        T::deserialize(Value::Object(members)).map_err(wrong)
    }

    /// A parameter of the query that is not empty.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let value = self.query.get(name).map(String::as_str);
        value.filter(|value| !value.is_empty())
    }

    /// A parameter that must be `true` or `false`.
    pub fn flag(&self, name: &str) -> Result<Option<bool>, Refusal> {
        let wrong = || Refusal::BadRequest(format!("{name} is neither true nor false"));
        let value = self.parameter(name);
        value
            .map(|value| value.parse().map_err(|_| wrong()))
            .transpose()
    }

    fn number(&self, name: &str, default: usize) -> Result<usize, Refusal> {
        let wrong = || Refusal::BadRequest(format!("{name} is not a positive number"));
        let value = self.parameter(name);
        let value = value.map_or(Ok(default), |value| value.parse().map_err(|_| wrong()))?;
        (value > 0).then_some(value).ok_or_else(wrong)
    }

    /// The requested page of a list. A page past the end is empty.
    pub fn page(&self, all: Vec<Value>, total: Total) -> Result<Answer, Refusal> {
        let page = self.number("page", 1)?;
        let per_page = self.number("per_page", PER_PAGE)?.min(MAX_PER_PAGE);
        let count = all.len();
        let pages = count.div_ceil(per_page);
        let next = (page < pages).then(|| page + 1);
        let previous = (page > 1).then(|| page - 1);
        // Other pages have the same filter and order.
        let mut kept: Vec<_> = self.query.iter().collect();
        kept.retain(|(name, _)| !["page", "per_page"].contains(&name.as_str()));
        kept.sort();
        let url = |page: usize| {
            let mut url = format!(
                "{}{}?page={page}&per_page={per_page}",
                self.shared.url, self.path
            );
            for (name, value) in &kept {
                let encoded = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
                let (name, value) = (encoded(name), encoded(value));
                url += &format!("&{name}={value}");
            }
            url
        };
        let start = (page - 1).saturating_mul(per_page);
        let data: Vec<Value> = all.into_iter().skip(start).take(per_page).collect();
        let list = json!({
            "type": "list",
            "current_page": page,
            "per_page": per_page,
            "next_page": next,
            "next_page_url": next.map(url),
            "prev_page": previous,
            "prev_page_url": previous.map(url),
            "data": data,
        });
        let totals = match total {
            Total::Told => json!({"total_count": count, "total_pages": pages}),
            Total::Untold => Value::Null,
        };
        Ok(ok(merged(list, totals)))
    }
}

/// The actor with this token.
pub fn actor(token: &str) -> Value {
    json!({
        "id": token,
        "display_name": format!("Service token {token}"),
        "avatar_url": "https://app.planetscale.com/gravatar-fallback.png",
    })
}
