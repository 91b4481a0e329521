//! Functions that operate on the database, and are called by a state machine, a schedule or
//! Secrets Manager rather than over HTTP.
//!
//! [`serve`] is all that such a function's `main` calls. An error is an error of the function, by
//! whose [name](Failure::new) a state machine decides what to do.

use std::{
    fmt,
    process::ExitCode,
    time::{Duration, SystemTime},
};

use lambda_runtime::{Diagnostic, LambdaEvent};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Deadline, Resource,
    process::{self, Panicked, caught},
};

/// What is kept back at the end of an invocation to report that the handler was cut.
const TO_REPORT: Duration = Duration::from_millis(100);

/// One call of an operation.
#[derive(Debug)]
pub struct Invocation<I> {
    /// What it was called with.
    pub input: I,
    /// When it must have its answer.
    pub deadline: Deadline,
}

/// Why an operation did not succeed.
pub struct Failure {
    name: &'static str,
    message: String,
}

impl Failure {
    /// The name of what passes by itself: the same call may succeed later.
    pub const TRANSIENT: &'static str = "Transient";

    /// The name of a panic of the handler. Its log line says where, and its message goes no further.
    pub const PANIC: &'static str = "Panic";

    /// `name` is what a state machine knows it by (`ErrorEquals`), `message` is for people.
    /// Neither may hold a secret: both are logged, and kept in the history of an execution.
    pub fn new(name: &'static str, message: impl Into<String>) -> Self {
        Self {
            name,
            message: message.into(),
        }
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.message)
    }
}

impl From<Failure> for Diagnostic {
    fn from(Failure { name, message }: Failure) -> Self {
        Self {
            error_type: name.to_owned(),
            error_message: message,
        }
    }
}

/// Runs an operation until Lambda ends the process. `handler` answers its calls, with the
/// resource that it stands on.
///
/// It fails at start, with one log line that names every fault, when the settings are wrong or
/// Lambda did not start the process.
pub fn serve<R, I, A, H, Fut>(handler: H) -> ExitCode
where
    R: Resource,
    I: DeserializeOwned + Send + 'static,
    A: Serialize + Send + 'static,
    H: Fn(Invocation<I>, R) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<A, Failure>> + Send + 'static,
{
    process::run(move |event: LambdaEvent<I>, resource: R| {
        let handler = handler.clone();
        async move {
            let (input, context) = event.into_parts();
            let end = process::end_of_invocation(&context);
            let invocation = Invocation {
                input,
                deadline: Deadline::of_invocation(end),
            };
            outcome(end, async move { handler(invocation, resource).await }).await
        }
    })
}

/// What an invocation that Lambda ends at `end` comes to.
async fn outcome<A>(
    end: SystemTime,
    handling: impl Future<Output = Result<A, Failure>>,
) -> Result<A, Failure> {
    let left = end
        .duration_since(SystemTime::now())
        .unwrap_or_default()
        .saturating_sub(TO_REPORT);
    match tokio::time::timeout(left, caught(Box::pin(handling))).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(Panicked)) => Err(Failure::new(Failure::PANIC, "the function panicked")),
        Err(_) => {
            let message = "the invocation's time was up before it was done";
            Err(Failure::new(Failure::TRANSIENT, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_ends_the_invocation_and_is_not_quoted() {
        let end = SystemTime::now() + Duration::from_secs(10);
        let value = "hunter2";
        let failure = outcome::<()>(end, async { panic!("it was {value}") }).await;
        let failure = failure.unwrap_err();
        assert_eq!(failure.name, "Panic");
        assert!(!format!("{failure:?}").contains(value), "{failure:?}");
    }

    #[tokio::test]
    async fn what_has_no_end_is_ended_and_may_be_tried_again() {
        let end = SystemTime::now() + TO_REPORT + Duration::from_millis(10);
        let failure = outcome::<()>(end, std::future::pending()).await;
        assert_eq!(failure.unwrap_err().name, "Transient");
    }
}
