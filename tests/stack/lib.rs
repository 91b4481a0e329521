//! The local stack: a MySQL-compatible server with TLS, a Secrets Manager, and the functions
//! as `template.yaml` declares them.
//!
//! [`dev`] starts and stops it, for `cargo dev` and `cargo dev test`. Tests use the one that runs
//! through [`Stack`]:
//!
//! ```no_run
//! # async fn example() -> Result<(), stack::StackError> {
//! let stack = stack::Stack::from_env()?;
//! let database = stack.fresh_database().await?;
//! let program = stack.binary("get-order");
//! let environment = database.environment("get-order")?;
//! # Ok(()) }
//! ```
//!
//! Every [`FreshDatabase`] is a schema of its own with its own user and secret, so tests run
//! beside each other.

// The bodies of the control plane have that many members.
#![recursion_limit = "256"]

mod access;
pub mod control_plane;
mod database;
pub mod dev;
mod environment;
pub mod event;
mod file;
pub mod function;
pub mod lint;
mod mark;
pub mod migrate;
mod migrations;
mod outlasting;
mod process;
mod progress;
pub mod proxy;
mod running;
mod sample;
mod secrets;
mod server;
pub mod states;
mod template;
mod tls;
mod tools;
mod vitess;
pub mod vtgate;
mod watch;

use std::env;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

pub use database::FreshDatabase;
pub use process::free_port;
pub use running::{Stack, StackError};
pub use server::PrivateServer;
pub use template::{Function, Route, Template, TemplateError, Value};
pub use vitess::{Vitess, VitessError};

/// The top of this checkout, as cargo says it to what it runs: what it said to the compiler stays
/// the same where the checkout is renamed or copied.
pub fn root() -> &'static Path {
    static PACKAGE: LazyLock<PathBuf> = LazyLock::new(|| {
        env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from)
    });
    PACKAGE.parent().unwrap_or(&PACKAGE)
}

/// A client for calls to this machine, which take no proxy. It has a provider for TLS, which reqwest
/// wants though no call uses it.
pub fn http_client() -> reqwest::Client {
    // It fails where one was chosen before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build();
    client.unwrap_or_default()
}
