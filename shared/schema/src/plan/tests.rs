mod check;
mod outcome;

use super::{table::Fate, *};

const ORDERS: &str = "CREATE TABLE orders (id INT PRIMARY KEY, note TEXT)";

/// `orders` as production has it.
const BEFORE: &str = "\
CREATE TABLE `orders` (
  `id` int NOT NULL,
  `note` text COLLATE utf8mb4_bin DEFAULT NULL,
  `total` decimal(14,4) NOT NULL DEFAULT '0.0000',
  PRIMARY KEY (`id`),
  UNIQUE KEY `by_note` (`note`(9)),
  KEY `By_total` (`total`,`note`(9)),
  CONSTRAINT `positive` CHECK (`total` >= 0)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4";

fn migrations(pending: &str) -> Migrations {
    let files = [("0001_orders.sql", ORDERS), ("0002_next.sql", pending)];
    Migrations::parse("m", files).unwrap()
}

/// The plan of a database that has the table of orders.
fn plan(migrations: &Migrations) -> Plan {
    let first = migrations.get(1).unwrap();
    let row = (1, first.name().to_owned(), first.checksum());
    Plan::new(migrations, &Ledger::new(vec![row])).unwrap()
}

/// What this migration does to the table of orders and to others.
fn changes(pending: &str) -> Changes {
    let migrations = migrations(pending);
    plan(&migrations).changes(&migrations).unwrap()
}

fn fates(changes: &Changes) -> Vec<(&str, Fate)> {
    let tables = changes.tables.iter();
    tables
        .map(|(name, table)| (name.as_str(), table.fate))
        .collect()
}

#[test]
fn it_names_the_tables() {
    let changes = changes(
        "CREATE TABLE a (id INT PRIMARY KEY); ALTER TABLE a ADD b INT;\
         ALTER TABLE orders ADD c INT; CREATE INDEX d ON orders (c);\
         CREATE VIEW v AS SELECT id FROM orders;\
         -- allow drop-table: gone\nDROP TABLE old;\
         CREATE TABLE passing (id INT PRIMARY KEY);\nDROP TABLE passing;",
    );
    assert_eq!(
        fates(&changes),
        [
            ("a", Fate::Created),
            ("old", Fate::Dropped),
            ("orders", Fate::Altered),
            ("v", Fate::Created),
        ]
    );
}

#[test]
fn a_statement_that_is_not_understood_names_its_table_all_the_same() {
    let changes = changes("ALTER TABLE orders ORDER BY id; CREATE TABLE a (b NATIONAL VARCHAR(3))");
    assert_eq!(
        fates(&changes),
        [("a", Fate::Altered), ("orders", Fate::Altered)]
    );
}

#[test]
fn the_ledger_is_created_where_it_is_missing() {
    let migrations = migrations("ALTER TABLE orders ADD c INT;\nDROP TABLE x");
    let plan = Plan::new(&migrations, &Ledger::absent()).unwrap();
    assert!(plan.creates_ledger);
    let steps = plan.steps(&migrations).unwrap();
    let steps: Vec<_> = steps
        .iter()
        .map(|step| (step.place.as_str(), step.sql.as_str()))
        .collect();
    assert_eq!(
        steps,
        [
            ("schema_migrations", ledger::CREATE),
            ("m/0001_orders.sql:1", ORDERS),
            ("m/0002_next.sql:1", "ALTER TABLE orders ADD c INT"),
            ("m/0002_next.sql:2", "DROP TABLE x"),
        ]
    );
    let changes = plan.changes(&migrations).unwrap();
    assert_eq!(
        changes.check(ledger::TABLE, ledger::CREATE, false, None),
        Ok(())
    );
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
    assert_eq!(plan.steps(&changed), Err(Outdated { version: 2 }));
    assert_eq!(plan.changes(&changed).unwrap_err(), Outdated { version: 2 });
}

#[test]
fn nothing_is_pending_when_all_is_recorded() {
    let migrations = Migrations::parse("m", [("0001_orders.sql", ORDERS)]).unwrap();
    let checksum = migrations.get(1).unwrap().checksum();
    let ledger = Ledger::new(vec![(1, "orders".to_owned(), checksum)]);
    assert!(Plan::new(&migrations, &ledger).unwrap().is_empty());
}
