//! What a table has, to be held against what migrations make of it.

use std::collections::BTreeSet;

use database::{DatabaseError, Session, Statement};

use crate::{
    ddl::{Ddl, Definition},
    statement,
};

use super::table::key_name;

const COLUMNS: Statement = Statement::read(
    "SELECT column_name FROM information_schema.columns \
     WHERE table_schema = DATABASE() AND table_name = ?",
    "",
);

const KEYS: Statement = Statement::read(
    "SELECT DISTINCT index_name FROM information_schema.statistics \
     WHERE table_schema = DATABASE() AND table_name = ?",
    "",
);

/// The names of the columns and the keys of a table that is there, in lower case; nothing more of a
/// view, and of a table whose statement is not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape(pub(super) Option<Names>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) columns: BTreeSet<String>,
    pub(super) keys: BTreeSet<String>,
}

impl Shape {
    /// That of the table or view which this statement creates.
    pub fn of(sql: &str) -> Self {
        Self(definition(sql).map(|definition| Names {
            columns: lower(definition.columns.into_iter().map(|column| column.name)),
            keys: definition.keys.iter().filter_map(key_name).collect(),
        }))
    }

    /// That of a table or view of the session's database, if it is there.
    ///
    /// # Errors
    ///
    /// See [`DatabaseError`].
    pub async fn read(
        session: &mut Session<'_>,
        table: &str,
    ) -> Result<Option<Self>, DatabaseError> {
        let columns: Vec<String> = session.rows(&COLUMNS, (table,)).await?;
        if columns.is_empty() {
            return Ok(None);
        }
        let keys: Vec<String> = session.rows(&KEYS, (table,)).await?;
        Ok(Some(Self(Some(Names {
            columns: lower(columns.into_iter()),
            keys: lower(keys.into_iter()),
        }))))
    }
}

fn lower(names: impl Iterator<Item = String>) -> BTreeSet<String> {
    names.map(|name| name.to_lowercase()).collect()
}

/// What a statement that creates a table says, where it is understood.
pub(super) fn definition(sql: &str) -> Option<Definition> {
    match Ddl::read(statement::split(sql).first()?) {
        Ddl::CreateTable(table) if table.copied.is_none() => Some(table.definition),
        _ => None,
    }
}
