//! The process of one Lambda function: its start, its logs, its deadlines and its end.
//!
//! - [`process`] runs the function from start to shutdown. `api` and [`operation`] build on it.
//! - [`operation`] serves functions that are not called over HTTP.
//! - [`settings`] reads the environment into typed settings and reports every fault at once.
//! - [`Deadline`] is when all waiting for one invocation ends. [`clock`] measures time spans across
//!   freezes.
//! - [`tls`] chooses the TLS provider, and the root certificates for each kind of server.
//! - [`aws`] configures the clients of AWS.
//! - `log` writes JSON lines to stdout.
//! - [`trace`] tells X-Ray which part of an invocation took how long.
//! - [`metrics`] counts what an invocation does, and writes its line at the end.

pub mod aws;
pub mod clock;
mod deadline;
mod log;
pub mod metrics;
pub mod operation;
pub mod process;
pub mod settings;
mod shutdown;
pub mod tls;
pub mod trace;

pub use deadline::Deadline;
pub use process::Resource;
