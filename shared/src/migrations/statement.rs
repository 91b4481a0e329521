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
    split_with_rest(sql).0
}

/// The same, and the comments behind the last statement.
pub(super) fn split_with_rest(sql: &str) -> (Vec<Statement>, Vec<Comment>) {
    let mut tokens: Vec<TokenWithSpan> = Vec::new();
    // The tokens before a fault are there all the same, and who parses the last statement meets
    // the fault again.
    let _ = Tokenizer::new(&MySqlDialect {}, sql).tokenize_with_location_into_buf(&mut tokens);
    let mut offsets = Offsets::new(sql);

    let mut statements = Vec::new();
    let mut open: Option<Open> = None;
    let mut comments = Vec::new();
    // Of the last statement's end.
    let mut last_line = None;
    // Where what the tokenizer has not taken begins, and what belongs to no statement yet.
    let (mut rest, mut ended) = (0, 0);
    for TokenWithSpan { token, span } in &tokens {
        let start = offsets.of(span.start);
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
            (Token::SemiColon, None) => ended = rest,
            (Token::SemiColon, Some(current)) if current.body.is_open() => {}
            (Token::SemiColon, Some(_)) => {
                last_line = Some(span.start.line);
                ended = rest;
                if let Some(open) = open.take() {
                    statements.push(open.close(sql, start));
                }
            }
            (token, current) => current
                .get_or_insert_with(|| Open {
                    start: outside_hint(sql, ended, start),
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
            comments: std::mem::take(&mut comments),
            body: Body::default(),
        });
    }
    if let Some(open) = open {
        statements.push(open.close(sql, sql.len()));
    }
    (statements, comments)
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
    head: Head,
    depth: usize,
    after_end: bool,
}

/// What a statement begins with, as far as it was read.
#[derive(Default)]
enum Head {
    #[default]
    Unread,
    /// CREATE, perhaps OR REPLACE and AGGREGATE.
    Create,
    /// The same with DEFINER =, behind which comes the name of a user.
    Definer,
    /// It is of a kind that has a body.
    OfBody,
    Other,
}

impl Head {
    fn read(&self, word: &str) -> Self {
        match (self, word) {
            (Self::Unread, "CREATE" | "ALTER") | (Self::Create, "OR" | "REPLACE" | "AGGREGATE") => {
                Self::Create
            }
            (Self::Create, "DEFINER") => Self::Definer,
            (Self::Create | Self::Definer, "TRIGGER" | "PROCEDURE" | "FUNCTION" | "EVENT") => {
                Self::OfBody
            }
            (Self::Definer, word) if !matches!(word, "SQL" | "VIEW" | "AGGREGATE") => Self::Definer,
            (Self::Definer, "AGGREGATE") => Self::Create,
            _ => Self::Other,
        }
    }
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
        match self.head {
            Head::OfBody => {}
            Head::Other => return,
            _ => {
                self.head = self.head.read(&word);
                return;
            }
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

/// Where the `/*! … */` begins that the place is in and that begins behind `ended`, or the place.
/// The tokenizer may give a place in the sign itself.
fn outside_hint(sql: &str, ended: usize, place: usize) -> usize {
    const SIGN: &[u8] = b"/*!";
    let end = sql.len().min(place + SIGN.len() - 1);
    let between = sql.as_bytes().get(ended..end).unwrap_or_default();
    let hint = between.windows(SIGN.len()).rposition(|sign| sign == SIGN);
    let Some(hint) = hint.map(|hint| ended + hint) else {
        return place;
    };
    let is_over = sql
        .get(hint..place)
        .is_some_and(|inside| inside.contains("*/"));
    if is_over { place } else { hint }
}

fn line(location: Location) -> usize {
    usize::try_from(location.line).unwrap_or(usize::MAX)
}

/// From the tokenizer's lines and columns, which count characters, to places in the text.
struct Offsets<'t> {
    text: &'t str,
    lines: Vec<usize>,
    /// The last one, from which the next on its line is counted: a line may be the whole file.
    last: (Location, usize),
}

impl<'t> Offsets<'t> {
    fn new(text: &'t str) -> Self {
        let ends = text.match_indices('\n').map(|(end, _)| end + 1);
        Self {
            text,
            lines: std::iter::once(0).chain(ends).collect(),
            last: (Location::new(1, 1), 0),
        }
    }

    fn of(&mut self, location: Location) -> usize {
        let (last, at) = self.last;
        let (column, start) = if location.line == last.line && location.column >= last.column {
            (last.column, at)
        } else {
            let lines = self.lines.get(line(location).saturating_sub(1));
            (1, lines.copied().unwrap_or(self.text.len()))
        };
        let characters = usize::try_from(location.column - column).unwrap_or(usize::MAX);
        let rest = self.text.get(start..).unwrap_or_default();
        let inside = rest.char_indices().nth(characters);
        let offset = inside.map_or(self.text.len(), |(offset, _)| start + offset);
        self.last = (location, offset);
        offset
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
    fn only_what_is_created_has_a_body() {
        for first in [
            "CREATE VIEW v AS SELECT id AS event, 1 AS begin FROM a",
            "CREATE DEFINER = `u`@`h` SQL SECURITY INVOKER VIEW v AS SELECT 1 AS event, 2 AS begin",
            "CREATE OR REPLACE DEFINER = u@h VIEW event AS SELECT 1 AS begin",
            "CREATE TABLE a (event INT, begin DATETIME)",
            "ALTER TABLE a ADD event INT, ADD begin INT",
        ] {
            let sql = format!("{first};\nDROP TABLE b;");
            let split = texts(&sql);
            assert_eq!(split, [one(1, first), one(2, "DROP TABLE b")]);
        }
        for head in [
            "CREATE OR REPLACE DEFINER = CURRENT_USER() AGGREGATE FUNCTION f() RETURNS INT",
            "CREATE DEFINER = 'u'@'h' EVENT e ON SCHEDULE EVERY 1 DAY DO",
            "ALTER DEFINER = u@h EVENT e DO",
        ] {
            let sql = format!("{head} BEGIN SELECT 1; SELECT 2; END;\nDROP TABLE b;");
            assert_eq!(texts(&sql).len(), 2, "{head}");
        }
    }

    #[test]
    fn a_line_may_be_the_whole_file() {
        let statement = "CREATE TABLE é (a INT); /*!50100 DROP TABLE b */;";
        let split = texts(&statement.repeat(1000));
        assert_eq!(split.len(), 2000);
        assert_eq!(split[1998], one(1, "CREATE TABLE é (a INT)"));
        assert_eq!(split[1999], one(1, "/*!50100 DROP TABLE b */"));
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
