//! The rules that a schema has to keep before it can be deployed (PlanetScale's docs, Schema lint
//! errors).

use mysql_async::Error;
use serde_json::{Value, json};

use super::DATABASE;
use super::call::{Call, Refusal};
use super::schema::{Definition, Schema, Table, quoted, without_quoted, word_after};

const CHARSETS: [&str; 5] = ["utf8mb4", "utf8mb3", "utf8", "latin1", "ascii"];
const PARTITIONINGS: [&str; 3] = ["RANGE", "HASH", "KEY"];

/// Vitess' bounds for a table's columns and a keyspace's tables (PlanetScale's docs, System limits).
const MAX_COLUMNS: usize = 1017;
const MAX_TABLES: usize = 2048;

/// ER_BAD_FIELD_ERROR.
const UNKNOWN_COLUMN: u16 = 1054;
/// ER_NO_SUCH_TABLE.
const NO_SUCH_TABLE: u16 = 1146;
/// ER_VIEW_INVALID.
const INVALID_VIEW: u16 = 1356;

/// One broken rule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Finding {
    code: &'static str,
    table: String,
    description: String,
    column: String,
    foreign_key_columns: Vec<String>,
    charset: String,
    engine: String,
    enum_value: String,
    partitioning: String,
}

impl Finding {
    fn new(code: &'static str, table: &str, description: String) -> Self {
        Self {
            code,
            table: table.to_owned(),
            description,
            ..Self::default()
        }
    }

    fn view(&self) -> Value {
        let page = "https://planetscale.com/docs/vitess/schema-changes/schema-lint-errors";
        let anchor = self.code.to_lowercase().replace('_', "-");
        json!({
            "lint_error": self.code,
            "subject_type": "table",
            "keyspace_name": DATABASE,
            "table_name": self.table,
            "error_description": self.description,
            "docs_url": format!("{page}#{anchor}"),
            "column_name": self.column,
            "foreign_key_column_names": self.foreign_key_columns,
            "auto_increment_column_names": [],
            "charset_name": self.charset,
            "engine_name": self.engine,
            "vindex_name": "",
            "json_path": "",
            "check_constraint_name": "",
            "enum_value": self.enum_value,
            "partitioning_type": self.partitioning,
            "partition_name": "",
        })
    }
}

/// What breaks a rule in a branch's schema.
pub async fn lint(call: &mut Call<'_>, schema: &str) -> Result<Vec<Value>, Refusal> {
    let read = call.server.read(schema).await?;
    let mut found = findings(&read, call.state.settings.foreign_keys_enabled);
    for (name, create) in &read.views {
        let (_, select) = create.split_once(" AS ").unwrap_or_default();
        let code = match call
            .server
            .run(schema, &[format!("EXPLAIN {select}")])
            .await
        {
            Err(Error::Server(error)) => match error.code {
                NO_SUCH_TABLE | INVALID_VIEW => "INVALID_TABLE_REFERENCED_IN_VIEW",
                UNKNOWN_COLUMN => "INVALID_COLUMN_REFERENCED_IN_VIEW",
                _ => "UNSPECIFIED",
            },
            explained => {
                explained?;
                continue;
            }
        };
        let what = format!("The view {name} refers to what is not there");
        found.push(Finding::new(code, name, what));
    }
    Ok(found.iter().map(Finding::view).collect())
}

fn findings(schema: &Schema, foreign_keys_enabled: bool) -> Vec<Finding> {
    let mut found = Vec::new();
    if schema.tables.len() > MAX_TABLES {
        let text = format!("There are more than {MAX_TABLES} tables");
        found.push(Finding::new("UNSUPPORTED_FEATURE", "", text));
    }
    for (name, table) in &schema.tables {
        found.extend(unique_key(name, table));
        found.extend(engine(name, table));
        found.extend(partitioning(name, table));
        if table.columns.len() > MAX_COLUMNS {
            let text = format!("The table {name} has more than {MAX_COLUMNS} columns");
            found.push(Finding::new("UNSUPPORTED_FEATURE", name, text));
        }
        let options = without_quoted(&table.options);
        if let Some(charset) = word_after(&options, "CHARSET=") {
            found.extend(invalid_charset(name, "", charset));
        }
        for column in &table.columns {
            let words = column.words();
            let charset = word_after(&words, " CHARACTER SET ");
            // A collation's name begins with its character set's.
            let collation = word_after(&words, " COLLATE ");
            let of_collation = collation.and_then(|collation| collation.split('_').next());
            if let Some(charset) = charset.or(of_collation) {
                found.extend(invalid_charset(name, &column.name, charset));
            }
            found.extend(duplicate_enum_value(name, column));
        }
        for key in table.keys.iter().filter(|key| key.is_foreign_key()) {
            found.extend(foreign_key(name, key, schema, foreign_keys_enabled));
        }
    }
    found
}

/// A table needs a key that tells its rows apart while they are copied.
fn unique_key(name: &str, table: &Table) -> Option<Finding> {
    if table.identity().is_some() {
        return None;
    }
    let mut unique = table.keys.iter().filter(|key| key.is_unique());
    let blob = unique.clone().find_map(|key| {
        let mut names = key.column_names().into_iter();
        names.find(|name| table.column(name).is_some_and(Definition::is_blob))
    });
    let partial = unique.find(|key| key.has_prefix());
    let (code, text) = match (&blob, partial) {
        (Some(_), _) => (
            "BLOB_IN_UNIQUE_KEY",
            "has a unique key over a TEXT or BLOB column, and no other one",
        ),
        (None, Some(_)) => (
            "PARTIAL_KEY_IN_UNIQUE_KEY",
            "has a unique key over a part of a column, and no other one",
        ),
        (None, None) => (
            "NO_UNIQUE_KEY",
            "has no primary key, and no unique key over columns that are never NULL",
        ),
    };
    Some(Finding {
        column: blob.unwrap_or_default(),
        ..Finding::new(code, name, format!("The table {name} {text}"))
    })
}

fn engine(name: &str, table: &Table) -> Option<Finding> {
    let engine = word_after(&table.options, "ENGINE=")?;
    let text = format!("The table {name} has the engine {engine}: only InnoDB is supported");
    (engine != "InnoDB").then(|| Finding {
        engine: engine.to_owned(),
        ..Finding::new("UNSUPPORTED_FEATURE", name, text)
    })
}

fn partitioning(name: &str, table: &Table) -> Option<Finding> {
    let text = without_quoted(&table.partitioning).to_ascii_uppercase();
    let by = word_after(&text, "PARTITION BY ")?;
    let kind = match by.strip_prefix("LINEAR") {
        Some(_) => word_after(&text, "LINEAR ")?,
        None => by,
    };
    let kind = kind.split('(').next().unwrap_or_default();
    let supported = PARTITIONINGS.contains(&kind) && !text.contains("SUBPARTITION BY");
    let text = format!("The table {name} is partitioned in a way that is not supported");
    (!supported).then(|| Finding {
        partitioning: kind.to_owned(),
        ..Finding::new("UNSUPPORTED_PARTITIONING_FEATURE", name, text)
    })
}

fn invalid_charset(table: &str, column: &str, charset: &str) -> Option<Finding> {
    let text = format!("The table {table} has the character set {charset}");
    (!CHARSETS.contains(&charset)).then(|| Finding {
        column: column.to_owned(),
        charset: charset.to_owned(),
        ..Finding::new("INVALID_CHARSET", table, text)
    })
}

fn duplicate_enum_value(table: &str, column: &Definition) -> Option<Finding> {
    let start = quoted(&column.name).len();
    let kind = column.text.get(start..)?.trim_start();
    let values = kind
        .strip_prefix("enum(")
        .or_else(|| kind.strip_prefix("set("))?;
    let mut seen = Vec::new();
    let mut rest = values;
    while let Some(inside) = rest.strip_prefix('\'') {
        let mut value = String::new();
        let mut letters = inside.char_indices().peekable();
        let mut end = inside.len();
        while let Some((at, letter)) = letters.next() {
            if letter != '\'' {
                value.push(letter);
            } else if letters.next_if(|(_, next)| *next == '\'').is_some() {
                value.push('\'');
            } else {
                end = at + 1;
                break;
            }
        }
        if seen.contains(&value) {
            let name = &column.name;
            let text = format!("The column {name} of {table} has the value {value:?} twice");
            return Some(Finding {
                column: name.clone(),
                enum_value: value,
                ..Finding::new("DUPLICATE_ENUM_VALUE", table, text)
            });
        }
        seen.push(value);
        rest = inside.get(end..).unwrap_or_default();
        rest = rest.strip_prefix(',').unwrap_or_default();
    }
    None
}

fn foreign_key(table: &str, key: &Definition, schema: &Schema, enabled: bool) -> Option<Finding> {
    let (own, referenced) = key.text.split_once(" REFERENCES ")?;
    let finding = |code, text: String| Finding {
        foreign_key_columns: Definition {
            name: key.name.clone(),
            text: own.to_owned(),
        }
        .column_names(),
        ..Finding::new(code, table, text)
    };
    let name = &key.name;
    let mut parts = referenced.split('`');
    let target = parts.nth(1).unwrap_or_default();
    if !enabled {
        let text = format!("The table {table} has the foreign key {name}, which is not allowed");
        Some(finding("FOREIGN_KEYS_DISALLOWED", text))
    } else if schema.views.contains_key(target) {
        let text = format!("The foreign key {name} refers to the view {target}");
        Some(finding("FOREIGN_KEYS_REFERENCED_VIEW", text))
    } else if !schema.tables.contains_key(target) {
        let text = format!("The foreign key {name} refers to {target}, which is not there");
        Some(finding("FOREIGN_KEYS_NONEXISTENT_TABLE", text))
    } else {
        None
    }
}
