//! What must come of a plan that was deployed.

use std::collections::BTreeMap;

use super::*;

/// What the check says of what production will have.
fn outcome(changes: &Changes, tables: &[(&str, &'static str)]) -> Result<(), String> {
    let tables: BTreeMap<_, _> = tables.iter().copied().collect();
    let checked = changes.check_outcome(|table| tables.get(table).copied().map(Shape::of));
    checked.map_err(|deviation| match deviation {
        Deviation::Undone { what } => what,
        other => panic!("{other}"),
    })
}

#[test]
fn what_the_migrations_make_is_there_afterwards() {
    let tables = changes(
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
        let changes = changes(&format!("ALTER TABLE orders {migration}"));
        assert_eq!(
            outcome(&changes, &[("orders", BEFORE)]),
            Err(what.to_owned())
        );
    }
    for no_difference in [
        "ADD c INT; -- allow drop-column: no\nALTER TABLE orders DROP c",
        "ADD c INT, ADD KEY by_c (c); ALTER TABLE orders DROP c",
        "DROP KEY by_total, ADD KEY by_total (total)",
        "DROP CONSTRAINT by_note",
        "COMMENT 'x'",
        "ORDER BY id",
    ] {
        let changes = changes(&format!("ALTER TABLE orders {no_difference}"));
        assert_eq!(
            outcome(&changes, &[("orders", BEFORE)]),
            Ok(()),
            "{no_difference}"
        );
    }
}

#[test]
fn the_ledger_is_there_afterwards_where_it_is_created() {
    let migrations = migrations("ALTER TABLE orders ADD c INT");
    let plan = Plan::new(&migrations, &Ledger::absent()).unwrap();
    let changes = plan.changes(&migrations).unwrap();
    let orders = (
        "orders",
        "CREATE TABLE `orders` (`id` int NOT NULL, `note` text, `c` int, PRIMARY KEY (`id`))",
    );
    let lacking = outcome(&changes, &[orders]);
    assert_eq!(lacking, Err("`schema_migrations` is not there".to_owned()));
    let ledger = (ledger::TABLE, ledger::CREATE);
    assert_eq!(outcome(&changes, &[orders, ledger]), Ok(()));
}
