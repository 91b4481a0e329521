//! The queries of `information_schema`. Each row comes as one JSON object, so that its fields have
//! names.

use std::collections::BTreeMap;

use serde::{Deserialize, de::DeserializeOwned};

use database::{DatabaseError, Session, Statement};

use super::{
    Check, Column, ForeignKey, Key, KeyPart, KeyPartOf, Make, Partitioning, Table, View, yes,
};

/// A query of all tables of the schema, and the same query of one table.
struct Query {
    all: Statement,
    one: Statement,
}

macro_rules! query {
    ($($sql:literal)+) => {
        Query {
            all: Statement::read(concat!($($sql),+), ""),
            one: Statement::read(concat!($($sql,)+ " AND t.table_name = ?"), ""),
        }
    };
}

const VERSION: Statement = Statement::read("SELECT VERSION()", "");

const TABLES: Query = query!(
    "SELECT JSON_OBJECT('table', t.table_name, 'kind', t.table_type,
       'engine', COALESCE(t.engine, ''), 'collation', COALESCE(t.table_collation, ''),
       'options', TRIM(REPLACE(COALESCE(t.create_options, ''), 'partitioned', '')),
       'comment', t.table_comment)
     FROM information_schema.tables t WHERE t.table_schema = DATABASE()"
);

macro_rules! columns {
    ($srs:literal) => {
        query!(
            "SELECT JSON_OBJECT('table', t.table_name, 'position', t.ordinal_position,
               'name', t.column_name, 'data_type', t.column_type, 'nullable', t.is_nullable,
               'default', t.column_default, 'extra', t.extra, 'charset', t.character_set_name,
               'collation', t.collation_name, 'comment', t.column_comment,
               'expression', NULLIF(t.generation_expression, ''), 'srs', "
            $srs
            ") FROM information_schema.columns t WHERE t.table_schema = DATABASE()"
        )
    };
}

const COLUMNS: Query = columns!("t.srs_id");
const MARIADB_COLUMNS: Query = columns!("NULL");

macro_rules! keys {
    ($expression:literal, $visible:literal) => {
        query!(
            "SELECT JSON_OBJECT('table', t.table_name, 'position', t.seq_in_index,
               'name', t.index_name, 'non_unique', t.non_unique, 'kind', t.index_type,
               'column', t.column_name, 'length', t.sub_part, 'order', t.collation,
               'comment', t.index_comment, 'expression', "
            $expression ", 'visible', " $visible
            ") FROM information_schema.statistics t WHERE t.table_schema = DATABASE()"
        )
    };
}

const KEYS: Query = keys!("t.expression", "t.is_visible");
const MARIADB_KEYS: Query = keys!("NULL", "IF(t.ignored = 'YES', 'NO', 'YES')");

const CHECKS: Query = query!(
    "SELECT JSON_OBJECT('table', t.table_name, 'name', c.constraint_name,
       'clause', c.check_clause, 'enforced', t.enforced)
     FROM information_schema.table_constraints t
     JOIN information_schema.check_constraints c
       ON c.constraint_schema = t.constraint_schema AND c.constraint_name = t.constraint_name
     WHERE t.table_schema = DATABASE() AND t.constraint_type = 'CHECK'"
);

const MARIADB_CHECKS: Query = query!(
    "SELECT JSON_OBJECT('table', t.table_name, 'name', t.constraint_name,
       'clause', t.check_clause, 'enforced', 'YES')
     FROM information_schema.check_constraints t WHERE t.constraint_schema = DATABASE()"
);

const FOREIGN_KEYS: Query = query!(
    "SELECT JSON_OBJECT('table', t.table_name, 'position', t.ordinal_position,
       'name', t.constraint_name, 'column', t.column_name, 'other_schema',
       IF(t.referenced_table_schema = t.table_schema, NULL, t.referenced_table_schema),
       'referenced_table', t.referenced_table_name, 'referenced_column', t.referenced_column_name,
       'on_update', r.update_rule, 'on_delete', r.delete_rule)
     FROM information_schema.key_column_usage t
     JOIN information_schema.referential_constraints r
       ON r.constraint_schema = t.constraint_schema AND r.constraint_name = t.constraint_name
         AND r.table_name = t.table_name
     WHERE t.table_schema = DATABASE() AND t.referenced_table_name IS NOT NULL"
);

const PARTITIONS: Query = query!(
    "SELECT JSON_OBJECT('table', t.table_name, 'position', t.partition_ordinal_position,
       'name', CONCAT_WS(' ', t.partition_name, t.subpartition_name),
       'sub_position', t.subpartition_ordinal_position, 'method', t.partition_method,
       'sub_method', t.subpartition_method, 'expression', t.partition_expression,
       'sub_expression', t.subpartition_expression, 'description', t.partition_description)
     FROM information_schema.partitions t
     WHERE t.table_schema = DATABASE() AND t.partition_name IS NOT NULL"
);

const VIEWS: Query = query!(
    "SELECT JSON_OBJECT('table', t.table_name, 'schema', t.table_schema,
       'definition', t.view_definition, 'check_option', t.check_option,
       'security', t.security_type)
     FROM information_schema.views t WHERE t.table_schema = DATABASE()"
);

/// What every row has, whatever else is in it.
#[derive(Deserialize)]
struct Row<T> {
    table: String,
    #[serde(default)]
    position: u32,
    #[serde(flatten)]
    of: T,
}

#[derive(Deserialize)]
struct CheckRow {
    name: String,
    #[serde(flatten)]
    check: Check,
}

#[derive(Deserialize)]
struct KeyRow {
    name: String,
    non_unique: u8,
    kind: String,
    column: Option<String>,
    expression: Option<String>,
    length: Option<u64>,
    order: Option<String>,
    #[serde(deserialize_with = "yes")]
    visible: bool,
    comment: String,
}

#[derive(Deserialize)]
struct ForeignKeyRow {
    name: String,
    column: String,
    other_schema: Option<String>,
    referenced_table: String,
    referenced_column: String,
    on_update: String,
    on_delete: String,
}

#[derive(Deserialize)]
struct PartitionRow {
    name: String,
    sub_position: Option<u32>,
    method: String,
    sub_method: Option<String>,
    expression: Option<String>,
    sub_expression: Option<String>,
    description: Option<String>,
}

#[derive(Deserialize)]
struct ViewRow {
    schema: String,
    #[serde(flatten)]
    view: View,
}

/// The tables and the views, by their names.
pub(super) type Found = (BTreeMap<String, Table>, BTreeMap<String, View>);

impl Make {
    pub(super) async fn read(session: &mut Session<'_>) -> Result<Self, DatabaseError> {
        let version: Option<String> = session.row(&VERSION, ()).await?;
        Ok(match version.unwrap_or_default().contains("MariaDB") {
            true => Self::MariaDb,
            false => Self::MySql,
        })
    }
}

/// Reads every table and view, or the one with this name.
pub(super) async fn read(
    session: &mut Session<'_>,
    make: Make,
    name: Option<&str>,
) -> Result<Found, DatabaseError> {
    let mariadb = make == Make::MariaDb;
    let (mut tables, mut views) = (BTreeMap::new(), BTreeMap::new());
    for Row { table, of, .. } in rows::<Table>(session, &TABLES, name).await? {
        match of.kind.as_str() {
            "VIEW" => _ = views.insert(table, of.comment),
            _ if is_of_vitess(&table) => {}
            _ => _ = tables.insert(table, of),
        }
    }
    let query = if mariadb { &MARIADB_COLUMNS } else { &COLUMNS };
    let mut view_columns: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for Row { table, of, .. } in rows::<Column>(session, query, name).await? {
        match tables.get_mut(&table) {
            Some(table) => table.columns.push(normal(of, make)),
            None => view_columns.entry(table).or_default().push(of.name),
        }
    }
    let mut found_views = BTreeMap::new();
    if !views.is_empty() {
        for Row { table, of, .. } in rows::<ViewRow>(session, &VIEWS, name).await? {
            let columns = view_columns.remove(&table).unwrap_or_default();
            // MySQL says in the comment what a view misses; MariaDB gives it no columns then.
            let comment = views.remove(&table).unwrap_or_default();
            let valid = comment == "VIEW" && !columns.is_empty();
            found_views.insert(table, of.into_view(valid, columns));
        }
    }
    if tables.is_empty() {
        return Ok((tables, found_views));
    }

    let query = if mariadb { &MARIADB_KEYS } else { &KEYS };
    for Row { table, of, .. } in rows::<KeyRow>(session, query, name).await? {
        if let Some(table) = tables.get_mut(&table) {
            of.add_to(table);
        }
    }
    let query = if mariadb { &MARIADB_CHECKS } else { &CHECKS };
    for Row { table, of, .. } in rows::<CheckRow>(session, query, name).await? {
        if let Some(table) = tables.get_mut(&table) {
            table.checks.insert(of.name, of.check);
        }
    }
    for Row { table, of, .. } in rows::<ForeignKeyRow>(session, &FOREIGN_KEYS, name).await? {
        if let Some(table) = tables.get_mut(&table) {
            of.add_to(table);
        }
    }
    let mut partitions = rows::<PartitionRow>(session, &PARTITIONS, name).await?;
    partitions.sort_by_key(|row| (row.position, row.of.sub_position));
    for Row { table, of, .. } in partitions {
        if let Some(table) = tables.get_mut(&table) {
            of.add_to(table.partitioning.get_or_insert_default());
        }
    }
    Ok((tables, found_views))
}

/// The rows in the order of their positions.
async fn rows<T: DeserializeOwned>(
    session: &mut Session<'_>,
    query: &Query,
    name: Option<&str>,
) -> Result<Vec<Row<T>>, DatabaseError> {
    let rows: Vec<String> = match name {
        None => session.rows(&query.all, ()).await?,
        Some(name) => session.rows(&query.one, (name,)).await?,
    };
    let rows: Result<Vec<Row<T>>, _> = rows.iter().map(|row| serde_json::from_str(row)).collect();
    match rows {
        Ok(mut rows) => {
            rows.sort_by_key(|row| row.position);
            Ok(rows)
        }
        Err(error) => {
            tracing::error!(%error, "a row of information_schema has an unexpected shape");
            Err(DatabaseError::Refused)
        }
    }
}

/// Tables that online schema changes leave for a while (Vitess' documentation, "Table lifecycle").
fn is_of_vitess(table: &str) -> bool {
    table.starts_with("_vt_") || table.starts_with('_') && table.ends_with("_vrepl")
}

/// MariaDB writes the default NULL as `NULL`, where MySQL has nothing.
fn normal(mut column: Column, make: Make) -> Column {
    if make == Make::MariaDb && column.nullable {
        column.default = column.default.filter(|default| default != "NULL");
    }
    column
}

impl KeyRow {
    fn add_to(self, table: &mut Table) {
        let key: &mut Key = table.keys.entry(self.name).or_default();
        key.unique = self.non_unique == 0;
        key.kind = self.kind;
        key.visible = self.visible;
        key.comment = self.comment;
        let of = match (self.column, self.length) {
            (Some(column), None) => KeyPartOf::Column(column),
            (Some(column), Some(length)) => KeyPartOf::Prefix(column, length),
            (None, _) => KeyPartOf::Expression(self.expression.unwrap_or_default()),
        };
        let descending = self.order.as_deref() == Some("D");
        key.parts.push(KeyPart { of, descending });
    }
}

impl ForeignKeyRow {
    fn add_to(self, table: &mut Table) {
        let key: &mut ForeignKey = table.foreign_keys.entry(self.name).or_default();
        key.columns.push(self.column);
        key.referenced_columns.push(self.referenced_column);
        key.other_schema = self.other_schema;
        key.referenced_table = self.referenced_table;
        key.on_update = self.on_update;
        key.on_delete = self.on_delete;
    }
}

impl PartitionRow {
    fn add_to(self, partitioning: &mut Partitioning) {
        partitioning.by = (self.method, self.expression);
        partitioning.sub_by = self.sub_method.map(|method| (method, self.sub_expression));
        partitioning.partitions.push((self.name, self.description));
    }
}

impl ViewRow {
    fn into_view(self, valid: bool, columns: Vec<String>) -> View {
        let schema = format!("`{}`.", self.schema.replace('`', "``"));
        View {
            definition: self.view.definition.replace(&schema, ""),
            valid,
            columns,
            ..self.view
        }
    }
}
