//! How a server would carry out a statement, from the answer of `EXPLAIN FORMAT=JSON`.
//!
//! MySQL writes it in two ways, of which the variable `explain_json_format_version` chooses one (the
//! default is 1 in MySQL 8 and 2 in MySQL 9.5). MariaDB has a third one. Vitess passes on what its
//! MySQL says. All are trees, in which the objects with a `table_name` are what is read. So one walk
//! through the tree finds everything that a review asks for, whatever stands around it.

use serde_json::{Map, Value};

/// How a statement would be carried out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// The tables that are read. A table whose row was found, or missed, by a unique key before the
    /// plan was made may not be among them.
    pub tables: Vec<Table>,
    /// Whether rows are sorted.
    pub filesort: bool,
    /// Whether rows are kept in a temporary table.
    pub temporary_table: bool,
}

/// How a table would be read.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Its name, or its alias in the statement.
    pub name: String,
    /// The index that is used, if one is.
    pub key: Option<String>,
    /// The indexes that could be used, where the server says so.
    pub possible_keys: Vec<String>,
    /// Whether the whole table or the whole index is read.
    pub full_scan: bool,
    /// How many rows are read each time, by the optimizer's estimate.
    rows: f64,
    /// How many of them the conditions on the table leave.
    kept: f64,
}

impl Plan {
    /// Reads the server's answer.
    pub fn parse(json: &str) -> serde_json::Result<Self> {
        let mut plan = Self::default();
        plan.walk(&serde_json::from_str(json)?, None);
        Ok(plan)
    }

    /// The rows that are read, and those that are left of them, by the optimizer's estimate. A table
    /// is read once for each row that the tables before it leave.
    pub fn rows(&self) -> (f64, f64) {
        let tables = self.tables.iter();
        tables.fold((0.0, 1.0), |(read, left), table| {
            (read + left * table.rows, left * table.kept)
        })
    }

    /// Adds what this part of the tree says. `left` is what the filter around it leaves.
    fn walk(&mut self, part: &Value, left: Option<f64>) {
        match part {
            Value::Object(fields) => {
                let left = self.add(fields, left);
                for (name, part) in fields {
                    // MariaDB has an object for each of these two.
                    self.filesort |= name == "filesort";
                    self.temporary_table |= name == "temporary_table";
                    self.walk(part, left);
                }
            }
            Value::Array(parts) => parts.iter().for_each(|part| self.walk(part, left)),
            _ => {}
        }
    }

    /// Adds what one object says, and returns what the filter around its parts leaves.
    fn add(&mut self, fields: &Map<String, Value>, left: Option<f64>) -> Option<f64> {
        let text = |name| fields.get(name).and_then(Value::as_str);
        let number = |name| match fields.get(name)? {
            // MySQL writes some of its numbers as texts.
            Value::String(text) => text.parse().ok(),
            value => value.as_f64(),
        };
        let is_set = |name| fields.get(name) == Some(&Value::Bool(true));
        let access = text("access_type").unwrap_or_default();
        self.filesort |= is_set("using_filesort") || access == "sort";
        self.temporary_table |= is_set("using_temporary_table")
            || access.contains("temp_table")
            || access.contains("materialize");

        let rows = number("rows_examined_per_scan")
            .or_else(|| number("estimated_rows"))
            .or_else(|| number("rows"));
        // `<temporary>` and the like are no tables of the schema.
        let Some(name) = text("table_name").filter(|name| !name.starts_with('<')) else {
            return if access == "filter" { rows } else { left };
        };
        let rows = rows.unwrap_or_default();
        let full_scan = match access {
            "ALL" | "table" => true,
            "index" => text("index_access_type").is_none_or(|access| access == "index_scan"),
            _ => false,
        };
        let possible_keys = fields.get("possible_keys").and_then(Value::as_array);
        let possible_keys = possible_keys
            .into_iter()
            .flatten()
            .filter_map(Value::as_str);
        self.tables.push(Table {
            name: name.to_owned(),
            key: text("key")
                .or_else(|| text("index_name"))
                .map(str::to_owned),
            possible_keys: possible_keys.map(str::to_owned).collect(),
            full_scan,
            rows,
            kept: match number("filtered") {
                Some(percent) => rows * percent / 100.0,
                None => left.unwrap_or(rows),
            },
        });
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `SELECT currency, COUNT(*) FROM orders WHERE total > 3 GROUP BY currency ORDER BY COUNT(*)`, as
    /// MySQL 9.7 writes it in both ways, and as MariaDB 10.11 does.
    const SORTED: [&str; 3] = [
        r#"{"query_block": {"select_id": 1, "cost_info": {"query_cost": "510.25"}, "ordering_operation": {
            "using_filesort": true, "grouping_operation": {"using_temporary_table": true, "using_filesort": false,
            "table": {"table_name": "orders", "access_type": "ALL", "rows_examined_per_scan": 4860,
            "rows_produced_per_join": 1619, "filtered": "33.33", "used_columns": ["id", "currency", "total"]}}}}}"#,
        r#"{"query_plan": {"inputs": [{"inputs": [{"inputs": [{"inputs": [{"operation": "Table scan on orders",
            "table_name": "orders", "access_type": "table", "schema_name": "t", "estimated_rows": 4860.0}],
            "operation": "Filter: (orders.total > 3.0000)", "access_type": "filter", "estimated_rows": 1619.8}],
            "operation": "Aggregate using temporary table", "access_type": "temp_table_aggregate"}],
            "operation": "Table scan on <temporary>", "table_name": "<temporary>", "access_type": "table"}],
            "operation": "Sort: count(*)", "access_type": "sort"}, "query_type": "select", "json_schema_version": "2.0"}"#,
        r#"{"query_block": {"select_id": 1, "filesort": {"sort_key": "count(0)", "temporary_table": {"nested_loop": [
            {"table": {"table_name": "orders", "access_type": "ALL", "rows": 4860, "filtered": 33.33}}]}}}}"#,
    ];

    /// A page of a customer's orders, by the same three.
    const BY_INDEX: [&str; 3] = [
        r#"{"query_block": {"ordering_operation": {"using_filesort": false, "table": {"table_name": "orders",
            "access_type": "range", "possible_keys": ["by_customer"], "key": "by_customer",
            "rows_examined_per_scan": 122, "filtered": "100.00", "backward_index_scan": true}}}}"#,
        r#"{"query_plan": {"limit": 21, "inputs": [{"inputs": [{"index_name": "by_customer", "table_name": "orders",
            "access_type": "index", "estimated_rows": 122.0, "index_access_type": "index_range_scan"}],
            "access_type": "filter", "estimated_rows": 122.0}], "access_type": "limit", "estimated_rows": 21.0}}"#,
        r#"{"query_block": {"nested_loop": [{"table": {"table_name": "orders", "access_type": "range",
            "possible_keys": ["by_customer"], "key": "by_customer", "rows": 122, "filtered": 100}}]}}"#,
    ];

    #[test]
    fn a_scan_and_a_sort_are_found_however_they_are_written() {
        for json in SORTED {
            let plan = Plan::parse(json).unwrap();
            assert!(plan.filesort && plan.temporary_table, "{json}");
            let [table] = &plan.tables[..] else {
                panic!("{plan:?}");
            };
            assert_eq!((table.name.as_str(), &table.key), ("orders", &None));
            assert!(table.full_scan, "{json}");
            let (read, left) = plan.rows();
            assert!(
                (read, left.round()) == (4860.0, 1620.0),
                "{read} {left}: {json}"
            );
        }
    }

    #[test]
    fn an_index_is_found_however_it_is_written() {
        for json in BY_INDEX {
            let plan = Plan::parse(json).unwrap();
            assert!(!plan.filesort && !plan.temporary_table, "{json}");
            let [table] = &plan.tables[..] else {
                panic!("{plan:?}");
            };
            assert_eq!(table.key.as_deref(), Some("by_customer"), "{json}");
            assert!(!table.full_scan, "{json}");
            assert_eq!(plan.rows(), (122.0, 122.0), "{json}");
        }
    }

    #[test]
    fn a_row_that_no_plan_is_needed_for_is_no_table() {
        for json in [
            r#"{"query_block": {"select_id": 1, "message": "no matching row in const table"}}"#,
            r#"{"query_plan": {"access_type": "zero_rows", "estimated_rows": 0.0}, "json_schema_version": "2.0"}"#,
            r#"{"query_block": {"table": {"message": "Impossible WHERE noticed after reading const tables"}}}"#,
        ] {
            assert_eq!(Plan::parse(json).unwrap().tables, [], "{json}");
        }
    }
}
