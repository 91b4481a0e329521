//! After a failure: what the run has made is removed, and why it failed is said.

use planetscale::{DeploymentState, Openness, Progress};
use serde::Deserialize;

use crate::{
    branch,
    error::{ANOTHER_AT_WORK, DIFFERENCE_REFUSED, Result},
    production::Production,
    schema_change::{Caught, CleanedUp, Failed, SchemaChange},
};

/// Closes the deploy request, so that no other waits behind it, and deletes the branch with its
/// passwords. What is under deployment, is deployed, or is in use by another run stays as it is for
/// a later run. What cannot be cleaned up is said after why the run failed; an error that may pass
/// is tried again.
pub async fn clean_up(failed: Failed, production: &Production) -> Result<CleanedUp> {
    let change = failed.change()?;
    let (name, mut cause) = plain(failed.error);
    let Some(change) = change.filter(|_| name != ANOTHER_AT_WORK) else {
        return Ok(CleanedUp { error: name, cause });
    };
    match remove(&change, &name, production).await {
        Ok(None) => {}
        Ok(Some(left)) => cause += &format!(". {left}"),
        Err(error) if error.may_pass() => return Err(error),
        Err(error) => {
            tracing::warn!(%error, "not everything was cleaned up");
            let branch = &change.branch;
            cause += &format!(
                ". Not everything was cleaned up: {error}. Close its deploy request and delete the branch {branch} yourself"
            );
        }
    }
    Ok(CleanedUp { error: name, cause })
}

/// Returns a sentence about what it has left on purpose, which follows the error of this name.
async fn remove(
    change: &SchemaChange,
    error: &str,
    production: &Production,
) -> Result<Option<String>> {
    let mut left = None;
    for request in production.deploy_requests(Some(&change.branch)).await? {
        let (number, api) = (request.number, production.api());
        let stays = match request.deployment_state.progress() {
            Progress::Under => {
                "is being deployed and was left alone: start again to wait for its end"
            }
            Progress::Done if error == DIFFERENCE_REFUSED => {
                "is deployed and not recorded: give production the schema that the migrations lead to by another deploy request, or change the text of the migrations (a comment is enough) so that they are deployed again. Then start again"
            }
            Progress::Done => "is deployed: start again to record it",
            Progress::Before | Progress::NoChanges | Progress::Failed => "",
        };
        if !stays.is_empty() {
            return Ok(Some(format!("Deploy request {number} {stays}")));
        }
        if request.state == Openness::Closed {
            continue;
        }
        if request.deployment_state.blocks_queue() {
            api.complete_failed_deploy(number).await?;
        }
        api.close_deploy_request(number).await?;
        if request.deployment_state == DeploymentState::CompleteRevertError {
            left = Some(format!(
                "Deploy request {number} was not reverted: production has its changes, and they are not recorded. Undo them by another deploy request, or insert the migrations into schema_migrations"
            ));
        }
    }
    branch::remove(&change.branch, production).await?;
    Ok(left)
}

/// The name and the message. A function's error comes as JSON, others come as text. A Fail state
/// may not raise a name of the states language's own (`States.…`).
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
    fn an_error_is_told_by_its_name_and_message() {
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
