//! The migrations: their files, which of them a database has, and the rules that they must keep.
//!
//! - [`Migrations`] are the files `shared/migrations/NNNN_name.sql`, compiled in or read from a
//!   folder. Each is split into its [`Statement`]s. [`FilesError`] names a file that is no migration.
//! - [`ledger`] is the table that records which of them a database has. [`LedgerError`] means that
//!   the files contradict the ledger or the plan, and a person has to look at it.
//! - [`Plan`] is what a deployment is to do.
//! - [`Snapshot`] is what a schema is at a moment, read from its server. A [`Fingerprint`] tells one
//!   from another.
//! - [`read`] judges the text: it finds statements that do not belong in a migration. [`check`] runs
//!   the migrations and judges what they did: it finds what would fail in production, lose data or
//!   break running code.

mod allowance;
mod check;
mod conversion;
mod difference;
mod files;
mod fingerprint;
pub mod ledger;
mod plan;
mod rule;
mod rules;
pub mod settings;
mod snapshot;
mod split;
mod words;

pub use check::{Finding, Options, check, read};
pub use files::{FilesError, Migration, MigrationId, Migrations};
pub use fingerprint::Fingerprint;
pub use ledger::{Ledger, LedgerError};
pub use plan::Plan;
pub use rule::{Rule, Severity};
pub use snapshot::{Make, Snapshot};
pub use split::Statement;
