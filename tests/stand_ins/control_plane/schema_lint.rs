//! The rules that PlanetScale documents for the schema of a branch (its docs, Schema lint errors),
//! answered by the server's information_schema.

use mysql_async::prelude::Queryable;
use mysql_async::{Error, Params};
use serde_json::{Value, json};

use super::DATABASE;
use super::branch_schema::BranchSchema;
use super::call::{Call, Refusal};
use super::constants::{merged, with_constants};
use super::constraint_names::{MAX_ORIGINAL_NAME, original_name};
use super::server::Server;
use super::unique_keys::UniqueKey;

/// The server's errors for views of what does not exist: ER_NO_SUCH_TABLE and ER_VIEW_INVALID.
const NO_SUCH_TABLE: [u16; 2] = [1146, 1356];

/// A rule whose violations the server finds.
struct Rule {
    code: &'static str,
    /// The member of an error that says what is wrong in the table.
    member: &'static str,
    /// The end of the sentence about the table.
    what: &'static str,
    /// Finds for `:schema` the table, the value of the member, and the column if it is about one.
    query: &'static str,
}

const FOREIGN_KEYS: &str = "foreign_key_column_names";
const DISALLOWED: &str = "FOREIGN_KEYS_DISALLOWED";

const RULES: [Rule; 6] = [
    Rule {
        code: "UNSUPPORTED_FEATURE",
        member: "engine_name",
        what: "has another engine than InnoDB",
        query: "SELECT table_name, engine, '' FROM information_schema.tables
            WHERE table_schema = :schema AND table_type = 'BASE TABLE' AND engine <> 'InnoDB'",
    },
    Rule {
        code: "INVALID_CHARSET",
        member: "charset_name",
        what: "uses a character set that is not supported",
        query: "SELECT * FROM (
                SELECT table_name, SUBSTRING_INDEX(table_collation, '_', 1) AS charset, ''
                FROM information_schema.tables
                WHERE table_schema = :schema AND table_type = 'BASE TABLE'
            UNION
                SELECT c.table_name, character_set_name, column_name
                FROM information_schema.columns AS c JOIN information_schema.tables AS t
                ON t.table_schema = c.table_schema AND t.table_name = c.table_name
                WHERE c.table_schema = :schema AND table_type = 'BASE TABLE'
                AND character_set_name <> SUBSTRING_INDEX(table_collation, '_', 1)
            ) AS used WHERE charset NOT IN ('utf8mb4', 'utf8mb3', 'utf8', 'latin1', 'ascii')",
    },
    Rule {
        code: "UNSUPPORTED_PARTITIONING_FEATURE",
        member: "partitioning_type",
        what: "has a partitioning that Vitess does not support",
        query: "SELECT DISTINCT table_name, partition_method, '' FROM information_schema.partitions
            WHERE table_schema = :schema AND (subpartition_method IS NOT NULL
            OR partition_method NOT REGEXP '^(LINEAR )?(RANGE|HASH|KEY)')",
    },
    Rule {
        code: DISALLOWED,
        member: FOREIGN_KEYS,
        what: "has a foreign key, but foreign keys are not enabled",
        query: "SELECT table_name,
                GROUP_CONCAT(column_name ORDER BY ordinal_position SEPARATOR '\\n'), ''
            FROM information_schema.key_column_usage
            WHERE table_schema = :schema AND referenced_table_name IS NOT NULL
            GROUP BY table_name, constraint_name",
    },
    Rule {
        code: "FOREIGN_KEYS_NONEXISTENT_TABLE",
        member: FOREIGN_KEYS,
        what: "has a foreign key to a table that does not exist",
        query: "SELECT table_name,
                GROUP_CONCAT(column_name ORDER BY ordinal_position SEPARATOR '\\n'), ''
            FROM information_schema.key_column_usage AS used
            WHERE table_schema = :schema AND referenced_table_name IS NOT NULL
            AND NOT EXISTS (SELECT 1 FROM information_schema.tables AS t
                WHERE t.table_schema = :schema AND t.table_type = 'BASE TABLE'
                AND t.table_name = used.referenced_table_name)
            GROUP BY table_name, constraint_name",
    },
    Rule {
        code: "UNSUPPORTED_FEATURE",
        member: "check_constraint_name",
        what: "has a constraint name that leaves no room for the suffix of a deployment",
        query: "SELECT table_name, constraint_name, '' FROM information_schema.table_constraints
            WHERE table_schema = :schema AND constraint_type IN ('CHECK', 'FOREIGN KEY')",
    },
];

impl Rule {
    /// Whether it is about a row of its query.
    fn is_broken(&self, table: &str, value: &str) -> bool {
        self.member != "check_constraint_name"
            || original_name(table, value).chars().count() > MAX_ORIGINAL_NAME
    }
}

/// The rules that a branch's schema breaks, as the API describes them.
pub async fn lint(call: &mut Call<'_>, schema: &str) -> Result<Vec<Value>, Refusal> {
    let foreign_keys_enabled = call.records.settings.foreign_keys_enabled;
    let read = call.server.read(schema).await?;
    let connection = call.server.connection().await?;
    let mut errors = Vec::new();
    for rule in &RULES {
        if rule.member == FOREIGN_KEYS && foreign_keys_enabled == (rule.code == DISALLOWED) {
            continue;
        }
        let parameters = Params::from(vec![("schema", schema)]);
        let found: Vec<(String, String, String)> = connection.exec(rule.query, parameters).await?;
        for (table, value, column) in found {
            if rule.is_broken(&table, &value) {
                let value = match rule.member {
                    FOREIGN_KEYS => value.lines().collect(),
                    _ => Value::from(value),
                };
                let about = json!({"column_name": column, rule.member: value});
                errors.push(error(rule.code, &table, rule.what, about));
            }
        }
    }
    let keys = UniqueKey::read(connection, schema).await?;
    for table in read.tables.keys() {
        let own: Vec<_> = keys.iter().filter(|key| key.table == *table).collect();
        if own.iter().any(|key| key.identifies_rows()) {
            continue;
        }
        let (code, what) = if own.iter().any(|key| key.has_blob) {
            ("BLOB_IN_UNIQUE_KEY", "a TEXT or BLOB column")
        } else if own.iter().any(|key| key.is_partial) {
            ("PARTIAL_KEY_IN_UNIQUE_KEY", "part of a column")
        } else {
            ("NO_UNIQUE_KEY", "columns that can be NULL")
        };
        let what = format!("has no unique key but over {what}");
        errors.push(error(code, table, &what, json!({})));
    }
    errors.extend(views(call.server, schema, &read).await?);
    errors.sort_by_key(|error| {
        let member = |name| error.get(name).map(Value::to_string);
        ["table_name", "lint_error", "column_name"].map(member)
    });
    Ok(errors)
}

/// The server says whether what a view reads exists.
async fn views(
    server: &mut Server,
    schema: &str,
    read: &BranchSchema,
) -> Result<Vec<Value>, Error> {
    let mut errors = Vec::new();
    for (name, create) in &read.views {
        let (_, select) = create.split_once(" AS ").unwrap_or_default();
        let code = match server.run(schema, &[format!("EXPLAIN {select}")]).await {
            Ok(()) => continue,
            Err(Error::Server(error)) if NO_SUCH_TABLE.contains(&error.code) => {
                "INVALID_TABLE_REFERENCED_IN_VIEW"
            }
            Err(Error::Server(_)) => "INVALID_COLUMN_REFERENCED_IN_VIEW",
            Err(error) => return Err(error),
        };
        let what = "reads a table or column that does not exist";
        errors.push(error(code, name, what, json!({})));
    }
    Ok(errors)
}

/// An error as the API describes it. The members of `about` say what it is about.
fn error(code: &str, table: &str, what: &str, about: Value) -> Value {
    let page = "https://planetscale.com/docs/vitess/schema-changes/schema-lint-errors";
    let anchor = code.to_lowercase().replace('_', "-");
    let own = json!({
        "lint_error": code,
        "keyspace_name": DATABASE,
        "table_name": table,
        "error_description": format!("{table} {what}"),
        "docs_url": format!("{page}#{anchor}"),
    });
    merged(with_constants("LintError", own), about)
}
