//! Tests of the stand-in for PlanetScale's control plane, over HTTP and MySQL.

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
