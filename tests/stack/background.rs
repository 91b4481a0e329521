//! A runtime for what tests share. Each test has a runtime of its own, which ends with the test, so
//! anything that must outlive the test that starts it runs here.

use std::io;

use once_cell::sync::OnceCell;
use tokio::runtime::Runtime;

/// The runtime, started on first use.
pub fn runtime() -> io::Result<&'static Runtime> {
    static RUNTIME: OnceCell<Runtime> = OnceCell::new();
    RUNTIME.get_or_try_init(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
    })
}
