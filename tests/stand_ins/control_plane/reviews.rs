//! Reviews of deploy requests: comments and approvals.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::call::{Answer, Call, Refusal, Total, actor, created};
use super::deploy_requests::{change, find};
use super::records::{Time, new_id};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Commented,
    Approved,
}

#[derive(Clone, Serialize, Deserialize)]
pub struct Review {
    id: String,
    verdict: Verdict,
    /// Whether the changes have changed since.
    dismissed: bool,
    body: String,
    actor: String,
    created_at: Time,
}

impl Review {
    pub fn approves(&self) -> bool {
        self.verdict == Verdict::Approved && !self.dismissed
    }

    pub fn dismiss(&mut self) {
        self.dismissed = true;
    }

    fn view(&self) -> Value {
        json!({
            "id": self.id,
            "body": self.body,
            "html_body": super::html(&self.body),
            "state": self.verdict,
            "created_at": self.created_at,
            "updated_at": self.created_at,
            "actor": actor(&self.actor),
        })
    }
}

pub fn list(call: &Call<'_>, number: u64) -> Result<Answer, Refusal> {
    let reviews = find(call, number)?.reviews.iter();
    call.page(reviews.map(Review::view).collect(), Total::Untold)
}

#[derive(Deserialize)]
struct NewReview {
    state: Option<Verdict>,
    body: Option<String>,
}

pub fn create(call: &mut Call<'_>, number: u64) -> Result<Answer, Refusal> {
    let input: NewReview = call.input()?;
    let request = find(call, number)?;
    let verdict = input.state.unwrap_or(Verdict::Commented);
    // Without required approvals, everybody may approve.
    let binds = call.records.settings.require_approval_for_deploy;
    let own = verdict == Verdict::Approved && request.actor == call.actor;
    let message = "A deploy request cannot be approved by the actor that opened it";
    Refusal::when(binds && own, message)?;
    let review = Review {
        id: new_id(),
        verdict,
        dismissed: false,
        body: input.body.unwrap_or_default(),
        actor: call.actor.clone(),
        created_at: Time::now(),
    };
    let view = review.view();
    change(call, number, |request, _| {
        request.reviews.push(review);
        Ok(())
    })?;
    Ok(created(view))
}
