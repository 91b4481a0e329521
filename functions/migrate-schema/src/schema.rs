//! The schema of a branch, as PlanetScale's API tells it.

use std::collections::BTreeMap;

use planetscale::TableSchema;

use crate::{failure::StepError, production::Production};

/// The statement that creates each table and view, by name.
pub struct Schema(BTreeMap<String, String>);

impl Schema {
    pub async fn of(branch: &str, production: &Production) -> Result<Self, StepError> {
        let tables = production.api().schema(branch).await?.into_iter();
        let statement = |table: TableSchema| (table.name, without_counter(&table.raw));
        Ok(Self(tables.map(statement).collect()))
    }

    /// The statement that creates the table, if it is there.
    pub fn table(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The tables that both have not alike.
    pub fn differing(&self, other: &Self) -> Vec<String> {
        let own = self.0.iter();
        let mut tables: Vec<String> = own
            .filter(|(name, sql)| other.0.get(*name) != Some(sql))
            .map(|(name, _)| name.clone())
            .collect();
        let others = other.0.keys();
        tables.extend(others.filter(|name| !self.0.contains_key(*name)).cloned());
        tables
    }
}

/// Without the next value of AUTO_INCREMENT, which follows the rows.
fn without_counter(sql: &str) -> String {
    let words = sql.split_whitespace();
    let words = words.filter(|word| !word.starts_with("AUTO_INCREMENT="));
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_makes_no_other_table() {
        assert_eq!(
            without_counter(
                "CREATE TABLE t (\n  id INT\n) ENGINE=InnoDB AUTO_INCREMENT=7 DEFAULT CHARSET=utf8mb4"
            ),
            without_counter("CREATE TABLE t (\n  id INT\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4"),
        );
    }
}
