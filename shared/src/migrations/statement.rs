//! The statements of a file.

use sqlparser::{
    dialect::MySqlDialect,
    tokenizer::{Location, Token, TokenWithSpan, Tokenizer, Whitespace},
};

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

/// Splits a text at the semicolons that end a statement. What the tokenizer does not take, such
/// as a string without its end, belongs to the last statement.
pub(super) fn split(sql: &str) -> Vec<Statement> {
    let mut tokens: Vec<TokenWithSpan> = Vec::new();
    // The tokens before a fault are there all the same, and who parses the last statement meets
    // the fault again.
    let _ = Tokenizer::new(&MySqlDialect {}, sql).tokenize_with_location_into_buf(&mut tokens);
    let offsets = Offsets::new(sql);

    let mut statements = Vec::new();
    let mut open: Option<Open> = None;
    let mut comments = Vec::new();
    // Of the last statement's end.
    let mut last_line = None;
    // Where what the tokenizer has not taken begins.
    let mut rest = 0;
    for TokenWithSpan { token, span } in &tokens {
        rest = offsets.of(span.end);
        match (token, &mut open) {
            // One behind a statement is about that.
            (Token::Whitespace(Whitespace::SingleLineComment { comment, .. }), None)
                if last_line != Some(span.start.line) =>
            {
                comments.push(Comment {
                    text: comment.trim().to_owned(),
                    line: line(span.start),
                });
            }
            (Token::Whitespace(_), _) => {}
            (Token::SemiColon, None) => {}
            (Token::SemiColon, Some(current)) if current.body.is_open() => {}
            (Token::SemiColon, Some(_)) => {
                last_line = Some(span.start.line);
                if let Some(open) = open.take() {
                    statements.push(open.close(sql, offsets.of(span.start)));
                }
            }
            (token, current) => current
                .get_or_insert_with(|| Open {
                    start: outside_hint(sql, offsets.of(span.start)),
                    line: line(span.start),
                    comments: std::mem::take(&mut comments),
                    body: Body::default(),
                })
                .body
                .read(token),
        }
    }
    let left = sql.get(rest..).unwrap_or_default();
    if open.is_none() && !left.trim().is_empty() {
        let blank = left.len() - left.trim_start().len();
        let start = rest + blank;
        let before = sql.get(..start).unwrap_or_default();
        open = Some(Open {
            start,
            line: before.matches('\n').count() + 1,
            comments,
            body: Body::default(),
        });
    }
    if let Some(open) = open {
        statements.push(open.close(sql, sql.len()));
    }
    statements
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
    /// The words before the body, until it is known what is created.
    words: Vec<String>,
    has_one: bool,
    depth: usize,
    after_end: bool,
}

impl Body {
    fn is_open(&self) -> bool {
        self.depth > 0
    }

    fn read(&mut self, token: &Token) {
        let Token::Word(word) = token else {
            self.after_end = false;
            return;
        };
        let word = match word.quote_style {
            None => word.value.to_ascii_uppercase(),
            Some(_) => String::new(),
        };
        if !self.has_one {
            // CREATE, perhaps OR REPLACE, and DEFINER = `user`@`host`, come before the kind.
            if self.words.len() < 12 {
                self.words.push(word);
            }
            let created = self.words.first().is_some_and(|first| first == "CREATE");
            let kind = |word: &String| {
                matches!(
                    word.as_str(),
                    "TRIGGER" | "PROCEDURE" | "FUNCTION" | "EVENT"
                )
            };
            self.has_one = created && self.words.last().is_some_and(kind);
            return;
        }
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

/// Where the `/*! … */` begins that the place is in, or the place.
fn outside_hint(sql: &str, place: usize) -> usize {
    let hints = sql.match_indices("/*!").map(|(start, _)| start);
    hints
        .take_while(|start| *start < place)
        .last()
        .filter(|start| {
            !sql.get(*start..place)
                .is_some_and(|inside| inside.contains("*/"))
        })
        .unwrap_or(place)
}

fn line(location: Location) -> usize {
    usize::try_from(location.line).unwrap_or(usize::MAX)
}

/// From the tokenizer's lines and columns, which count characters, to places in the text.
struct Offsets<'t> {
    text: &'t str,
    lines: Vec<usize>,
}

impl<'t> Offsets<'t> {
    fn new(text: &'t str) -> Self {
        let ends = text.match_indices('\n').map(|(end, _)| end + 1);
        Self {
            text,
            lines: std::iter::once(0).chain(ends).collect(),
        }
    }

    fn of(&self, location: Location) -> usize {
        let start = self
            .lines
            .get(line(location).saturating_sub(1))
            .copied()
            .unwrap_or(self.text.len());
        let column = usize::try_from(location.column).unwrap_or(usize::MAX);
        let rest = self.text.get(start..).unwrap_or_default();
        let inside = rest.char_indices().nth(column.saturating_sub(1));
        inside.map_or(self.text.len(), |(offset, _)| start + offset)
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
    fn nothing_is_no_statement() {
        assert_eq!(split(" \n-- only a comment\n/* and another */\n;"), []);
    }

    #[test]
    fn comments_on_lines_of_their_own_belong_to_the_statement_after_them() {
        let statements = split("-- one\nDROP TABLE a; -- two\n# three\n-- four\nDROP TABLE b;");
        let comments: Vec<_> = statements[1]
            .comments()
            .iter()
            .map(|comment| (comment.line, comment.text.as_str()))
            .collect();
        assert_eq!(comments, [(3, "three"), (4, "four")]);
    }
}
