//! What answers in place of a service that cannot run on one machine, each with its own tests.
//! `tests/README.md` says what each is true to.

pub mod api_gateway;
pub mod control_plane;
pub mod lambda;
pub mod step_functions;
pub mod vtgate;
