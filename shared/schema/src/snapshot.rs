//! What a schema is, as its server's `information_schema` describes it.

mod rows;

use std::{collections::BTreeMap, sync::Arc};

use database::{DatabaseError, Session};
use serde::{Deserialize, Deserializer, Serialize};

/// The tables and views of one schema at one moment, with all that a migration can change, in the
/// server's own spelling. So only snapshots from servers of the same make compare: MySQL writes a
/// default as `x`, MariaDB as `'x'`.
///
/// Vitess keeps tables of its own beside them (`_vt_…`), which are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    pub(crate) make: Make,
    /// The schema's name.
    pub(crate) schema: String,
    /// Shared, so that a copy of a snapshot costs little.
    pub(crate) tables: BTreeMap<String, Arc<Table>>,
    pub(crate) views: BTreeMap<String, Arc<View>>,
}

/// Whose server it is. They describe some things in other words and other columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Make {
    /// MySQL, or Vitess in front of it.
    MySql,
    /// MariaDB.
    MariaDb,
}

/// A table without its name. Keys and foreign keys have a part for each of their columns.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Table {
    #[serde(flatten)]
    pub(crate) options: Options,
    #[serde(skip_deserializing)]
    pub(crate) columns: Vec<Column>,
    #[serde(skip_deserializing)]
    pub(crate) keys: BTreeMap<String, Vec<KeyPart>>,
    #[serde(skip_deserializing)]
    pub(crate) checks: BTreeMap<String, Check>,
    #[serde(skip_deserializing)]
    pub(crate) foreign_keys: BTreeMap<String, Vec<ForeignKeyPart>>,
    #[serde(skip_deserializing)]
    pub(crate) partitions: Vec<Partition>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Options {
    /// `BASE TABLE`; MariaDB also has `SYSTEM VERSIONED` and `SEQUENCE`.
    pub(crate) kind: String,
    pub(crate) engine: String,
    /// The default of its columns.
    pub(crate) collation: String,
    /// `row_format=COMPRESSED` and the like.
    options: String,
    pub(crate) comment: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Column {
    #[serde(skip_deserializing)]
    pub(crate) name: String,
    /// As `varchar(20)` or `bigint unsigned`.
    pub(crate) data_type: String,
    #[serde(deserialize_with = "yes")]
    pub(crate) nullable: bool,
    /// A literal or an expression; none also where it is NULL.
    pub(crate) default: Option<String>,
    /// `auto_increment`, `on update …`, `INVISIBLE` and the like.
    pub(crate) extra: String,
    pub(crate) charset: Option<String>,
    pub(crate) collation: Option<String>,
    comment: String,
    /// Of a generated column.
    pub(crate) expression: Option<String>,
    /// The spatial reference system of a geometry.
    srs: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeyPart {
    #[serde(deserialize_with = "yes")]
    pub(crate) unique: bool,
    /// `BTREE`, `FULLTEXT`, `SPATIAL`; MariaDB also has `HASH`.
    pub(crate) kind: String,
    /// None where the part is an expression.
    pub(crate) column: Option<String>,
    expression: Option<String>,
    /// Of the first characters, where it is not over the whole column.
    pub(crate) length: Option<u64>,
    /// `A` or `D`.
    order: Option<String>,
    #[serde(deserialize_with = "yes")]
    pub(crate) visible: bool,
    comment: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Check {
    pub(crate) clause: String,
    #[serde(deserialize_with = "yes")]
    pub(crate) enforced: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ForeignKeyPart {
    pub(crate) column: String,
    /// Where the parent is in another schema.
    pub(crate) other_schema: Option<String>,
    pub(crate) parent: String,
    pub(crate) parent_column: String,
    on_update: String,
    on_delete: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Partition {
    #[serde(skip_deserializing)]
    name: String,
    /// `RANGE`, `LIST COLUMNS`, `HASH` and so on.
    pub(crate) method: String,
    pub(crate) expression: Option<String>,
    pub(crate) sub_method: Option<String>,
    sub_expression: Option<String>,
    /// The limit of a RANGE, the values of a LIST.
    pub(crate) limit: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct View {
    pub(crate) definition: String,
    check_option: String,
    /// Whether everything that it reads is there.
    #[serde(skip)]
    pub(crate) valid: bool,
    #[serde(skip)]
    pub(crate) columns: Vec<String>,
}

impl Snapshot {
    /// Reads the session's schema, in eight queries whatever its size.
    ///
    /// # Errors
    ///
    /// See [`DatabaseError`].
    pub async fn read(session: &mut Session<'_>) -> Result<Self, DatabaseError> {
        let (make, schema) = rows::server(session).await?;
        let mut snapshot = Self {
            make,
            schema,
            tables: BTreeMap::new(),
            views: BTreeMap::new(),
        };
        snapshot.add(session, None).await?;
        Ok(snapshot)
    }

    /// Reads one table or view again, and the views that read it.
    pub(crate) async fn refresh(
        &mut self,
        session: &mut Session<'_>,
        name: &str,
    ) -> Result<(), DatabaseError> {
        let mut names = vec![name.to_owned()];
        while let Some(name) = names.pop() {
            self.tables.remove(&name);
            self.views.remove(&name);
            self.add(session, Some(&name)).await?;
            let used = quoted(&name);
            let readers = self
                .views
                .iter()
                .filter(|(_, view)| view.definition.contains(&used));
            let readers = readers.map(|(reader, _)| reader.clone());
            names.extend(readers.filter(|reader| *reader != name));
        }
        Ok(())
    }

    /// Whose server it was read from.
    pub fn make(&self) -> Make {
        self.make
    }
}

impl Table {
    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| same(&column.name, name))
    }

    /// The columns of each unique key that tells rows apart: whole ones, each NOT NULL, none of them
    /// TEXT or BLOB (PlanetScale's documentation, "Schema lint errors").
    pub(crate) fn row_keys(&self) -> impl Iterator<Item = Vec<&Column>> {
        let keys = self
            .keys
            .values()
            .filter(|parts| parts.iter().all(|part| part.unique));
        keys.filter_map(|parts| {
            let columns = parts.iter().map(|part| {
                let column = self.column(part.whole_column()?)?;
                (!column.nullable && !column.is_long()).then_some(column)
            });
            columns.collect()
        })
    }
}

impl Column {
    /// The type without its length, in lower case.
    pub(crate) fn type_name(&self) -> &str {
        self.data_type.split(['(', ' ']).next().unwrap_or_default()
    }

    pub(crate) fn is_long(&self) -> bool {
        let name = self.type_name();
        name.ends_with("text") || name.ends_with("blob")
    }

    pub(crate) fn is_generated(&self) -> bool {
        self.expression.is_some()
    }

    pub(crate) fn is_auto_increment(&self) -> bool {
        self.extra.contains("auto_increment")
    }

    /// Whether an INSERT may leave it out. MySQL fills an ENUM that is NOT NULL with its first
    /// value, in strict mode too.
    pub(crate) fn may_be_left_out(&self) -> bool {
        let is_filled = self.is_auto_increment() || self.is_generated();
        self.nullable || self.default.is_some() || is_filled || self.type_name() == "enum"
    }
}

impl KeyPart {
    /// The column, where the part is over the whole of it.
    pub(crate) fn whole_column(&self) -> Option<&str> {
        self.column.as_deref().filter(|_| self.length.is_none())
    }

    /// What it is over, and for which queries.
    pub(crate) fn over(&self) -> impl PartialEq {
        let of = (self.column.clone(), self.expression.clone(), self.length);
        (of, self.order.clone(), self.kind.clone())
    }
}

/// `information_schema` has YES and NO for true and false.
fn yes<'de, D: Deserializer<'de>>(field: D) -> Result<bool, D::Error> {
    Ok(String::deserialize(field)? == "YES")
}

/// Names of columns that differ in nothing but upper and lower case are the same name.
pub(crate) fn same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

/// A name in backticks.
pub(crate) fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}
