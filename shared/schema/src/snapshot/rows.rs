//! The queries of `information_schema`. Each row comes as one JSON object, so that its fields have
//! names.

use std::{collections::BTreeMap, sync::Arc};

use database::{DatabaseError, Session, Statement};
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    Check, Column, ForeignKeyPart, KeyPart, Make, Partition, Snapshot, Table, View, quoted,
};

const SERVER: Statement = Statement::read("SERVER", "SELECT VERSION(), DATABASE()", "");

/// A query of all tables of the schema, and the same query of one of them.
struct Query(Statement, Statement);

macro_rules! query {
    ($file:literal) => {
        const {
            &Query(
                Statement::read($file, include_str!($file), ""),
                Statement::read(
                    $file,
                    concat!(include_str!($file), " AND t.table_name = ?"),
                    "",
                ),
            )
        }
    };
}

#[derive(Deserialize)]
struct Row<T> {
    table: String,
    #[serde(default)]
    position: u64,
    #[serde(default)]
    name: String,
    #[serde(flatten)]
    of: T,
}

#[derive(Deserialize)]
struct ViewRow {
    schema: String,
    #[serde(flatten)]
    view: View,
}

/// Whose server it is, and the name of the schema.
pub(super) async fn server(session: &mut Session<'_>) -> Result<(Make, String), DatabaseError> {
    let row: Option<(String, Option<String>)> = session.row(&SERVER, ()).await?;
    let (version, schema) = row.unwrap_or_default();
    let make = match version.contains("MariaDB") {
        true => Make::MariaDb,
        false => Make::MySql,
    };
    Ok((make, schema.unwrap_or_default()))
}

impl Snapshot {
    /// Adds every table and view, or the one with this name.
    pub(super) async fn add(
        &mut self,
        session: &mut Session<'_>,
        name: Option<&str>,
    ) -> Result<(), DatabaseError> {
        let mariadb = self.make == Make::MariaDb;
        let of_make = |mysql, of_mariadb| if mariadb { of_mariadb } else { mysql };
        let found: Vec<Row<Table>> = rows(session, query!("tables.sql"), name).await?;
        // Online schema changes leave some for a while (Vitess' documentation, "Table lifecycle").
        let found = found
            .into_iter()
            .filter(|row| !row.table.starts_with("_vt_"));
        let mut tables: BTreeMap<_, _> = found.map(|row| (row.table, row.of)).collect();

        let query = of_make(query!("columns.sql"), query!("columns_mariadb.sql"));
        let put = |table: &mut Table, name, mut of: Column| {
            // MariaDB writes the default NULL as a word.
            let is_null = mariadb && of.nullable;
            of.default = of.default.filter(|default| !is_null || default != "NULL");
            table.columns.push(Column { name, ..of });
        };
        fill(&mut tables, rows(session, query, name).await?, put);

        let is_view = |table: &Table| table.options.kind == "VIEW";
        if tables.values().any(is_view) {
            let found: Vec<Row<ViewRow>> = rows(session, query!("views.sql"), name).await?;
            for Row { table, of, .. } in found {
                let known = tables.remove(&table).unwrap_or_default();
                // MySQL says in the comment what a view misses. MariaDB gives it no columns then.
                let valid = known.options.comment == "VIEW" && !known.columns.is_empty();
                let columns = known
                    .columns
                    .into_iter()
                    .map(|column| column.name)
                    .collect();
                let schema = format!("{}.", quoted(&of.schema));
                let definition = of.view.definition.replace(&schema, "");
                let view = View {
                    definition,
                    valid,
                    columns,
                    ..of.view
                };
                self.views.insert(table, Arc::new(view));
            }
        }
        if !tables.is_empty() {
            let query = of_make(query!("keys.sql"), query!("keys_mariadb.sql"));
            let put = |table: &mut Table, name, part: KeyPart| {
                table.keys.entry(name).or_default().push(part);
            };
            fill(&mut tables, rows(session, query, name).await?, put);
            let query = of_make(query!("checks.sql"), query!("checks_mariadb.sql"));
            let put = |table: &mut Table, name, check: Check| {
                table.checks.insert(name, check);
            };
            fill(&mut tables, rows(session, query, name).await?, put);
            let put = |table: &mut Table, name, part: ForeignKeyPart| {
                table.foreign_keys.entry(name).or_default().push(part);
            };
            fill(
                &mut tables,
                rows(session, query!("foreign_keys.sql"), name).await?,
                put,
            );
            let put = |table: &mut Table, name, partition: Partition| {
                table.partitions.push(Partition { name, ..partition });
            };
            fill(
                &mut tables,
                rows(session, query!("partitions.sql"), name).await?,
                put,
            );
        }
        let tables = tables.into_iter();
        self.tables
            .extend(tables.map(|(name, table)| (name, Arc::new(table))));
        Ok(())
    }
}

/// Puts each row into its table.
fn fill<T>(
    tables: &mut BTreeMap<String, Table>,
    rows: Vec<Row<T>>,
    put: impl Fn(&mut Table, String, T),
) {
    for Row {
        table, name, of, ..
    } in rows
    {
        if let Some(table) = tables.get_mut(&table) {
            put(table, name, of);
        }
    }
}

/// The rows in the order of their positions.
async fn rows<T: DeserializeOwned>(
    session: &mut Session<'_>,
    Query(all, one): &Query,
    name: Option<&str>,
) -> Result<Vec<Row<T>>, DatabaseError> {
    let rows: Vec<String> = match name {
        None => session.rows(all, ()).await?,
        Some(name) => session.rows(one, (name,)).await?,
    };
    let rows: Result<Vec<Row<T>>, _> = rows.iter().map(|row| serde_json::from_str(row)).collect();
    let mut rows = rows.map_err(|error| {
        tracing::error!(%error, "a row of information_schema has an unexpected shape");
        DatabaseError::Refused
    })?;
    rows.sort_by_key(|row| row.position);
    Ok(rows)
}
