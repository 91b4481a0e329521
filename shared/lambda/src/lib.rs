//! One Lambda function's process: how it starts, what it logs, when it must answer, how it ends.
//!
//! - [`process`] runs the function from start to shutdown. `api` and [`operation`] build on it.
//! - [`operation`] serves functions that are not called over HTTP.
//! - [`settings`] reads the environment into typed settings, and names every fault at once.
//! - [`Deadline`] is the end of all waiting for one invocation, [`clock`] the time that a freeze
//!   cannot hide.
//! - [`tls`] chooses the provider of TLS and the roots that each kind of server is trusted by.
//!
//! - [`log`] writes JSON lines on stdout.

pub mod clock;
mod deadline;
pub mod log;
pub mod operation;
pub mod process;
pub mod settings;
pub mod tls;

pub use deadline::Deadline;
pub use process::Resource;
