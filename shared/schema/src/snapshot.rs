//! What a schema is, as its server's `information_schema` describes it.
//!
//! A snapshot holds everything about tables and views that a migration can change, in the server's
//! own spelling. Only snapshots of servers of the same make compare well: MySQL writes a default as
//! `x`, MariaDB as `'x'`.

mod rows;

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize};

use database::{DatabaseError, Session};

/// The tables and views of one schema at one moment.
///
/// Vitess keeps tables of its own beside them (`_vt_…`), which are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    pub(crate) make: Make,
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

/// A table without its name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Table {
    /// `BASE TABLE`; MariaDB also has `SYSTEM VERSIONED` and `SEQUENCE`.
    pub(crate) kind: String,
    pub(crate) engine: String,
    /// The default of its columns.
    pub(crate) collation: String,
    /// `row_format=COMPRESSED` and the like.
    pub(crate) options: String,
    pub(crate) comment: String,
    /// In their order.
    #[serde(skip_deserializing)]
    pub(crate) columns: Vec<Column>,
    #[serde(skip_deserializing)]
    pub(crate) keys: BTreeMap<String, Key>,
    #[serde(skip_deserializing)]
    pub(crate) checks: BTreeMap<String, Check>,
    #[serde(skip_deserializing)]
    pub(crate) foreign_keys: BTreeMap<String, ForeignKey>,
    #[serde(skip_deserializing)]
    pub(crate) partitioning: Option<Partitioning>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// As `varchar(20)` or `bigint unsigned`.
    pub(crate) data_type: String,
    #[serde(deserialize_with = "yes")]
    pub(crate) nullable: bool,
    /// A literal or an expression; none also where it is NULL.
    pub(crate) default: Option<String>,
    /// `auto_increment`, `DEFAULT_GENERATED`, `on update …`, `INVISIBLE`.
    pub(crate) extra: String,
    pub(crate) charset: Option<String>,
    pub(crate) collation: Option<String>,
    pub(crate) comment: String,
    /// Of a generated column.
    pub(crate) expression: Option<String>,
    /// The spatial reference system of a geometry.
    pub(crate) srs: Option<u32>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Key {
    pub(crate) unique: bool,
    /// `BTREE`, `FULLTEXT`, `SPATIAL`; MariaDB also has `HASH`.
    pub(crate) kind: String,
    pub(crate) parts: Vec<KeyPart>,
    pub(crate) visible: bool,
    pub(crate) comment: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct KeyPart {
    pub(crate) of: KeyPartOf,
    pub(crate) descending: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) enum KeyPartOf {
    Column(String),
    /// The first characters of a column, or the first bytes.
    Prefix(String, u64),
    Expression(String),
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Check {
    pub(crate) clause: String,
    #[serde(deserialize_with = "yes")]
    pub(crate) enforced: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct ForeignKey {
    pub(crate) columns: Vec<String>,
    /// Where the referenced table is in another schema.
    pub(crate) other_schema: Option<String>,
    pub(crate) referenced_table: String,
    pub(crate) referenced_columns: Vec<String>,
    pub(crate) on_update: String,
    pub(crate) on_delete: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Partitioning {
    /// `RANGE`, `LIST COLUMNS`, `HASH` and so on, with what it is computed from.
    pub(crate) by: (String, Option<String>),
    pub(crate) sub_by: Option<(String, Option<String>)>,
    /// Names with their limits or values, in their order.
    pub(crate) partitions: Vec<(String, Option<String>)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct View {
    /// Without the name of the schema.
    pub(crate) definition: String,
    pub(crate) check_option: String,
    pub(crate) security: String,
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
        let mut snapshot = Self {
            make: Make::read(session).await?,
            tables: BTreeMap::new(),
            views: BTreeMap::new(),
        };
        let found = rows::read(session, snapshot.make, None).await?;
        snapshot.put(found);
        Ok(snapshot)
    }

    /// Whose server it was read from.
    pub fn make(&self) -> Make {
        self.make
    }

    fn put(&mut self, (tables, views): rows::Found) {
        let tables = tables.into_iter();
        self.tables
            .extend(tables.map(|(name, table)| (name, Arc::new(table))));
        let views = views.into_iter();
        self.views
            .extend(views.map(|(name, view)| (name, Arc::new(view))));
    }
}

impl Table {
    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| same(&column.name, name))
    }
}

/// `information_schema` has YES and NO for true and false.
fn yes<'de, D: Deserializer<'de>>(field: D) -> Result<bool, D::Error> {
    Ok(String::deserialize(field)? == "YES")
}

/// Names of columns and keys that differ in nothing but upper and lower case are the same name.
pub(crate) fn same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}
