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

#[test]
fn what_is_not_understood_is_told_at_its_line() {
    let sql = "CREATE TABLE a (\n  id INT PRIMARY KEY,\n  b NATIONAL VARCHAR(5)\n);\n\
               ALTER TABLE orders\n  ADD (c INT,\n    d NATIONAL CHAR(5));";
    let found = findings(sql);
    let lines: Vec<usize> = found.iter().map(|finding| finding.line).collect();
    assert_eq!(lines, [3, 7], "{found:?}");
}
