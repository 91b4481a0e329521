//! What a deployment is to do: which migrations, with which texts.

use serde::{Deserialize, Serialize};

use crate::{
    files::{Migration, MigrationId, Migrations, checksum},
    ledger::{Ledger, LedgerError},
};

/// The pending migrations. It has no SQL in it, so that it can be handed on: who carries it out
/// reads the files again, and finds out whether they are the same.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Whether the database lacks the ledger, so that its table is created too.
    pub creates_ledger: bool,
    /// The pending migrations, in order.
    pub migrations: Vec<MigrationId>,
}

impl Plan {
    /// Plans what the database lacks.
    ///
    /// # Errors
    ///
    /// As [`Ledger::pending`].
    pub fn new(migrations: &Migrations, ledger: &Ledger) -> Result<Self, LedgerError> {
        let pending = ledger.pending(migrations)?.into_iter();
        Ok(Self {
            creates_ledger: !ledger.exists(),
            migrations: pending.map(|migration| migration.id.clone()).collect(),
        })
    }

    /// Whether no migration is pending.
    pub fn is_empty(&self) -> bool {
        self.migrations.is_empty()
    }

    /// SHA-256 of the migrations' numbers and texts, in 64 lowercase hex digits.
    pub fn checksum(&self) -> String {
        let planned = self.migrations.iter();
        let lines = planned.map(|planned| format!("{} {}\n", planned.version, planned.checksum));
        checksum(&lines.collect::<String>())
    }

    /// The planned migrations among these, in order.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Outdated`] when one is not there or has another text.
    pub fn migrations<'m>(
        &self,
        migrations: &'m Migrations,
    ) -> Result<Vec<&'m Migration>, LedgerError> {
        let planned = self.migrations.iter().map(|planned| {
            let migration = migrations.get(planned.version);
            let same = migration.filter(|migration| migration.id.checksum == planned.checksum);
            same.ok_or(LedgerError::Outdated(planned.version))
        });
        planned.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDERS: &str = "CREATE TABLE orders (id INT PRIMARY KEY)";

    fn migrations(pending: &str) -> Migrations {
        let files = [("0001_orders.sql", ORDERS), ("0002_next.sql", pending)];
        Migrations::parse("m", files).unwrap()
    }

    /// The plan of a database that has the table of orders.
    fn plan(migrations: &Migrations) -> Plan {
        let first = migrations.get(1).unwrap().id.clone();
        let row = (1, first.name, first.checksum);
        Plan::new(migrations, &Ledger::new(vec![row])).unwrap()
    }

    #[test]
    fn it_survives_being_handed_on() {
        let before = plan(&migrations("ALTER TABLE orders ADD a INT"));
        let json = serde_json::to_string(&before).unwrap();
        assert!(!json.contains("ALTER"), "{json}");
        assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), before);
    }

    #[test]
    fn a_file_that_was_changed_since_is_found() {
        let plan = plan(&migrations("ALTER TABLE orders ADD a INT"));
        let changed = migrations("ALTER TABLE orders ADD b INT");
        assert_eq!(plan.migrations(&changed), Err(LedgerError::Outdated(2)));
    }

    #[test]
    fn nothing_is_pending_when_all_is_recorded() {
        let migrations = Migrations::parse("m", [("0001_orders.sql", ORDERS)]).unwrap();
        assert!(plan(&migrations).is_empty());
        let plan = Plan::new(&migrations, &Ledger::absent()).unwrap();
        assert!(plan.creates_ledger && !plan.is_empty());
    }
}
