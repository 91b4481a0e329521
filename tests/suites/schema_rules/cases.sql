-- accepted
CREATE TABLE carts (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, code VARCHAR(64) NOT NULL, UNIQUE KEY by_code (code));

-- accepted
CREATE TABLE carts (id INT NOT NULL, PRIMARY KEY (id)) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci COMMENT = 'a';

-- accepted
CREATE TABLE carts (id INT); ALTER TABLE carts ADD PRIMARY KEY (id);

-- accepted
CREATE TABLE carts (code INT NOT NULL UNIQUE);

-- accepted
CREATE TABLE a (b INT1, c INT2, d INT3, e INT4, f INT8, g MIDDLEINT, h INT SIGNED, i BIGINT UNSIGNED PRIMARY KEY);

-- accepted
CREATE TABLE a (id INT PRIMARY KEY, b NATIONAL VARCHAR(40), c NATIONAL CHAR(5), d NCHAR(5), e NVARCHAR(5));

-- accepted
CREATE TABLE a (id INT PRIMARY KEY, b INT ZEROFILL UNSIGNED, c FLOAT4, d DOUBLE PRECISION, e DEC(4, 1), f REAL, g BIT(3), h YEAR);

-- accepted
CREATE TABLE a (id INT PRIMARY KEY, b CHAR VARYING(5), c CHARACTER(5), d VARBINARY(5), e TINYTEXT, f BOOL, g BOOLEAN);

-- accepted
CREATE TABLE a (id INT PRIMARY KEY, b DATETIME(6) DEFAULT NOW(6) ON UPDATE LOCALTIMESTAMP(6), c TIMESTAMP DEFAULT LOCALTIME);

-- accepted | mariadb refused
CREATE TABLE a (id INT PRIMARY KEY, b TEXT DEFAULT ('x'), c JSON DEFAULT (JSON_OBJECT()), d JSON, KEY e ((CAST(d->>'$.d' AS CHAR(9)))));

-- accepted
CREATE TABLE a (id INT PRIMARY KEY, b GEOMETRY, c POINT NOT NULL, SPATIAL KEY (c));

-- accepted
CREATE TABLE a (id INT PRIMARY KEY, b TEXT, KEY (b(10)), FULLTEXT KEY words (b));

-- accepted
CREATE TABLE a (id INT PRIMARY KEY, `rank` INT, date DATE, time TIME, status INT, type INT, value INT, text INT);

-- accepted
CREATE TABLE a (id INT PRIMARY KEY, b INT AS (id * 2) VIRTUAL, c INT GENERATED ALWAYS AS (id + 1) STORED, KEY (b));

-- accepted
CREATE TABLE a (id INT PRIMARY KEY, b INT, CONSTRAINT small CHECK (b < 10), CHECK (b > 0));

-- accepted
CREATE TABLE a (id INT PRIMARY KEY) PARTITION BY HASH (id) PARTITIONS 4;

-- accepted
CREATE TABLE a (id INT PRIMARY KEY) PARTITION BY KEY () PARTITIONS 4;

-- accepted
CREATE TABLE a (id INT PRIMARY KEY, b ENUM ('a', 'A') COLLATE utf8mb4_bin);

-- accepted
CREATE TABLE `größe` (id INT PRIMARY KEY, `maß` INT);

-- accepted
CREATE TABLE a (id INT PRIMARY KEY, `a;b` INT COMMENT 'it''s; -- not # an end /* of', c INT COMMENT "x;'");

-- accepted
/*!50003 CREATE TABLE a (id INT PRIMARY KEY) */;

-- accepted
CREATE TABLE a (id INT PRIMARY KEY /*!99999 , wrong */);

-- accepted | mariadb refused
CREATE TABLE a (id INT PRIMARY KEY, b INT INVISIBLE DEFAULT 1, KEY c (b) INVISIBLE COMMENT 'x');

-- accepted
CREATE TABLE a (id INT PRIMARY KEY, parent INT, KEY (parent)); ALTER TABLE a ADD b INT, ADD KEY by_b (b);

-- accepted
CREATE TABLE notes (id INT PRIMARY KEY, body TEXT) DEFAULT CHARSET = latin1;

-- accepted
CREATE TABLE a (id INT PRIMARY KEY); DROP TABLE a;

-- accepted
ALTER TABLE orders ADD COLUMN comment VARCHAR(100);

-- accepted
ALTER TABLE orders ADD comment VARCHAR(100) NOT NULL DEFAULT '' AFTER note;

-- accepted
ALTER TABLE orders ADD plan ENUM ('a', 'b') NOT NULL;

-- accepted
ALTER TABLE orders ADD made DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP;

-- accepted
ALTER TABLE orders ADD (one INT, two INT DEFAULT 2);

-- accepted
ALTER TABLE orders ADD half INT AS (quantity / 2) VIRTUAL;

-- accepted
ALTER TABLE orders ADD KEY by_status (status);

-- accepted
CREATE INDEX by_status ON orders (status, id DESC);

-- accepted
CREATE FULLTEXT INDEX words ON orders (body);

-- accepted
ALTER TABLE orders MODIFY note VARCHAR(500) NULL;

-- accepted
ALTER TABLE orders MODIFY quantity BIGINT UNSIGNED NOT NULL DEFAULT 1;

-- accepted
ALTER TABLE orders MODIFY total DECIMAL(20, 4) NOT NULL;

-- accepted
ALTER TABLE orders MODIFY rate DOUBLE(12, 3) NULL;

-- accepted
ALTER TABLE orders MODIFY rate DOUBLE NULL;

-- accepted
ALTER TABLE orders MODIFY status ENUM ('pending', 'paid', 'shipped', 'delivered') NOT NULL;

-- accepted
ALTER TABLE orders ALTER quantity SET DEFAULT 2;

-- accepted
ALTER TABLE orders MODIFY note TEXT NULL;

-- accepted
ALTER TABLE orders MODIFY day DATETIME NULL;

-- accepted
ALTER TABLE orders CHANGE note note VARCHAR(300) NULL;

-- accepted
ALTER TABLE orders MODIFY quantity INT UNSIGNED NOT NULL DEFAULT 1 FIRST;

-- accepted
ALTER TABLE orders COMMENT = 'what customers ask for';

-- accepted
ALTER TABLE customers MODIFY email VARCHAR(255) NOT NULL COMMENT 'where to write';

-- accepted
ALTER TABLE orders MODIFY code CHAR(8) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NULL;

-- accepted
ALTER TABLE events ADD PARTITION (PARTITION p2028 VALUES LESS THAN ('2029-01-01'));

-- accepted
ALTER TABLE pairs ADD UNIQUE KEY all_three (a, b, c);

-- accepted
ALTER TABLE pairs ADD d INT NULL, ADD UNIQUE KEY by_d (d);

-- accepted
ALTER TABLE pairs ADD d INT; ALTER TABLE pairs DROP COLUMN d;

-- accepted
ALTER TABLE orders ADD comment INT NOT NULL; ALTER TABLE orders ALTER comment SET DEFAULT 0;

-- accepted
CREATE VIEW recent AS SELECT id, placed FROM orders WHERE placed > '2026-01-01';

-- accepted
CREATE OR REPLACE VIEW totals AS SELECT id, total, note FROM orders;

-- accepted
CREATE VIEW sums AS SELECT customer_id, SUM(total) AS balance FROM orders GROUP BY customer_id; CREATE VIEW balance AS SELECT customer_id, balance FROM sums;

-- accepted
ALTER VIEW totals AS SELECT id, total, quantity FROM orders;

-- accepted
CREATE ALGORITHM = MERGE SQL SECURITY INVOKER VIEW v (a, b) AS SELECT id, EXTRACT(YEAR FROM o.placed) FROM orders o;

-- accepted
CREATE VIEW v AS WITH a AS (SELECT id FROM orders) SELECT a.id FROM a UNION SELECT id FROM orders;

-- accepted
ALTER TABLE events REMOVE PARTITIONING;

-- accepted
ALTER TABLE events REORGANIZE PARTITION p2026, p2027 INTO (PARTITION p_all VALUES LESS THAN (MAXVALUE));

-- drop-index
ALTER TABLE pairs ADD KEY c (c); ALTER TABLE pairs DROP KEY c; ALTER TABLE pairs ADD KEY c (c); ALTER TABLE orders DROP KEY by_code;

-- drop-index
ALTER TABLE customers DROP KEY by_email; ALTER TABLE customers ADD UNIQUE KEY email (email);

-- dropped-default becomes-not-null
ALTER TABLE orders MODIFY doubled INT NOT NULL;

-- accepted
ALTER TABLE orders MODIFY doubled INT AS (quantity * 3) STORED;

-- accepted
# a comment
ALTER TABLE orders ADD a INT; -- behind

-- accepted
-- allow drop-column: nobody reads it
ALTER TABLE orders DROP COLUMN note;

-- accepted
-- allow drop-table: it was moved
DROP TABLE pairs;

-- accepted
-- allow drop-index: no query uses it
DROP INDEX by_code ON orders;

-- accepted
-- allow not-null-without-default: the table is empty
ALTER TABLE orders ADD ref INT NOT NULL;

-- accepted
-- allow drop-column: nobody reads it
-- allow drop-and-add: they have nothing to do with each other
ALTER TABLE orders DROP COLUMN note, ADD remark VARCHAR(10);

-- drop-column
ALTER TABLE orders DROP COLUMN note;

-- drop-column
ALTER TABLE orders DROP note;

-- drop-column drop-column
ALTER TABLE orders DROP note, DROP big;

-- drop-column
ALTER TABLE orders DROP COLUMN code;

-- drop-column
ALTER TABLE orders DROP note; ALTER TABLE orders ADD note VARCHAR(255) NULL AFTER total;

-- drop-column drop-and-add
ALTER TABLE orders DROP note, ADD remark VARCHAR(255);

-- drop-table
DROP TABLE pairs;

-- drop-table drop-table
DROP TABLE pairs, events;

-- view drop-table
DROP TABLE orders;

-- drop-partition
ALTER TABLE events DROP PARTITION p2026;

-- rename-column
ALTER TABLE orders RENAME COLUMN note TO remark;

-- rename-column
ALTER TABLE orders CHANGE note remark VARCHAR(255) NULL;

-- rename-column
ALTER TABLE orders CHANGE COLUMN `note` `remark` VARCHAR(255) NULL;

-- rename-table
ALTER TABLE pairs RENAME TO couples;

-- rename-table
ALTER TABLE pairs RENAME couples;

-- rename-table
RENAME TABLE pairs TO couples;

-- drop-index
ALTER TABLE orders RENAME INDEX by_code TO by_its_code;

-- drop-index
ALTER TABLE orders DROP INDEX by_code;

-- drop-index
ALTER TABLE customers DROP INDEX by_email;

-- drop-index
ALTER TABLE orders DROP KEY by_customer, ADD KEY by_customer (customer_id);

-- drop-index | mariadb refused
ALTER TABLE orders ALTER INDEX by_code INVISIBLE;

-- drop-index
ALTER TABLE orders DROP PRIMARY KEY, ADD PRIMARY KEY (customer_id, id);

-- drop-index
ALTER TABLE customers DROP PRIMARY KEY, ADD KEY by_id (id);

-- drop-index
ALTER TABLE customers DROP INDEX by_email, ADD KEY by_email (email);

-- duplicate-index
ALTER TABLE orders ADD KEY again (code);

-- duplicate-index
CREATE TABLE a (id INT PRIMARY KEY, b INT UNIQUE, KEY by_b (b));

-- not-null-without-default
ALTER TABLE orders ADD ref INT NOT NULL;

-- not-null-without-default
ALTER TABLE orders ADD ref DATE NOT NULL;

-- not-null-without-default
ALTER TABLE orders ADD ref VARCHAR(10) NOT NULL AFTER note;

-- not-null-without-default
ALTER TABLE orders ADD ref SET ('a') NOT NULL;

-- not-null-without-default
ALTER TABLE orders ADD ref INT NOT NULL DEFAULT 0; ALTER TABLE orders ALTER ref DROP DEFAULT;

-- refused | mariadb default-per-row
ALTER TABLE orders ADD ref CHAR(36) NOT NULL DEFAULT (UUID());

-- refused | mariadb default-per-row
ALTER TABLE orders ADD ref DOUBLE DEFAULT (RAND());

-- dropped-default
ALTER TABLE customers MODIFY id BIGINT UNSIGNED NOT NULL;

-- dropped-default
ALTER TABLE orders MODIFY quantity INT UNSIGNED NOT NULL;

-- dropped-default
ALTER TABLE orders ALTER quantity DROP DEFAULT;

-- dropped-default
ALTER TABLE customers MODIFY updated_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP;

-- dropped-default
ALTER TABLE customers MODIFY name VARCHAR(200) NOT NULL;

-- dropped-not-null dropped-default
ALTER TABLE customers MODIFY name VARCHAR(100);

-- dropped-not-null
ALTER TABLE customers MODIFY email VARCHAR(255);

-- dropped-not-null check-on-rows
ALTER TABLE customers MODIFY email VARCHAR(255) CHECK (email IS NULL OR email <> ''), MODIFY age INT NULL;

-- becomes-null
ALTER TABLE customers MODIFY email VARCHAR(255) NULL;

-- becomes-null
ALTER TABLE orders MODIFY total DECIMAL(14, 4) NULL;

-- becomes-null
ALTER TABLE orders MODIFY status ENUM ('pending', 'paid', 'shipped') NULL;

-- becomes-null dropped-default
ALTER TABLE customers ADD extra INT NOT NULL DEFAULT 0 AFTER name, CHANGE COLUMN name name VARCHAR(100) NULL;

-- becomes-not-null
ALTER TABLE orders MODIFY note VARCHAR(255) NOT NULL;

-- becomes-not-null
ALTER TABLE orders MODIFY note VARCHAR(255) NOT NULL DEFAULT '';

-- narrower-column
ALTER TABLE orders MODIFY note VARCHAR(50) NULL;

-- narrower-column
ALTER TABLE orders MODIFY big INT NULL;

-- narrower-column
ALTER TABLE orders MODIFY big BIGINT UNSIGNED NULL;

-- narrower-column
ALTER TABLE orders MODIFY quantity INT NOT NULL DEFAULT 1;

-- narrower-column
ALTER TABLE orders MODIFY total DECIMAL(10, 4) NOT NULL;

-- narrower-column
ALTER TABLE orders MODIFY ratio DOUBLE UNSIGNED NULL;

-- narrower-column
ALTER TABLE orders MODIFY rate DOUBLE(8, 2) NULL;

-- narrower-column
ALTER TABLE customers MODIFY age DECIMAL(8, 2) NULL;

-- narrower-column
ALTER TABLE orders MODIFY doubled TINYINT AS (quantity * 2) STORED;

-- becomes-not-null | mariadb refused
ALTER TABLE orders MODIFY doubled INT AS (quantity * 2) STORED NOT NULL;

-- narrower-column
ALTER TABLE orders MODIFY body VARCHAR(1000) NULL;

-- narrower-column
ALTER TABLE orders MODIFY body TINYTEXT NULL;

-- narrower-column
ALTER TABLE orders MODIFY status ENUM ('pending', 'paid') NOT NULL;

-- narrower-column
ALTER TABLE orders MODIFY flags SET ('gift') NULL;

-- narrower-column
ALTER TABLE orders MODIFY note ENUM ('a', 'b') NULL;

-- narrower-column
ALTER TABLE orders MODIFY note VARCHAR(255) CHARACTER SET latin1 COLLATE latin1_bin NULL;

-- narrower-column
ALTER TABLE orders MODIFY day TIMESTAMP NULL;

-- narrower-column
ALTER TABLE orders MODIFY note CHAR(255) NULL;

-- narrower-column
ALTER TABLE orders MODIFY note VARBINARY(255) NULL;

-- narrower-column | mariadb check-on-rows
ALTER TABLE orders MODIFY body JSON NULL;

-- member-order
ALTER TABLE orders MODIFY status ENUM ('paid', 'pending', 'shipped') NOT NULL;

-- member-order
ALTER TABLE orders MODIFY status ENUM ('pending', 'new', 'paid', 'shipped') NOT NULL;

-- other-type
ALTER TABLE orders MODIFY big VARCHAR(30) NULL;

-- narrower-column
ALTER TABLE orders MODIFY exact VARCHAR(30) NULL;

-- other-type
ALTER TABLE orders MODIFY exact VARCHAR(68) NULL;

-- other-type
ALTER TABLE customers MODIFY age DECIMAL(14, 4) NULL;

-- other-type
ALTER TABLE customers MODIFY age DOUBLE NULL;

-- other-type
ALTER TABLE orders MODIFY mask INT NULL;

-- other-type | mariadb refused
ALTER TABLE orders ALTER COLUMN note SET INVISIBLE;

-- other-type
ALTER TABLE orders MODIFY note VARCHAR(255) NULL INVISIBLE;

-- lossy-column
ALTER TABLE orders MODIFY placed DATETIME NULL;

-- lossy-column
ALTER TABLE orders MODIFY placed DATE NULL;

-- lossy-column
ALTER TABLE orders MODIFY placed TIMESTAMP NULL;

-- lossy-column
ALTER TABLE orders MODIFY total DECIMAL(14, 2) NOT NULL;

-- lossy-column
ALTER TABLE orders MODIFY total BIGINT NOT NULL;

-- lossy-column
ALTER TABLE orders MODIFY total DOUBLE NOT NULL;

-- lossy-column
ALTER TABLE orders MODIFY ratio FLOAT NULL;

-- lossy-column
ALTER TABLE orders MODIFY ratio DECIMAL(10, 2) NULL;

-- lossy-column
ALTER TABLE orders MODIFY ratio DOUBLE(10, 2) NULL;

-- lossy-column
ALTER TABLE orders MODIFY rate DOUBLE(12, 1) NULL;

-- lossy-column
ALTER TABLE orders MODIFY note INT NULL;

-- lossy-column
ALTER TABLE orders MODIFY note DATE NULL;

-- lossy-column
ALTER TABLE orders MODIFY big DOUBLE NULL;

-- lossy-column
ALTER TABLE orders MODIFY id BINARY(20) NOT NULL;

-- lossy-column
ALTER TABLE orders MODIFY status INT NOT NULL;

-- lossy-column
ALTER TABLE customers MODIFY created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP;

-- becomes-generated
ALTER TABLE orders MODIFY big BIGINT AS (quantity * 3) STORED;

-- unique-on-rows
ALTER TABLE orders ADD UNIQUE KEY one_note (note);

-- unique-on-rows
CREATE UNIQUE INDEX one_note ON orders (customer_id, note(10));

-- drop-index unique-on-rows
ALTER TABLE pairs DROP PRIMARY KEY, ADD PRIMARY KEY (a);

-- unique-on-rows
ALTER TABLE pairs ADD d INT NOT NULL DEFAULT 0, ADD UNIQUE KEY by_c_and_d (c, d);

-- unique-on-rows
ALTER TABLE customers DROP KEY by_name, ADD UNIQUE KEY by_name (name);

-- unique-default
ALTER TABLE pairs ADD d INT NOT NULL DEFAULT 0, ADD UNIQUE KEY by_d (d);

-- collation unique-on-rows
ALTER TABLE customers MODIFY email VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL;

-- collation
ALTER TABLE orders MODIFY note VARCHAR(255) COLLATE utf8mb4_unicode_ci NULL;

-- check-on-rows
ALTER TABLE orders ADD CONSTRAINT cheap CHECK (total < 1000);

-- check-on-rows
ALTER TABLE customers ADD CHECK (age > 0);

-- check-on-rows
ALTER TABLE orders ADD CHECK (status <> 'paid');

-- check-on-rows
ALTER TABLE orders ADD CHECK (note <> 'it''s a \\ or\na line');

-- constraint-name
ALTER TABLE orders DROP CONSTRAINT positive;

-- constraint-name | mariadb refused
ALTER TABLE orders DROP CHECK positive;

-- constraint-name | mariadb refused
ALTER TABLE orders ALTER CHECK positive NOT ENFORCED;

-- constraint-name
CREATE TABLE a (id INT PRIMARY KEY, CONSTRAINT a_name_that_leaves_no_room_for_what_is_appended CHECK (id > 0));

-- no-key
CREATE TABLE carts (id INT, code INT);

-- no-key
CREATE TABLE carts (code INT UNIQUE);

-- no-key
CREATE TABLE carts (code TEXT NOT NULL, UNIQUE KEY (code(10)));

-- drop-index no-key
ALTER TABLE pairs DROP PRIMARY KEY;

-- primary-key-part
CREATE TABLE carts (code VARCHAR(64), PRIMARY KEY (code(10)));

-- primary-key-part
CREATE TABLE carts (code TEXT, PRIMARY KEY (code(10)));

-- drop-index key-replaced
ALTER TABLE pairs DROP PRIMARY KEY, ADD id BIGINT AUTO_INCREMENT PRIMARY KEY;

-- engine
CREATE TABLE carts (id INT PRIMARY KEY) ENGINE = MyISAM;

-- drop-index engine
ALTER TABLE pairs ENGINE = MEMORY;

-- charset charset
CREATE TABLE carts (id INT PRIMARY KEY, code VARCHAR(5)) DEFAULT CHARSET = ucs2;

-- charset
CREATE TABLE carts (id INT PRIMARY KEY, code VARCHAR(5) CHARACTER SET latin2);

-- partitioning
CREATE TABLE carts (id INT PRIMARY KEY) PARTITION BY LIST (id) (PARTITION p VALUES IN (1, 2));

-- partitioning
CREATE TABLE carts (id INT PRIMARY KEY) PARTITION BY RANGE (id) SUBPARTITION BY HASH (id) SUBPARTITIONS 2 (PARTITION p VALUES LESS THAN (9));

-- partitioning
CREATE TABLE carts (a INT, b INT, PRIMARY KEY (a, b)) PARTITION BY RANGE COLUMNS (a, b) (PARTITION p VALUES LESS THAN (MAXVALUE, MAXVALUE));

-- partitioned-rows
ALTER TABLE pairs PARTITION BY RANGE (a) (PARTITION p VALUES LESS THAN (100));

-- foreign-key
CREATE TABLE a (id INT PRIMARY KEY, customer BIGINT UNSIGNED, FOREIGN KEY (customer) REFERENCES customers (id));

-- foreign-key
ALTER TABLE orders ADD CONSTRAINT of_customer FOREIGN KEY (customer_id) REFERENCES customers (id);

-- view drop-column
ALTER TABLE orders DROP COLUMN total;

-- drop-view
DROP VIEW totals;

-- drop-view
CREATE OR REPLACE VIEW totals AS SELECT id FROM orders;

-- no-change
ALTER TABLE customers AUTO_INCREMENT = 1000;

-- no-change
ALTER TABLE orders FORCE;

-- no-change
ALTER TABLE orders ENGINE = InnoDB;

-- no-change
ALTER TABLE orders MODIFY note VARCHAR(255) NULL;

-- how-to-apply
ALTER TABLE orders ADD a INT, ALGORITHM = INPLACE;

-- how-to-apply how-to-apply
ALTER TABLE orders ADD a INT, ALGORITHM = INPLACE, LOCK = NONE;

-- how-to-apply
CREATE INDEX by_status ON orders (status) ALGORITHM = INPLACE;

-- conditional
CREATE TABLE IF NOT EXISTS carts (id INT PRIMARY KEY);

-- conditional drop-table
DROP TABLE IF EXISTS pairs;

-- conditional
DROP TABLE IF EXISTS nope;

-- conditional refused | mariadb conditional
ALTER TABLE orders ADD COLUMN IF NOT EXISTS a INT;

-- conditional refused | mariadb conditional
CREATE OR REPLACE TABLE carts (id INT PRIMARY KEY);

-- copied-table
CREATE TABLE orders_2 LIKE orders;

-- copied-table no-key
CREATE TABLE a SELECT id FROM orders;

-- copied-table
CREATE TABLE a (id BINARY(16) PRIMARY KEY) AS SELECT id FROM orders;

-- copied-table
CREATE TABLE a (id BINARY(16) PRIMARY KEY) WITH b AS (SELECT id FROM orders) SELECT * FROM b;

-- other-database
CREATE TABLE shop.a (id INT PRIMARY KEY);

-- other-database
ALTER TABLE `shop`.orders ADD a INT;

-- other-database
CREATE VIEW v AS SELECT id FROM mysql.user;

-- other-database
CREATE VIEW v AS SELECT o.id FROM orders AS o, mysql.user WHERE o.note = user;

-- accepted
CREATE VIEW v AS SELECT o.id, p.c FROM orders AS o, pairs AS p WHERE o.big = p.a ORDER BY o.id, p.c;

-- ledger
ALTER TABLE schema_migrations ADD a INT;

-- vitess | mariadb refused vitess
CREATE VIEW v AS TABLE orders;

-- vitess
ALTER TABLE orders ADD größe INT;

-- not-ddl
INSERT INTO pairs VALUES (1, 2, 3);

-- not-ddl
UPDATE orders SET note = 'x' WHERE note IS NULL;

-- not-ddl
TRUNCATE TABLE pairs;

-- not-ddl
ALTER TABLE events TRUNCATE PARTITION p2026;

-- reads
SELECT 1;

-- reads
(SELECT 1) UNION (SELECT 2);

-- reads
SHOW CREATE TABLE orders;

-- reads
EXPLAIN SELECT 1;

-- session
SET FOREIGN_KEY_CHECKS = 0;

-- session
USE orders;

-- session
START TRANSACTION;

-- session session
BEGIN; COMMIT;

-- session
CREATE TEMPORARY TABLE a (id INT PRIMARY KEY);

-- maintenance
ANALYZE TABLE orders;

-- maintenance
OPTIMIZE TABLE orders;

-- users
GRANT SELECT ON orders TO reader;

-- users
CREATE USER reader IDENTIFIED BY 'x';

-- administration
CREATE DATABASE shop;

-- administration
FLUSH TABLES;

-- lock-tables lock-tables
LOCK TABLES orders WRITE; UNLOCK TABLES;

-- trigger
CREATE TRIGGER t BEFORE INSERT ON orders FOR EACH ROW SET NEW.note = 'x';

-- trigger
CREATE TRIGGER t BEFORE INSERT ON orders FOR EACH ROW BEGIN SET @a = 1; IF @a THEN SET @b = 2; END IF; END; ALTER TABLE orders ADD a INT;

-- client trigger
DELIMITER $$
CREATE TRIGGER t BEFORE INSERT ON orders FOR EACH ROW BEGIN SET @a = 1; SET @b = 2; END$$
DELIMITER ;
ALTER TABLE orders ADD a INT;

-- routine
CREATE DEFINER = `a`@`%` PROCEDURE p() BEGIN DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; END; CASE 1 WHEN 1 THEN SELECT 1; END CASE; END;

-- routine
DROP FUNCTION IF EXISTS f;

-- event
CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO DELETE FROM pairs;

-- only-mariadb
CREATE SEQUENCE s;

-- no-sql
garbage in a file;

-- no-sql
CREATE MATERIALIZED a;

-- refused
CREATE TABLE a (id INT DEFAULT '' PRIMARY KEY);

-- refused | mariadb only-mariadb
CREATE TABLE a (id INT PRIMARY KEY, url VARCHAR(1024), UNIQUE (url));

-- refused
ALTER TABLE orders ADD CHECK (size > 0);

-- refused
ALTER TABLE orders DROP COLUMN quantity;

-- refused
ALTER TABLE orders DROP CHECK nope;

-- refused
CREATE TABLE a (id INT PRIMARY KEY, b INT) PARTITION BY HASH (b);

-- refused
CREATE TABLE a (id INT PRIMARY KEY) CHARSET = utf8 COLLATE = utf8mb4_unicode_ci;

-- refused
CREATE TABLE a (id INT AUTOINCREMENT PRIMARY KEY);

-- refused
ALTER TABLE orders ADD note INT;

-- refused
ALTER TABLE orders DROP COLUMN nope;

-- refused
ALTER TABLE nope ADD a INT;

-- refused
CREATE TABLE orders (id INT PRIMARY KEY);

-- refused
ALTER TABLE orders ADD KEY by_code (note);

-- refused
DROP INDEX nope ON orders;

-- refused
CREATE TABLE a (id INT PRIMARY KEY, b ENUM ('a', 'a'));

-- refused
CREATE TABLE a (id INT PRIMARY KEY, b VARCHAR);

-- refused
CREATE TABLE a (id INT PRIMARY KEY, b JSONB);

-- refused | mariadb accepted
CREATE TABLE a (id INT PRIMARY KEY, b TEXT DEFAULT 'x');

-- refused | mariadb accepted
CREATE TABLE a (id INT PRIMARY KEY, b CHAR(36) DEFAULT UUID());

-- refused | mariadb only-mariadb
CREATE TABLE a (id INT PRIMARY KEY, b INET6);

-- refused | mariadb accepted
CREATE TABLE a (id INT PRIMARY KEY, rank INT);

-- refused | mariadb only-mariadb
CREATE TABLE a (id INT PRIMARY KEY) WITH SYSTEM VERSIONING;

-- refused | mariadb accepted
CREATE TABLE a (id INT PRIMARY KEY, b DATETIME DEFAULT NOW(6));

-- refused
CREATE TABLE a (id INT PRIMARY KEY, b DATE DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP);

-- refused
CREATE VIEW v AS SELECT nope FROM orders;

-- refused
CREATE VIEW v AS garbage;

-- refused
ALTER VIEW nope AS SELECT id FROM orders;

-- refused
CREATE TABLE a (id INT PRIMARY KEY, b DECIMAL(70, 2)); ALTER TABLE a ADD c INT;

-- refused
CREATE TABLE a (id INT PRIMARY KEY, id INT);

-- refused
ALTER TABLE orders ADD PRIMARY KEY (note);

-- refused
ALTER TABLE orders ADD seq INT AUTO_INCREMENT;

-- refused
CREATE TABLE a (id INT PRIMARY KEY, b VARCHAR(70000));

-- empty

-- allowance
-- allow drop-column: nothing here
ALTER TABLE orders ADD a INT;

-- allowance drop-column
-- allow drop-column:
ALTER TABLE orders DROP note;

-- allowance
-- allow drop_table: wrong code
ALTER TABLE orders ADD a INT;

-- allowance no-key
-- allow no-key: not to be allowed
CREATE TABLE a (id INT);

-- allowance
ALTER TABLE orders ADD a INT;
-- allow drop-column: behind the last
