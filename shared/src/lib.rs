//! What every function stands on: connections to the database that survive Lambda, the
//! orders domain, the HTTP API, the schema's migrations, and logs.
//!
//! Modules know each other downward only: `api`, `orders`, `migrations` and `telemetry` may use
//! `database`, which may use `credentials` and `config`, as may `planetscale`; never the other
//! way, and never sideways. `clock` and `vitess` use none.

pub mod api;
pub mod clock;
pub mod config;
pub mod credentials;
pub mod database;
mod deadline;
mod function;
pub mod migrations;
pub mod operation;
pub mod orders;
pub mod planetscale;
mod telemetry;
pub mod vitess;
