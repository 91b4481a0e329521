//! What the server would do for each read of the catalogue.

use std::fmt;

use database::{Database, DatabaseError, DefinitionError, Session, Statement};
use lambda::{Deadline, operation::Failure};
use orders::statements::EXAMPLES;
use serde::Serialize;

use crate::{
    plan::Plan,
    report::{count, listed},
};

/// A plan that reads fewer rows than this does no harm. Below it, the optimizer's choice says more
/// about the size of the table than about the statement, because on a small table a scan is as good
/// as an index. So only what reads more is a fault, and an index that is missing, which is a fault
/// whatever the plan says.
const MANY: f64 = 1000.0;

/// More rows than this are too many to be read for one that is returned.
const MANY_PER_ROW: f64 = 100.0;

/// MySQL's error for an index that a statement names and that the table does not have.
const NO_SUCH_KEY: u16 = 1176;

/// One row for each index of the schema.
const INDEXES: Statement = Statement::read(
    "INDEXES",
    "SELECT DISTINCT table_name, index_name FROM information_schema.statistics \
     WHERE table_schema = DATABASE()",
    "",
);

/// A statement that the server would not carry out as the catalogue says.
#[derive(Debug, Serialize)]
pub struct Finding {
    /// Its name in the catalogue.
    pub statement: &'static str,
    /// The index that it must use.
    pub index: &'static str,
    pub faults: Vec<Fault>,
}

/// What is wrong with how a statement would be carried out. Rows are estimates of the optimizer.
#[derive(Debug, PartialEq, Serialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum Fault {
    /// The schema does not have the index.
    MissingIndex {
        /// Whether the statement names the index itself, so that it fails.
        fails: bool,
    },
    /// The whole table or the whole index is read.
    FullScan {
        table: String,
        rows: f64,
        /// The indexes that the optimizer could have used.
        unused_keys: Vec<String>,
    },
    /// Another index than the catalogue's is used.
    OtherIndex {
        table: String,
        key: String,
        rows: f64,
    },
    Filesort {
        rows: f64,
    },
    TemporaryTable {
        rows: f64,
    },
    /// Many rows are read for each one that is returned.
    ManyRows {
        rows: f64,
        returned: f64,
    },
}

impl Finding {
    /// Whether it is about an index, and not only about how rows are put in order.
    pub fn is_without_index(&self) -> bool {
        let mut faults = self.faults.iter();
        faults.any(|fault| {
            matches!(
                fault,
                Fault::MissingIndex { .. } | Fault::FullScan { .. } | Fault::OtherIndex { .. }
            )
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            statement, index, ..
        } = self;
        let faults = self.faults.iter().map(|fault| match fault {
            Fault::MissingIndex { fails: true } => {
                format!("fails, because there is no index {index}")
            }
            Fault::MissingIndex { fails: false } => format!("there is no index {index}"),
            Fault::FullScan {
                table,
                rows,
                unused_keys,
            } => {
                let unused = match unused_keys.as_slice() {
                    [] => String::new(),
                    keys => format!(", although it could use {}", listed(keys)),
                };
                format!("reads all of {table}, {} rows{unused}", count(*rows))
            }
            Fault::OtherIndex { table, key, rows } => format!(
                "reads {} rows of {table} by {key} and not by {index}",
                count(*rows)
            ),
            Fault::Filesort { rows } => format!("sorts {} rows", count(*rows)),
            Fault::TemporaryTable { rows } => {
                format!("puts {} rows into a temporary table", count(*rows))
            }
            Fault::ManyRows { rows, returned } => {
                format!("reads {} rows to return {}", count(*rows), count(*returned))
            }
        });
        let faults: Vec<_> = faults.collect();
        write!(f, "{statement}: {}", faults.join("; "))
    }
}

/// Asks the server about each read of the catalogue, and returns those with a fault.
pub async fn review(
    database: &'static Database,
    deadline: Deadline,
) -> Result<Vec<Finding>, Failure> {
    let of_database = |error: DatabaseError| failure("the production database", error.into());
    let session = database.session(deadline).await;
    let mut session = session.map_err(of_database)?;
    let indexes = session.rows(&INDEXES, ()).await;
    let indexes: Vec<(String, String)> = indexes.map_err(of_database)?;
    let mut findings = Vec::new();
    for (statement, literals) in EXAMPLES {
        let index = statement.index().unwrap_or_default();
        let exists = indexes
            .iter()
            .any(|(table, name)| name == index && mentions(&statement, table));
        let faults = match explain(&mut session, &statement, literals).await? {
            Some(plan) => faults(&plan, index, exists),
            None => vec![Fault::MissingIndex { fails: true }],
        };
        if !faults.is_empty() {
            let statement = statement.name();
            findings.push(Finding {
                statement,
                index,
                faults,
            });
        }
    }
    Ok(findings)
}

/// The statement's plan; none if it names an index that does not exist.
async fn explain(
    session: &mut Session<'_>,
    statement: &Statement,
    literals: &[&str],
) -> Result<Option<Plan>, Failure> {
    let explained = session.explain(statement, literals).await;
    let statement = statement.name();
    let of_statement = |error| failure(&format!("EXPLAIN of {statement}"), error);
    match explained {
        Ok(json) => Plan::parse(&json).map(Some).map_err(|_| {
            tracing::error!(statement, "the plan is not JSON");
            of_statement(DatabaseError::Refused.into())
        }),
        Err(DefinitionError::Refused {
            code: NO_SUCH_KEY, ..
        }) => Ok(None),
        Err(error) => Err(of_statement(error)),
    }
}

/// What the review fails with if the database cannot be reached or refuses. `doing` says what it was
/// asked for.
fn failure(doing: &str, error: DefinitionError) -> Failure {
    use DatabaseError::{OutOfTime, Unavailable};
    let name = match error {
        DefinitionError::Database(Unavailable | OutOfTime) => Failure::TRANSIENT,
        _ => "DatabaseRefused",
    };
    Failure::new(name, format!("{doing}: {error}"))
}

/// Whether the statement has the table's name in it.
fn mentions(statement: &Statement, table: &str) -> bool {
    let sql = statement.sql();
    let mut words = sql.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '$');
    words.any(|word| word == table)
}

/// What is wrong with a plan of a statement that must use this index.
fn faults(plan: &Plan, index: &str, exists: bool) -> Vec<Fault> {
    let mut faults = Vec::new();
    if !exists {
        faults.push(Fault::MissingIndex { fails: false });
    }
    let (rows, returned) = plan.rows();
    if rows < MANY {
        return faults;
    }
    for table in &plan.tables {
        let name = table.name.clone();
        match &table.key {
            _ if table.full_scan => faults.push(Fault::FullScan {
                table: name,
                rows,
                unused_keys: table.possible_keys.clone(),
            }),
            Some(key) if key != index => faults.push(Fault::OtherIndex {
                table: name,
                key: key.clone(),
                rows,
            }),
            _ => {}
        }
    }
    if plan.filesort {
        faults.push(Fault::Filesort { rows });
    }
    if plan.temporary_table {
        faults.push(Fault::TemporaryTable { rows });
    }
    if rows > MANY_PER_ROW * returned.max(1.0) {
        faults.push(Fault::ManyRows { rows, returned });
    }
    faults
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn faults_of(access: &str, key: Option<&str>, rows: u32, sorted: bool, exists: bool) -> String {
        let plan = json!({ "query_block": { "using_filesort": sorted, "table": {
            "table_name": "orders", "access_type": access, "key": key, "rows": rows, "filtered": 0.5,
            "possible_keys": ["by_customer"],
        }}});
        let plan = Plan::parse(&plan.to_string()).unwrap();
        let index = "by_customer";
        let faults = faults(&plan, index, exists);
        let statement = "LIST";
        Finding {
            statement,
            index,
            faults,
        }
        .to_string()
    }

    #[test]
    fn a_finding_says_what_is_wrong_in_words() {
        let own = Some("by_customer");
        for (access, key, rows, sorted, exists, words) in [
            (
                "range",
                own,
                900_000,
                false,
                true,
                "reads 900,000 rows to return 4,500",
            ),
            ("range", own, 999, true, true, ""),
            ("ALL", None, 999, true, true, ""),
            (
                "ALL",
                None,
                999,
                true,
                false,
                "there is no index by_customer",
            ),
            (
                "ALL",
                None,
                4860,
                false,
                true,
                "reads all of orders, 4,860 rows, although it could use by_customer",
            ),
            (
                "ref",
                Some("by_status"),
                1000,
                true,
                true,
                "reads 1,000 rows of orders by by_status and not by by_customer; sorts 1,000 rows",
            ),
        ] {
            let found = faults_of(access, key, rows, sorted, exists);
            let found = found.strip_prefix("LIST: ").unwrap();
            assert!(
                found.starts_with(words) && found.is_empty() == words.is_empty(),
                "{found}"
            );
        }
    }

    #[test]
    fn a_statement_mentions_its_tables_and_no_others() {
        let find = orders::statements::FIND_ORDER;
        for (table, is_mentioned) in [("orders", true), ("order_items", true), ("order", false)] {
            assert_eq!(mentions(&find, table), is_mentioned, "{table}");
        }
    }
}
