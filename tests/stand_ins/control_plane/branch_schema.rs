//! The tables and views of a branch, in the server's own words.

use std::collections::BTreeMap;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, Row};
use serde::{Deserialize, Serialize};

/// The names of Vitess' own tables begin with this (Vitess, `go/vt/schema/name.go`).
const OF_VITESS: &str = "_vt_";

/// The tables and views of a branch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BranchSchema {
    /// By name.
    pub tables: BTreeMap<String, Table>,
    /// The CREATE statement of each view, by name.
    pub views: BTreeMap<String, String>,
}

/// One table: the answer to SHOW CREATE TABLE, which has one definition on each line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Table {
    /// The CREATE statement, without the next value of AUTO_INCREMENT.
    pub create: String,
    /// In their order.
    pub columns: Vec<Definition>,
    /// Keys that are not constraints, in the server's order, which has no meaning.
    pub keys: Vec<Definition>,
    /// CHECK constraints and foreign keys.
    pub constraints: Vec<Definition>,
    /// Engine, character set, comment, and so on.
    pub options: String,
    /// The PARTITION BY clause, or nothing.
    pub partitioning: String,
}

/// A column, key or constraint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// Its name. `PRIMARY` for the primary key.
    pub name: String,
    /// All of it, such as `` `id` int NOT NULL ``.
    pub text: String,
}

/// A name in backquotes.
pub fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// Names in backquotes, one after the other.
pub fn quoted_list(names: &[String]) -> String {
    let names: Vec<_> = names.iter().map(|name| quoted(name)).collect();
    names.join(", ")
}

impl BranchSchema {
    /// Reads a schema of the server.
    pub async fn read(connection: &mut Conn, schema: &str) -> Result<Self, Error> {
        connection
            .query_drop(format!("USE {}", quoted(schema)))
            .await?;
        let mut names: Vec<(String, String)> = connection.query("SHOW FULL TABLES").await?;
        names.retain(|(name, _)| !name.starts_with(OF_VITESS));
        let texts = TextColumn::read(connection, schema).await?;
        let mut read = Self::default();
        for (name, kind) in names {
            let kind = if kind == "VIEW" { "VIEW" } else { "TABLE" };
            let show = format!("SHOW CREATE {kind} {}", quoted(&name));
            let row: Option<Row> = connection.query_first(show).await?;
            let create: Option<String> = row.and_then(|mut row| row.take(1));
            let create = create.unwrap_or_default();
            if kind == "VIEW" {
                read.views.insert(name, portable_view(&create, schema));
            } else {
                let own: Vec<_> = texts.iter().filter(|text| text.table == name).collect();
                let lines = create.lines().map(|line| TextColumn::canonical(&own, line));
                let create = lines.collect::<Vec<_>>().join("\n");
                read.tables.insert(name, Table::from(create));
            }
        }
        Ok(read)
    }

    /// The CREATE statement of each table and view, by name.
    pub fn creates(&self) -> impl Iterator<Item = (&str, &str)> {
        let tables = self.tables.iter();
        let all = tables
            .map(|(name, table)| (name, &table.create))
            .chain(&self.views);
        all.map(|(name, create)| (name.as_str(), create.as_str()))
    }
}

/// A column with a character set. It depends on how the column was made whether MySQL shows the
/// character set and the collation.
struct TextColumn {
    table: String,
    /// The name and the type, as a line of the CREATE statement begins.
    start: String,
    charset: String,
    collation: String,
    /// Whether it has the collation of its table.
    is_inherited: bool,
}

impl TextColumn {
    async fn read(connection: &mut Conn, schema: &str) -> Result<Vec<Self>, Error> {
        let query = "SELECT c.table_name, column_name, column_type, c.character_set_name, \
                     collation_name, collation_name = table_collation \
                     FROM information_schema.columns AS c JOIN information_schema.tables AS t \
                     ON t.table_schema = c.table_schema AND t.table_name = c.table_name \
                     WHERE c.table_schema = ? AND table_type = 'BASE TABLE' \
                     AND collation_name IS NOT NULL";
        type Columns = Vec<(String, String, String, String, String, bool)>;
        let columns: Columns = connection.exec(query, (schema,)).await?;
        let columns = columns.into_iter().map(
            |(table, name, kind, charset, collation, is_inherited)| Self {
                table,
                start: format!("  {} {kind}", quoted(&name)),
                charset: format!(" CHARACTER SET {charset}"),
                collation: format!(" COLLATE {collation}"),
                is_inherited,
            },
        );
        Ok(columns.collect())
    }

    /// A line of the CREATE statement, with the character set and the collation if they are not the
    /// table's.
    fn canonical(columns: &[&Self], line: &str) -> String {
        for column in columns {
            let Self {
                start,
                charset,
                collation,
                ..
            } = column;
            if let Some(rest) = line.strip_prefix(start) {
                let rest = rest.strip_prefix(charset).unwrap_or(rest);
                let rest = rest.strip_prefix(collation).unwrap_or(rest);
                return match column.is_inherited {
                    true => format!("{start}{rest}"),
                    false => format!("{start}{charset}{collation}{rest}"),
                };
            }
        }
        line.to_owned()
    }
}

/// A view's statement without its definer and without the name of the schema.
fn portable_view(create: &str, schema: &str) -> String {
    let (_, definition) = create.split_once(" VIEW ").unwrap_or_default();
    let definition = definition.replace(&format!("{}.", quoted(schema)), "");
    format!("CREATE VIEW {definition}")
}

impl From<String> for Table {
    fn from(create: String) -> Self {
        let mut table = Self::default();
        let mut lines = create.lines().map(str::to_owned).collect::<Vec<_>>();
        let end = lines.iter().position(|line| line.starts_with(')'));
        let end = end.unwrap_or(lines.len());
        for line in lines.iter().take(end) {
            if let Some(text) = line.strip_prefix("  ") {
                table.add(text.strip_suffix(',').unwrap_or(text));
            }
        }
        if let Some(line) = lines.get_mut(end) {
            *line = without_auto_increment(line);
            table.options = line.trim_start_matches([')', ' ']).to_owned();
        }
        let partitioning = lines.get(end + 1..).unwrap_or_default();
        table.partitioning = partitioning.join("\n").trim().to_owned();
        table.create = lines.join("\n");
        table
    }
}

impl From<Table> for String {
    fn from(table: Table) -> Self {
        table.create
    }
}

impl Table {
    fn add(&mut self, text: &str) {
        let name = match text.starts_with("PRIMARY KEY") {
            true => "PRIMARY".to_owned(),
            false => first_name(text),
        };
        let definition = Definition {
            name,
            text: text.to_owned(),
        };
        if text.starts_with('`') {
            self.columns.push(definition);
        } else if text.starts_with("CONSTRAINT ") {
            self.constraints.push(definition);
        } else {
            self.keys.push(definition);
        }
    }

    pub fn column(&self, name: &str) -> Option<&Definition> {
        self.columns.iter().find(|column| column.name == name)
    }
}

impl Definition {
    /// What a constraint says, without its name.
    pub fn condition(&self) -> &str {
        let start = "CONSTRAINT  ".len() + quoted(&self.name).len();
        self.text.get(start..).unwrap_or_default()
    }

    /// Whether a constraint is a foreign key.
    pub fn is_foreign_key(&self) -> bool {
        self.condition().starts_with("FOREIGN KEY ")
    }

    /// The clause of ALTER TABLE that drops a constraint.
    pub fn drop_constraint(&self) -> String {
        // MariaDB drops the foreign key's index and not the foreign key with DROP CONSTRAINT.
        let kind = match self.is_foreign_key() {
            true => "FOREIGN KEY",
            false => "CONSTRAINT",
        };
        format!("DROP {kind} {}", quoted(&self.name))
    }
}

/// The first name in backquotes, without them.
fn first_name(text: &str) -> String {
    let (_, rest) = text.split_once('`').unwrap_or_default();
    let mut name = String::new();
    let mut letters = rest.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter == '`' && letters.next_if_eq(&'`').is_none() {
            break;
        }
        name.push(letter);
    }
    name
}

/// The next value of AUTO_INCREMENT depends on the rows. It stands before the character set.
fn without_auto_increment(options: &str) -> String {
    let (before, rest) = options.split_once(" DEFAULT CHARSET=").unwrap_or_default();
    match before.split_once(" AUTO_INCREMENT=") {
        Some((engine, _)) => format!("{engine} DEFAULT CHARSET={rest}"),
        None => options.to_owned(),
    }
}
