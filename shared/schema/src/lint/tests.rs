mod alterations;
mod cases;
mod definitions;
mod statements;

use std::collections::BTreeSet;

use super::*;
use cases::CASES;

/// What an earlier migration has left.
const BEFORE: &str = "\
CREATE TABLE orders (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  customer VARCHAR(64) NOT NULL,
  note TEXT,
  total DECIMAL(14, 4) NULL,
  PRIMARY KEY (id),
  KEY by_customer (customer, id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;
CREATE TABLE carts (code CHAR(8) NOT NULL, UNIQUE KEY by_code (code));
CREATE TABLE logs (id INT, at DATE, PRIMARY KEY (id, at))
  PARTITION BY RANGE COLUMNS (at) (PARTITION p0 VALUES LESS THAN ('2026-01-01'));
CREATE VIEW totals AS SELECT id, total FROM orders;";

fn lint_with(sql: &str, options: Options) -> Vec<Finding> {
    let files = [("0001_before.sql", BEFORE), ("0002_next.sql", sql)];
    lint(&Migrations::parse("m", files).unwrap(), options)
}

fn findings(sql: &str) -> Vec<Finding> {
    lint_with(sql, Options::default())
}

fn codes(sql: &str) -> Vec<&'static str> {
    findings(sql)
        .iter()
        .map(|finding| finding.rule.code())
        .collect()
}

#[test]
fn each_rule_fires_and_is_silent() {
    for (rule, fires, silent) in CASES {
        let code = rule.code();
        let found = codes(fires);
        assert_eq!(found, [code], "{fires}\n{:?}", findings(fires));
        let found = codes(silent);
        assert!(found.is_empty(), "{silent}\n{:?}", findings(silent));
    }
}

#[test]
fn each_rule_has_a_case_and_a_code_of_its_own() {
    let cases: BTreeSet<Rule> = CASES.iter().map(|(rule, ..)| *rule).collect();
    assert_eq!(cases, BTreeSet::from_iter(Rule::ALL.iter().copied()));
    let codes: BTreeSet<&str> = Rule::ALL.iter().map(|rule| rule.code()).collect();
    assert_eq!(codes.len(), Rule::ALL.len());
}

#[test]
fn a_finding_is_one_line_that_says_what_to_do() {
    let found = findings("\nALTER TABLE orders\n  ADD a INT,\n  DROP COLUMN note;");
    let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            "m/0002_next.sql:4: error[drop-column]: drops the column `note` of `orders` and what is \
             in it. First deploy code that no longer uses it. To allow it, write `-- allow \
             drop-column: reason` on a line before the statement."
        ]
    );
}

#[test]
fn the_projects_own_migrations_break_no_rule() {
    let found = lint(&Migrations::built_in().unwrap(), Options::default());
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn the_ledger_breaks_no_rule_but_its_own() {
    let files = [("0001_ledger.sql", ledger::CREATE)];
    let found = lint(&Migrations::parse("m", files).unwrap(), Options::default());
    let rules: Vec<_> = found.iter().map(|finding| finding.rule).collect();
    assert_eq!(rules, [Rule::Ledger]);
}

#[test]
fn foreign_keys_may_be_allowed_and_lead_to_tables() {
    let allowed = Options { foreign_keys: true };
    let add = "ALTER TABLE orders ADD FOREIGN KEY (customer) REFERENCES";
    assert_eq!(lint_with(&format!("{add} carts (code)"), allowed), []);
    let found = lint_with(&format!("{add} customers (id)"), allowed);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].rule, Rule::NoSuchTable);
    let own = "CREATE TABLE a (id INT PRIMARY KEY, b INT REFERENCES a (id))";
    assert_eq!(lint_with(own, allowed), []);
    let indexed = "CREATE TABLE a (id INT PRIMARY KEY, b BIGINT UNSIGNED, \
                   CONSTRAINT of_order FOREIGN KEY (b) REFERENCES orders (id));\
                   ALTER TABLE a DROP KEY of_order, ADD KEY of_b (b);";
    assert_eq!(lint_with(indexed, allowed), []);
}

#[test]
fn an_allowance_says_why_it_does_not_count() {
    let drop = "ALTER TABLE orders DROP note";
    for (comment, fault, left) in [
        ("-- allow drop-column", "has no reason", true),
        ("-- allow drop-column:", "has no reason", true),
        (
            "-- allow drop_column: why",
            "no rule has the code `drop_column`",
            true,
        ),
        (
            "-- allow rename-column: why",
            "no comment can allow `rename-column`",
            true,
        ),
        (
            "-- allow drop-table: why",
            "nothing that needs `drop-table` allowed",
            true,
        ),
    ] {
        let found = findings(&format!("{comment}\n{drop}"));
        let rules: Vec<_> = found.iter().map(|finding| finding.rule).collect();
        assert_eq!(rules.contains(&Rule::DropColumn), left, "{comment}");
        let allowance = found.iter().find(|found| found.rule == Rule::Allowance);
        let allowance = allowance.unwrap();
        assert!(allowance.what.contains(fault), "{allowance}");
        assert_eq!(allowance.line, 1);
    }
}

#[test]
fn an_allowance_is_for_the_next_statement_only() {
    let sql = "-- allow drop-column: unused\nALTER TABLE orders DROP note;\nALTER TABLE orders DROP total;";
    let found = findings(sql);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].line, found[0].rule), (3, Rule::DropColumn));
    let behind =
        "ALTER TABLE orders ADD a INT; -- allow drop-column: unused\nALTER TABLE orders DROP note;";
    assert_eq!(codes(behind), ["allowance", "drop-column"]);
}

#[test]
fn a_table_that_is_not_there_is_missed_once() {
    let sql = "-- allow no-such-table: from before the migrations\nALTER TABLE old ADD a INT;\n\
               ALTER TABLE old DROP KEY b, MODIFY c INT;";
    assert_eq!(findings(sql), []);
}

#[test]
fn several_allowances_go_together() {
    let sql = "-- allow drop-column: unused\n-- allow not-null-without-default: filled by a generated value\n\
               ALTER TABLE orders DROP note, ADD channel INT NOT NULL;";
    assert_eq!(findings(sql), []);
}

#[test]
fn all_of_a_statement_is_found_at_its_lines() {
    let sql = "CREATE TABLE a (\n  b INT NOT NULL,\n  c VARCHAR(9) CHARACTER SET cp1250,\n  KEY (b),\n  \
               KEY d (e)\n) ENGINE = MyISAM;";
    let found = findings(sql);
    let places: Vec<_> = found
        .iter()
        .map(|finding| (finding.line, finding.rule))
        .collect();
    assert_eq!(
        places,
        [
            (1, Rule::NoKey),
            (3, Rule::Charset),
            (5, Rule::NoSuchColumn),
            (6, Rule::Engine),
        ]
    );
}

#[test]
fn what_was_not_understood_makes_nothing_missing() {
    let sql = "-- allow not-understood: MySQL takes it\nALTER TABLE orders SOMETHING NEW;\n\
               ALTER TABLE orders DROP KEY whatever, MODIFY whatever INT;\n\
               -- allow not-understood: it is VARCHAR\nCREATE TABLE a (b NATIONAL VARCHAR(5));\n\
               CREATE INDEX c ON a (b);";
    assert_eq!(findings(sql), []);
}
