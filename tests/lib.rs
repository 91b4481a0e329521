//! `cargo dev` ([`cargo_dev`]), the local stack that it starts ([`stack`]), a real Vitess
//! ([`vitess`]), and the [`stand_ins`] for what cannot run on one machine. [`proxy`] makes the
//! faults of a network, and [`openapi`] holds calls against the API's document. The suites of tests are
//! in `suites/` and beside the stand-ins.

#![warn(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]
// The bodies of the control plane have that many members.
#![recursion_limit = "256"]

pub mod cargo_dev;
pub mod openapi;
pub mod proxy;
pub mod stack;
pub mod stand_ins;
pub mod vitess;

use std::env;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use tokio::time::{sleep, timeout};

/// The top of this checkout, as cargo says it to what it runs: what it said to the compiler stays
/// the same where the checkout is renamed or copied.
pub fn root() -> &'static Path {
    static PACKAGE: LazyLock<PathBuf> = LazyLock::new(|| {
        env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from)
    });
    PACKAGE.parent().unwrap_or(&PACKAGE)
}

/// Looks until there is a result. `what` says what is waited for.
///
/// # Panics
///
/// There is none after a minute, which is long enough for a slow machine.
#[expect(clippy::panic, reason = "it fails as the tests do")]
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(seen) = look().await {
                return seen;
            }
            sleep(Duration::from_millis(10)).await;
        }
    };
    let seen = timeout(Duration::from_secs(60), looking).await;
    seen.unwrap_or_else(|_| panic!("it never happened: {what}"))
}

/// Waits until a condition holds, like [`eventually`].
///
/// # Panics
///
/// It does not hold after a minute.
pub async fn eventually_holds(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    eventually(what, async || condition().await.then_some(())).await;
}

/// Prints why a test is skipped. The test runner would hide it on standard output.
pub fn skipped(why: &str) {
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}

/// A client for calls to this machine, which take no proxy. It has a provider for TLS, which reqwest
/// wants though no call uses it.
pub fn http_client() -> reqwest::Client {
    // It fails where one was chosen before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build();
    client.unwrap_or_default()
}
