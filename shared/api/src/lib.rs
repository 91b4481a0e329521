//! The HTTP API: an event of API Gateway (or of a function URL) becomes a [`Request`], the
//! handler's [`Answer`] or [`Problem`] becomes the response.
//!
//! [`serve`] is all that a function's `main` calls. What it does for every invocation:
//!
//! - 404 where the path is not the route's, 405 where the method is not (HEAD too), 401 where
//!   the authorizer vouches for nobody;
//! - an error is always a response, never an error of the function: a panic too becomes a 500,
//!   and the execution environment lives on;
//! - a handler that would outlive the invocation is cut a moment before, so that the client gets
//!   an answer and the connections are kept in order;
//! - `x-request-id` on every answer, and one summary line in the log.
//!
//! Only payload format 2.0 is read, which HTTP APIs and function URLs send. Anything else is
//! refused with an error of the function that says so.

use std::{
    convert::Infallible,
    process::ExitCode,
    time::{Duration, Instant, SystemTime},
};

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use lambda_runtime::LambdaEvent;
use serde::{Deserialize, Deserializer, de::Error as _};

use database::{Usage, metered};
use lambda::{
    Resource,
    process::{self, Panicked, caught},
};

mod answer;
mod body;
mod caller;
mod condition;
mod objects;
mod problem;
mod request;
mod route;
#[cfg(test)]
mod tests;

pub use answer::Answer;
pub use caller::Caller;
pub use condition::Versions;
pub use problem::Problem;
pub use request::Request;
pub use route::Route;

/// What is kept back at the end of an invocation to answer for a handler that was cut. Less than
/// what a [`Deadline`](lambda::Deadline) keeps back, so that a session has reported
/// what became of its statement before.
const TO_ANSWER: Duration = Duration::from_millis(50);

/// Runs a function until Lambda ends the process. `handler` answers its calls, with the resource that
/// it stands on: the database, most often.
///
/// It fails at start, with one log line that names every fault, when the settings are wrong or
/// the process was not started by Lambda.
pub fn serve<R, H, Fut>(route: Route, handler: H) -> ExitCode
where
    R: Resource,
    H: Fn(Request, R) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Answer, Problem>> + Send + 'static,
{
    process::run(move |event: LambdaEvent<Event>, resource: R| {
        let handler = handler.clone();
        async move {
            let response = respond(route, event, |request| handler(request, resource)).await;
            Ok::<_, Infallible>(response)
        }
    })
}

/// An event of payload format 2.0.
struct Event(ApiGatewayV2httpRequest);

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The parser's own message is left out: it quotes what it stumbled over, and what is said
        // here goes to the log.
        match ApiGatewayV2httpRequest::deserialize(deserializer) {
            Ok(event) if event.version.as_deref() == Some("2.0") => Ok(Self(event)),
            _ => Err(D::Error::custom(
                "not an event of an HTTP API or a function URL in payload format 2.0",
            )),
        }
    }
}

/// Answers one event and writes its summary line.
async fn respond<Fut>(
    route: Route,
    event: LambdaEvent<Event>,
    handler: impl FnOnce(Request) -> Fut,
) -> ApiGatewayV2httpResponse
where
    Fut: Future<Output = Result<Answer, Problem>>,
{
    let started = Instant::now();
    let (Event(event), context) = event.into_parts();
    let end = process::end_of_invocation(&context);

    let (outcome, usage) = metered(handle(route, event, end, handler)).await;
    let mut problem = None;
    let mut response = outcome
        .and_then(Answer::into_response)
        .unwrap_or_else(|why| {
            problem = Some(why.slug());
            why.into_response(&context.request_id)
        });
    answer::name_request(&mut response, &context.request_id);

    let Usage {
        wait,
        statements,
        retries,
        ..
    } = usage;
    tracing::info!(
        route = %route,
        status = response.status_code,
        problem,
        duration_ms = milliseconds(started.elapsed()),
        connection_wait_ms = milliseconds(wait),
        statements,
        retries,
        "answered"
    );
    response
}

async fn handle<Fut>(
    route: Route,
    event: ApiGatewayV2httpRequest,
    end: SystemTime,
    handler: impl FnOnce(Request) -> Fut,
) -> Result<Answer, Problem>
where
    Fut: Future<Output = Result<Answer, Problem>>,
{
    let request = Request::parse(route, event, end)?;
    let left = end
        .duration_since(SystemTime::now())
        .unwrap_or_default()
        .saturating_sub(TO_ANSWER);
    // Boxed: each layer around a handler would otherwise move its whole future, several times
    // for every invocation.
    let handling = caught(Box::pin(async { handler(request).await }));
    match tokio::time::timeout(left, handling).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(Panicked)) => Err(Problem::internal("the handler panicked")),
        Err(_) if route.is_safe() => Err(Problem::unavailable("the handler was cut")),
        Err(_) => Err(Problem::outcome_unknown("the handler was cut")),
    }
}

/// With three decimals.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
