//! The rules on the definition of a column.
//!
//! What no server takes a laptop's refuses too; here is what a MariaDB there takes and MySQL does
//! not.

use std::collections::BTreeSet;

use super::{Linter, Rule};
use crate::ddl::{Column, Given};

/// PlanetScale's docs, "MySQL compatibility".
const CHARSETS: [&str; 5] = ["utf8mb4", "utf8mb3", "utf8", "latin1", "ascii"];

/// What is in the names of collations that only MariaDB has.
const OF_MARIADB: [&str; 5] = ["uca1400", "nopad", "mysql561", "myanmar", "thai_520"];

/// MySQL's types, by their first words (its manual, "Data Types", and the synonyms that its parser
/// takes).
const TYPES: &str = "BIGINT BINARY BIT BLOB BOOL BOOLEAN CHAR CHARACTER DATE DATETIME DEC DECIMAL \
    DOUBLE ENUM FIXED FLOAT FLOAT4 FLOAT8 GEOMCOLLECTION GEOMETRY GEOMETRYCOLLECTION INT INT1 INT2 \
    INT3 INT4 INT8 INTEGER JSON LINESTRING LONG LONGBLOB LONGTEXT MEDIUMBLOB MEDIUMINT MEDIUMTEXT \
    MIDDLEINT MULTILINESTRING MULTIPOINT MULTIPOLYGON NCHAR NUMERIC NVARCHAR POINT POLYGON REAL \
    SERIAL SET SMALLINT TEXT TIME TIMESTAMP TINYBLOB TINYINT TINYTEXT VARBINARY VARCHAR VARCHARACTER \
    VECTOR YEAR";

const SPATIAL: &str = "GEOMCOLLECTION GEOMETRY GEOMETRYCOLLECTION LINESTRING MULTILINESTRING \
    MULTIPOINT MULTIPOLYGON POINT POLYGON";

impl Linter<'_> {
    /// The rules on a column's definition.
    pub(super) fn column(&mut self, column: &Column) {
        if column.bare {
            self.unreserved(column.line, "column", &column.name);
        }
        self.column_type(column);
        let (charset, collation) = (column.charset.as_deref(), column.collation.as_deref());
        self.charset(column.line, charset, collation);
        self.default(column);
        self.members(column);
    }

    fn column_type(&mut self, column: &Column) {
        let (name, data_type) = (&column.name, &column.data_type);
        let of = type_name(data_type);
        let varies = match of {
            "VARCHAR" | "VARCHARACTER" | "NVARCHAR" | "VARBINARY" => true,
            "CHAR" | "CHARACTER" => data_type.contains(" VARYING"),
            _ => false,
        };
        let what = if !is_one_of(TYPES, of) || has_more(of, data_type) {
            format!("`{name}` is {data_type}, which is no type of MySQL's")
        } else if varies && number(data_type).is_none() {
            format!("`{name}` is {data_type} without a length")
        } else {
            return;
        };
        self.report(column.line, Rule::Type, what);
    }

    /// The rule on the character set and the collation of a column or a table.
    pub(super) fn charset(&mut self, line: usize, charset: Option<&str>, collation: Option<&str>) {
        if let Some(charset) = charset
            && !CHARSETS.contains(&charset)
        {
            let what = format!("PlanetScale does not take the character set {charset}");
            self.report(line, Rule::Charset, what);
        } else if let Some(collation) = collation
            && OF_MARIADB.iter().any(|part| collation.contains(part))
        {
            let what = format!("only MariaDB has the collation {collation}");
            self.report(line, Rule::Charset, what);
        }
    }

    fn default(&mut self, column: &Column) {
        let name = &column.name;
        let what = match column.default {
            Some(Given::Bare) => {
                format!("the default of `{name}` is an expression without parentheses")
            }
            Some(Given::Now(digits)) if seconds(&column.data_type) != Some(digits) => {
                format!(
                    "the default of `{name}` is a time that {} does not hold",
                    column.data_type
                )
            }
            Some(Given::Literal) if takes_no_literal(column) => {
                format!(
                    "`{name}` is {}, which has no plain default",
                    column.data_type
                )
            }
            _ => match column.on_update {
                None => return,
                Some(Given::Now(digits)) if seconds(&column.data_type) == Some(digits) => return,
                Some(_) => format!(
                    "ON UPDATE gives `{name}` what {} does not hold",
                    column.data_type
                ),
            },
        };
        self.report(column.line, Rule::Default, what);
    }

    fn members(&mut self, column: &Column) {
        // By collations that compare bytes alone, values differ in more than the case.
        let collation = column.collation.as_deref().unwrap_or_default();
        let bytes = column.charset.as_deref() == Some("binary") || collation.ends_with("_bin");
        let mut values = BTreeSet::new();
        for value in &column.members {
            let trimmed = value.trim_end_matches(' ');
            let compared = match bytes {
                true => trimmed.to_owned(),
                false => trimmed.to_lowercase(),
            };
            if !values.insert(compared) {
                let what = format!("`{}` has the value '{value}' twice", column.name);
                self.report(column.line, Rule::DuplicateValue, what);
            }
        }
    }
}

/// The type without what follows it.
fn type_name(data_type: &str) -> &str {
    data_type.split(['(', ' ']).next().unwrap_or_default()
}

fn is_one_of(names: &str, name: &str) -> bool {
    names.split(' ').any(|known| known == name)
}

/// Whether other databases' words follow the type.
fn has_more(name: &str, data_type: &str) -> bool {
    match name {
        "TIME" | "TIMESTAMP" => data_type.ends_with(" TIME ZONE"),
        "BIT" => data_type.contains(" VARYING"),
        _ => false,
    }
}

/// The number in the parentheses.
fn number(data_type: &str) -> Option<u32> {
    let (_, behind) = data_type.split_once('(')?;
    behind.split(')').next()?.parse().ok()
}

/// How many digits of a second it holds, when it is a type for CURRENT_TIMESTAMP.
fn seconds(data_type: &str) -> Option<u32> {
    match type_name(data_type) {
        "DATETIME" | "TIMESTAMP" => Some(number(data_type).unwrap_or_default()),
        _ => None,
    }
}

fn takes_no_literal(column: &Column) -> bool {
    let name = type_name(&column.data_type);
    column.long || name == "JSON" || name == "VECTOR" || is_one_of(SPATIAL, name)
}
