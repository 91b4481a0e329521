//! The README's table of the linter's rules.

use std::fs;

use schema::lint::Rule;

fn row(rule: Rule) -> String {
    let allowed = if rule.is_allowable() {
        ", may be allowed"
    } else {
        ""
    };
    format!(
        "| `{}` | {}{allowed} | {} | {} |",
        rule.code(),
        rule.severity(),
        rule.refuses(),
        rule.instead()
    )
}

#[test]
fn the_readme_has_every_rule_and_no_other() {
    let readme = fs::read_to_string(tests::root().join("shared/schema/README.md")).unwrap();
    let (_, table) = readme.split_once("| rule | is an |").unwrap();
    let rows: Vec<&str> = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .collect();
    let expected: Vec<String> = Rule::ALL.iter().map(|rule| row(*rule)).collect();
    assert_eq!(rows, expected);
}
