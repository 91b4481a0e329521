//! Why a call did not do what it was made for.

use serde::Deserialize;

use super::transport::Grants;
use secrets::CredentialsError;

/// The longest part of a message of the API that is passed on.
const MESSAGE_LIMIT: usize = 500;

/// Why a call did not do what it was made for. `doing` is what it was made for, in words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// The API can't be reached, fails, or is asked too often. Nothing was changed; later it may
    /// work.
    #[error("{doing}: PlanetScale's API is not available: {reason}")]
    Unavailable {
        /// What the call was made for.
        doing: &'static str,
        /// What was in the way last.
        reason: String,
    },
    /// A change was sent and its answer lost: it was made, or it was not. Look it up.
    #[error("{doing}: it is not known whether PlanetScale did it: {reason}")]
    OutcomeUnknown {
        /// What the call was made for.
        doing: &'static str,
        /// What was in the way.
        reason: String,
    },
    /// The token is not accepted, or lacks a grant.
    #[error(
        "{doing}: PlanetScale does not let this service token do it; does the token have the access {grants}?"
    )]
    NotAllowed {
        /// What the call was made for.
        doing: &'static str,
        /// The accesses of which the operation needs one.
        grants: &'static str,
    },
    /// There is no such thing, or the token may not see it: PlanetScale answers both alike (its
    /// docs, Service tokens, Potential errors).
    #[error(
        "{doing}: PlanetScale has no such thing, or the service token may not see it; does the token have the access {grants}?"
    )]
    NotFound {
        /// What the call was made for.
        doing: &'static str,
        /// The accesses of which the operation needs one.
        grants: &'static str,
    },
    /// The API does not do it, and says why.
    #[error("{doing}: PlanetScale refuses: {message} ({code})")]
    Refused {
        /// What the call was made for.
        doing: &'static str,
        /// What follows from it.
        refusal: Refusal,
        /// The API's word for it, or the HTTP status.
        code: String,
        /// The API's explanation.
        message: String,
    },
    /// The answer is not what the API's document says.
    #[error("{doing}: PlanetScale's answer can't be read: {reason}")]
    Unreadable {
        /// What the call was made for.
        doing: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no service token to call with.
    #[error("the service token for PlanetScale: {0}")]
    Token(#[from] CredentialsError),
}

/// What follows from a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It will do it in a while: something that goes before is still under way.
    NotYet,
    /// A thing of this name is there already.
    Exists,
    /// The next time would be no better.
    Final,
}

impl ApiError {
    /// Whether the same call may succeed later. One whose outcome is unknown must be looked up
    /// first.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unavailable { .. } | Self::OutcomeUnknown { .. } => true,
            Self::Refused { refusal, .. } => *refusal == Refusal::NotYet,
            Self::Token(error) => matches!(
                error,
                CredentialsError::TimedOut | CredentialsError::NotGiven(_)
            ),
            Self::NotAllowed { .. } | Self::NotFound { .. } | Self::Unreadable { .. } => false,
        }
    }

    /// Whether there is no such thing, as far as the token may see.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }

    /// From an answer with a status of 300 to 499, but 429.
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

impl Refusal {
    /// 422 is not always the last word, and only code and message tell: planetscale-go
    /// (client.go) takes `unprocessable` for one that passes, a deploy request whose changes are
    /// being validated and a branch under deployment are refused with words for it.
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

/// Code and message of an error's body, in each of the shapes that are known: PlanetScale's own
/// (planetscale-go, client.go), its OAuth server's (planetscale/cli#497), its framework's
/// (planetscale-go#62), and none.
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
