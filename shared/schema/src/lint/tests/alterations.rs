//! ALTER TABLE, clause by clause.

use super::*;

#[test]
fn what_mysql_does_not_take_is_not_understood() {
    for clauses in [
        "ALTER COLUMN total SET NOT NULL",
        "ALTER COLUMN total TYPE BIGINT",
        "ALTER total SET DEFAULT",
        "ALTER INDEX by_customer GARBAGE",
        "ALTER CHECK positive",
        "FORCE GARBAGE",
        "ENABLE",
        "REMOVE PARTITIONS",
        "ADD PARTITION GARBAGE",
        "COALESCE PARTITION all_of_them",
        "REORGANIZE PARTITION p0 INTO",
        "CONVERT TO utf8mb4",
        "CONVERT TO CHARACTER SET utf8mb4 GARBAGE",
        "ADD a INT,",
        "ADD a INT,, ADD b INT",
        ", ADD a INT",
    ] {
        let sql = format!("ALTER TABLE orders {clauses}");
        assert_eq!(codes(&sql), ["not-understood"], "{:?}", findings(&sql));
    }
    for index in [
        "DROP INDEX by_customer ON orders GARBAGE",
        "CREATE INDEX a ON orders (total) LOCK = NONE GARBAGE",
    ] {
        assert_eq!(codes(index), ["not-understood"], "{:?}", findings(index));
    }
}

#[test]
fn what_mysql_takes_is_understood() {
    for sql in [
        "ALTER TABLE logs ADD a INT REMOVE PARTITIONING",
        "ALTER TABLE logs REORGANIZE PARTITION p0 INTO (PARTITION p1 VALUES LESS THAN ('2026-06-01'), \
         PARTITION p2 VALUES LESS THAN (MAXVALUE))",
        "ALTER TABLE orders CONVERT TO CHAR SET 'utf8mb4' COLLATE utf8mb4_bin",
        "ALTER TABLE orders ALTER INDEX by_customer INVISIBLE",
        "ALTER TABLE orders ADD a INT, ADD b INT AFTER a, MODIFY total DECIMAL(14, 4) FIRST",
        "ALTER TABLE orders ADD `after` INT",
    ] {
        assert!(codes(sql).is_empty(), "{sql}: {:?}", findings(sql));
    }
}

#[test]
fn a_place_behind_no_column_is_none() {
    for sql in [
        "ALTER TABLE orders ADD a INT AFTER missing",
        "ALTER TABLE orders MODIFY total DECIMAL(14, 4) AFTER missing",
        "-- allow drop-column: gone\nALTER TABLE orders DROP note, ADD a INT AFTER note",
    ] {
        assert_eq!(codes(sql), ["no-such-column"], "{:?}", findings(sql));
    }
}

#[test]
fn a_column_of_a_new_primary_key_is_not_null() {
    for clauses in [
        "ADD id INT PRIMARY KEY",
        "ADD id INT, ADD PRIMARY KEY (id)",
        "ADD PRIMARY KEY (id), ADD id INT",
    ] {
        let sql = format!("ALTER TABLE carts {clauses}");
        let found = codes(&sql);
        assert_eq!(found, ["not-null-without-default"], "{sql}");
    }
    let automatic = "ALTER TABLE carts ADD id BIGINT AUTO_INCREMENT PRIMARY KEY";
    assert!(codes(automatic).is_empty(), "{:?}", findings(automatic));
}
