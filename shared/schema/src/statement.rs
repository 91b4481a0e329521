//! The statements of a file.

use std::str::Chars;

use sqlparser::{
    dialect::MySqlDialect,
    tokenizer::{Location, Token, TokenWithSpan, Tokenizer, Whitespace},
};

use super::ddl::Ddl;

/// One statement of a migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    text: String,
    line: usize,
    comments: Vec<Comment>,
}

/// A line of comment before a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Comment {
    pub(super) text: String,
    pub(super) line: usize,
}

impl Statement {
    /// Its text, without the semicolon and without the comments before it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The line of the file on which it begins, from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// The comments between the statement before and this one, of the form `-- …` or `# …`.
    pub(super) fn comments(&self) -> &[Comment] {
        &self.comments
    }
}

/// The statements of a text.
pub(super) fn split(sql: &str) -> Vec<Statement> {
    read(sql).0
}

/// Splits a text at the semicolons that end a statement. What the tokenizer does not take, such
/// as a string without its end, belongs to the last statement. The comments are those between
/// statements that belong to none: behind one on its line, and behind the last.
pub(super) fn read(sql: &str) -> (Vec<Statement>, Vec<Comment>) {
    let mut tokens: Vec<TokenWithSpan> = Vec::new();
    // The tokens before a fault are there all the same, and who parses the last statement meets
    // the fault again.
    let taken = Tokenizer::new(&MySqlDialect {}, sql).tokenize_with_location_into_buf(&mut tokens);
    let mut places = Places::new(sql);

    let mut statements = Vec::new();
    let mut open: Option<Open> = None;
    let mut comments = Vec::new();
    let mut stray = Vec::new();
    // Of the last statement's end.
    let mut last_line = None;
    // The last `/*! … */`, whose words are tokens like all others.
    let mut hint = 0..0;
    for (position, TokenWithSpan { token, span }) in tokens.iter().enumerate() {
        let place = places.of(span.start);
        if place >= hint.end
            && let Some(length) = hint_length(sql, place)
        {
            hint = place..place + length;
        }
        match (token, &mut open) {
            (Token::Whitespace(Whitespace::SingleLineComment { comment, .. }), None) => {
                let comment = Comment {
                    text: comment.trim().to_owned(),
                    line: line(span.start),
                };
                // One on the line of a statement's end is not about the next.
                if last_line == Some(span.start.line) {
                    stray.push(comment);
                } else {
                    comments.push(comment);
                }
            }
            (Token::Whitespace(_), _) => {}
            (Token::SemiColon, None) => {}
            (Token::SemiColon, Some(current)) if current.body.is_open() => {}
            (Token::SemiColon, Some(_)) => {
                last_line = Some(span.start.line);
                if let Some(open) = open.take() {
                    statements.push(open.close(sql, place));
                }
            }
            (token, current) => current
                .get_or_insert_with(|| Open {
                    start: if place < hint.end { hint.start } else { place },
                    line: line(span.start),
                    comments: std::mem::take(&mut comments),
                    body: Body::of(tokens.get(position..).unwrap_or_default()),
                })
                .body
                .read(token),
        }
    }
    // Where what the tokenizer has not taken begins.
    let end = tokens.last().map_or(0, |token| places.of(token.span.end));
    let rest = if end < hint.end { hint.start } else { end };
    let left = sql.get(rest..).unwrap_or_default();
    if open.is_none() && taken.is_err() && !left.trim().is_empty() {
        let blank = left.len() - left.trim_start().len();
        let start = rest + blank;
        let before = sql.get(..start).unwrap_or_default();
        open = Some(Open {
            start,
            line: before.matches('\n').count() + 1,
            comments: std::mem::take(&mut comments),
            body: Body::default(),
        });
    }
    if let Some(open) = open {
        statements.push(open.close(sql, sql.len()));
    }
    stray.extend(comments);
    (statements, stray)
}

/// A statement whose end was not met yet.
struct Open {
    start: usize,
    line: usize,
    comments: Vec<Comment>,
    body: Body,
}

impl Open {
    fn close(self, sql: &str, end: usize) -> Statement {
        let text = sql.get(self.start..end).unwrap_or_default();
        Statement {
            text: text.trim_end().to_owned(),
            line: self.line,
            comments: self.comments,
        }
    }
}

/// The body of a trigger, routine or event, whose semicolons end no statement of the file.
#[derive(Default)]
struct Body {
    may_begin: bool,
    depth: usize,
    after_end: bool,
}

impl Body {
    /// That of the statement which begins with these tokens.
    fn of(tokens: &[TokenWithSpan]) -> Self {
        Self {
            may_begin: Ddl::may_have_body(tokens),
            ..Self::default()
        }
    }

    fn is_open(&self) -> bool {
        self.depth > 0
    }

    fn read(&mut self, token: &Token) {
        if !self.may_begin {
            return;
        }
        let Token::Word(word) = token else {
            self.after_end = false;
            return;
        };
        let word = match word.quote_style {
            None => word.value.to_ascii_uppercase(),
            Some(_) => String::new(),
        };
        let after_end = std::mem::take(&mut self.after_end);
        match word.as_str() {
            "BEGIN" => self.depth += 1,
            "CASE" if !after_end => self.depth += 1,
            // What it ends was not counted, but a CASE was.
            "IF" | "LOOP" | "WHILE" | "REPEAT" if after_end => self.depth += 1,
            "END" => {
                self.depth = self.depth.saturating_sub(1);
                self.after_end = true;
            }
            _ => {}
        }
    }
}

/// The bytes of the `/*! … */` that begins there, if one does.
fn hint_length(sql: &str, place: usize) -> Option<usize> {
    let end = sql.get(place..)?.strip_prefix("/*!")?.find("*/")?;
    Some("/*!".len() + end + "*/".len())
}

fn line(location: Location) -> usize {
    usize::try_from(location.line).unwrap_or(usize::MAX)
}

/// From the tokenizer's lines and columns, which count characters, to places in the text. They are
/// asked for in their order, so that the text is walked through once.
struct Places<'t> {
    left: Chars<'t>,
    length: usize,
    at: Location,
}

impl<'t> Places<'t> {
    fn new(text: &'t str) -> Self {
        Self {
            left: text.chars(),
            length: text.len(),
            at: Location::new(1, 1),
        }
    }

    fn of(&mut self, location: Location) -> usize {
        while self.at < location {
            match self.left.next() {
                Some('\n') => self.at = Location::new(self.at.line + 1, 1),
                Some(_) => self.at.column += 1,
                None => break,
            }
        }
        self.length - self.left.as_str().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(sql: &str) -> Vec<(usize, String)> {
        split(sql)
            .into_iter()
            .map(|statement| (statement.line, statement.text))
            .collect()
    }

    fn one(line: usize, text: &str) -> (usize, String) {
        (line, text.to_owned())
    }

    #[test]
    fn each_statement_has_its_text_and_its_line() {
        let sql =
            "-- about\n\nCREATE TABLE a (\n  id INT -- ;\n);\n;\n  DROP TABLE b ; DROP TABLE c";
        assert_eq!(
            texts(sql),
            [
                one(3, "CREATE TABLE a (\n  id INT -- ;\n)"),
                one(7, "DROP TABLE b"),
                one(7, "DROP TABLE c"),
            ]
        );
    }

    #[test]
    fn a_semicolon_in_quotes_or_a_comment_ends_nothing() {
        let sql = "ALTER TABLE `a;b` COMMENT 'c;''d\\';' /* ; */ # ;\n;DROP TABLE é";
        assert_eq!(
            texts(sql),
            [
                one(1, "ALTER TABLE `a;b` COMMENT 'c;''d\\';' /* ; */ # ;"),
                one(2, "DROP TABLE é"),
            ]
        );
    }

    #[test]
    fn characters_of_several_bytes_shift_nothing() {
        let sql = "CREATE TABLE a (b INT COMMENT 'żółć €'); DROP TABLE a;";
        assert_eq!(texts(sql)[1], one(1, "DROP TABLE a"));
    }

    #[test]
    fn a_hint_of_mysqldump_is_a_statement() {
        let sql = "/*!40101 SET NAMES utf8 */;\nDROP TABLE a;";
        assert_eq!(
            texts(sql),
            [one(1, "/*!40101 SET NAMES utf8 */"), one(2, "DROP TABLE a")]
        );
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
    fn what_the_tokenizer_does_not_take_is_the_last_statement() {
        for (sql, last) in [
            ("DROP TABLE a;\nALTER TABLE b COMMENT 'c;\nd", 2),
            ("DROP TABLE a;\n'b; c", 2),
        ] {
            let split = texts(sql);
            assert_eq!(split.len(), 2, "{split:?}");
            assert_eq!(split[1], one(last, sql.split_once('\n').unwrap().1));
        }
    }

    #[test]
    fn a_hint_that_is_not_taken_is_the_last_statement() {
        for last in ["/*! 'b */;\nDROP TABLE c", "/*!40101 SET b */'c"] {
            let split = texts(&format!("DROP TABLE a;\n{last}"));
            assert_eq!(split, [one(1, "DROP TABLE a"), one(2, last)]);
        }
        assert_eq!(texts("DROP TABLE a; /*!40101 */"), [one(1, "DROP TABLE a")]);
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
    fn nothing_is_no_statement() {
        assert_eq!(split(" \n-- only a comment\n/* and another */\n;"), []);
    }

    #[test]
    fn comments_on_lines_of_their_own_belong_to_the_statement_after_them() {
        let sql = "-- one\nDROP TABLE a; -- two\n# three\n-- four\nDROP TABLE b;\n-- five\n";
        let (statements, stray) = read(sql);
        let shown = |comments: &[Comment]| -> Vec<(usize, String)> {
            let comments = comments.iter();
            comments
                .map(|comment| (comment.line, comment.text.clone()))
                .collect()
        };
        let comments = shown(statements[1].comments());
        assert_eq!(comments, [one(3, "three"), one(4, "four")]);
        assert_eq!(shown(&stray), [one(2, "two"), one(6, "five")]);
    }
}
