//! The API as its clients see it, end to end: requests as API Gateway sends them, the real
//! functions, a real server.
//!
//! One file for each call, named as its function. The rest by concern: what is sent twice
//! (`idempotency`), who may see what (`authorisation`), what a start needs (`start`), what
//! happens when something behind is broken (`faults`), what is logged (`logs`), and that the
//! statements use their indexes (`statements`).
//!
//! `cargo dev test` runs them. All share one schema and one process of each function, and keep
//! apart by customers of their own; a test that breaks something has its own of everything. With
//! `--vitess` all of them end at Vitess; with `--url` those run on a database that is
//! there already which need no more than one, which are all but `faults`, `start` and `statements`.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what the tests share fails as they do: with a panic that says why"
)]

mod authorisation;
mod client;
mod create_order;
mod faults;
mod get_order;
mod health;
mod idempotency;
mod list_orders;
mod logs;
mod server;
mod start;
mod statements;
mod update_order;
