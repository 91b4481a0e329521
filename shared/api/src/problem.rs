//! Errors as RFC 9457 problems. Each kind of problem has one constructor, one `type` that never
//! changes, and one status.
//!
//! 429 has no constructor. The gateway answers it in its own format when its throttling limits are
//! reached, without calling a function.

use std::{borrow::Cow, fmt::Display};

use aws_lambda_events::{apigw::ApiGatewayV2httpResponse, encodings::Body};
use http::{
    HeaderMap, HeaderValue,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use serde::Serialize;

use database::DatabaseError;

/// Why a request failed, as the client is told.
///
/// The cause of a 5xx goes only to the log.
#[derive(Debug)]
pub struct Problem {
    kind: &'static Kind,
    detail: Cow<'static, str>,
    field: Option<String>,
    /// In lower case.
    header: Option<(&'static str, &'static str)>,
    cause: Option<String>,
}

#[derive(Debug)]
struct Kind {
    status: u16,
    slug: &'static str,
    title: &'static str,
}

const fn kind(status: u16, slug: &'static str, title: &'static str) -> Kind {
    Kind {
        status,
        slug,
        title,
    }
}

static MALFORMED: Kind = kind(400, "malformed-request", "The request is malformed");
static UNAUTHORIZED: Kind = kind(401, "unauthorized", "The caller is not known");
static FORBIDDEN: Kind = kind(403, "forbidden", "The caller may not do this");
static NOT_FOUND: Kind = kind(404, "not-found", "There is no such thing");
static METHOD_NOT_ALLOWED: Kind = kind(
    405,
    "method-not-allowed",
    "The path does not take this method",
);
static CONFLICT: Kind = kind(409, "conflict", "The current state does not allow it");
static STALE: Kind = kind(
    412,
    "stale-version",
    "The current version is not one that the request is for",
);
static TOO_LARGE: Kind = kind(413, "body-too-large", "The body is too large");
static UNSUPPORTED_MEDIA_TYPE: Kind = kind(
    415,
    "unsupported-media-type",
    "The body is not of a supported type",
);
static INVALID: Kind = kind(422, "invalid-value", "A value breaks a rule");
static KEY_REUSED: Kind = kind(
    422,
    "idempotency-key-reused",
    "The idempotency key belongs to another request",
);
static PRECONDITION_REQUIRED: Kind = kind(
    428,
    "precondition-required",
    "The request must say which version it is for",
);
static INTERNAL: Kind = kind(500, "internal", "Something went wrong");
static OUTCOME_UNKNOWN: Kind = kind(
    500,
    "outcome-unknown",
    "It is not known whether it happened",
);
static UNAVAILABLE: Kind = kind(503, "unavailable", "Not available at the moment");

/// A client may choose any name for a field of its body. At most this much of it is repeated.
const FIELD_LIMIT: usize = 128;

/// In seconds. A failover or a new connection takes about that long.
const RETRY_AFTER: &str = "1";

impl Problem {
    fn new(kind: &'static Kind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            field: None,
            header: None,
            cause: None,
        }
    }

    fn about(kind: &'static Kind, field: impl Into<String>, reason: impl Display) -> Self {
        let mut field = field.into();
        if let Some((end, _)) = field.char_indices().nth(FIELD_LIMIT) {
            field.truncate(end);
        }
        Self {
            field: Some(field.clone()),
            ..Self::new(kind, format!("{field}: {reason}"))
        }
    }

    fn caused_by(self, cause: impl Display) -> Self {
        Self {
            cause: Some(cause.to_string()),
            ..self
        }
    }

    fn with_header(self, name: &'static str, value: &'static str) -> Self {
        Self {
            header: Some((name, value)),
            ..self
        }
    }

    /// 400: `field` of the path, the query, the headers or the body can't be read for this
    /// `reason`.
    pub fn malformed(field: impl Into<String>, reason: impl Display) -> Self {
        Self::about(&MALFORMED, field, reason)
    }

    /// 400: the body as a whole can't be read.
    pub(super) fn malformed_body(reason: impl Display) -> Self {
        Self::new(&MALFORMED, format!("the body {reason}"))
    }

    /// 401: the caller is not known, for this `reason`.
    pub(super) fn unauthorized(reason: &'static str) -> Self {
        Self::new(&UNAUTHORIZED, reason).with_header("www-authenticate", "Bearer")
    }

    /// 403: the caller is known but may not act for this customer.
    pub(super) fn forbidden() -> Self {
        Self::new(&FORBIDDEN, "the caller may not act for this customer")
    }

    /// 404. It is also the answer for what the caller may not see, so that nobody can probe ids.
    pub fn not_found(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(&NOT_FOUND, detail)
    }

    /// 405, with the methods that the path allows.
    pub(super) fn method_not_allowed(allow: &'static str) -> Self {
        Self::new(&METHOD_NOT_ALLOWED, format!("this path takes only {allow}"))
            .with_header("allow", allow)
    }

    /// 409: the current state does not allow the request.
    pub fn conflict(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(&CONFLICT, detail)
    }

    /// 412: the current version is not one that `If-Match` names, or is one that `If-None-Match`
    /// names.
    pub fn stale() -> Self {
        Self {
            field: Some("If-Match".to_owned()),
            ..Self::new(
                &STALE,
                "the current version is not one that If-Match and If-None-Match allow: read it again",
            )
        }
    }

    /// 413, with the limit in bytes.
    pub(super) fn too_large(limit: usize) -> Self {
        Self::new(&TOO_LARGE, format!("a body may have at most {limit} bytes"))
    }

    /// 415: the body is not JSON.
    pub(super) fn unsupported_media_type() -> Self {
        Self {
            field: Some("Content-Type".to_owned()),
            ..Self::new(&UNSUPPORTED_MEDIA_TYPE, "the body must be application/json")
        }
    }

    /// 415: the body is compressed (RFC 9110, section 15.5.16, asks for the header).
    pub(super) fn unsupported_encoding() -> Self {
        Self {
            field: Some("Content-Encoding".to_owned()),
            ..Self::new(&UNSUPPORTED_MEDIA_TYPE, "the body must not be compressed")
                .with_header("accept-encoding", "identity")
        }
    }

    /// 422: `field` can be read, but its value breaks a rule: `reason`.
    pub fn invalid(field: impl Into<String>, reason: impl Display) -> Self {
        Self::about(&INVALID, field, reason)
    }

    /// 422: the `Idempotency-Key` was used before, with another request.
    pub fn key_reused() -> Self {
        Self::about(
            &KEY_REUSED,
            "Idempotency-Key",
            "was used before with another request",
        )
    }

    /// 428: a change needs `If-Match`.
    pub(super) fn precondition_required() -> Self {
        Self {
            field: Some("If-Match".to_owned()),
            ..Self::new(
                &PRECONDITION_REQUIRED,
                "If-Match must hold the ETag of the version that is to be changed",
            )
        }
    }

    /// 500: a fault of ours. `cause` is for the log and must not contain a value or a secret.
    pub fn internal(cause: impl Display) -> Self {
        Self::new(
            &INTERNAL,
            "the request was not done because of a fault on our side",
        )
        .caused_by(cause)
    }

    /// 500: a change may have been made. Its answer was lost, or the function failed after it.
    pub(super) fn outcome_unknown(cause: impl Display) -> Self {
        Self::new(
            &OUTCOME_UNKNOWN,
            "it may or may not have happened: it is safe to send it again with the same \
             Idempotency-Key; without a key, first read what is there",
        )
        .caused_by(cause)
    }

    /// 503 with `Retry-After`: nothing was changed. `cause` is for the log and must not contain a
    /// value or a secret.
    pub fn unavailable(cause: impl Display) -> Self {
        Self::new(&UNAVAILABLE, "nothing was changed; try again in a moment")
            .with_header("retry-after", RETRY_AFTER)
            .caused_by(cause)
    }

    /// Whether it may or may not have happened.
    pub(super) fn is_outcome_unknown(&self) -> bool {
        self.kind.slug == OUTCOME_UNKNOWN.slug
    }

    /// The last part of its `type`.
    pub(super) fn slug(&self) -> &'static str {
        self.kind.slug
    }

    /// The response, with the request's id in it. Logs the cause, if there is one.
    pub(super) fn into_response(self, request_id: &str) -> ApiGatewayV2httpResponse {
        #[derive(Serialize)]
        struct Wire<'a> {
            r#type: String,
            title: &'a str,
            status: u16,
            detail: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            field: Option<&'a str>,
            request_id: &'a str,
        }

        let Kind {
            status,
            slug,
            title,
        } = *self.kind;
        match &self.cause {
            Some(cause) if status == 503 => {
                tracing::warn!(problem = slug, cause, "not available");
            }
            Some(cause) => tracing::error!(problem = slug, cause, "failed"),
            None => {}
        }

        let body = serde_json::to_string(&Wire {
            r#type: format!("/problems/{slug}"),
            title,
            status,
            detail: &self.detail,
            field: self.field.as_deref(),
            request_id,
        });
        let mut headers = HeaderMap::new();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some((name, value)) = self.header {
            headers.insert(name, HeaderValue::from_static(value));
        }

        let mut response = ApiGatewayV2httpResponse::default();
        response.status_code = status.into();
        response.headers = headers;
        response.body = body.ok().map(Body::Text);
        response
    }
}

impl From<DatabaseError> for Problem {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::Unavailable | DatabaseError::OutOfTime => Self::unavailable(error),
            DatabaseError::OutcomeUnknown => Self::outcome_unknown(error),
            // The domain handles the keys that a client may repeat. Any other duplicate is a fault.
            _ => Self::internal(error),
        }
    }
}
