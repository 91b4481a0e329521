use super::*;

const ORDERS: &str = "CREATE TABLE orders (id INT PRIMARY KEY, note TEXT)";

fn migrations(pending: &str) -> Migrations {
    let files = [("0001_orders.sql", ORDERS), ("0002_next.sql", pending)];
    Migrations::parse("m", files).unwrap()
}

/// The plan of a database that has the table of orders.
fn plan(pending: &str) -> Plan {
    let migrations = migrations(pending);
    let first = migrations.get(1).unwrap();
    let row = (1, first.name().to_owned(), first.checksum());
    Plan::new(&migrations, &Ledger::new(vec![row])).unwrap()
}

fn changes(plan: &Plan) -> Vec<(&str, TableChange)> {
    let tables = plan.tables.iter();
    tables
        .map(|(name, table)| (name.as_str(), table.change))
        .collect()
}

#[test]
fn it_names_the_tables() {
    let plan = plan(
        "CREATE TABLE a (id INT PRIMARY KEY); ALTER TABLE a ADD b INT;\
         ALTER TABLE orders ADD c INT; CREATE INDEX d ON orders (c);\
         CREATE VIEW v AS SELECT id FROM orders;\
         -- allow drop-table: gone\nDROP TABLE old;\
         CREATE TABLE passing (id INT PRIMARY KEY);\nDROP TABLE passing;",
    );
    assert_eq!(
        changes(&plan),
        [
            ("a", TableChange::Created),
            ("old", TableChange::Dropped),
            ("orders", TableChange::Altered),
            ("v", TableChange::Created),
        ]
    );
}

#[test]
fn a_statement_that_is_not_understood_names_its_table_all_the_same() {
    let plan = plan("ALTER TABLE orders ORDER BY id; CREATE TABLE a (b NATIONAL VARCHAR(3))");
    assert_eq!(
        changes(&plan),
        [
            ("a", TableChange::Altered),
            ("orders", TableChange::Altered)
        ]
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
    assert_eq!(plan.check(ledger::TABLE, ledger::CREATE, false), Ok(()));
}

#[test]
fn it_survives_being_handed_on() {
    let before = plan("-- allow drop-column: unused\nALTER TABLE orders DROP note");
    let json = serde_json::to_string(&before).unwrap();
    assert!(!json.contains("ALTER"), "{json}");
    assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), before);
}

#[test]
fn a_file_that_was_changed_since_is_found() {
    let plan = plan("ALTER TABLE orders ADD a INT");
    let changed = migrations("ALTER TABLE orders ADD b INT");
    assert_eq!(plan.steps(&changed), Err(Outdated { version: 2 }));
}

#[test]
fn nothing_is_pending_when_all_is_recorded() {
    let migrations = Migrations::parse("m", [("0001_orders.sql", ORDERS)]).unwrap();
    let checksum = migrations.get(1).unwrap().checksum();
    let ledger = Ledger::new(vec![(1, "orders".to_owned(), checksum)]);
    assert!(Plan::new(&migrations, &ledger).unwrap().is_empty());
}

#[test]
fn the_planned_difference_passes() {
    let plan = plan("CREATE TABLE a (id INT PRIMARY KEY); ALTER TABLE orders ADD c INT");
    assert_eq!(
        plan.check(
            "a",
            "CREATE TABLE `a` (\n `id` int NOT NULL,\n PRIMARY KEY (`id`)\n)",
            false
        ),
        Ok(())
    );
    assert_eq!(
        plan.check("orders", "ALTER TABLE `orders` ADD COLUMN `c` int", false),
        Ok(())
    );
}

#[test]
fn a_table_that_no_migration_names_stops_it() {
    let plan = plan("ALTER TABLE orders ADD c INT");
    for table in ["other", ledger::TABLE] {
        let deviation = plan.check(table, "ALTER TABLE x DROP COLUMN y", true);
        assert_eq!(
            deviation,
            Err(Deviation::Table {
                table: table.to_owned()
            })
        );
    }
}

#[test]
fn data_goes_only_where_a_migration_allows_it() {
    let table = "orders".to_owned();
    let drop_note = "ALTER TABLE `orders` DROP COLUMN `note`";
    let silent = plan("ALTER TABLE orders DROP note");
    let column = "note".to_owned();
    assert_eq!(
        silent.check("orders", drop_note, true),
        Err(Deviation::DroppedColumn {
            table: table.clone(),
            column
        })
    );
    let allowed = plan("-- allow drop-column: unused\nALTER TABLE orders DROP Note");
    assert_eq!(allowed.check("orders", drop_note, true), Ok(()));
    let column = "total".to_owned();
    assert_eq!(
        allowed.check("orders", "ALTER TABLE orders DROP COLUMN total", true),
        Err(Deviation::DroppedColumn {
            table: table.clone(),
            column
        })
    );
    assert_eq!(
        allowed.check("orders", "DROP TABLE `orders`", true),
        Err(Deviation::DroppedTable {
            table: table.clone()
        })
    );
    let adds = plan("ALTER TABLE orders ADD c INT");
    assert_eq!(
        adds.check("orders", "ALTER TABLE orders SOMETHING NEW", true),
        Err(Deviation::DroppedData { table })
    );
}

#[test]
fn a_table_is_dropped_only_where_a_migration_allows_it() {
    let drop = "DROP TABLE `orders`";
    let table = "orders".to_owned();
    assert_eq!(
        plan("DROP TABLE orders").check("orders", drop, true),
        Err(Deviation::DroppedTable { table })
    );
    let allowed = plan("-- allow drop-table: replaced\nDROP TABLE orders");
    assert_eq!(allowed.check("orders", drop, true), Ok(()));
}

#[test]
fn an_allowance_without_a_reason_allows_nothing() {
    let plan = plan("-- allow drop-table\nDROP TABLE orders");
    assert!(plan.check("orders", "DROP TABLE orders", true).is_err());
}

#[test]
fn partitions_are_dropped_only_where_a_migration_allows_it() {
    let drop = "ALTER TABLE `orders` DROP PARTITION `p0`";
    let table = "orders".to_owned();
    let silent = plan("ALTER TABLE orders DROP PARTITION p0");
    assert_eq!(
        silent.check("orders", drop, false),
        Err(Deviation::DroppedData {
            table: table.clone()
        })
    );
    let allowed = plan("-- allow drop-partition: archived\nALTER TABLE orders DROP PARTITION p0");
    assert_eq!(allowed.check("orders", drop, true), Ok(()));
    let column = "note".to_owned();
    assert_eq!(
        allowed.check("orders", "ALTER TABLE orders DROP COLUMN note", true),
        Err(Deviation::DroppedColumn { table, column })
    );
}

#[test]
fn a_table_that_is_created_anew_may_have_lost_any_column() {
    let anew = "-- allow drop-table: begun anew\nDROP TABLE orders;\n\
                CREATE TABLE orders (id INT PRIMARY KEY);";
    let plan = plan(anew);
    assert_eq!(changes(&plan), [("orders", TableChange::Altered)]);
    assert_eq!(
        plan.check("orders", "ALTER TABLE orders DROP COLUMN note", true),
        Ok(())
    );
}
