//! After a failure: what the run has made is removed, and why it failed is said.

use planetscale::{DeploymentState, Openness, Progress};
use serde_json::Value;

use crate::{
    branch,
    error::{ErrorName, Result, StepError},
    production::Production,
    record::is_recorded,
    schema_change::{Caught, Outcome, SchemaChange},
};

/// Closes the deploy request, so that no other waits behind it, and deletes the branch with its
/// passwords. What is under deployment or is deployed stays as it is for a later run, and so does
/// what the run has waited for, because another may wait for it too. What cannot be cleaned up is said
/// after why the run failed. An error that may pass is tried again.
pub async fn clean_up(change: &mut SchemaChange, production: &Production) -> Result<Outcome> {
    let failed = change.error.take();
    let mut failed = plain(failed.ok_or_else(|| StepError::out_of_order("no step has failed"))?);
    // The first step makes nothing, and where it failed there is no plan.
    if !change.plan.is_empty() && failed.error != ErrorName::AnotherAtWork.to_string() {
        match remove(change, &mut failed, production).await {
            Ok(()) => {}
            Err(error) if error.name == ErrorName::Transient => return Err(error),
            Err(error) => {
                tracing::warn!(%error, "not everything was cleaned up");
                let branch = &change.branch;
                failed.cause += &format!(
                    ". Not everything was cleaned up: {error}. Close its deploy request and delete the branch {branch} yourself"
                );
            }
        }
    }
    change.error = Some(failed);
    Ok(Outcome::End)
}

/// Says after why the run failed what it has left on purpose, and what is deployed.
async fn remove(change: &SchemaChange, failed: &mut Caught, production: &Production) -> Result<()> {
    let waited = failed.error == ErrorName::TookTooLong.to_string();
    for request in production.deploy_requests(Some(&change.branch)).await? {
        let (number, api) = (request.number, production.api());
        let stays = match request.progress() {
            Progress::Under => {
                "is being deployed and was left alone: start again to wait for its end"
            }
            Progress::Done if is_recorded(change, production).await.unwrap_or(false) => {
                failed.cause += &format!(". Deploy request {number} is deployed and recorded");
                continue;
            }
            Progress::Done if failed.error == ErrorName::DifferenceRefused.to_string() => {
                "is deployed and not recorded: give production the schema that the migrations lead to by another deploy request, or change the text of the migrations (a comment is enough) so that they are deployed again. Then start again"
            }
            Progress::Done => "is deployed: start again to record it",
            Progress::Before if waited => continue,
            Progress::Before | Progress::NoChanges | Progress::Failed => "",
        };
        if !stays.is_empty() {
            failed.cause += &format!(". Deploy request {number} {stays}");
            return Ok(());
        }
        if request.state == Openness::Closed {
            continue;
        }
        if request.deployment_state.blocks_queue() {
            api.complete_failed_deploy(number).await?;
        }
        api.close_deploy_request(number).await?;
        if request.deployment_state == DeploymentState::CompleteRevertError {
            failed.cause += &format!(
                ". Deploy request {number} was not reverted: production has its changes, and they are not recorded. Undo them by another deploy request, or insert the migrations into schema_migrations"
            );
        }
    }
    if waited {
        let branch = &change.branch;
        failed.cause += &format!(
            ". The branch {branch} was left, and its deploy request if it has one: start again to go on from there, or delete the branch to give the change up"
        );
        return Ok(());
    }
    branch::remove(&change.branch, production).await
}

/// The name and the message. A function's error comes as JSON, others come as text. A Fail state
/// may not raise a name of the states language's own (`States.…`).
fn plain(Caught { error, cause }: Caught) -> Caught {
    let of_function = serde_json::from_str::<Value>(&cause).unwrap_or_default();
    let message = of_function.get("errorMessage").and_then(Value::as_str);
    Caught {
        error: error.trim_start_matches("States.").to_owned(),
        cause: message.unwrap_or(&cause).to_owned(),
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
            let Caught { error, cause } = plain(caught);
            assert_eq!((error.as_str(), cause.as_str()), expected);
        }
    }
}
