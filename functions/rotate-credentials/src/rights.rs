//! What a password's user may do, as the server itself says. Nothing is changed.

use database::{DefinitionError, Session, Statement};
use planetscale::{Password, Role};

use crate::error::{Result, RotationError};

/// Any table. Those that Vitess keeps for itself are left out.
const A_TABLE: Statement = Statement::read(
    "A_TABLE",
    "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() \
     AND table_type = 'BASE TABLE' AND table_name NOT LIKE '!_vt!_%' ESCAPE '!' \
     ORDER BY table_name LIMIT 1",
    "",
);

/// Reads and writes as the role should allow, and tries what it should refuse. A write that no row
/// matches needs the right to write all the same. A database without tables shows nothing, and a
/// replica takes no write from anybody.
pub async fn prove(session: &mut Session<'_>, password: &Password) -> Result<()> {
    let role = &password.role;
    let (may_read, may_write) = match role {
        Role::Reader => (true, false),
        Role::Writer => (false, true),
        Role::ReadWriter | Role::Admin => (true, true),
        // PlanetScale may add roles.
        Role::Other(_) => return Ok(()),
    };
    let Some(table) = session.row::<String>(&A_TABLE, ()).await? else {
        return Ok(());
    };
    let table = format!("`{}`", table.replace('`', "``"));
    let read = ("read", format!("SELECT 1 FROM {table} LIMIT 1"), may_read);
    let write = format!("DELETE FROM {table} WHERE FALSE");
    let write = (!password.connecting.replica).then_some(("write", write, may_write));
    for (what, statement, may) in std::iter::once(read).chain(write) {
        match (session.define(&statement).await, may) {
            (Ok(()), true) => {}
            (Ok(()), false) => {
                return Err(RotationError::Rights(format!(
                    "with the role `{role}`, it should not be allowed to {what}"
                )));
            }
            // MySQL, MariaDB and Vitess all say `… command denied to user …`.
            (Err(DefinitionError::Refused { words, .. }), false) if words.contains("denied") => {}
            (Err(error), _) => return Err(RotationError::of_statement("to read or write")(error)),
        }
    }
    Ok(())
}
