use super::*;
use crate::statement;

fn read(sql: &str) -> Ddl {
    let statements = statement::split(sql);
    assert_eq!(statements.len(), 1, "{sql}");
    Ddl::read(&statements[0])
}

fn table(sql: &str) -> NewTable {
    match read(sql) {
        Ddl::CreateTable(table) => *table,
        other => panic!("{sql}\n{other:?}"),
    }
}

fn changes(clauses: &str) -> Vec<Change> {
    match read(&format!("ALTER TABLE t {clauses}")) {
        Ddl::AlterTable { clauses, .. } => {
            clauses.into_iter().map(|clause| clause.change).collect()
        }
        other => panic!("{clauses}\n{other:?}"),
    }
}

/// What MySQL takes between the parentheses of CREATE TABLE, and behind them.
const DEFINITIONS: &[&str] = &[
    "(id INT NOT NULL AUTO_INCREMENT, n INT, a INT GENERATED ALWAYS AS (n + 1) STORED, b INT AS (n * 2) VIRTUAL NOT NULL, PRIMARY KEY (id)) \
     ENGINE = InnoDB AUTO_INCREMENT = 5 ROW_FORMAT = DYNAMIC COMMENT = 'x'",
    "(id INT PRIMARY KEY, body TEXT, FULLTEXT KEY ft (body), p POINT NOT NULL SRID 4326, SPATIAL INDEX sp (p))",
    "(id INT PRIMARY KEY, a VARCHAR(10), KEY f ((LOWER(a))), KEY d (a DESC, id ASC), KEY e (a(5)) USING BTREE COMMENT 'x')",
    "(id INT PRIMARY KEY, a INT, KEY k (a) INVISIBLE, KEY l (id, a) VISIBLE, visible INT INVISIBLE)",
    "(id INT PRIMARY KEY, a VARCHAR(10) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'x' COMMENT 'y', b TEXT CHARSET latin1)",
    "(id INT PRIMARY KEY, a DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6), b TIMESTAMP NULL DEFAULT NULL, c DATETIME DEFAULT now() ON UPDATE now())",
    "(id BINARY(16) PRIMARY KEY DEFAULT (UUID_TO_BIN(UUID())), j JSON DEFAULT (JSON_ARRAY()), CONSTRAINT chk CHECK (id > 0) NOT ENFORCED)",
    "(id INT, a INT CHECK (a > 0), b INT, CONSTRAINT c CHECK (a < b), CONSTRAINT u UNIQUE KEY uk (a), PRIMARY KEY USING BTREE (id))",
    "(id INT PRIMARY KEY, a SET ('x', 'y'), b ENUM ('x', 'y') NOT NULL, c YEAR, d BIT(8), e MEDIUMINT UNSIGNED ZEROFILL, f MEDIUMBLOB, \
     g LONGTEXT, h DOUBLE PRECISION, i DECIMAL(10, 2) UNSIGNED, j BOOLEAN, k TINYINT(1), l VARBINARY(9), m FLOAT, n TIME(3), o CHAR)",
    "(id SERIAL, a INT UNIQUE KEY, b INT NOT NULL INVISIBLE)",
    "(id INT PRIMARY KEY) DEFAULT CHARACTER SET = utf8mb4 COLLATE utf8mb4_bin",
    "(id INT PRIMARY KEY) ENGINE = InnoDB, CHARSET utf8mb4, KEY_BLOCK_SIZE = 8, STATS_PERSISTENT = 1",
    "(id INT PRIMARY KEY) /*!50100 PARTITION BY KEY (id) PARTITIONS 4 */",
    "(id INT, at DATE, PRIMARY KEY (id, at)) COMMENT 'x' PARTITION BY RANGE COLUMNS (at) (PARTITION a VALUES LESS THAN ('2027-01-01'), PARTITION b VALUES LESS THAN (MAXVALUE))",
    "(id INT PRIMARY KEY, `order` INT, `a b` INT, `key` INT, KEY (`order`, `a b`))",
    "(id INT PRIMARY KEY, j JSON, KEY k ((CAST(j->'$.x' AS UNSIGNED ARRAY))), b VARCHAR(9) AS (j->>'$.y') STORED)",
    "(id INT PRIMARY KEY, a INT DEFAULT -1, b DECIMAL(4, 2) DEFAULT '1.50', c BIT(1) DEFAULT b'0', d BINARY(2) DEFAULT 0x00FF, e INT DEFAULT (1 + 2))",
    "(id BIGINT UNSIGNED NOT NULL COMMENT 'a; b', PRIMARY KEY (id) COMMENT 'x') -- the end",
];

#[test]
fn definitions_are_understood() {
    for definition in DEFINITIONS {
        table(&format!("CREATE TABLE t {definition}"));
    }
}

#[test]
fn a_column_has_what_the_rules_ask_for() {
    let definition = "(a INT, b INT NOT NULL, c INT NOT NULL DEFAULT 1, d INT NOT NULL AUTO_INCREMENT, \
                      e INT AS (1) NOT NULL, f TINYTEXT, g MEDIUMBLOB, h VARCHAR(9) COLLATE ascii_bin, \
                      i ENUM ('x', 'y'), j SERIAL)";
    let columns = table(&format!("CREATE TABLE t {definition}"))
        .definition
        .columns;
    let all = |wanted: fn(&Column) -> bool| -> String {
        let columns = columns.iter().filter(|column| wanted(column));
        columns.map(|column| column.name.as_str()).collect()
    };
    assert_eq!(all(|column| column.not_null), "bcdej");
    assert_eq!(all(|column| column.has_default), "cdej");
    assert_eq!(all(|column| column.long), "fg");
    assert_eq!(
        all(|column| column.charset.as_deref() == Some("ascii")),
        "h"
    );
    assert_eq!(columns[8].members, ["x", "y"]);
}

#[test]
fn a_key_has_its_kind_its_name_and_its_parts() {
    let sql = "CREATE TABLE t (a INT UNIQUE, b INT PRIMARY KEY, KEY (a, b), UNIQUE c (d(9)), \
               CONSTRAINT e UNIQUE (a), FULLTEXT f (g), SPATIAL KEY h (i), KEY j ((a + b)))";
    let column = |name: &str| KeyPart::Column(name.to_owned());
    let prefix = KeyPart::Prefix("d".to_owned());
    let keys = table(sql).definition.keys;
    let keys: Vec<_> = keys
        .into_iter()
        .map(|key| (key.kind, key.name.unwrap_or_default(), key.parts))
        .collect();
    let expected = [
        (KeyKind::Unique, "", vec![column("a")]),
        (KeyKind::Primary, "", vec![column("b")]),
        (KeyKind::Plain, "", vec![column("a"), column("b")]),
        (KeyKind::Unique, "c", vec![prefix]),
        (KeyKind::Unique, "e", vec![column("a")]),
        (KeyKind::FullText, "f", vec![column("g")]),
        (KeyKind::Spatial, "h", vec![column("i")]),
        (KeyKind::Plain, "j", vec![KeyPart::Expression]),
    ];
    assert_eq!(
        keys,
        expected.map(|(kind, name, parts)| (kind, name.to_owned(), parts))
    );
}

/// Clauses of ALTER TABLE that MySQL takes, and how many there are in each text.
const CLAUSES: &[(&str, usize)] = &[
    (
        "ADD COLUMN a INT NOT NULL DEFAULT 0 AFTER b, ADD b VARCHAR(5) FIRST, DROP COLUMN c, DROP d, \
         MODIFY COLUMN e BIGINT NOT NULL, CHANGE COLUMN f g INT, DROP INDEX i, DROP KEY k, DROP PRIMARY KEY, \
         ADD PRIMARY KEY (id)",
        10,
    ),
    (
        "MODIFY e ENUM ('a', 'b') CHARACTER SET ascii NOT NULL FIRST, CHANGE f f BIGINT AFTER `x y`",
        2,
    ),
    ("ADD COLUMN (a INT, b INT), ADD (c INT)", 2),
    (
        "ADD INDEX i (a, b DESC), ADD KEY (c), ADD UNIQUE INDEX u (d), ADD UNIQUE (e), ADD FULLTEXT INDEX ft (body), \
         ADD SPATIAL INDEX s (p), ADD CONSTRAINT c UNIQUE KEY (x), ADD INDEX v (a) INVISIBLE",
        8,
    ),
    ("ALTER INDEX i INVISIBLE, ALTER INDEX j VISIBLE", 2),
    (
        "ALTER COLUMN a SET DEFAULT 5, ALTER b DROP DEFAULT, ALTER c SET DEFAULT (UUID()), ALTER d SET INVISIBLE",
        4,
    ),
    (
        "RENAME COLUMN a TO b, RENAME INDEX c TO d, RENAME KEY e TO f, RENAME TO u",
        4,
    ),
    ("ENGINE = InnoDB", 1),
    (
        "ENGINE InnoDB, COMMENT 'x', AUTO_INCREMENT = 5, ROW_FORMAT = COMPRESSED, DEFAULT CHARSET = utf8mb4",
        5,
    ),
    (
        "ENGINE = InnoDB COMMENT = 'x' DEFAULT CHARACTER SET utf8mb4",
        1,
    ),
    ("CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", 1),
    ("ADD COLUMN a INT, ALGORITHM = INPLACE, LOCK NONE", 3),
    (
        "ADD CONSTRAINT fk FOREIGN KEY (a) REFERENCES o (id) ON DELETE CASCADE, DROP FOREIGN KEY g",
        2,
    ),
    (
        "ADD CHECK (a > 1), ADD CONSTRAINT c CHECK (b IN ('x', 'y')) NOT ENFORCED, DROP CHECK d, DROP CONSTRAINT e, ALTER CHECK f NOT ENFORCED",
        5,
    ),
    ("PARTITION BY HASH (id) PARTITIONS 4", 1),
    ("ADD a INT PARTITION BY KEY (id)", 2),
    (
        "ADD PARTITION (PARTITION p1 VALUES LESS THAN (10), PARTITION p2 VALUES LESS THAN (20))",
        1,
    ),
    ("DROP PARTITION p0, p1", 1),
    ("REMOVE PARTITIONING", 1),
    ("ADD a INT REMOVE PARTITIONING", 2),
    ("ADD PARTITION PARTITIONS 2", 1),
    ("COALESCE PARTITION 2", 1),
    ("REORGANIZE PARTITION", 1),
    (
        "REORGANIZE PARTITION p0, p1 INTO (PARTITION p2 VALUES LESS THAN (20))",
        1,
    ),
    ("CONVERT TO CHAR SET 'utf8mb4'", 1),
    ("CONVERT TO CHARSET DEFAULT COLLATE utf8mb4_bin", 1),
    ("FORCE, DISABLE KEYS", 2),
    (
        "ALTER a SET INVISIBLE, ALTER COLUMN b DROP DEFAULT, ALTER c SET DEFAULT (1 + 1)",
        3,
    ),
    ("", 0),
];

#[test]
fn clauses_are_understood() {
    for (clauses, count) in CLAUSES {
        let mut changes = changes(clauses);
        changes.retain(|change| !matches!(change, Change::After(_)));
        assert_eq!(changes.len(), *count, "{changes:?}");
        for change in &changes {
            assert!(
                !matches!(change, Change::Unread(_)),
                "{clauses}\n{change:?}"
            );
        }
    }
}

#[test]
fn a_clause_that_is_not_understood_leaves_the_others() {
    let changes = changes("DROP a, FROBNICATE b, DROP KEY c");
    assert_eq!(changes[0], Change::DropColumn("a".to_owned()));
    assert!(matches!(changes[1], Change::Unread(_)), "{changes:?}");
    assert_eq!(changes[2], Change::DropKey("c".to_owned()));
}

#[test]
fn an_index_is_a_clause_of_its_table() {
    for sql in [
        "CREATE INDEX i ON t (a, b DESC)",
        "CREATE UNIQUE INDEX i ON t (a(10)) ALGORITHM = INPLACE LOCK = NONE",
        "CREATE FULLTEXT INDEX i ON t (body) WITH PARSER ngram",
        "CREATE SPATIAL INDEX i ON t (p)",
        "CREATE INDEX i USING BTREE ON t (a) COMMENT 'x'",
        "CREATE INDEX i ON t ((a + 1), (LOWER(b)) DESC) INVISIBLE",
        "CREATE INDEX `a b` ON `t` (`c d`)",
    ] {
        let Ddl::AlterTable { table, clauses } = read(sql) else {
            panic!("{sql}");
        };
        assert_eq!(table.name, "t");
        let Change::Define(definition) = &clauses[0].change else {
            panic!("{sql}\n{clauses:?}");
        };
        assert_eq!(definition.keys.len(), 1, "{sql}");
    }
}

#[test]
fn what_has_no_place_is_told_from_what_can_not_be_read() {
    for (sql, alien) in [
        (
            "CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET NEW.x = 1",
            Alien::Trigger,
        ),
        ("DROP TRIGGER IF EXISTS t", Alien::Trigger),
        (
            "CREATE DEFINER = `root`@`localhost` PROCEDURE p() SELECT 1",
            Alien::Routine,
        ),
        (
            "CREATE AGGREGATE FUNCTION f RETURNS STRING SONAME 'x.so'",
            Alien::Routine,
        ),
        ("ALTER FUNCTION f COMMENT 'x'", Alien::Routine),
        (
            "CREATE EVENT e ON SCHEDULE EVERY 1 HOUR DO DELETE FROM t",
            Alien::Event,
        ),
        ("ALTER EVENT e DISABLE", Alien::Event),
        ("UNLOCK TABLES", Alien::LockTables),
        ("DROP TEMPORARY TABLE a", Alien::Temporary),
        (
            "LOAD DATA INFILE 'x' INTO TABLE t",
            Alien::Data("LOAD".to_owned()),
        ),
        (
            "ALTER DATABASE a CHARACTER SET utf8mb4",
            Alien::Administration("ALTER DATABASE".to_owned()),
        ),
        (
            "DROP SCHEMA a",
            Alien::Administration("DROP SCHEMA".to_owned()),
        ),
        (
            "OPTIMIZE TABLE t",
            Alien::Administration("OPTIMIZE".to_owned()),
        ),
        (
            "GRANT SELECT ON a.* TO 'b'@'%'",
            Alien::Administration("GRANT".to_owned()),
        ),
        (
            "/*!40101 SET NAMES utf8 */",
            Alien::Administration("SET".to_owned()),
        ),
    ] {
        assert_eq!(read(sql), Ddl::Alien(alien), "{sql}");
    }
}

#[test]
fn what_can_not_be_read_says_where() {
    let Ddl::Unread { table, fault } =
        read("-- x\n\nCREATE TABLE t (\n  id INT,\n  b NATIONAL VARCHAR(5)\n)")
    else {
        panic!();
    };
    assert_eq!(table.unwrap().name, "t");
    assert_eq!(
        fault.why,
        "expected ',' or ')' after column definition, found VARCHAR"
    );
    assert_eq!(fault.line, Some(5));
}

#[test]
fn what_is_no_statement_is_none() {
    for sql in [
        "CRATE TABLE t",
        "1",
        "CREATE NOTHING",
        "DELIMITER //",
        "ALTER TABLE t COMMENT 'x",
    ] {
        assert!(matches!(read(sql), Ddl::NoSql(_)), "{sql}");
    }
}

#[test]
fn names_have_their_database() {
    let Ddl::DropTables { tables, .. } = read("DROP TABLE a, `b`.`c`") else {
        panic!();
    };
    assert_eq!(tables[0].database, None);
    assert_eq!(tables[1].database.as_deref(), Some("b"));
    assert_eq!(tables[1].name, "c");
}

/// Pieces of statements, whole and broken.
const PIECES: &[&str] = &[
    "CREATE",
    "ALTER",
    "DROP",
    "RENAME",
    "TABLE",
    "INDEX",
    "VIEW",
    "TRIGGER",
    "ADD",
    "COLUMN",
    "MODIFY",
    "CHANGE",
    "KEY",
    "PRIMARY",
    "UNIQUE",
    "FOREIGN",
    "REFERENCES",
    "PARTITION",
    "BY",
    "RANGE",
    "LIST",
    "HASH",
    "VALUES",
    "LESS",
    "THAN",
    "IF",
    "NOT",
    "EXISTS",
    "NULL",
    "DEFAULT",
    "ENGINE",
    "CHARSET",
    "CHARACTER",
    "SET",
    "COLLATE",
    "CONVERT",
    "TO",
    "AFTER",
    "FIRST",
    "ON",
    "USING",
    "FROM",
    "JOIN",
    "AS",
    "SELECT",
    "LIKE",
    "WITH",
    "BEGIN",
    "END",
    "CASE",
    "DELIMITER",
    "INVISIBLE",
    "t",
    "a",
    "`b c`",
    "é",
    "INT",
    "VARCHAR(9)",
    "ENUM ('x', 'y')",
    "(",
    ")",
    ",",
    ";",
    "=",
    ".",
    "*",
    "'",
    "\"",
    "`",
    "--",
    "-- allow x: y\n",
    "/*",
    "*/",
    "/*!50100",
    "#",
    "\n",
    "1",
    "-1.5e",
    "0x",
    "@",
    ":",
    "\\",
    "$$",
];

proptest::proptest! {
    /// Whatever is in a file, every part of it ends up in a statement or between two, and can
    /// be spoken about.
    #[test]
    fn nothing_is_too_odd(pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..40)) {
        let sql = pieces.join(" ");
        for statement in statement::split(&sql) {
            proptest::prop_assert!(!statement.text().is_empty());
            proptest::prop_assert!(sql.contains(statement.text()));
            Ddl::read(&statement);
        }
    }
}
