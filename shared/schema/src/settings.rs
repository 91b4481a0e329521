//! What the environment says about migrations.

use std::path::PathBuf;

use lambda::settings::Variable;

/// Every variable about migrations that a function reads.
pub const VARIABLES: &[Variable] = &[Variable {
    name: "MIGRATIONS_FOLDER",
    default: "",
    local: true,
    meaning: "folder of the migrations, in place of those that are compiled in",
}];

/// The folder of the migrations to take in place of those that are compiled in.
pub fn migrations_folder() -> Option<PathBuf> {
    let folder = std::env::var_os("MIGRATIONS_FOLDER")?;
    (!folder.is_empty()).then(|| folder.into())
}
