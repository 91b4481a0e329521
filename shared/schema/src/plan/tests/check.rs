//! What may be deployed by a plan.

use super::*;

/// What the check says of an operation, where nothing is known of the table in production.
fn checked(
    changes: &Changes,
    table: &str,
    sql: &str,
    can_drop_data: bool,
) -> Result<(), Deviation> {
    changes.check(table, sql, can_drop_data, None)
}

/// The same of an operation on this table that loses no data.
fn altered(changes: &Changes, before: &str, clauses: &str) -> Result<(), Deviation> {
    let sql = format!("ALTER TABLE `orders` {clauses}");
    let can_drop_data = clauses.contains("DROP COLUMN");
    changes.check("orders", &sql, can_drop_data, Some(before))
}

#[test]
fn the_planned_difference_passes() {
    let changes = changes("CREATE TABLE a (id INT PRIMARY KEY); ALTER TABLE orders ADD c INT");
    assert_eq!(
        checked(
            &changes,
            "a",
            "CREATE TABLE `a` (\n `id` int NOT NULL,\n PRIMARY KEY (`id`)\n)",
            false
        ),
        Ok(())
    );
    assert_eq!(
        checked(
            &changes,
            "orders",
            "ALTER TABLE `orders` ADD COLUMN `c` int",
            false
        ),
        Ok(())
    );
}

#[test]
fn a_table_that_no_migration_names_stops_it() {
    let changes = changes("ALTER TABLE orders ADD c INT");
    for table in ["other", ledger::TABLE] {
        let deviation = checked(&changes, table, "ALTER TABLE x DROP COLUMN y", true);
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
    let silent = changes("ALTER TABLE orders DROP note");
    let column = "note".to_owned();
    assert_eq!(
        checked(&silent, "orders", drop_note, true),
        Err(Deviation::DroppedColumn {
            table: table.clone(),
            column
        })
    );
    let allowed = changes("-- allow drop-column: unused\nALTER TABLE orders DROP Note");
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
    let adds = changes("ALTER TABLE orders ADD c INT");
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
        checked(&changes("DROP TABLE orders"), "orders", drop, true),
        Err(Deviation::DroppedTable { table })
    );
    let allowed = changes("-- allow drop-table: replaced\nDROP TABLE orders");
    assert_eq!(checked(&allowed, "orders", drop, true), Ok(()));
}

#[test]
fn an_allowance_without_a_reason_allows_nothing() {
    let changes = changes("-- allow drop-table\nDROP TABLE orders");
    assert!(checked(&changes, "orders", "DROP TABLE orders", true).is_err());
}

#[test]
fn partitions_are_dropped_only_where_a_migration_allows_it() {
    let drop = "ALTER TABLE `orders` DROP PARTITION `p0`";
    let table = "orders".to_owned();
    let silent = changes("ALTER TABLE orders DROP PARTITION p0");
    assert_eq!(
        checked(&silent, "orders", drop, false),
        Err(Deviation::DroppedData {
            table: table.clone()
        })
    );
    let allowed =
        changes("-- allow drop-partition: archived\nALTER TABLE orders DROP PARTITION p0");
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
    let changes = changes(anew);
    assert_eq!(fates(&changes), [("orders", Fate::Altered)]);
    assert_eq!(
        checked(
            &changes,
            "orders",
            "ALTER TABLE orders DROP COLUMN note",
            true
        ),
        Ok(())
    );
}

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
    let adds = changes("ALTER TABLE orders ADD c INT");
    for (clauses, key) in [
        ("ADD COLUMN `c` int, DROP KEY `By_total`", "By_total"),
        ("DROP PRIMARY KEY", "primary"),
        ("DROP CONSTRAINT `by_note`", "by_note"),
        ("RENAME INDEX `by_note` TO `other`", "by_note"),
        (
            "DROP KEY `By_total`, ADD KEY `by_total` (`total`)",
            "By_total",
        ),
        (
            "DROP PRIMARY KEY, ADD PRIMARY KEY (`id`, `total`)",
            "primary",
        ),
    ] {
        assert_eq!(altered(&adds, BEFORE, clauses), no_key(key), "{clauses}");
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
        let changes = changes(&format!("ALTER TABLE orders {migration}"));
        assert_eq!(altered(&changes, BEFORE, clauses), Ok(()), "{migration}");
    }
}

#[test]
fn a_key_goes_with_the_last_of_its_columns() {
    let changes = changes("-- allow drop-column: unused\nALTER TABLE orders DROP note");
    let without = "DROP COLUMN `note`, DROP KEY";
    assert_eq!(
        altered(&changes, BEFORE, &format!("{without} `by_note`")),
        Ok(())
    );
    assert_eq!(
        altered(&changes, BEFORE, &format!("{without} `By_total`")),
        no_key("By_total")
    );
    // What is left of it is another key of its name.
    let rest = "DROP COLUMN `note`, DROP KEY `By_total`, ADD KEY `by_total` (`total`)";
    assert_eq!(altered(&changes, BEFORE, rest), Ok(()));
}

/// Operations with which a migration may or may not have to do.
const BESIDE: [(&str, &str); 11] = [
    ("ADD COLUMN `c` int", "column `c`"),
    ("ADD COLUMN `c` int, ADD UNIQUE KEY `c` (`c`)", "column `c`"),
    ("ADD UNIQUE KEY `note` (`note`(5))", "key `note`"),
    (
        "ADD KEY `functional_index_2` ((`id` + 1))",
        "key `functional_index_2`",
    ),
    ("RENAME INDEX `by_note` TO `of_note`", "key `by_note`"),
    (
        "ADD CONSTRAINT `fk` FOREIGN KEY (`id`) REFERENCES `a` (`id`)",
        "foreign keys",
    ),
    ("DROP FOREIGN KEY `fk`", "foreign keys"),
    ("ADD CONSTRAINT `c` CHECK (`id` > 0)", "CHECKs"),
    ("DROP CONSTRAINT `positive`", "CHECKs or foreign keys"),
    ("PARTITION BY HASH (`id`) PARTITIONS 4", "partitions"),
    ("REMOVE PARTITIONING", "partitions"),
];

#[test]
fn what_no_migration_does_to_its_table_is_not_deployed_along() {
    let comments = changes("ALTER TABLE orders COMMENT 'x'");
    for (clauses, what) in BESIDE {
        let deviation = altered(&comments, BEFORE, clauses).unwrap_err();
        assert!(deviation.to_string().contains(what), "{deviation}");
    }
    let creates = changes("CREATE TABLE a (id INT PRIMARY KEY)");
    for (beside, what) in [
        ("`b` int", "column `b`"),
        ("KEY `b` (`id`)", "key `b`"),
        ("CHECK (`id` > 0)", "CHECKs"),
        (
            "FOREIGN KEY (`id`) REFERENCES `orders` (`id`)",
            "foreign keys",
        ),
    ] {
        let create = format!("CREATE TABLE `a` (`id` int NOT NULL, PRIMARY KEY (`id`), {beside})");
        let deviation = checked(&creates, "a", &create, false).unwrap_err();
        assert!(deviation.to_string().contains(what), "{deviation}");
    }
}

#[test]
fn what_a_migration_does_to_its_table_is_deployed() {
    for (migration, passing) in [
        ("ADD c INT", &[0][..]),
        ("ADD c INT UNIQUE", &[0, 1]),
        ("ADD UNIQUE (note(5))", &[2]),
        ("ADD KEY ((id * 2)), ADD KEY ((id + 1))", &[3]),
        ("RENAME KEY by_note TO of_note", &[4]),
        ("ADD FOREIGN KEY (id) REFERENCES a (id)", &[5, 6, 8]),
        ("DROP FOREIGN KEY fk", &[5, 6, 8]),
        ("ADD CHECK (id > 0)", &[7, 8]),
        ("DROP CHECK positive", &[7, 8]),
        ("DROP CONSTRAINT positive", &[5, 6, 7, 8]),
        ("PARTITION BY HASH (id) PARTITIONS 4", &[9, 10]),
        ("REMOVE PARTITIONING", &[9, 10]),
        ("ORDER BY id", &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
    ] {
        let changes = changes(&format!("ALTER TABLE orders {migration}"));
        let of_these = BESIDE.iter().enumerate();
        let passed =
            of_these.filter(|(_, (clauses, _))| altered(&changes, BEFORE, clauses).is_ok());
        let passed: Vec<usize> = passed.map(|(at, _)| at).collect();
        assert_eq!(passed, passing, "{migration}");
    }
    // The foreign key's own index, and columns of a table that is made of another one.
    for (migration, operation) in [
        (
            "CREATE TABLE a (id INT PRIMARY KEY, b INT, FOREIGN KEY (b) REFERENCES orders (id))",
            "CREATE TABLE `a` (`id` int NOT NULL, `b` int, PRIMARY KEY (`id`), KEY `b` (`b`), \
             CONSTRAINT `a_ibfk_1` FOREIGN KEY (`b`) REFERENCES `orders` (`id`))",
        ),
        (
            "CREATE TABLE a LIKE orders",
            "CREATE TABLE `a` (`id` int NOT NULL, PRIMARY KEY (`id`))",
        ),
        (
            "CREATE TABLE a (id INT CHECK (id > 0), UNIQUE (id), KEY (id)) PARTITION BY HASH (id)",
            "CREATE TABLE `a` (`id` int, UNIQUE KEY `id` (`id`), KEY `id_2` (`id`), \
             CONSTRAINT `a_chk_1` CHECK (`id` > 0)) PARTITION BY HASH (`id`)",
        ),
    ] {
        assert_eq!(
            checked(&changes(migration), "a", operation, false),
            Ok(()),
            "{migration}"
        );
    }
}

#[test]
fn a_column_is_another_only_where_a_migration_says_so() {
    let wider = "MODIFY COLUMN `total` decimal(20,4) NOT NULL DEFAULT '0.0000'";
    let adds = changes("ALTER TABLE orders ADD c INT");
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
        let changes = changes(&format!("ALTER TABLE orders {migration}"));
        assert_eq!(altered(&changes, BEFORE, wider), Ok(()), "{migration}");
    }
}

#[test]
fn a_column_that_goes_elsewhere_moves_others_as_they_are() {
    let moves = changes("ALTER TABLE orders MODIFY note TEXT AFTER total");
    let as_it_is = "MODIFY COLUMN `total` decimal(14,4) NOT NULL DEFAULT '0.0000' AFTER `id`";
    assert_eq!(altered(&moves, BEFORE, as_it_is), Ok(()));
    let wider = "MODIFY COLUMN `total` decimal(20,4) NOT NULL DEFAULT '0.0000' AFTER `id`";
    assert_eq!(altered(&moves, BEFORE, wider), no_column("total"));
    let moves_total =
        changes("ALTER TABLE orders MODIFY total DECIMAL(14,4) NOT NULL DEFAULT 0 FIRST");
    for as_it_is in ["", " DEFAULT NULL"] {
        let note = format!("MODIFY COLUMN note text COLLATE utf8mb4_bin{as_it_is} AFTER total");
        assert_eq!(altered(&moves_total, BEFORE, &note), Ok(()), "{note}");
    }
    let note = "MODIFY COLUMN note text COLLATE utf8mb4_bin DEFAULT ('') AFTER total";
    assert_eq!(altered(&moves_total, BEFORE, note), no_column("note"));
    let stays = changes("ALTER TABLE orders MODIFY note LONGTEXT");
    assert_eq!(altered(&stays, BEFORE, as_it_is), no_column("total"));
}
