//! The unique keys of a schema, and which of them identify rows.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};

/// A unique key.
pub struct UniqueKey {
    pub table: String,
    pub columns: Vec<String>,
    /// Whether it has a column that can be NULL, or an expression.
    pub can_be_null: bool,
    /// Whether it has only the beginning of a column.
    pub is_partial: bool,
    /// Whether it has a column of unlimited length.
    pub has_blob: bool,
}

impl UniqueKey {
    /// Whether Vitess can use it to find the same row in two copies of the table (PlanetScale's
    /// docs, Changing unique keys).
    pub fn identifies_rows(&self) -> bool {
        !self.can_be_null && !self.is_partial && !self.has_blob
    }

    /// All unique keys of a schema, the primary key of each table first.
    pub async fn read(connection: &mut Conn, schema: &str) -> Result<Vec<Self>, Error> {
        let query = r"
            SELECT part.table_name,
                GROUP_CONCAT(part.column_name ORDER BY part.seq_in_index SEPARATOR '\n'),
                MAX(definition.is_nullable IS NULL OR definition.is_nullable = 'YES') > 0,
                MAX(part.sub_part IS NOT NULL) > 0,
                MAX(COALESCE(definition.data_type, '') REGEXP '(text|blob|json)$') > 0
            FROM information_schema.statistics AS part
            LEFT JOIN information_schema.columns AS definition
                ON definition.table_schema = part.table_schema
                AND definition.table_name = part.table_name
                AND definition.column_name = part.column_name
            WHERE part.table_schema = ? AND part.non_unique = 0
            GROUP BY part.table_name, part.index_name
            ORDER BY part.table_name, part.index_name <> 'PRIMARY', part.index_name";
        let rows: Vec<(String, Option<String>, bool, bool, bool)> =
            connection.exec(query, (schema,)).await?;
        let keys = rows.into_iter().map(|row| {
            let (table, columns, can_be_null, is_partial, has_blob) = row;
            let columns = columns.unwrap_or_default();
            Self {
                table,
                columns: columns.lines().map(str::to_owned).collect(),
                can_be_null,
                is_partial,
                has_blob,
            }
        });
        Ok(keys.collect())
    }

    /// The columns that identify the rows of a table, if there are any.
    pub async fn row_identity(
        connection: &mut Conn,
        schema: &str,
        table: &str,
    ) -> Result<Vec<String>, Error> {
        let keys = Self::read(connection, schema).await?;
        let key = keys
            .into_iter()
            .find(|key| key.table == table && key.identifies_rows());
        Ok(key.map(|key| key.columns).unwrap_or_default())
    }
}
