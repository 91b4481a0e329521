//! What PlanetScale would refuse, or would lose data by, before it gets there.
//!
//! The rules follow PlanetScale's docs: "Schema lint errors", "MySQL compatibility", "Changing
//! unique keys" and "Handling table and column renames". Those about names (what is there
//! already, what is not there) follow from the files themselves, which are read from the first
//! one on.

mod rule;

pub use rule::{Rule, Severity};
