//! Why a function did not answer.

use std::io;
use std::path::PathBuf;

use super::Exit;

/// Why there is no answer. `Debug` gives the same text, for `unwrap`.
#[derive(thiserror::Error)]
pub enum FunctionError {
    /// The program could not be started.
    #[error("{program:?} does not start ({error}): `cargo build --workspace` builds it")]
    NoProgram {
        /// Its path.
        program: PathBuf,
        /// The error of the system.
        error: io::Error,
    },
    /// The process ended too early.
    #[error("{function} ended with {}; it wrote:\n{}", exit.status, exit.output)]
    Ended {
        /// The function's name.
        function: String,
        /// How it ended.
        exit: Exit,
    },
    /// The function did not answer in time.
    #[error("{function} does not answer; it wrote:\n{output}")]
    Silent {
        /// The function's name.
        function: String,
        /// What it wrote.
        output: String,
    },
    /// The function reported an error to Lambda, or its response is not an HTTP response.
    #[error("{function} failed an invocation: {error}; it wrote:\n{output}")]
    Failed {
        /// The function's name.
        function: String,
        /// The error that it reported, or what is wrong with the response.
        error: String,
        /// What it wrote.
        output: String,
    },
    /// The Runtime API could not be started.
    #[error("no Runtime API: {0}")]
    RuntimeApi(#[from] lambda_simulator::SimulatorError),
    /// A file or a process could not be used.
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl std::fmt::Debug for FunctionError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}
