//! The pool is proven: freeze, faults, rotation and concurrency, through the functions' own
//! programs, with the proxy of faults between them and the server, or the stand-in of vtgate.
//!
//! `frozen` and `midway` hold what befalls connections between invocations and within them,
//! `outage` what befalls the whole server, at both times; `vitess` every error of Vitess, `soak`
//! all of it at random; `silence` holds flows that go silent; `bound`, `cancelled`, `clock`, `round_trips`, `secret` and `shutdown` what
//! their names say.
//!
//! `cargo dev test` runs them.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what the tests share fails as they do: with a panic that says why"
)]

mod bound;
mod cancelled;
mod clock;
mod errand;
mod frozen;
mod function_under_test;
mod midway;
mod outage;
mod round_trips;
mod secret;
mod shutdown;
mod silence;
mod soak;
mod vitess;
mod vitess_limits;
