//! The API as its clients see it, end to end: requests in the form of API Gateway, the real
//! functions and a real server.
//!
//! Each call has a file with the name of its function. The other files are by topic: the methods of
//! each path (`methods`), repeated requests (`idempotency`), who may see what (`authorization`), how a
//! function starts and ends (`start`), broken dependencies (`faults`), what is logged (`logs`),
//! measured (`metrics`) and traced (`traces`), that the statements use their indexes (`statements`), on
//! which shards the orders are (`sharded`), the examples of the API's document (`openapi`), and
//! requests that are made from it (`generated`).
//!
//! `cargo dev test` runs them. They share one schema and one process of each function, and each
//! test uses its own customers. A test that breaks something has its own schema and processes. With
//! `--vitess` all but `generated` run on Vitess. With `--url` they run on an existing database, except
//! for `generated`, whose customers are made up, and for `faults`, `metrics`, `start` and `statements`,
//! which need more than one database.

mod authorization;
mod client;
mod create_order;
mod faults;
mod generated;
mod get_order;
mod health;
mod idempotency;
mod list_orders;
mod logs;
mod methods;
mod metrics;
mod openapi;
mod server;
mod sharded;
mod start;
mod statements;
mod traces;
mod update_order;
