//! The rotation of the database's login: the built function, moto's Secrets Manager, and the
//! stand-in of PlanetScale's API or a plain server. The steps are called as Secrets Manager calls
//! them. Where moto differs from it, `tests/stack/secrets.rs` says how.

mod crashes;
mod faults;
mod relay;
mod rotation;
mod steps;
mod two_users;
mod under_load;

/// The steps, in the order in which Secrets Manager calls them.
const STEPS: [&str; 4] = ["createSecret", "setSecret", "testSecret", "finishSecret"];
