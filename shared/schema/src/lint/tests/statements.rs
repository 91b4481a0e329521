//! Where one statement ends, and what it is by its first words.

use super::*;

/// What each statement is found to be, and on which line.
fn places(sql: &str) -> Vec<(usize, &'static str)> {
    findings(sql)
        .iter()
        .map(|finding| (finding.line, finding.rule.code()))
        .collect()
}

#[test]
fn a_column_with_the_name_of_a_keyword_hides_no_statement() {
    let view = "CREATE VIEW v AS SELECT id AS event, 1 AS begin FROM orders;\n\
                ALTER TABLE orders DROP COLUMN note;\nDROP TABLE carts;";
    assert_eq!(places(view), [(2, "drop-column"), (3, "drop-table")]);
    for columns in [
        "event INT, begin DATETIME",
        "`procedure` INT, begin INT",
        "`function` INT, event INT, begin INT, `case` INT",
    ] {
        let table = format!("CREATE TABLE a (id INT PRIMARY KEY, {columns});\nDROP TABLE carts");
        assert_eq!(places(&table), [(2, "drop-table")], "{table}");
    }
}

#[test]
fn the_semicolons_of_a_body_end_no_statement_whoever_defines_it() {
    for (head, code) in [
        (
            "CREATE TRIGGER t BEFORE INSERT ON orders FOR EACH ROW",
            "trigger",
        ),
        (
            "CREATE TRIGGER IF NOT EXISTS t BEFORE INSERT ON orders FOR EACH ROW",
            "trigger",
        ),
        (
            "CREATE OR REPLACE DEFINER = root@localhost PROCEDURE p()",
            "routine",
        ),
        ("CREATE DEFINER=root@127.0.0.1 PROCEDURE p()", "routine"),
        (
            "CREATE DEFINER=root@db.example.com PROCEDURE p()",
            "routine",
        ),
        ("CREATE DEFINER = 'root'@'%' PROCEDURE p()", "routine"),
        ("CREATE DEFINER = 'root'@localhost PROCEDURE p()", "routine"),
        ("CREATE DEFINER = root@'%' PROCEDURE p()", "routine"),
        ("CREATE DEFINER = root@`%` PROCEDURE p()", "routine"),
        ("CREATE DEFINER = \"root\" PROCEDURE p()", "routine"),
        (
            "CREATE DEFINER = `a` @ `b` FUNCTION f() RETURNS INT",
            "routine",
        ),
        (
            "CREATE DEFINER = CURRENT_USER FUNCTION f() RETURNS INT",
            "routine",
        ),
        (
            "CREATE DEFINER = CURRENT_USER() EVENT e ON SCHEDULE EVERY 1 DAY DO",
            "event",
        ),
        (
            "CREATE DEFINER = u AGGREGATE FUNCTION f() RETURNS INT",
            "routine",
        ),
        (
            "CREATE /*!50017 DEFINER=`a`@`%`*/ /*!50003 TRIGGER t BEFORE INSERT ON orders FOR EACH ROW */",
            "trigger",
        ),
        ("ALTER DEFINER = u EVENT e DO", "event"),
    ] {
        let sql = format!("{head} BEGIN\n  SET @a = 1;\n  SET @b = 2;\nEND;\nDROP TABLE carts;");
        assert_eq!(places(&sql), [(1, code), (5, "drop-table")], "{sql}");
    }
}

#[test]
fn what_no_server_takes_before_the_object_is_no_statement() {
    for sql in [
        "CREATE GARBAGE TABLE a (id INT PRIMARY KEY)",
        "CREATE UNIQUE TABLE a (id INT PRIMARY KEY)",
        "CREATE DEFINER = u TABLE a (id INT PRIMARY KEY)",
        "CREATE DEFINER VIEW a AS SELECT id FROM orders",
        "CREATE ALGORITHM = UNIQUE INDEX a ON orders (note(9))",
        "CREATE SQL SECURITY VIEW a AS SELECT id FROM orders",
        "CREATE DEFINER = u OR REPLACE VIEW a AS SELECT id FROM orders",
        "CREATE TEMPORARY VIEW a AS SELECT id FROM orders",
        "CREATE OR REPLACE INDEX a ON orders (customer)",
        "ALTER IGNORE TABLE orders ADD a INT",
        "ALTER OR REPLACE VIEW totals AS SELECT id FROM orders",
        "DROP GARBAGE TABLE carts",
        "DROP UNIQUE INDEX by_code ON carts",
    ] {
        assert_eq!(places(sql), [(1, "no-sql")], "{sql}");
    }
}

#[test]
fn what_may_stand_before_the_object_may() {
    for sql in [
        "CREATE OR REPLACE VIEW totals AS SELECT id FROM orders",
        "CREATE ALGORITHM = UNDEFINED DEFINER=`a`@`%` SQL SECURITY DEFINER VIEW v AS SELECT id FROM orders",
        "CREATE OR REPLACE ALGORITHM=MERGE SQL SECURITY INVOKER VIEW v AS SELECT id FROM orders",
        "CREATE DEFINER = CURRENT_USER() VIEW v AS SELECT id FROM orders",
        "ALTER ALGORITHM = TEMPTABLE DEFINER = u VIEW totals AS SELECT id FROM orders",
        "CREATE UNIQUE INDEX a ON orders (note(9))",
        "CREATE FULLTEXT INDEX a ON orders (note)",
        "ALTER TABLE orders ADD p POINT; CREATE SPATIAL INDEX a ON orders (p)",
    ] {
        assert_eq!(places(sql), [], "{sql}");
    }
    for (sql, code) in [
        ("CREATE TEMPORARY TABLE a (id INT PRIMARY KEY)", "not-ddl"),
        ("DROP TEMPORARY TABLES a", "not-ddl"),
        (
            "CREATE OR REPLACE TABLE a (id INT PRIMARY KEY)",
            "conditional",
        ),
        (
            "CREATE UNDO TABLESPACE a ADD DATAFILE 'a.ibu'",
            "administration",
        ),
        ("DROP TRIGGER t", "trigger"),
    ] {
        assert_eq!(places(sql), [(1, code)], "{sql}");
    }
}

#[test]
fn the_text_of_a_hint_is_none_in_quotes() {
    let sql = "ALTER TABLE orders COMMENT '/*!'; ALTER TABLE orders ADD a INT; DROP TABLE carts;";
    assert_eq!(places(sql), [(1, "drop-table")]);
}

#[test]
fn a_view_is_read_however_wide_or_deep_it_is() {
    let columns: Vec<String> = (0..500).map(|number| format!("id AS c{number}")).collect();
    let wide = format!(
        "CREATE VIEW v AS SELECT {} FROM missing",
        columns.join(", ")
    );
    assert_eq!(places(&wide), [(1, "view")]);
    for open in ["(", "f("] {
        let (open, close) = (open.repeat(500), ")".repeat(500));
        let deep = format!("CREATE VIEW v AS SELECT {open}id{close} AS c FROM orders, missing");
        assert_eq!(places(&deep), [(1, "view")]);
    }
}

#[test]
fn a_view_has_each_of_its_tables() {
    for from in [
        "(missing)",
        "((missing))",
        "(orders, missing)",
        "orders, (missing)",
        "orders JOIN (carts JOIN missing ON code = customer) ON total = 1",
        "(SELECT id FROM missing) AS a",
        "((SELECT id FROM missing) UNION (SELECT id FROM orders)) AS a",
        "(SELECT id FROM orders) AS a, missing",
        "(SELECT id FROM orders) AS a (b) JOIN missing",
        "{OJ orders LEFT OUTER JOIN missing ON id = total}",
        "orders USE INDEX FOR JOIN (by_customer), missing",
        "orders PARTITION (p0, p1) AS a STRAIGHT_JOIN missing",
        "orders WHERE id IN (TABLE missing)",
        "orders WHERE id IN (SELECT id FROM missing)",
        "orders UNION SELECT id FROM missing",
        "orders UNION TABLE missing",
        "orders, LATERAL (SELECT missing.id FROM missing) AS a",
        "orders WHERE orders.from = 1 UNION SELECT id FROM carts, missing",
    ] {
        let sql = format!("CREATE VIEW v AS SELECT 1 FROM {from}");
        assert_eq!(places(&sql), [(1, "view")], "{sql}");
        let there = sql.replace("missing", "logs");
        assert_eq!(places(&there), [], "{there}");
    }
    for sql in [
        "CREATE VIEW v AS TABLE missing",
        "CREATE VIEW v (a) AS (TABLE missing)",
        "CREATE VIEW v AS WITH a AS (TABLE missing) TABLE a",
        "ALTER VIEW totals AS TABLE missing",
    ] {
        assert_eq!(places(sql), [(1, "view")], "{sql}");
        let there = sql.replace("missing", "logs");
        assert_eq!(places(&there), [], "{there}");
    }
    for sql in [
        "CREATE VIEW v AS SELECT STRAIGHT_JOIN id, total FROM orders",
        "CREATE VIEW v AS SELECT id, total FROM orders WHERE id > 1 ORDER BY id, total",
        "CREATE VIEW v AS SELECT EXTRACT(YEAR FROM at), COUNT(*) FROM logs GROUP BY id, at WITH CASCADED CHECK OPTION",
        "CREATE VIEW v AS VALUES ROW(1, 2), ROW(3, 4)",
    ] {
        assert_eq!(places(sql), [], "{sql}");
    }
}

#[test]
fn a_view_has_a_query() {
    for query in [
        "AS garbage",
        "AS",
        "",
        "(a) AS (garbage)",
        "SELECT 1",
        "AS INSERT",
    ] {
        for verb in ["CREATE", "CREATE OR REPLACE", "ALTER"] {
            let sql = format!("{verb} VIEW totals\n{query}");
            let sql = sql.replace("CREATE VIEW totals", "CREATE VIEW v");
            let codes: Vec<_> = places(&sql).into_iter().map(|(_, code)| code).collect();
            assert_eq!(codes, ["not-understood"], "{sql}");
        }
    }
    assert_eq!(
        places("CREATE VIEW v\nAS\ngarbage"),
        [(3, "not-understood")]
    );
}

#[test]
fn what_is_altered_is_there() {
    let alter = "ALTER VIEW v AS SELECT id FROM orders";
    assert_eq!(places(alter), [(1, "no-such-table")]);
    let create = alter.replace("ALTER", "CREATE");
    assert_eq!(places(&format!("{create};\n{alter};")), []);
}

#[test]
fn what_is_not_understood_is_found_at_its_line() {
    for sql in [
        "CREATE TABLE a (\n  id INT PRIMARY KEY,\n  b NATIONAL VARCHAR(5)\n)",
        "CREATE TABLE a (\n  id INT PRIMARY KEY\n) ENGINE = InnoDB GARBAGE",
        "CREATE TABLE a (id INT PRIMARY KEY)\n\nPARTITION BY GARBAGE (id)",
    ] {
        assert_eq!(places(sql), [(3, "not-understood")], "{sql}");
    }
}

#[test]
fn an_allowance_behind_the_last_statement_allows_nothing() {
    let add = "ALTER TABLE orders ADD a INT;";
    for (sql, line) in [
        (format!("{add}\n\n-- allow drop-table: y\n"), 3),
        (format!("{add} -- allow drop-table: y"), 1),
        (
            format!("{add} -- allow drop-table: y\n{add}").replacen("ADD a", "ADD b", 1),
            1,
        ),
        (format!("{add}\n# allow drop_table: y"), 2),
    ] {
        assert_eq!(places(&sql), [(line, "allowance")], "{sql}");
    }
    let lone = "-- allow drop-table: y";
    assert_eq!(places(lone), [(1, "empty"), (1, "allowance")]);
    assert_eq!(
        places(&format!("{add} -- added\n-- allow NULL for now")),
        []
    );
}
