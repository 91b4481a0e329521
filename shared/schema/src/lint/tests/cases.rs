//! SQL for each rule. All that is to pass is SQL that MySQL takes.

use crate::lint::Rule;

/// For each rule, a migration that breaks it and no other, and one that comes near.
pub(super) const CASES: &[(Rule, &str, &str)] = &[
    (
        Rule::NoSql,
        "CRATE TABLE a (id INT PRIMARY KEY)",
        "CREATE TABLE a (id INT PRIMARY KEY)",
    ),
    (
        Rule::NoSql,
        "ALTER TABLE orders COMMENT = 'no end",
        "ALTER TABLE orders COMMENT = 'end'",
    ),
    (
        Rule::NotUnderstood,
        "CREATE TABLE a (id INT PRIMARY KEY, b NATIONAL VARCHAR(5))",
        "-- allow not-understood: it is VARCHAR\nCREATE TABLE a (id INT PRIMARY KEY, b NATIONAL VARCHAR(5))",
    ),
    (Rule::Empty, "-- later\n", "ALTER TABLE orders COMMENT 'x'"),
    (
        Rule::NotDdl,
        "UPDATE orders SET total = 0",
        "ALTER TABLE orders ALTER total SET DEFAULT 0",
    ),
    (
        Rule::NotDdl,
        "TRUNCATE orders",
        "ALTER TABLE orders AUTO_INCREMENT = 1",
    ),
    (
        Rule::NotDdl,
        "START TRANSACTION",
        "ALTER TABLE orders COMMENT 'START TRANSACTION'",
    ),
    (
        Rule::NotDdl,
        "CREATE TEMPORARY TABLE a (id INT PRIMARY KEY)",
        "CREATE TABLE temporary_a (id INT PRIMARY KEY)",
    ),
    (
        Rule::Administration,
        "SET foreign_key_checks = 0",
        "ALTER TABLE orders ADD checks SET ('a')",
    ),
    (
        Rule::Administration,
        "CREATE DATABASE other",
        "CREATE TABLE `database` (id INT PRIMARY KEY)",
    ),
    (
        Rule::Administration,
        "CREATE USER a IDENTIFIED BY 'b'",
        "CREATE TABLE user (id INT PRIMARY KEY)",
    ),
    (
        Rule::Trigger,
        "CREATE TRIGGER a BEFORE INSERT ON orders FOR EACH ROW BEGIN SET NEW.note = ''; END;",
        "CREATE TABLE a (id INT PRIMARY KEY, `trigger` INT)",
    ),
    (
        Rule::Routine,
        "CREATE DEFINER = `a`@`%` PROCEDURE b() SELECT 1",
        "CREATE TABLE a (id INT PRIMARY KEY, `procedure` INT)",
    ),
    (
        Rule::Routine,
        "DELIMITER //\nCREATE FUNCTION a(b INT) RETURNS INT DETERMINISTIC RETURN b + 1//",
        "CREATE TABLE a (id INT PRIMARY KEY, `function` INT)",
    ),
    (
        Rule::Event,
        "CREATE EVENT a ON SCHEDULE EVERY 1 HOUR DO DELETE FROM orders",
        "CREATE TABLE event (id INT PRIMARY KEY)",
    ),
    (
        Rule::LockTables,
        "LOCK TABLES orders WRITE",
        "CREATE TABLE `lock` (id INT PRIMARY KEY)",
    ),
    (
        Rule::ForeignKey,
        "ALTER TABLE carts ADD CONSTRAINT a FOREIGN KEY (code) REFERENCES orders (customer)",
        "ALTER TABLE carts ADD `references` INT",
    ),
    (
        Rule::ForeignKey,
        "CREATE TABLE a (id INT PRIMARY KEY, b BIGINT UNSIGNED REFERENCES orders (id))",
        "CREATE TABLE a (id INT PRIMARY KEY, b BIGINT UNSIGNED, KEY (b))",
    ),
    (
        Rule::Engine,
        "CREATE TABLE a (id INT PRIMARY KEY) ENGINE = 'MyISAM'",
        "CREATE TABLE a (id INT PRIMARY KEY) ENGINE = innodb",
    ),
    (
        Rule::Engine,
        "ALTER TABLE orders ENGINE MEMORY",
        "ALTER TABLE orders ENGINE 'InnoDB'",
    ),
    (
        Rule::Charset,
        "CREATE TABLE a (id INT PRIMARY KEY) DEFAULT CHARACTER SET = gbk",
        "CREATE TABLE a (id INT PRIMARY KEY) CHARSET utf8mb4",
    ),
    (
        Rule::Charset,
        "ALTER TABLE orders ADD a VARCHAR(5) COLLATE latin2_bin",
        "ALTER TABLE orders ADD a VARCHAR(5) COLLATE latin1_bin",
    ),
    (
        Rule::Charset,
        "ALTER TABLE orders CONVERT TO CHARACTER SET ucs2",
        "ALTER TABLE orders CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
    ),
    (
        Rule::Charset,
        "CREATE TABLE a (id INT PRIMARY KEY) COLLATE utf8mb4_uca1400_ai_ci",
        "CREATE TABLE a (id INT PRIMARY KEY) COLLATE utf8mb4_0900_ai_ci",
    ),
    (
        Rule::Type,
        "CREATE TABLE a (id UUID PRIMARY KEY)",
        "CREATE TABLE a (id BINARY(16) PRIMARY KEY)",
    ),
    (
        Rule::Default,
        "ALTER TABLE orders ADD at DATETIME(6) DEFAULT CURRENT_TIMESTAMP",
        "ALTER TABLE orders ADD at DATETIME(6) DEFAULT CURRENT_TIMESTAMP(6)",
    ),
    (
        Rule::Reserved,
        "CREATE TABLE groups (id INT PRIMARY KEY)",
        "CREATE TABLE `groups` (id INT PRIMARY KEY)",
    ),
    (
        Rule::Partitioning,
        "CREATE TABLE a (id INT PRIMARY KEY) PARTITION BY LIST (id) (PARTITION p VALUES IN (1))",
        "CREATE TABLE a (id INT PRIMARY KEY) PARTITION BY RANGE (id) (PARTITION p VALUES LESS THAN (1))",
    ),
    (
        Rule::Partitioning,
        "ALTER TABLE orders PARTITION BY RANGE (id) SUBPARTITION BY HASH (id) (PARTITION p VALUES LESS THAN (1))",
        "ALTER TABLE orders ADD a INT PARTITION BY LINEAR HASH (id) PARTITIONS 8",
    ),
    (
        Rule::Partitioning,
        "CREATE TABLE a (id INT PRIMARY KEY) PARTITION BY RANGE (id) (PARTITION p VALUES LESS THAN (1) ENGINE = ARCHIVE)",
        "CREATE TABLE a (id INT PRIMARY KEY) PARTITION BY RANGE (id) (PARTITION p VALUES LESS THAN (1) ENGINE = InnoDB)",
    ),
    (
        Rule::NoKey,
        "CREATE TABLE a (id INT NOT NULL, KEY (id))",
        "CREATE TABLE a (id INT NOT NULL, UNIQUE KEY (id))",
    ),
    (
        Rule::NoKey,
        "CREATE TABLE a (id INT, b TEXT NOT NULL, c INT NOT NULL, UNIQUE (id, c), UNIQUE (b(9)), UNIQUE ((c + 1)))",
        "CREATE TABLE a (id SERIAL)",
    ),
    (
        Rule::NoKey,
        "ALTER TABLE carts DROP KEY by_code",
        "ALTER TABLE carts ADD PRIMARY KEY (code), DROP KEY by_code",
    ),
    (
        Rule::NoKey,
        "ALTER TABLE carts DROP CONSTRAINT by_code",
        "ALTER TABLE orders MODIFY id BIGINT UNSIGNED AUTO_INCREMENT",
    ),
    (
        Rule::PrimaryKeyPart,
        "CREATE TABLE a (b VARCHAR(99), c INT NOT NULL UNIQUE, PRIMARY KEY (b(9)))",
        "CREATE TABLE a (b VARCHAR(99), c INT NOT NULL UNIQUE, PRIMARY KEY (b))",
    ),
    (
        Rule::KeyPart,
        "ALTER TABLE orders ADD INDEX by_note (note)",
        "ALTER TABLE orders ADD INDEX by_note (note(20))",
    ),
    (
        Rule::KeyReplaced,
        "ALTER TABLE carts ADD id INT NOT NULL DEFAULT 0, ADD PRIMARY KEY (id), DROP KEY by_code",
        "ALTER TABLE carts ADD id INT NOT NULL DEFAULT 0, ADD PRIMARY KEY (id)",
    ),
    (
        Rule::KeyReplaced,
        "-- allow drop-column: the customer is enough\nALTER TABLE orders DROP id, ADD PRIMARY KEY (customer)",
        "ALTER TABLE orders DROP PRIMARY KEY, ADD PRIMARY KEY (id, total)",
    ),
    (
        Rule::RenameColumn,
        "ALTER TABLE orders RENAME COLUMN note TO remark",
        "ALTER TABLE orders RENAME KEY by_customer TO of_customer",
    ),
    (
        Rule::RenameColumn,
        "ALTER TABLE orders CHANGE note remark TEXT",
        "ALTER TABLE orders CHANGE COLUMN note note LONGTEXT AFTER id",
    ),
    (
        Rule::RenameTable,
        "RENAME TABLE carts TO baskets",
        "ALTER TABLE carts COMMENT 'baskets'",
    ),
    (
        Rule::RenameTable,
        "ALTER TABLE carts RENAME baskets",
        "CREATE TABLE baskets (id INT PRIMARY KEY)",
    ),
    (
        Rule::DropColumn,
        "ALTER TABLE orders DROP note",
        "-- allow drop-column: nothing reads it since spring\nALTER TABLE orders DROP note",
    ),
    (
        Rule::DropTable,
        "DROP TABLE carts",
        "# allow drop-table: carts live elsewhere now\nDROP TABLE carts",
    ),
    (
        Rule::DropPartition,
        "ALTER TABLE logs DROP PARTITION p0",
        "ALTER TABLE logs ADD PARTITION (PARTITION p1 VALUES LESS THAN ('2027-01-01'))",
    ),
    (
        Rule::NotNullWithoutDefault,
        "ALTER TABLE orders ADD channel VARCHAR(9) NOT NULL",
        "ALTER TABLE orders ADD channel VARCHAR(9) NOT NULL DEFAULT '', ADD a INT, ADD b INT AS (1) NOT NULL",
    ),
    (
        Rule::NotNullWithoutDefault,
        "ALTER TABLE orders ADD COLUMN (a INT NOT NULL, b INT)",
        "CREATE TABLE a (id INT PRIMARY KEY); ALTER TABLE a ADD b INT NOT NULL",
    ),
    (
        Rule::BecomesNotNull,
        "ALTER TABLE orders MODIFY total DECIMAL(14, 4) NOT NULL",
        "ALTER TABLE orders MODIFY customer VARCHAR(99) NOT NULL",
    ),
    (
        Rule::NarrowerColumn,
        "ALTER TABLE orders MODIFY customer VARCHAR(32) NOT NULL",
        "ALTER TABLE orders MODIFY customer VARCHAR(65) NOT NULL",
    ),
    (
        Rule::Conditional,
        "CREATE TABLE IF NOT EXISTS a (id INT PRIMARY KEY)",
        "CREATE OR REPLACE VIEW totals AS SELECT id FROM orders",
    ),
    (
        Rule::Conditional,
        "DROP VIEW IF EXISTS totals",
        "DROP VIEW totals",
    ),
    (
        Rule::Conditional,
        "CREATE VIEW IF NOT EXISTS a AS SELECT id FROM orders",
        "CREATE VIEW a AS SELECT id FROM orders WHERE EXISTS (SELECT code FROM carts)",
    ),
    (
        Rule::CopiedTable,
        "CREATE TABLE a LIKE orders",
        "CREATE TABLE a (id INT PRIMARY KEY, `like` INT)",
    ),
    (
        Rule::CopiedTable,
        "CREATE TABLE a (id INT PRIMARY KEY) AS SELECT id FROM orders",
        "CREATE TABLE a (id INT PRIMARY KEY, b INT AS (id + 1))",
    ),
    (
        Rule::TableExists,
        "CREATE TABLE orders (id INT PRIMARY KEY)",
        "CREATE TABLE other (id INT PRIMARY KEY)",
    ),
    (
        Rule::NoSuchTable,
        "ALTER TABLE order_items ADD a INT",
        "CREATE TABLE order_items (id INT PRIMARY KEY); ALTER TABLE order_items ADD a INT",
    ),
    (
        Rule::ColumnExists,
        "ALTER TABLE orders ADD Note TEXT",
        "-- allow drop-column: to begin anew\nALTER TABLE orders ADD note JSON, DROP note",
    ),
    (
        Rule::NoSuchColumn,
        "CREATE INDEX a ON orders (channel)",
        "ALTER TABLE orders ADD INDEX a (channel), ADD channel INT",
    ),
    (
        Rule::NoSuchColumn,
        "ALTER TABLE orders MODIFY channel INT",
        "ALTER TABLE orders MODIFY NOTE JSON",
    ),
    (
        Rule::IndexExists,
        "CREATE INDEX BY_CUSTOMER ON orders (total)",
        "ALTER TABLE orders DROP INDEX by_customer, ADD INDEX by_customer (customer)",
    ),
    (
        Rule::IndexExists,
        "ALTER TABLE orders ADD PRIMARY KEY (customer)",
        "ALTER TABLE orders DROP PRIMARY KEY, ADD PRIMARY KEY (id, customer)",
    ),
    (
        Rule::IndexExists,
        "ALTER TABLE carts DROP CONSTRAINT code, ADD CONSTRAINT by_code UNIQUE (code)",
        "ALTER TABLE carts DROP CONSTRAINT by_code, ADD CONSTRAINT by_code UNIQUE (code)",
    ),
    (
        Rule::DuplicateIndex,
        "ALTER TABLE orders ADD KEY another (customer, id)",
        "ALTER TABLE orders ADD KEY another (id, customer), ADD FULLTEXT INDEX words (note)",
    ),
    (
        Rule::NoSuchIndex,
        "DROP INDEX by_total ON orders",
        "CREATE INDEX by_total ON orders (total); DROP INDEX by_total ON orders",
    ),
    (
        Rule::DuplicateValue,
        "ALTER TABLE orders ADD a ENUM ('x', 'y', 'x')",
        "ALTER TABLE orders ADD a ENUM ('x', 'y'), ADD b SET ('x')",
    ),
    (
        Rule::View,
        "CREATE VIEW a AS SELECT * FROM orders AS o, missing JOIN carts",
        "CREATE VIEW a AS WITH c AS (SELECT id FROM totals) SELECT o.id FROM orders AS o, c JOIN carts",
    ),
    (
        Rule::View,
        "CREATE VIEW a AS SELECT EXTRACT(YEAR FROM at) FROM logs WHERE EXISTS (SELECT 1 FROM missing)",
        "CREATE VIEW a AS SELECT EXTRACT(YEAR FROM at), TRIM(LEADING '0' FROM note), SUBSTRING(note FROM 2) \
         FROM logs JOIN orders",
    ),
    (
        Rule::View,
        "CREATE VIEW a AS SELECT * FROM orders JOIN LATERAL (SELECT code FROM missing) AS c",
        "CREATE VIEW a AS SELECT * FROM orders JOIN LATERAL (SELECT code FROM carts) AS c",
    ),
    (
        Rule::View,
        "CREATE VIEW a AS SELECT 1 FROM `dual`",
        "CREATE VIEW a AS WITH RECURSIVE c (n) AS (SELECT 1 FROM DUAL UNION ALL SELECT n + 1 FROM c) SELECT n FROM c",
    ),
    (
        Rule::View,
        "-- allow drop-table: not used\nDROP TABLE orders",
        "ALTER VIEW totals AS SELECT code FROM carts;\n-- allow drop-table: not used\nDROP TABLE orders;",
    ),
    (
        Rule::OtherDatabase,
        "ALTER TABLE shop.orders ADD a INT",
        "ALTER TABLE `orders` ADD `shop.orders` INT",
    ),
    (
        Rule::Ledger,
        "CREATE TABLE schema_migrations (id INT PRIMARY KEY)",
        "CREATE TABLE schema_migration (id INT PRIMARY KEY)",
    ),
    (
        Rule::HowToApply,
        "ALTER TABLE orders ADD a INT, ALGORITHM = INSTANT",
        "ALTER TABLE orders ADD algorithm INT",
    ),
    (
        Rule::HowToApply,
        "CREATE INDEX a ON orders (total) LOCK = NONE",
        "CREATE INDEX a USING BTREE ON orders (total) COMMENT 'LOCK'",
    ),
    (
        Rule::Allowance,
        "-- allow drop-table: no longer used\nALTER TABLE orders ADD a INT",
        "-- allow NULL for now\n-- allow\n-- to allow: nothing\nALTER TABLE orders ADD a INT",
    ),
];
