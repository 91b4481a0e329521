//! Functions that operate the database. A state machine, a schedule or Secrets Manager calls them,
//! not HTTP.
//!
//! The `main` of such a function calls only [`serve`]. An error becomes an error of the function,
//! and a state machine decides by its [name](Failure::new) what to do.

use std::{
    fmt,
    process::ExitCode,
    time::{Duration, SystemTime},
};

use lambda_runtime::{Diagnostic, LambdaEvent};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Deadline, Resource,
    process::{self, Panicked, catch_panic},
};

/// The time at the end of an invocation that is reserved to report that the handler was stopped.
const REPORTING_TIME: Duration = Duration::from_millis(100);

/// One call of an operation.
#[derive(Debug)]
pub struct Invocation<I> {
    /// The input of the call.
    pub input: I,
    /// When the answer must be ready.
    pub deadline: Deadline,
}

/// Why an operation did not succeed.
pub struct Failure {
    name: String,
    message: String,
}

impl Failure {
    /// The name of a failure that passes by itself. The same call may succeed later.
    pub const TRANSIENT: &'static str = "Transient";

    /// The name of a panic of the handler. The log says where it was. Its message is not passed on.
    pub const PANIC: &'static str = "Panic";

    /// A state machine matches `name` (`ErrorEquals`). `message` is for people. Neither may contain
    /// a secret, because both are logged and kept in the history of an execution.
    pub fn new(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            name: name.into(),
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
            error_type: name,
            error_message: message,
        }
    }
}

/// Runs an operation until Lambda ends the process. `handler` answers its calls and gets the
/// resource that it needs.
///
/// If the settings are wrong or Lambda did not start the process, it fails at start, with one log
/// line that names every fault.
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

/// The outcome of an invocation that Lambda ends at `end`.
async fn outcome<A>(
    end: SystemTime,
    handling: impl Future<Output = Result<A, Failure>>,
) -> Result<A, Failure> {
    let left = end
        .duration_since(SystemTime::now())
        .unwrap_or_default()
        .saturating_sub(REPORTING_TIME);
    match tokio::time::timeout(left, catch_panic(Box::pin(handling))).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(Panicked)) => Err(Failure::new(Failure::PANIC, "the function panicked")),
        Err(_) => {
            let message = "the invocation ran out of time before it was done";
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
    async fn a_handler_that_does_not_end_is_stopped_as_transient() {
        let end = SystemTime::now() + REPORTING_TIME + Duration::from_millis(10);
        let failure = outcome::<()>(end, std::future::pending()).await;
        assert_eq!(failure.unwrap_err().name, "Transient");
    }
}
