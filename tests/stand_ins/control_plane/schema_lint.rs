//! The rules that PlanetScale documents for the schema of a branch (its docs, Schema lint errors),
//! answered by the server's information_schema.

use std::collections::{BTreeMap, BTreeSet};

use mysql_async::Error;
use mysql_async::prelude::Queryable;
use serde_json::{Value, json};

use super::DATABASE;
use super::branch_schema::BranchSchema;
use super::call::{Call, Refusal};
use super::constraint_names::{MAX_ORIGINAL_NAME, original_name};
use super::server::Server;
use super::unique_keys::UniqueKey;

const CHARSETS: [&str; 5] = ["utf8mb4", "utf8mb3", "utf8", "latin1", "ascii"];

/// The limits of Vitess for the columns of a table and the tables of a keyspace (PlanetScale's
/// docs, System limits).
const MAX_COLUMNS: usize = 1017;
const MAX_TABLES: usize = 2048;

/// The server's errors for views of what does not exist: ER_BAD_FIELD_ERROR, ER_NO_SUCH_TABLE and
/// ER_VIEW_INVALID.
const UNKNOWN_COLUMN: u16 = 1054;
const NO_SUCH_TABLE: u16 = 1146;
const INVALID_VIEW: u16 = 1356;

/// The rules that a branch's schema breaks, as the API describes them.
pub async fn lint(call: &mut Call<'_>, schema: &str) -> Result<Vec<Value>, Refusal> {
    let foreign_keys_enabled = call.records.settings.foreign_keys_enabled;
    let mut lint = Lint {
        server: call.server,
        schema,
        errors: Vec::new(),
    };
    let read = BranchSchema::read(lint.server.connection().await?, schema).await?;
    if read.tables.len() > MAX_TABLES {
        let text = format!("There are more than {MAX_TABLES} tables");
        lint.error("UNSUPPORTED_FEATURE", "", text, json!({}));
    }
    lint.unique_keys(&read).await?;
    lint.engines_and_charsets().await?;
    lint.columns().await?;
    lint.partitions().await?;
    lint.foreign_keys(&read, foreign_keys_enabled).await?;
    lint.constraint_names().await?;
    lint.views(&read).await?;
    lint.errors.sort_by_key(|error| {
        let member = |name: &str| error.get(name).map(Value::to_string);
        (
            member("table_name"),
            member("lint_error"),
            member("column_name"),
        )
    });
    Ok(lint.errors)
}

struct Lint<'a> {
    server: &'a mut Server,
    schema: &'a str,
    errors: Vec<Value>,
}

impl Lint<'_> {
    /// Adds an error. The members of `about` say what it is about.
    fn error(&mut self, code: &str, table: &str, description: String, about: Value) {
        let page = "https://planetscale.com/docs/vitess/schema-changes/schema-lint-errors";
        let anchor = code.to_lowercase().replace('_', "-");
        let mut error = json!({
            "lint_error": code,
            "subject_type": "table",
            "keyspace_name": DATABASE,
            "table_name": table,
            "error_description": description,
            "docs_url": format!("{page}#{anchor}"),
            "column_name": "",
            "foreign_key_column_names": [],
            "auto_increment_column_names": [],
            "charset_name": "",
            "engine_name": "",
            "vindex_name": "",
            "json_path": "",
            "check_constraint_name": "",
            "enum_value": "",
            "partitioning_type": "",
            "partition_name": "",
        });
        if let (Some(error), Value::Object(about)) = (error.as_object_mut(), about) {
            error.extend(about);
        }
        self.errors.push(error);
    }

    /// The rows of a query about the schema, whose name is its only parameter.
    async fn rows<T>(&mut self, query: &str) -> Result<Vec<T>, Error>
    where
        T: mysql_async::prelude::FromRow + Send + 'static,
    {
        let connection = self.server.connection().await?;
        connection.exec(query, (self.schema,)).await
    }

    /// Vitess needs a key that identifies rows while it copies a table.
    async fn unique_keys(&mut self, read: &BranchSchema) -> Result<(), Error> {
        let keys = UniqueKey::read(self.server.connection().await?, self.schema).await?;
        for table in read.tables.keys() {
            let own: Vec<_> = keys.iter().filter(|key| key.table == *table).collect();
            if own.iter().any(|key| key.identifies_rows()) {
                continue;
            }
            let (code, what) = if own.iter().any(|key| key.has_blob) {
                (
                    "BLOB_IN_UNIQUE_KEY",
                    "only a unique key with a TEXT or BLOB column",
                )
            } else if own.iter().any(|key| key.is_partial) {
                (
                    "PARTIAL_KEY_IN_UNIQUE_KEY",
                    "only a unique key over part of a column",
                )
            } else {
                ("NO_UNIQUE_KEY", "no unique key without NULL")
            };
            self.error(
                code,
                table,
                format!("The table {table} has {what}"),
                json!({}),
            );
        }
        Ok(())
    }

    async fn engines_and_charsets(&mut self) -> Result<(), Error> {
        let query = "SELECT table_name, engine, SUBSTRING_INDEX(table_collation, '_', 1) \
                     FROM information_schema.tables \
                     WHERE table_schema = ? AND table_type = 'BASE TABLE'";
        for (table, engine, charset) in self.rows::<(String, String, String)>(query).await? {
            if engine != "InnoDB" {
                let text = format!("The table {table} has the engine {engine}, not InnoDB");
                let about = json!({"engine_name": engine});
                self.error("UNSUPPORTED_FEATURE", &table, text, about);
            }
            self.charset(&table, "", &charset);
        }
        Ok(())
    }

    fn charset(&mut self, table: &str, column: &str, charset: &str) {
        if !CHARSETS.contains(&charset) {
            let text = format!("The table {table} uses the character set {charset}");
            let about = json!({"column_name": column, "charset_name": charset});
            self.error("INVALID_CHARSET", table, text, about);
        }
    }

    async fn columns(&mut self) -> Result<(), Error> {
        let query = "SELECT c.table_name, column_name, c.character_set_name, column_type, \
                     SUBSTRING_INDEX(table_collation, '_', 1) \
                     FROM information_schema.columns AS c JOIN information_schema.tables AS t \
                     ON t.table_schema = c.table_schema AND t.table_name = c.table_name \
                     WHERE c.table_schema = ? AND table_type = 'BASE TABLE'";
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        type Column = (String, String, Option<String>, String, String);
        for (table, column, charset, kind, table_charset) in self.rows::<Column>(query).await? {
            if let Some(charset) = charset.filter(|charset| *charset != table_charset) {
                self.charset(&table, &column, &charset);
            }
            if let Some(value) = duplicate_value(&kind) {
                let text = format!("The column {column} of {table} has a value twice: {value}");
                let about = json!({"column_name": column, "enum_value": value});
                self.error("DUPLICATE_ENUM_VALUE", &table, text, about);
            }
            *counts.entry(table).or_default() += 1;
        }
        for (table, _) in counts.iter().filter(|(_, count)| **count > MAX_COLUMNS) {
            let text = format!("The table {table} has more than {MAX_COLUMNS} columns");
            self.error("UNSUPPORTED_FEATURE", table, text, json!({}));
        }
        Ok(())
    }

    async fn partitions(&mut self) -> Result<(), Error> {
        let query = "SELECT DISTINCT table_name, partition_method, \
                     subpartition_method IS NOT NULL FROM information_schema.partitions \
                     WHERE table_schema = ? AND partition_method IS NOT NULL";
        for (table, method, is_sub) in self.rows::<(String, String, bool)>(query).await? {
            let words = method.trim_start_matches("LINEAR ").split(' ');
            let supported = words
                .take(1)
                .all(|word| ["RANGE", "HASH", "KEY"].contains(&word));
            if !supported || is_sub {
                let text = format!("Vitess does not support the partitioning of the table {table}");
                let about = json!({"partitioning_type": method});
                self.error("UNSUPPORTED_PARTITIONING_FEATURE", &table, text, about);
            }
        }
        Ok(())
    }

    async fn foreign_keys(&mut self, read: &BranchSchema, enabled: bool) -> Result<(), Error> {
        let query = "SELECT table_name, constraint_name, referenced_table_name, \
                     GROUP_CONCAT(column_name ORDER BY ordinal_position SEPARATOR '\\n') \
                     FROM information_schema.key_column_usage \
                     WHERE table_schema = ? AND referenced_table_name IS NOT NULL \
                     GROUP BY table_name, constraint_name, referenced_table_name";
        type ForeignKey = (String, String, String, String);
        for (table, name, target, columns) in self.rows::<ForeignKey>(query).await? {
            let (code, what) = if !enabled {
                (
                    "FOREIGN_KEYS_DISALLOWED",
                    "foreign keys are not enabled".to_owned(),
                )
            } else if read.views.contains_key(&target) {
                (
                    "FOREIGN_KEYS_REFERENCED_VIEW",
                    format!("{target} is a view"),
                )
            } else if !read.tables.contains_key(&target) {
                (
                    "FOREIGN_KEYS_NONEXISTENT_TABLE",
                    format!("{target} does not exist"),
                )
            } else {
                continue;
            };
            let text = format!("The table {table} has the foreign key {name}, but {what}");
            let columns: Vec<&str> = columns.lines().collect();
            let about = json!({"foreign_key_column_names": columns});
            self.error(code, &table, text, about);
        }
        Ok(())
    }

    /// A deployment adds a suffix to these names.
    async fn constraint_names(&mut self) -> Result<(), Error> {
        let query = "SELECT table_name, constraint_name FROM \
                     information_schema.table_constraints \
                     WHERE table_schema = ? AND constraint_type IN ('CHECK', 'FOREIGN KEY')";
        for (table, name) in self.rows::<(String, String)>(query).await? {
            let length = original_name(&table, &name).chars().count();
            if length > MAX_ORIGINAL_NAME {
                let text = format!(
                    "The constraint name {name} of the table {table} is longer than \
                     {MAX_ORIGINAL_NAME} characters"
                );
                let about = json!({"check_constraint_name": name});
                self.error("UNSUPPORTED_FEATURE", &table, text, about);
            }
        }
        Ok(())
    }

    /// The server says whether what a view reads exists.
    async fn views(&mut self, read: &BranchSchema) -> Result<(), Error> {
        for (name, create) in &read.views {
            let (_, select) = create.split_once(" AS ").unwrap_or_default();
            let explain = [format!("EXPLAIN {select}")];
            let code = match self.server.run(self.schema, &explain).await {
                Ok(()) => continue,
                Err(Error::Server(error)) => match error.code {
                    NO_SUCH_TABLE | INVALID_VIEW => "INVALID_TABLE_REFERENCED_IN_VIEW",
                    UNKNOWN_COLUMN => "INVALID_COLUMN_REFERENCED_IN_VIEW",
                    _ => "UNSPECIFIED",
                },
                Err(error) => return Err(error),
            };
            let text = format!("The view {name} reads a table or column that does not exist");
            self.error(code, name, text, json!({}));
        }
        Ok(())
    }
}

/// A value that a type such as `enum('a','b','a')` has twice.
fn duplicate_value(kind: &str) -> Option<String> {
    let values = kind
        .strip_prefix("enum('")
        .or_else(|| kind.strip_prefix("set('"))?;
    // Quotes inside a value are doubled.
    let values = values.trim_end_matches("')").replace("''", "\0");
    let mut seen = BTreeSet::new();
    let mut values = values.split("','");
    let twice = values.find(|value| !seen.insert(*value))?;
    Some(twice.replace('\0', "'"))
}
