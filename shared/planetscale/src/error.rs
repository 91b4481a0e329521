//! Errors of calls.

use lambda::operation::Failure;
use secrets::SecretError;
use serde::Deserialize;

use super::transport::Grants;

/// The longest message of the API that is passed on, in characters.
const MESSAGE_LIMIT: usize = 500;

/// Why a call failed. `doing` says in words what the call was for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// The API cannot be reached, fails, or limits the rate. Nothing was changed. The call may work
    /// later.
    #[error("{doing}: PlanetScale's API is not available: {reason}")]
    Unavailable {
        /// What the call was made for.
        doing: &'static str,
        /// Why the last attempt failed.
        reason: String,
    },
    /// A change was sent and its answer was lost, so it may have been made. Look it up.
    #[error("{doing}: it is not known whether PlanetScale did it: {reason}")]
    OutcomeUnknown {
        /// What the call was made for.
        doing: &'static str,
        /// Why there was no answer.
        reason: String,
    },
    /// The token is not accepted, or lacks an access.
    #[error(
        "{doing}: PlanetScale does not let this service token do it; does the token have the access {grants}?"
    )]
    NotAllowed {
        /// What the call was made for.
        doing: &'static str,
        /// The access that the operation needs.
        grants: &'static str,
    },
    /// There is no such thing, or the token may not see it. PlanetScale answers the same in both
    /// cases (its docs, Service tokens, Potential errors).
    #[error(
        "{doing}: PlanetScale has no such thing, or the service token may not see it; does the token have the access {grants}?"
    )]
    NotFound {
        /// What the call was made for.
        doing: &'static str,
        /// The access that the operation needs.
        grants: &'static str,
    },
    /// The API refuses, and says why.
    #[error("{doing}: PlanetScale refuses: {message} ({code})")]
    Refused {
        /// What the call was made for.
        doing: &'static str,
        /// What the caller can do.
        refusal: Refusal,
        /// The API's code for it, or the HTTP status.
        code: String,
        /// The API's explanation.
        message: String,
    },
    /// The answer does not have the documented shape.
    #[error("{doing}: PlanetScale's answer can't be read: {reason}")]
    Unreadable {
        /// What the call was made for.
        doing: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The service token cannot be read.
    #[error("the service token for PlanetScale: {0}")]
    Token(#[from] SecretError),
}

/// What the caller can do about a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Try again later: something else has to finish first.
    NotYet,
    /// There is already a thing of this name.
    Exists,
    /// Trying again does not help.
    Final,
}

impl ApiError {
    /// Whether the same call may succeed later. If the outcome is unknown, look it up first.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unavailable { .. } | Self::OutcomeUnknown { .. } => true,
            Self::Refused { refusal, .. } => *refusal == Refusal::NotYet,
            Self::Token(error) => matches!(error, SecretError::TimedOut | SecretError::NotGiven(_)),
            Self::NotAllowed { .. } | Self::NotFound { .. } | Self::Unreadable { .. } => false,
        }
    }

    /// The name under which an operation fails because of this error.
    pub fn failure_name(&self) -> &'static str {
        match self {
            error if error.may_pass() => Failure::TRANSIENT,
            Self::NotAllowed { .. } | Self::NotFound { .. } => "NotAllowed",
            _ => "PlanetScaleRefused",
        }
    }

    /// Whether there is no such thing, as far as the token can see.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }

    /// The error for an answer with a status from 300 to 499, except 429.
    pub(super) fn from_answer(
        doing: &'static str,
        grants: Grants,
        status: u16,
        body: &[u8],
    ) -> Self {
        let Grants(grants) = grants;
        match status {
            401 | 403 => Self::NotAllowed { doing, grants },
            404 => Self::NotFound { doing, grants },
            300..=399 => Self::Unreadable {
                doing,
                reason: format!("it is a redirect ({status}), and none is followed"),
            },
            _ => {
                let (code, message) = explanation(status, body);
                Self::Refused {
                    doing,
                    refusal: Refusal::of(&code, &message),
                    code,
                    message,
                }
            }
        }
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self::new(error.failure_name(), error.to_string())
    }
}

impl Refusal {
    /// Only the code and the message show whether a 422 is final. planetscale-go (client.go) tries
    /// again after `unprocessable`. While changes are validated or a deployment is running, the
    /// message says so.
    fn of(code: &str, message: &str) -> Self {
        let message = message.to_ascii_lowercase();
        let says = |texts: &[&str]| texts.iter().any(|text| message.contains(text));
        if says(&[
            "already exists",
            "already been taken",
            "already taken",
            "already has an open",
        ]) {
            Self::Exists
        } else if code == "unprocessable"
            || says(&[
                "currently validating",
                "try again",
                "deployment is in progress",
            ])
        {
            Self::NotYet
        } else {
            Self::Final
        }
    }
}

/// The code and the message in the body of an error. The known shapes are PlanetScale's own
/// (planetscale-go, client.go), that of its OAuth server (planetscale/cli#497), that of its
/// framework (planetscale-go#62), and no body.
fn explanation(status: u16, body: &[u8]) -> (String, String) {
    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct Body {
        code: Option<String>,
        message: Option<String>,
        error: Option<String>,
        error_description: Option<String>,
    }
    let body: Body = serde_json::from_slice(body).unwrap_or_default();
    let code = body.code.or_else(|| body.error.clone());
    let message = body.message.or(body.error_description).or(body.error);
    let plain = |text: String| -> String {
        let printable = text.chars().filter(|c| !c.is_control());
        printable.take(MESSAGE_LIMIT).collect()
    };
    (
        plain(code.unwrap_or_else(|| status.to_string())),
        plain(message.unwrap_or_else(|| "no reason is given".to_owned())),
    )
}
