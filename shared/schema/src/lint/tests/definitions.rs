//! Definitions of tables, columns and keys.

use super::*;

#[test]
fn what_mysql_takes_is_understood() {
    for sql in [
        "CREATE TABLE a (id INT PRIMARY KEY COMMENT \"the key\") COMMENT = \"a table\"",
        "CREATE TABLE a (id INT PRIMARY KEY UNIQUE)",
        "CREATE TABLE a (id SERIAL PRIMARY KEY); ALTER TABLE a DROP INDEX id",
        "CREATE TABLE a (id CHAR(5) CHAR SET ascii PRIMARY KEY) DEFAULT CHAR SET utf8mb4",
        "CREATE TABLE a (id INT PRIMARY KEY, b JSON, KEY c ((CAST(b->>'$.c' AS CHAR(9) CHARACTER SET utf8mb4))))",
        "CREATE TABLE a (id INT PRIMARY KEY, b JSON, \
         KEY c ((cast(json_extract(`b`,_utf8mb4'$.c') as char(9) charset utf8mb4))))",
        "CREATE TABLE a (id INT PRIMARY KEY, b TEXT, FULLTEXT KEY c (b) COMMENT 'words')",
        "CREATE TABLE a (id INT PRIMARY KEY, b INT INVISIBLE DEFAULT 1, KEY c (b) KEY_BLOCK_SIZE = 4 INVISIBLE COMMENT 'x')",
        "CREATE TABLE a (id INT PRIMARY KEY, b INT COLUMN_FORMAT DEFAULT STORAGE DISK NOT NULL)",
        "CREATE TABLE a (id INT PRIMARY KEY, charset INT, visible INT, comment INT, storage INT, \
         INDEX charset (charset, comment), KEY visible (visible))",
        "CREATE TABLE a (id INT PRIMARY KEY, b ENUM ('a', 'A') COLLATE utf8mb4_bin)",
        "\u{feff}CREATE TABLE a (id INT PRIMARY KEY)",
        "CREATE OR REPLACE ALGORITHM = MERGE DEFINER = `a b`@`%` SQL SECURITY INVOKER VIEW v AS SELECT id FROM orders",
        "CREATE VIEW v (a, b) AS (SELECT id, total FROM orders) UNION VALUES ROW (1, 2)",
        "CREATE SQL SECURITY DEFINER VIEW v AS SELECT id FROM orders",
    ] {
        assert!(codes(sql).is_empty(), "{sql}: {:?}", findings(sql));
    }
}

#[test]
fn what_is_wrong_is_found() {
    for (sql, code) in [
        ("CREATE TABLE a (id INT UNIQUE NOT NULL NULL)", "no-key"),
        (
            "CREATE TABLE a (id INT PRIMARY KEY) WITH SYSTEM VERSIONING",
            "not-understood",
        ),
        (
            "CREATE TABLE a (id INT PRIMARY KEY) WITH b AS (SELECT 1) SELECT * FROM b",
            "copied-table",
        ),
        (
            "CREATE TABLE a (id INT PRIMARY KEY, b ENUM ('a', 'A'))",
            "duplicate-value",
        ),
        (
            "CREATE TABLE a (id INT PRIMARY KEY, b SET ('a', 'a '))",
            "duplicate-value",
        ),
    ] {
        assert_eq!(codes(sql), [code], "{sql}: {:?}", findings(sql));
    }
}

/// On a laptop a MariaDB takes nearly all that is refused here.
#[test]
fn a_column_is_one_that_mysql_has() {
    for (column, code) in [
        ("b INET6", "type"),
        ("b VARCHAR2(5)", "type"),
        ("b VARCHAR", "type"),
        ("b VARCHAR(MAX)", "type"),
        ("b TIMESTAMP WITH TIME ZONE", "type"),
        ("b TIMESTAMPTZ", "type"),
        ("b JSONB", "type"),
        ("b CHAR(36) DEFAULT UUID()", "default"),
        ("b DATE DEFAULT CURRENT_DATE", "default"),
        ("b DATE DEFAULT CURRENT_TIMESTAMP", "default"),
        ("b DATETIME DEFAULT UTC_TIMESTAMP", "default"),
        ("b DATETIME DEFAULT NOW(6)", "default"),
        (
            "b DATETIME(6) DEFAULT NOW(6) ON UPDATE CURRENT_TIMESTAMP",
            "default",
        ),
        ("b TEXT NOT NULL DEFAULT ''", "default"),
        ("b JSON DEFAULT '{}'", "default"),
        ("b POINT DEFAULT 'x'", "default"),
        ("b VARCHAR(5) COLLATE utf8mb4_nopad_bin", "charset"),
        ("b TEXT UNIQUE", "key-part"),
        ("b BLOB, KEY (id, b)", "key-part"),
        ("b JSON, KEY (b(5))", "key-part"),
        ("rank INT", "reserved"),
        ("System INT", "reserved"),
    ] {
        let sql = format!("CREATE TABLE a (id INT PRIMARY KEY, {column})");
        assert_eq!(codes(&sql), [code], "{sql}: {:?}", findings(&sql));
    }
    for column in [
        "b INT1, c INT2, d INT3, e INT4, f INT8, g MIDDLEINT, h INT SIGNED, i BIGINT UNSIGNED",
        "b FLOAT4, c FLOAT8, d DOUBLE PRECISION, e DEC(4, 1), f REAL, g NUMERIC(5), h BIT(3), i YEAR",
        "b TINYINT(1), c BOOL, d BOOLEAN, e ENUM ('a time zone', 'b[]'), f SET ('a')",
        "b CHAR VARYING(5), c CHARACTER(5), d CHARACTER VARYING(5), e VARBINARY(5), f TINYTEXT",
        "b GEOMETRYCOLLECTION, c GEOMCOLLECTION, d POINT NOT NULL, SPATIAL KEY (d), e VECTOR(3)",
        "b DATETIME(6) DEFAULT NOW(6) ON UPDATE LOCALTIMESTAMP(6), c TIMESTAMP DEFAULT LOCALTIME",
        "b DATETIME DEFAULT CURRENT_TIMESTAMP(0), c DATETIME DEFAULT current_timestamp()",
        "b DATE DEFAULT (CURRENT_DATE), c CHAR(36) DEFAULT (UUID()), d INT DEFAULT -1, e INT DEFAULT +1",
        "b TEXT DEFAULT ('x'), c TEXT DEFAULT NULL, d JSON DEFAULT (JSON_OBJECT()), e INT DEFAULT TRUE",
        "b VARCHAR(5) DEFAULT _utf8mb4'x', c VARCHAR(5) DEFAULT N'x', d BIT DEFAULT b'1', \
         e BINARY(1) DEFAULT X'00'",
        "b TEXT, KEY (b(10)), FULLTEXT KEY words (b), c JSON, KEY d ((CAST(c->>'$.d' AS CHAR(9))))",
        "`rank` INT, ranks INT, date DATE, time TIME, status INT, user INT, type INT, value INT, text INT",
    ] {
        let sql = format!("CREATE TABLE a (id INT PRIMARY KEY, {column})");
        assert!(codes(&sql).is_empty(), "{sql}: {:?}", findings(&sql));
    }
}

#[test]
fn a_changed_column_is_held_against_the_indexes_that_it_is_in() {
    let before = "CREATE TABLE a (id INT PRIMARY KEY, b CHAR(5), c CHAR(5), KEY (b), KEY (c));";
    for (clauses, found) in [
        ("MODIFY b TEXT", vec!["key-part"]),
        ("MODIFY b TEXT, DROP KEY b", vec![]),
        ("MODIFY b TEXT, DROP KEY b, ADD KEY b (b(5))", vec![]),
        ("MODIFY b CHAR(6)", vec![]),
    ] {
        let sql = format!("{before} ALTER TABLE a {clauses}");
        assert_eq!(codes(&sql), found, "{sql}: {:?}", findings(&sql));
    }
}

#[test]
fn what_is_not_understood_is_told_at_its_line() {
    let sql = "CREATE TABLE a (\n  id INT PRIMARY KEY,\n  b NATIONAL VARCHAR(5)\n);\n\
               ALTER TABLE orders\n  ADD (c INT,\n    d NATIONAL CHAR(5));";
    let found = findings(sql);
    let lines: Vec<usize> = found.iter().map(|finding| finding.line).collect();
    assert_eq!(lines, [3, 7], "{found:?}");
}
