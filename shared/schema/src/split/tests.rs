//! How a text is split, and what its words are.

use super::*;

fn texts(sql: &str) -> Vec<(usize, String)> {
    let (statements, _) = split(sql);
    let statements = statements.into_iter();
    statements
        .map(|statement| (statement.line, statement.text))
        .collect()
}

fn one(line: usize, text: &str) -> (usize, String) {
    (line, text.to_owned())
}

#[test]
fn each_statement_has_its_text_and_its_line() {
    for (sql, expected) in [
        (
            "-- about\n\nCREATE TABLE a (\n  id INT -- ;\n);\n;\n  DROP TABLE b ; DROP TABLE c",
            &[
                (3, "CREATE TABLE a (\n  id INT -- ;\n)"),
                (7, "DROP TABLE b"),
                (7, "DROP TABLE c"),
            ][..],
        ),
        // A semicolon in quotes or in a comment ends nothing.
        (
            "ALTER TABLE `a;b` COMMENT 'c;''d\\';' /* ; */ # ;\n;DROP TABLE é",
            &[
                (1, "ALTER TABLE `a;b` COMMENT 'c;''d\\';' /* ; */ # ;"),
                (2, "DROP TABLE é"),
            ],
        ),
        // Characters of several bytes shift nothing.
        (
            "CREATE TABLE a (b INT COMMENT 'żółć €'); DROP TABLE a;",
            &[
                (1, "CREATE TABLE a (b INT COMMENT 'żółć €')"),
                (1, "DROP TABLE a"),
            ],
        ),
        // A hint of mysqldump is a statement, unless there is nothing in it.
        (
            "/*!40101 SET NAMES utf8 */;\nDROP TABLE a;",
            &[(1, "/*!40101 SET NAMES utf8 */"), (2, "DROP TABLE a")],
        ),
        ("DROP TABLE a; /*!40101 */", &[(1, "DROP TABLE a")]),
        // What has no end is the last statement.
        (
            "DROP TABLE a;\nALTER TABLE b COMMENT 'c;\nd",
            &[(1, "DROP TABLE a"), (2, "ALTER TABLE b COMMENT 'c;\nd")],
        ),
        ("DROP TABLE a;\n'b; c", &[(1, "DROP TABLE a"), (2, "'b; c")]),
        (
            "DROP TABLE a;\n/*! 'b */;\nDROP TABLE c",
            &[(1, "DROP TABLE a"), (2, "/*! 'b */;\nDROP TABLE c")],
        ),
        (
            "DROP TABLE a;\n/*!40101 SET b */'c",
            &[(1, "DROP TABLE a"), (2, "/*!40101 SET b */'c")],
        ),
        // Another delimiter splits until the semicolon is back.
        (
            "DELIMITER $$\nCREATE TRIGGER t BEGIN a; END$$\ndelimiter ;\nDROP TABLE a;",
            &[
                (1, "DELIMITER $$"),
                (2, "CREATE TRIGGER t BEGIN a; END"),
                (4, "DROP TABLE a"),
            ],
        ),
        (" \n-- only a comment\n/* and another */\n;", &[]),
    ] {
        let expected = expected.iter().map(|(line, text)| one(*line, text));
        assert_eq!(texts(sql), expected.collect::<Vec<_>>(), "{sql}");
    }
}

#[test]
fn the_body_of_a_trigger_or_a_routine_is_not_split() {
    let body = "BEGIN\n IF a THEN SET b = CASE c WHEN 1 THEN 2 END; END IF;\n \
                CASE d WHEN 1 THEN SELECT 1; END CASE;\n WHILE e DO SET e = 0; END WHILE;\nEND";
    for head in [
        "CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW",
        "CREATE DEFINER = `u`@`h` PROCEDURE p()",
    ] {
        let sql = format!("{head} {body};\nDROP TABLE a;");
        let split = texts(&sql);
        assert_eq!(split.len(), 2, "{split:?}");
        assert_eq!(split[0].1, format!("{head} {body}"));
    }
}

#[test]
fn a_long_line_of_many_statements_is_split_at_each() {
    let one_line: String = (0..500)
        .map(|number| format!("/*!50100 CREATE */ TABLE ż{number} (id INT PRIMARY KEY);"))
        .collect();
    let split = texts(&format!("{}{one_line}", ";".repeat(500)));
    assert_eq!(split.len(), 500);
    for (number, statement) in split.iter().enumerate() {
        let text = format!("/*!50100 CREATE */ TABLE ż{number} (id INT PRIMARY KEY)");
        assert_eq!(*statement, one(1, &text));
    }
}

#[test]
fn what_the_server_skips_has_no_words() {
    let (statements, _) = split("CREATE TABLE a /*!99999 IF b; */ /*!50001 IF */ (c INT);");
    let words: Vec<_> = statements[0]
        .tokens
        .iter()
        .map(|token| &token.text)
        .collect();
    assert_eq!(words, ["CREATE", "TABLE", "a", "IF", "(", "c", "INT", ")"]);
}

#[test]
fn comments_on_lines_of_their_own_belong_to_the_statement_after_them() {
    let sql = "-- one\nDROP TABLE a; -- two\n# three\n-- four\nDROP TABLE b;\n-- five\n";
    let (statements, stray) = split(sql);
    let shown = |comments: &[Comment]| -> Vec<(usize, String)> {
        let comments = comments.iter();
        comments
            .map(|comment| (comment.line, comment.text.clone()))
            .collect()
    };
    let comments = shown(&statements[1].comments);
    assert_eq!(comments, [one(3, "three"), one(4, "four")]);
    assert_eq!(shown(&stray), [one(2, "two"), one(6, "five")]);
}
