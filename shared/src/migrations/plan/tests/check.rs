//! What may be deployed by a plan, and what must come of it.

use super::*;

/// What the check says of an operation, where nothing is known of the table in production.
fn checked(plan: &Plan, table: &str, sql: &str, can_drop_data: bool) -> Result<(), Deviation> {
    plan.check(table, sql, can_drop_data, None)
}

/// The same of an operation on this table that loses no data.
fn altered(plan: &Plan, before: &str, clauses: &str) -> Result<(), Deviation> {
    let sql = format!("ALTER TABLE `orders` {clauses}");
    let can_drop_data = clauses.contains("DROP COLUMN");
    plan.check("orders", &sql, can_drop_data, Some(before))
}

#[test]
fn the_planned_difference_passes() {
    let plan = plan("CREATE TABLE a (id INT PRIMARY KEY); ALTER TABLE orders ADD c INT");
    assert_eq!(
        checked(
            &plan,
            "a",
            "CREATE TABLE `a` (\n `id` int NOT NULL,\n PRIMARY KEY (`id`)\n)",
            false
        ),
        Ok(())
    );
    assert_eq!(
        checked(
            &plan,
            "orders",
            "ALTER TABLE `orders` ADD COLUMN `c` int",
            false
        ),
        Ok(())
    );
}

#[test]
fn a_table_that_no_migration_names_stops_it() {
    let plan = plan("ALTER TABLE orders ADD c INT");
    for table in ["other", ledger::TABLE] {
        let deviation = checked(&plan, table, "ALTER TABLE x DROP COLUMN y", true);
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
        checked(&silent, "orders", drop_note, true),
        Err(Deviation::DroppedColumn {
            table: table.clone(),
            column
        })
    );
    let allowed = plan("-- allow drop-column: unused\nALTER TABLE orders DROP Note");
    assert_eq!(checked(&allowed, "orders", drop_note, true), Ok(()));
    let column = "total".to_owned();
    assert_eq!(
        checked(
            &allowed,
            "orders",
            "ALTER TABLE orders DROP COLUMN total",
            true
        ),
        Err(Deviation::DroppedColumn {
            table: table.clone(),
            column
        })
    );
    assert_eq!(
        checked(&allowed, "orders", "DROP TABLE `orders`", true),
        Err(Deviation::DroppedTable {
            table: table.clone()
        })
    );
    let adds = plan("ALTER TABLE orders ADD c INT");
    assert_eq!(
        checked(&adds, "orders", "ALTER TABLE orders SOMETHING NEW", true),
        Err(Deviation::DroppedData { table })
    );
}

#[test]
fn a_table_is_dropped_only_where_a_migration_allows_it() {
    let drop = "DROP TABLE `orders`";
    let table = "orders".to_owned();
    assert_eq!(
        checked(&plan("DROP TABLE orders"), "orders", drop, true),
        Err(Deviation::DroppedTable { table })
    );
    let allowed = plan("-- allow drop-table: replaced\nDROP TABLE orders");
    assert_eq!(checked(&allowed, "orders", drop, true), Ok(()));
}

#[test]
fn an_allowance_without_a_reason_allows_nothing() {
    let plan = plan("-- allow drop-table\nDROP TABLE orders");
    assert!(checked(&plan, "orders", "DROP TABLE orders", true).is_err());
}

#[test]
fn partitions_are_dropped_only_where_a_migration_allows_it() {
    let drop = "ALTER TABLE `orders` DROP PARTITION `p0`";
    let table = "orders".to_owned();
    let silent = plan("ALTER TABLE orders DROP PARTITION p0");
    assert_eq!(
        checked(&silent, "orders", drop, false),
        Err(Deviation::DroppedData {
            table: table.clone()
        })
    );
    let allowed = plan("-- allow drop-partition: archived\nALTER TABLE orders DROP PARTITION p0");
    assert_eq!(checked(&allowed, "orders", drop, true), Ok(()));
    let column = "note".to_owned();
    assert_eq!(
        checked(
            &allowed,
            "orders",
            "ALTER TABLE orders DROP COLUMN note",
            true
        ),
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
        checked(&plan, "orders", "ALTER TABLE orders DROP COLUMN note", true),
        Ok(())
    );
}

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

fn no_key(key: &str) -> Result<(), Deviation> {
    Err(Deviation::DroppedKey {
        table: "orders".to_owned(),
        key: key.to_owned(),
    })
}

fn no_column(column: &str) -> Result<(), Deviation> {
    Err(Deviation::RedefinedColumn {
        table: "orders".to_owned(),
        column: column.to_owned(),
    })
}

#[test]
fn a_key_goes_only_where_a_migration_drops_it() {
    let adds = plan("ALTER TABLE orders ADD c INT");
    for (clauses, key) in [
        ("ADD COLUMN `c` int, DROP KEY `By_total`", "By_total"),
        ("DROP PRIMARY KEY", "primary"),
        ("DROP CONSTRAINT `by_note`", "by_note"),
        ("RENAME INDEX `by_note` TO `other`", "by_note"),
    ] {
        assert_eq!(altered(&adds, BEFORE, clauses), no_key(key), "{clauses}");
    }
    for harmless in [
        "DROP KEY `By_total`, ADD KEY `by_total` (`total`)",
        "DROP PRIMARY KEY, ADD PRIMARY KEY (`id`, `total`)",
        "DROP CONSTRAINT `positive`",
    ] {
        assert_eq!(altered(&adds, BEFORE, harmless), Ok(()), "{harmless}");
    }
    for (migration, clauses) in [
        ("DROP KEY by_total", "DROP KEY `By_total`"),
        ("DROP CONSTRAINT by_note", "DROP KEY `by_note`"),
        (
            "RENAME KEY by_total TO of_total",
            "DROP KEY `By_total`, ADD KEY `of_total` (`total`)",
        ),
        (
            "DROP PRIMARY KEY, ADD UNIQUE (total)",
            "DROP PRIMARY KEY, ADD UNIQUE KEY `total` (`total`)",
        ),
        ("ORDER BY id", "DROP KEY `By_total`"),
    ] {
        let plan = plan(&format!("ALTER TABLE orders {migration}"));
        assert_eq!(altered(&plan, BEFORE, clauses), Ok(()), "{migration}");
    }
}

#[test]
fn a_key_goes_with_the_last_of_its_columns() {
    let plan = plan("-- allow drop-column: unused\nALTER TABLE orders DROP note");
    let without = "DROP COLUMN `note`, DROP KEY";
    assert_eq!(
        altered(&plan, BEFORE, &format!("{without} `by_note`")),
        Ok(())
    );
    assert_eq!(
        altered(&plan, BEFORE, &format!("{without} `By_total`")),
        no_key("By_total")
    );
}

#[test]
fn a_column_is_another_only_where_a_migration_says_so() {
    let wider = "MODIFY COLUMN `total` decimal(20,4) NOT NULL DEFAULT '0.0000'";
    let adds = plan("ALTER TABLE orders ADD c INT");
    assert_eq!(altered(&adds, BEFORE, wider), no_column("total"));
    let default = "ALTER COLUMN `total` DROP DEFAULT";
    assert_eq!(altered(&adds, BEFORE, default), no_column("total"));
    for migration in [
        "MODIFY Total DECIMAL(20, 4) NOT NULL DEFAULT 0",
        "ALTER total SET DEFAULT 0",
        "ADD UNIQUE (note(5)), DROP PRIMARY KEY, ADD PRIMARY KEY (total)",
        "CONVERT TO CHARACTER SET latin1",
        "ORDER BY id",
    ] {
        let plan = plan(&format!("ALTER TABLE orders {migration}"));
        assert_eq!(altered(&plan, BEFORE, wider), Ok(()), "{migration}");
    }
}

#[test]
fn a_column_that_goes_elsewhere_moves_others_as_they_are() {
    let moves = plan("ALTER TABLE orders MODIFY note TEXT AFTER total");
    let as_it_is = "MODIFY COLUMN `total` decimal(14,4) NOT NULL DEFAULT '0.0000' AFTER `id`";
    assert_eq!(altered(&moves, BEFORE, as_it_is), Ok(()));
    let wider = "MODIFY COLUMN `total` decimal(20,4) NOT NULL DEFAULT '0.0000' AFTER `id`";
    assert_eq!(altered(&moves, BEFORE, wider), no_column("total"));
    let stays = plan("ALTER TABLE orders MODIFY note LONGTEXT");
    assert_eq!(altered(&stays, BEFORE, as_it_is), no_column("total"));
}

/// What the check says of what production will have.
fn outcome(plan: &Plan, tables: &[(&str, &'static str)]) -> Result<(), String> {
    let tables: BTreeMap<_, _> = tables.iter().copied().collect();
    let checked = plan.check_outcome(|table| tables.get(table).copied());
    checked.map_err(|deviation| match deviation {
        Deviation::Undone { what } => what,
        other => panic!("{other}"),
    })
}

#[test]
fn what_the_migrations_make_is_there_afterwards() {
    let tables = plan(
        "CREATE TABLE a (b INT PRIMARY KEY, c INT, KEY d (c)); CREATE VIEW v AS SELECT b FROM a;\
         -- allow drop-table: gone\nDROP TABLE old;",
    );
    let view = ("v", "CREATE VIEW `v` AS select 1");
    let whole = (
        "a",
        "CREATE TABLE `a` (`b` int NOT NULL, `c` int, PRIMARY KEY (`b`), KEY `D` (`c`))",
    );
    assert_eq!(outcome(&tables, &[whole, view]), Ok(()));
    let without_key = (
        "a",
        "CREATE TABLE `a` (`b` int NOT NULL, `c` int, PRIMARY KEY (`b`))",
    );
    for (schema, what) in [
        (&[view][..], "`a` is not there"),
        (&[whole][..], "`v` is not there"),
        (&[whole, view, ("old", "")][..], "`old` is still there"),
        (&[without_key, view][..], "`a` has no key `d`"),
    ] {
        assert_eq!(outcome(&tables, schema), Err(what.to_owned()));
    }
}

#[test]
fn what_the_migrations_alter_is_altered_afterwards() {
    for (migration, what) in [
        ("ADD c INT", "`orders` has no column `c`"),
        (
            "DROP COLUMN note, DROP KEY by_note, ADD KEY by_total (total)",
            "`orders` still has the column `note`",
        ),
        ("DROP KEY by_note", "`orders` still has the key `by_note`"),
        (
            "ADD CONSTRAINT added UNIQUE (total), DROP CONSTRAINT added",
            "`orders` has no key `added`",
        ),
        ("DROP PRIMARY KEY", "`orders` still has the key `primary`"),
        (
            "RENAME KEY by_note TO of_note",
            "`orders` still has the key `by_note`",
        ),
    ] {
        let plan = plan(&format!("ALTER TABLE orders {migration}"));
        assert_eq!(outcome(&plan, &[("orders", BEFORE)]), Err(what.to_owned()));
    }
    for no_difference in [
        "ADD c INT; -- allow drop-column: no\nALTER TABLE orders DROP c",
        "ADD c INT, ADD KEY by_c (c); ALTER TABLE orders DROP c",
        "DROP KEY by_total, ADD KEY by_total (total)",
        "DROP CONSTRAINT by_note",
        "COMMENT 'x'",
        "ORDER BY id",
    ] {
        let plan = plan(&format!("ALTER TABLE orders {no_difference}"));
        assert_eq!(
            outcome(&plan, &[("orders", BEFORE)]),
            Ok(()),
            "{no_difference}"
        );
    }
}

#[test]
fn the_ledger_is_there_afterwards_where_it_is_created() {
    let migrations = migrations("ALTER TABLE orders ADD c INT");
    let plan = Plan::new(&migrations, &Ledger::absent()).unwrap();
    let orders = (
        "orders",
        "CREATE TABLE `orders` (`id` int NOT NULL, `note` text, `c` int, PRIMARY KEY (`id`))",
    );
    let lacking = outcome(&plan, &[orders]);
    assert_eq!(lacking, Err("`schema_migrations` is not there".to_owned()));
    let ledger = (ledger::TABLE, ledger::CREATE);
    assert_eq!(outcome(&plan, &[orders, ledger]), Ok(()));
}
