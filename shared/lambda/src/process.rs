//! The process of one Lambda function, from start to shutdown, for any kind of event.

use std::{
    fmt::Debug,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    process::ExitCode,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant, SystemTime},
};

use lambda_runtime::{Context, Diagnostic, LambdaEvent, Runtime, service_fn};
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::timeout;

use crate::{
    log, metrics,
    settings::Faults,
    shutdown, tls,
    trace::{self, Trace},
};

/// The variables without which lambda_runtime panics.
const SET_BY_LAMBDA: [&str; 4] = [
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_RUNTIME_API",
];

/// How many invocations Lambda sends to this process at once. It is set only on Lambda Managed
/// Instances.
const MAX_CONCURRENCY: &str = "AWS_LAMBDA_MAX_CONCURRENCY";

/// Lambda kills the process 500 ms after SIGTERM, or 300 ms if there is an external extension
/// (aws-samples, graceful-shutdown-with-aws-lambda).
const CLOSE_LIMIT: Duration = Duration::from_millis(250);

/// Lambda's longest timeout.
const LONGEST_INVOCATION: Duration = Duration::from_secs(15 * 60);

/// What a function keeps for the life of its process, such as a connection pool or a client.
///
/// `()` is for a function that keeps nothing. A pair is for a function that keeps two resources.
pub trait Resource: Copy + Send + Sync + 'static {
    /// Creates it from the environment. It does not connect yet.
    ///
    /// # Errors
    ///
    /// [`Faults`] with every variable that is missing or wrong.
    fn from_env() -> Result<Self, Faults>;

    /// Prepares for the first event while Lambda does not throttle the CPU. A failure is logged,
    /// and the first invocation tries again.
    fn warm_up(self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }

    /// Closes what is open before the process ends.
    fn close(self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
}

impl Resource for () {
    fn from_env() -> Result<Self, Faults> {
        Ok(())
    }
}

impl<A: Resource, B: Resource> Resource for (A, B) {
    fn from_env() -> Result<Self, Faults> {
        match (A::from_env(), B::from_env()) {
            (Ok(first), Ok(second)) => Ok((first, second)),
            (Err(faults), Err(others)) => Err(faults.and(others)),
            (Err(faults), Ok(_)) | (Ok(_), Err(faults)) => Err(faults),
        }
    }

    async fn warm_up(self) {
        tokio::join!(self.0.warm_up(), self.1.warm_up());
    }

    async fn close(self) {
        tokio::join!(self.0.close(), self.1.close());
    }
}

/// Runs the function until Lambda ends the process. It sets up logs and TLS, creates the resource
/// from the environment and warms it up. It passes every event to `handler`, and writes the
/// invocation's [metrics]. On SIGTERM it closes the resource.
///
/// It serves one event at a time on one thread, unless Lambda sends several at once.
///
/// It fails with one log line that names everything that is wrong, if the settings are wrong or
/// Lambda did not start the process. It also fails if the Runtime API is lost.
pub fn run<R, E, A, F, H, Fut>(handler: H) -> ExitCode
where
    R: Resource,
    E: DeserializeOwned + Send + 'static,
    A: Serialize + Send + 'static,
    F: Into<Diagnostic> + Debug + Send + 'static,
    H: Fn(LambdaEvent<E>, R) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Result<A, F>> + Send + 'static,
{
    let start = Instant::now();
    log::init();
    tls::install_provider();
    let (metrics, resource) = match <(&metrics::Settings, R)>::from_env() {
        Ok(resources) => resources,
        Err(faults) => {
            tracing::error!("the function can't start: {faults}");
            return ExitCode::FAILURE;
        }
    };
    let missing: Vec<_> = SET_BY_LAMBDA
        .into_iter()
        .filter(|name| std::env::var_os(name).is_none())
        .collect();
    if !missing.is_empty() {
        tracing::error!(
            "not started by Lambda: {} not set; on a laptop, `cargo lambda watch` starts functions",
            missing.join(", ")
        );
        return ExitCode::FAILURE;
    }
    let runtime = match tokio_runtime() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "the function can't start: no tokio runtime");
            return ExitCode::FAILURE;
        }
    };
    let serve = async {
        // Asking for the first event ends Lambda's init phase, so the registration comes before.
        let warm_up = async {
            tokio::join!(resource.warm_up(), shutdown::register_for_signal());
        };
        metrics::of_warm_up(start, warm_up).await;
        let service = service_fn(move |event: LambdaEvent<E>| {
            let invocation = Arc::new(log::Invocation::new(&event.context));
            let handler = handler.clone();
            let trace = event
                .context
                .xray_trace_id
                .as_deref()
                .and_then(Trace::parse);
            // What the handler does before it returns a future belongs to the invocation too. The
            // future is boxed, because the layers around it and lambda_runtime move it a dozen times.
            let work = Box::pin(async move { handler(event, resource).await });
            let work = trace::of_invocation(trace, work);
            let message = |outcome: &Result<A, F>| match outcome {
                Ok(_) => "answered",
                Err(_) => "failed",
            };
            let measured = metrics::of_invocation(Arc::clone(&invocation), metrics, work, message);
            log::within(invocation, measured)
        });
        Runtime::new(service).run_concurrent().await
    };
    let exit = runtime.block_on(async {
        tokio::select! {
            outcome = serve => {
                if let Err(error) = outcome {
                    tracing::error!(%error, "the Runtime API is lost");
                }
                ExitCode::FAILURE
            }
            () = shutdown::signal() => {
                if timeout(CLOSE_LIMIT, resource.close()).await.is_err() {
                    tracing::warn!("not all connections closed in time");
                }
                ExitCode::SUCCESS
            }
        }
    });
    // Does not wait for work on blocking threads.
    runtime.shutdown_background();
    exit
}

/// The future panicked. The panic hook has logged where.
pub struct Panicked;

/// Returns [`Panicked`] if `future` panics. So the execution environment lives on, and the message
/// of the panic, which may contain a value, is not passed on.
pub async fn catch_panic<F: Future>(mut future: Pin<Box<F>>) -> Result<F::Output, Panicked> {
    std::future::poll_fn(|context| {
        // Only the database outlives a panic, and it trusts no connection that was in use.
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(poll) => poll.map(Ok),
            Err(_) => Poll::Ready(Err(Panicked)),
        }
    })
    .await
}

/// When Lambda ends the invocation.
///
/// Lambda sends a time in milliseconds since 1970. cargo-lambda's emulator sends a duration instead
/// (600 000 ms; cargo-lambda-watch 1.9.2, functions_router.rs). No real deadline is that small, so
/// the two can be told apart.
pub fn end_of_invocation(context: &Context) -> SystemTime {
    let deadline = Duration::from_millis(context.deadline);
    if deadline <= LONGEST_INVOCATION {
        SystemTime::now() + deadline
    } else {
        context.deadline()
    }
}

fn tokio_runtime() -> std::io::Result<tokio::runtime::Runtime> {
    let many_at_once = std::env::var(MAX_CONCURRENCY)
        .ok()
        .and_then(|setting| setting.trim().parse().ok())
        .is_some_and(|limit: u32| limit > 1);
    let mut builder = if many_at_once {
        tokio::runtime::Builder::new_multi_thread()
    } else {
        tokio::runtime::Builder::new_current_thread()
    };
    builder.enable_all().build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_that_is_a_time_stays_unchanged() {
        let mut context = Context::default();
        context.deadline = 1_795_348_800_000;
        assert_eq!(end_of_invocation(&context), context.deadline());
    }

    #[test]
    fn a_deadline_that_is_a_duration_counts_from_now() {
        let mut context = Context::default();
        context.deadline = 600_000;
        let before = SystemTime::now();
        let end = end_of_invocation(&context);
        assert!(end >= before + Duration::from_secs(600));
        assert!(end <= SystemTime::now() + Duration::from_secs(600));
    }
}
