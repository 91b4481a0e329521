//! Tests of the connection pool: freezes, faults, rotated passwords and concurrency. They run the
//! functions' own programs, with the fault proxy between them and the server or the stand-in of
//! vtgate.
//!
//! * `frozen`: faults of connections between two invocations.
//! * `during_invocation`: faults of connections in the middle of an invocation.
//! * `outage`: faults of the whole server, between invocations and in the middle of one.
//! * `silence`: flows that go silent right after they were used.
//! * `soak`: all of these at random.
//! * `vitess`: every error of Vitess. `vitess_limits`: the limits of its tablets.
//! * `bound`: many invocations share few connections. `cancelled`: what was given up leaks nothing.
//! * `clock`: ages by the wall clock. `round_trips`: what goes over the wire. `secret`: Secrets
//!   Manager. `shutdown`: the end of a function.
//!
//! `cargo dev test` runs them.

mod bound;
mod cancelled;
mod clock;
mod direct;
mod during_invocation;
mod frozen;
mod function_under_test;
mod outage;
mod request;
mod round_trips;
mod secret;
mod shutdown;
mod silence;
mod soak;
mod vitess;
mod vitess_limits;
