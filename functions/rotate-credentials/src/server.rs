//! Whose logins are rotated.

use lambda::{Resource, settings::Faults};
use planetscale::PlanetScale;

/// The names by which PlanetScale knows the database. They are set together.
const NAMES: [&str; 2] = ["PLANETSCALE_ORGANIZATION", "PLANETSCALE_DATABASE"];

/// The server that the secret is for.
#[derive(Debug, Clone, Copy)]
pub enum Server {
    /// A database on PlanetScale, whose API makes the passwords.
    PlanetScale(&'static PlanetScale),
    /// Any other MySQL or MariaDB, where two users take turns.
    Other,
}

impl Resource for Server {
    fn from_env() -> Result<Self, Faults> {
        let is_set = |name| std::env::var(name).is_ok_and(|value| !value.trim().is_empty());
        match NAMES.into_iter().any(is_set) {
            true => PlanetScale::shared().map(Self::PlanetScale),
            false => Ok(Self::Other),
        }
    }
}
