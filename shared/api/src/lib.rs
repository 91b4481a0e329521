//! The HTTP API: an event of API Gateway or of a function URL becomes a [`Request`], and the
//! handler's [`Answer`] or [`Problem`] becomes the response.
//!
//! A function's `main` calls only [`serve`]. It does the following for every invocation:
//!
//! - It answers 404 for another path than the route's, 405 for another method, and 401 if no
//!   authorizer has checked the caller. HEAD is answered like GET, without the body.
//! - It compares `If-Match` and `If-None-Match` of a read with the answer's entity tag, and
//!   answers 304 or 412. A change asks for [`Request::versions_to_change`].
//! - It turns every error into a response. The function itself never fails: a panic becomes a 500,
//!   and the execution environment lives on.
//! - It stops a handler just before the invocation ends, so that the client gets an answer and
//!   the connections stay in order.
//! - It sets `x-request-id` on every answer, and adds the route, the status and the problem to the
//!   invocation's [metrics] and to their line in the log.
//!
//! Only payload format 2.0 is read, which HTTP APIs and function URLs send. For anything else the
//! function reports an error that says so.
//!
//! [`settings`] says who may call. What clients may rely on is in `functions/README.md`.

use std::{
    convert::Infallible,
    process::ExitCode,
    time::{Duration, SystemTime},
};

use aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use lambda_runtime::LambdaEvent;

use lambda::{
    Resource,
    metrics::{self, Metric},
    process::{self, Panicked, catch_panic},
};

mod answer;
mod body;
mod caller;
mod condition;
mod event;
mod problem;
mod request;
mod route;
pub mod settings;
#[cfg(test)]
mod tests;

pub use answer::Answer;
pub use caller::Caller;
pub use condition::Versions;
pub use problem::Problem;
pub use request::Request;
pub use route::Route;

use condition::Conditions;
use event::Event;
use settings::Settings;

/// The time at the end of an invocation that is reserved to answer for a stopped handler. A
/// [`Deadline`](lambda::Deadline) reserves more, so that a session can first report the outcome of
/// its statement.
const TO_ANSWER: Duration = Duration::from_millis(50);

/// Runs a function until Lambda ends the process. `handler` answers its calls and gets the
/// resource that it needs, which is usually the database.
///
/// If the settings are wrong or Lambda did not start the process, it fails at start, with one log
/// line that names every fault.
pub fn serve<R, H, Fut>(route: Route, handler: H) -> ExitCode
where
    R: Resource,
    H: Fn(Request, R) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Answer, Problem>> + Send + 'static,
{
    process::run(
        move |event: LambdaEvent<Event>, (settings, resource): (&'static Settings, R)| {
            let handler = handler.clone();
            async move {
                let handler = |request| handler(request, resource);
                let response = respond(route, settings, event, handler).await;
                Ok::<_, Infallible>(response)
            }
        },
    )
}

/// Answers one event and adds to its metrics.
async fn respond<Fut>(
    route: Route,
    settings: &Settings,
    event: LambdaEvent<Event>,
    handler: impl FnOnce(Request) -> Fut,
) -> ApiGatewayV2httpResponse
where
    Fut: Future<Output = Result<Answer, Problem>>,
{
    metrics::dimension("Route", route.to_string());
    for written_even_as_zero in [Metric::Statements, Metric::Retries] {
        metrics::add(written_even_as_zero, 0);
    }
    let (event, context) = event.into_parts();
    let end = process::end_of_invocation(&context);
    let wants_no_body = event.method == "HEAD";

    let outcome = handle(route, settings, event, end, handler).await;
    let mut response = outcome
        .and_then(|answer| answer.into_response().map_err(|cause| fault(route, cause)))
        .unwrap_or_else(|problem| {
            metrics::property("problem", problem.slug());
            if problem.is_outcome_unknown() {
                metrics::add(Metric::OutcomeUnknown, 1);
            }
            problem.into_response(&context.request_id)
        });
    answer::name_request(&mut response, &context.request_id);
    if wants_no_body {
        response.body = None;
    }

    let status = response.status_code;
    metrics::property("status", status);
    metrics::add(Metric::Status4xx, u32::from((400..500).contains(&status)));
    metrics::add(Metric::Status5xx, u32::from(status >= 500));
    response
}

async fn handle<Fut>(
    route: Route,
    settings: &Settings,
    event: Event,
    end: SystemTime,
    handler: impl FnOnce(Request) -> Fut,
) -> Result<Answer, Problem>
where
    Fut: Future<Output = Result<Answer, Problem>>,
{
    let conditions = Conditions::parse(&event.headers);
    let request = Request::parse(route, settings, event, end)?;
    let conditions = conditions?;
    if route.creates() {
        conditions.allow_making()?;
    }
    let left = end
        .duration_since(SystemTime::now())
        .unwrap_or_default()
        .saturating_sub(TO_ANSWER);
    // Boxed because each layer around a handler would otherwise move its whole future, several
    // times in every invocation.
    let handling = catch_panic(Box::pin(async { handler(request).await }));
    match tokio::time::timeout(left, handling).await {
        Ok(Ok(Ok(answer))) if route.is_safe() => conditions.apply(answer),
        Ok(Ok(outcome)) => outcome,
        Ok(Err(Panicked)) => Err(fault(route, "the handler panicked".to_owned())),
        Err(_) if route.is_safe() => Err(Problem::unavailable("the handler was stopped")),
        Err(_) => Err(Problem::outcome_unknown("the handler was stopped")),
    }
}

/// A fault of ours, after which a change may have been made.
fn fault(route: Route, cause: String) -> Problem {
    match route.is_safe() {
        true => Problem::internal(cause),
        false => Problem::outcome_unknown(cause),
    }
}
