//! After a failure: what the run has made goes, and why it failed is said in plain words.

use planetscale::{DeploymentState, Openness, Progress};
use serde::Deserialize;

use crate::{
    failure::{ANOTHER_AT_WORK, DIFFERENCE_REFUSED, StepError},
    production::Production,
    state::{Caught, CleanedUp, Failed, State},
};

/// Closes the deploy request, so that no other waits behind it, and deletes the branch, with its
/// passwords. A deployment that is under way goes on, one that is done stays, and so does what
/// another run is at work on: a later run finds them. What can't be cleaned up is said, and is no
/// reason to hide why the run failed; what passes by itself is tried again.
pub async fn clean_up(failed: Failed, production: &Production) -> Result<CleanedUp, StepError> {
    let state = failed.state()?;
    let (name, mut cause) = plain(failed.error);
    let Some(state) = state.filter(|_| name != ANOTHER_AT_WORK) else {
        return Ok(CleanedUp { error: name, cause });
    };
    match remove(&state, production).await {
        Ok(None) => {}
        Ok(Some(left)) => {
            cause += ". ";
            cause += &left.told(&name);
        }
        Err(error) if error.may_pass() => return Err(error),
        Err(error) => {
            tracing::warn!(%error, "not everything was cleaned up");
            let branch = &state.branch;
            cause += &format!(
                ". Not everything was cleaned up: {error}. See to the branch {branch} and its deploy request"
            );
        }
    }
    Ok(CleanedUp { error: name, cause })
}

/// What is not as it was before, by the number of the deploy request.
enum Left {
    Deploying(u64),
    Deployed(u64),
    /// It was to be reverted, and was not.
    NotReverted(u64),
}

impl Left {
    /// In a sentence, behind the error of this name.
    fn told(&self, error: &str) -> String {
        match self {
            Self::Deploying(number) => format!(
                "Deploy request {number} is under deployment and was left alone: start again to see it through"
            ),
            Self::Deployed(number) if error == DIFFERENCE_REFUSED => format!(
                "Deploy request {number} is deployed, and not recorded: bring to production what is missing, or change the text of the migrations (a comment is enough) to have them deployed anew, then start again"
            ),
            Self::Deployed(number) => {
                format!("Deploy request {number} is deployed: start again to record it")
            }
            Self::NotReverted(number) => format!(
                "Deploy request {number} was not reverted: production has its changes, and they are not recorded. Undo them by another deploy request, or insert the migrations into schema_migrations"
            ),
        }
    }
}

/// What it leaves on purpose, it returns.
async fn remove(state: &State, production: &Production) -> Result<Option<Left>, StepError> {
    let mut left = None;
    for request in production.deploy_requests(Some(&state.branch)).await? {
        let (number, api) = (request.number, production.api());
        match request.deployment_state.progress() {
            Progress::Under => return Ok(Some(Left::Deploying(number))),
            Progress::Done => return Ok(Some(Left::Deployed(number))),
            Progress::Before | Progress::NoChanges | Progress::Failed => {}
        }
        if request.state == Openness::Closed {
            continue;
        }
        if request.deployment_state.blocks_queue() {
            api.complete_failed_deploy(number).await?;
        }
        api.close_deploy_request(number).await?;
        if request.deployment_state == DeploymentState::CompleteRevertError {
            left = Some(Left::NotReverted(number));
        }
    }
    production.remove_branch(&state.branch).await?;
    Ok(left)
}

/// A function's error comes as JSON; others come as text. A name of the states language's own may
/// not be raised again.
fn plain(Caught { error, cause }: Caught) -> (String, String) {
    #[derive(Deserialize)]
    struct OfFunction {
        #[serde(rename = "errorMessage")]
        message: String,
    }
    let name = match error.strip_prefix("States.") {
        Some(name) => name.to_owned(),
        None => error,
    };
    match serde_json::from_str::<OfFunction>(&cause) {
        Ok(of_function) => (name, of_function.message),
        Err(_) => (name, cause),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_in_plain_words() {
        for (error, cause, expected) in [
            (
                "NotAllowed",
                r#"{"errorType":"NotAllowed","errorMessage":"no"}"#,
                ("NotAllowed", "no"),
            ),
            ("States.Timeout", "", ("Timeout", "")),
            ("Lambda.Unknown", "{", ("Lambda.Unknown", "{")),
        ] {
            let caught = Caught {
                error: error.to_owned(),
                cause: cause.to_owned(),
            };
            let (name, cause) = plain(caught);
            assert_eq!((name.as_str(), cause.as_str()), expected);
        }
    }
}
