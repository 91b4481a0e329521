//! The control plane of the local stack, driven as PlanetScale's API is, and the schemas behind it.

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
mod fresh_control_plane;
mod functions_client;
mod go_library;
mod insights;
mod passwords;
mod recovery;
mod schema_lint;
mod tools;
