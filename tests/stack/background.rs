//! What outlasts the test that happens to start it, and with it the runtime of that test, lives on a
//! runtime of its own.

use std::io;

use once_cell::sync::OnceCell;
use tokio::runtime::Runtime;

/// The runtime of the Runtime APIs and of the stand-ins of vtgate that tests share.
pub fn runtime() -> io::Result<&'static Runtime> {
    static RUNTIME: OnceCell<Runtime> = OnceCell::new();
    RUNTIME.get_or_try_init(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
    })
}
