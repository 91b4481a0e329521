//! Tests of the stand-in for PlanetScale's control plane, over HTTP and MySQL.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what the tests share fails as they do: with a panic that says why"
)]

mod api;
mod backups;
mod branches;
mod constraint_names;
mod contract;
mod deploy_requests;
mod differences;
mod go_library;
mod insights;
mod online;
mod passwords;
mod prometheus;
mod recovery;
mod schema_lint;
mod tools;
