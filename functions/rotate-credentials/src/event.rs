//! What Secrets Manager sends, and what it is answered.

use std::fmt;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

/// The call of one step.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Event {
    pub step: Step,
    /// The secret's ARN.
    pub secret_id: String,
    /// The id of the version that the rotation makes.
    pub client_request_token: String,
    /// Shows who rotates a secret of another account. It comes along only then.
    pub rotation_token: Option<SecretString>,
}

/// A step. The user guide also writes the names with underscores.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub enum Step {
    #[serde(rename = "createSecret", alias = "create_secret")]
    Create,
    #[serde(rename = "setSecret", alias = "set_secret")]
    Set,
    #[serde(rename = "testSecret", alias = "test_secret")]
    Test,
    #[serde(rename = "finishSecret", alias = "finish_secret")]
    Finish,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// The answer to a step, which only people read.
#[derive(Debug, Serialize)]
pub struct Done {
    pub step: Step,
    /// What it did, in one sentence.
    pub done: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_a_step_are_read_and_the_rotation_token_is_hidden() {
        for step in ["createSecret", "create_secret"] {
            let event = format!(
                r#"{{"Step": "{step}", "SecretId": "s", "ClientRequestToken": "t", "RotationToken": "hunter2"}}"#
            );
            let event: Event = serde_json::from_str(&event).unwrap();
            assert!(matches!(event.step, Step::Create));
            assert!(!format!("{event:?}").contains("hunter2"));
        }
    }
}
