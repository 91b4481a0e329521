//! What a schema is, as its server's `information_schema` describes it.
//!
//! The queries stand beside this file, one for each kind of part. They name the fields of a [`Row`].

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    ops::Deref,
    sync::Arc,
};

use database::{DatabaseError, Session, Statement};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

/// The tables and views of one schema at one moment, with all that a migration can change, in the
/// server's own spelling. So only snapshots from servers of the same make compare: MySQL writes a
/// default as `x`, MariaDB as `'x'`.
///
/// Vitess keeps tables of its own beside them (`_vt_…`), which are left out.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub(crate) make: Make,
    /// The schema's name.
    pub(crate) schema: String,
    pub(crate) tables: Tables,
}

/// Tables and views by their names. They are shared, so that a copy costs little.
pub(crate) type Tables = BTreeMap<String, Arc<Table>>;

/// Whose server it is. They describe some things in other words and other columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Make {
    /// MySQL, or Vitess in front of it.
    MySql,
    /// MariaDB.
    MariaDb,
}

/// A table or a view: the part that describes it as a whole, and the others.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Table {
    /// The names of a table's columns in their order. A view has them in its row.
    pub(crate) columns: Vec<String>,
    /// By what tells one from another. That is the kind and the name, but what they say for CHECKs
    /// and foreign keys, because a deployment changes their names.
    pub(crate) parts: BTreeMap<String, Part>,
}

/// Something that is in a schema or is not. A key has a row for each of its columns, and the
/// partitioning one for each partition; all else has one.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Part {
    #[serde(skip)]
    pub(crate) subject: Subject,
    pub(crate) rows: Vec<Row>,
}

/// What a message calls a part.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(crate) struct Subject {
    pub(crate) table: String,
    pub(crate) kind: Kind,
    /// Empty for the table itself and for its partitioning.
    #[serde(default)]
    pub(crate) name: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Table,
    View,
    Column,
    Index,
    #[serde(rename = "CHECK")]
    Check,
    #[serde(rename = "foreign key")]
    ForeignKey,
    Partitioning,
}

/// A row of a view of `information_schema`, by the names of its fields.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Row(BTreeMap<String, Value>);

/// A row as the queries answer it.
#[derive(Deserialize)]
struct Answer {
    #[serde(flatten)]
    subject: Subject,
    #[serde(default)]
    position: u64,
    #[serde(flatten)]
    row: Row,
}

const SERVER: Statement = Statement::read("SERVER", "SELECT VERSION(), DATABASE()", "");

/// Queries of all tables, and the same of the table with a name.
///
/// They are not one UNION: MariaDB 10.11 dies of one that is prepared.
macro_rules! parts {
    ($($file:literal)*) => {
        [
            [$(Statement::read("SCHEMA", include_str!($file), "")),*],
            [$(Statement::read(
                "SCHEMA",
                concat!(include_str!($file), " AND t.table_name = ?"),
                "",
            )),*],
        ]
    };
}

const ON_MYSQL: [[Statement; 7]; 2] = parts!(
    "snapshot/tables.sql" "snapshot/views.sql" "snapshot/columns.sql" "snapshot/keys.sql"
    "snapshot/checks.sql" "snapshot/foreign_keys.sql" "snapshot/partitions.sql"
);
const ON_MARIADB: [[Statement; 7]; 2] = parts!(
    "snapshot/tables.sql" "snapshot/views_mariadb.sql" "snapshot/columns_mariadb.sql"
    "snapshot/keys_mariadb.sql" "snapshot/checks_mariadb.sql" "snapshot/foreign_keys.sql"
    "snapshot/partitions.sql"
);

impl Snapshot {
    /// Reads the session's schema, in eight queries whatever its size.
    ///
    /// # Errors
    ///
    /// See [`DatabaseError`].
    pub async fn read(session: &mut Session<'_>) -> Result<Self, DatabaseError> {
        let row: Option<(String, Option<String>)> = session.row(&SERVER, ()).await?;
        let (version, schema) = row.unwrap_or_default();
        let make = match version.contains("MariaDB") {
            true => Make::MariaDb,
            false => Make::MySql,
        };
        Ok(Self {
            make,
            schema: schema.unwrap_or_default(),
            tables: tables(session, make, None).await?,
        })
    }

    /// Reads these tables and views again, or all of them, and the views that read them. Returns
    /// what was read, as it was before and as it is.
    pub(crate) async fn refresh(
        &mut self,
        session: &mut Session<'_>,
        names: Option<Vec<String>>,
    ) -> Result<(Tables, Tables), DatabaseError> {
        let Some(mut names) = names else {
            let all = tables(session, self.make, None).await?;
            return Ok((std::mem::replace(&mut self.tables, all.clone()), all));
        };
        let (mut before, mut after) = (Tables::new(), Tables::new());
        // A view's text may have the name of a view that reads it.
        let mut known = BTreeSet::new();
        while let Some(name) = names.pop() {
            if !known.insert(name.clone()) {
                continue;
            }
            let old = self.tables.remove_entry(&name);
            let new = tables(session, self.make, Some(&name)).await?;
            self.tables.extend(new.clone());
            let used = quoted(&name);
            let reads = |table: &Table| {
                let view = table.view();
                view.is_some_and(|view| view.text("definition").contains(&used))
            };
            let readers = self.tables.iter().filter(|(_, table)| reads(table));
            names.extend(readers.map(|(reader, _)| reader.clone()));
            before.extend(old);
            after.extend(new);
        }
        Ok((before, after))
    }

    /// Whose server it was read from.
    pub fn make(&self) -> Make {
        self.make
    }
}

/// Reads every table and view, or the one with this name.
async fn tables(
    session: &mut Session<'_>,
    make: Make,
    name: Option<&str>,
) -> Result<Tables, DatabaseError> {
    let [all, one] = match make {
        Make::MySql => &ON_MYSQL,
        Make::MariaDb => &ON_MARIADB,
    };
    let mut rows: Vec<String> = Vec::new();
    for (all, one) in all.iter().zip(one) {
        rows.extend(match name {
            None => session.rows(all, ()).await?,
            Some(name) => session.rows(one, (name,)).await?,
        });
    }
    let rows: Result<Vec<Answer>, _> = rows.iter().map(|row| serde_json::from_str(row)).collect();
    let mut rows = rows.map_err(|error| {
        tracing::error!(%error, "a row of information_schema has an unexpected shape");
        DatabaseError::Refused
    })?;
    rows.sort_by_key(|row| row.position);
    let (mut tables, mut parts) = (BTreeMap::<_, Table>::new(), BTreeMap::<_, Vec<Row>>::new());
    for Answer { subject, row, .. } in rows {
        // Online schema changes leave some for a while (Vitess' documentation, "Table lifecycle").
        if subject.table.starts_with("_vt_") {
            continue;
        }
        if subject.kind == Kind::Column {
            let table = tables.entry(subject.table.clone()).or_default();
            table.columns.push(subject.name.clone());
        }
        parts.entry(subject).or_default().push(row);
    }
    for (subject, rows) in parts {
        let table = tables.entry(subject.table.clone()).or_default();
        table.add(Part { subject, rows });
    }
    Ok(tables
        .into_iter()
        .map(|(name, table)| (name, Arc::new(table)))
        .collect())
}

impl Table {
    /// The parts come in the order of their kinds.
    fn add(&mut self, mut part: Part) {
        let kind = part.subject.kind;
        if kind == Kind::View
            && let Some(Row(view)) = part.rows.first_mut()
        {
            let columns = std::mem::take(&mut self.columns);
            // MariaDB gives no columns to a view that reads what is not there.
            if columns.is_empty() {
                view.insert("valid".to_owned(), "NO".into());
            }
            view.insert("columns".to_owned(), columns.into());
        } else if self.view().is_some() {
            return;
        }
        let mut key = match kind {
            Kind::Check | Kind::ForeignKey => {
                // It has a JSON, as the server has just sent it.
                let content = serde_json::to_string(&part.rows).unwrap_or_default();
                format!("{kind} {content}")
            }
            kind => format!("{kind} {}", part.subject.name.to_lowercase()),
        };
        while self.parts.contains_key(&key) {
            key.push('+');
        }
        self.parts.insert(key, part);
    }

    /// What describes a view. A table has none.
    fn view(&self) -> Option<&Part> {
        self.part(Kind::View, "")
    }

    pub(crate) fn part(&self, kind: Kind, name: &str) -> Option<&Part> {
        self.parts.get(&format!("{kind} {}", name.to_lowercase()))
    }

    pub(crate) fn column(&self, name: &str) -> Option<&Part> {
        self.part(Kind::Column, name)
    }

    /// The parts of this kind.
    pub(crate) fn all(&self, kind: Kind) -> impl DoubleEndedIterator<Item = &Part> {
        self.parts
            .values()
            .filter(move |part| part.subject.kind == kind)
    }
}

impl Deref for Part {
    type Target = Row;

    /// The only row of a part that is not a key or a partitioning.
    fn deref(&self) -> &Row {
        const NONE: &Row = &Row(BTreeMap::new());
        self.rows.first().unwrap_or(NONE)
    }
}

impl Row {
    pub(crate) fn get(&self, field: &str) -> Option<&str> {
        self.0.get(field)?.as_str()
    }

    /// Empty where it is NULL.
    pub(crate) fn text(&self, field: &str) -> &str {
        self.get(field).unwrap_or_default()
    }

    pub(crate) fn number(&self, field: &str) -> Option<u64> {
        self.0.get(field)?.as_u64()
    }

    /// `information_schema` has YES and NO for true and false.
    pub(crate) fn is(&self, field: &str) -> bool {
        self.text(field) == "YES"
    }

    /// The columns of a view.
    pub(crate) fn columns(&self) -> &[Value] {
        self.0
            .get("columns")
            .and_then(Value::as_array)
            .map_or(&[], Vec::as_slice)
    }
}

impl Serialize for Row {
    /// Without what may differ where the schema is the same: a view is invalid where the user who
    /// defined it is gone.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = self.0.iter();
        serializer
            .collect_map(fields.filter(|(field, _)| !matches!(field.as_str(), "valid" | "columns")))
    }
}

impl Subject {
    /// Whether it is a whole table or view.
    pub(crate) fn is_whole(&self) -> bool {
        matches!(self.kind, Kind::Table | Kind::View)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, kind, name } = self;
        match kind {
            Kind::Table | Kind::View => write!(f, "the {kind} `{table}`"),
            Kind::Partitioning => write!(f, "the {kind} of `{table}`"),
            kind => write!(f, "the {kind} `{name}` of `{table}`"),
        }
    }
}

/// Names of columns that differ in nothing but upper and lower case are the same name.
pub(crate) fn same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

/// A name in backticks.
pub(crate) fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}
