//! Splits a file into statements where MySQL's client and server do, and a statement into its words.

use crate::words;

/// One statement of a migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    text: String,
    line: usize,
    comments: Vec<Comment>,
    tokens: Vec<Token>,
}

/// A comment of one line before a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Comment {
    pub(crate) text: String,
    pub(crate) line: usize,
}

/// A word or a sign of a statement, with its line in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    /// Without quotes.
    pub(crate) text: String,
    pub(crate) line: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A keyword, a name without quotes, or a number.
    Word,
    /// A name in backticks.
    Quoted,
    /// A literal in quotes.
    Literal,
    Sign,
}

/// MySQL skips a comment `/*!VERSION … */` whose version is above its own, and none has this one.
const NO_VERSION: u32 = 99_999;

impl Statement {
    /// Its text, without the semicolon and without the comments before it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The line of the file on which it begins, from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// The tables and views that it creates, alters or drops.
    pub fn objects(&self) -> Vec<String> {
        words::read(self).objects.unwrap_or_default()
    }

    /// The comments between the statement before and this one, of the form `-- …` or `# …`.
    pub(crate) fn comments(&self) -> &[Comment] {
        &self.comments
    }

    pub(crate) fn tokens(&self) -> &[Token] {
        &self.tokens
    }
}

impl Token {
    /// Whether it is this keyword or this sign.
    pub(crate) fn is(&self, text: &str) -> bool {
        matches!(self.kind, Kind::Word | Kind::Sign) && self.text.eq_ignore_ascii_case(text)
    }

    pub(crate) fn is_name(&self) -> bool {
        matches!(self.kind, Kind::Word | Kind::Quoted)
    }
}

/// The statements of a text, and the comments that belong to none: behind one on its line, and
/// behind the last.
pub(crate) fn split(sql: &str) -> (Vec<Statement>, Vec<Comment>) {
    let mut splitter = Splitter {
        sql,
        place: 0,
        line: 1,
        delimiter: ";".to_owned(),
        hint: None,
        open: None,
        comments: Vec::new(),
        last_line: 0,
        statements: Vec::new(),
        stray: Vec::new(),
    };
    while splitter.step() {}
    splitter.close(sql.len());
    splitter.stray.append(&mut splitter.comments);
    (splitter.statements, splitter.stray)
}

struct Splitter<'t> {
    sql: &'t str,
    place: usize,
    line: usize,
    delimiter: String,
    /// Where the comment began whose text the server runs.
    hint: Option<usize>,
    open: Option<(usize, Statement)>,
    comments: Vec<Comment>,
    /// The line on which the last statement ended.
    last_line: usize,
    statements: Vec<Statement>,
    stray: Vec<Comment>,
}

impl<'t> Splitter<'t> {
    fn rest(&self) -> &'t str {
        self.sql.get(self.place..).unwrap_or_default()
    }

    /// Takes what comes next. False at the end.
    fn step(&mut self) -> bool {
        let rest = self.rest();
        let Some(letter) = rest.chars().next() else {
            return false;
        };
        let starts = |start: &str| rest.starts_with(start);
        let to_end_of_line = rest.find('\n').unwrap_or(rest.len());
        if letter.is_whitespace() {
            self.advance(letter.len_utf8());
        } else if self.open.is_none() && self.takes_delimiter(rest.get(..to_end_of_line)) {
            // The one that brings back the semicolon is of no interest.
            match self.delimiter.as_str() {
                ";" => self.advance(to_end_of_line),
                _ => self.token(Kind::Word, "DELIMITER", to_end_of_line),
            }
            self.close(self.place);
        } else if starts(&self.delimiter) && !self.in_body() {
            let end = self.place;
            self.advance(self.delimiter.len());
            self.close(end);
        } else if letter == '#' || starts("--") && is_blank(rest.chars().nth(2)) {
            let text = rest.get(..to_end_of_line).unwrap_or_default();
            self.comment(text.trim_start_matches(['#', '-']).trim());
            self.advance(to_end_of_line);
        } else if let Some(hint) = rest.strip_prefix("/*!") {
            let digits = hint.bytes().take_while(u8::is_ascii_digit).count().min(6);
            let version = hint.get(..digits).and_then(|digits| digits.parse().ok());
            if version.unwrap_or(0) >= NO_VERSION {
                self.advance(rest.find("*/").map_or(rest.len(), |end| end + 2));
            } else {
                self.hint = Some(self.place);
                self.advance("/*!".len() + digits);
            }
        } else if starts("*/") && self.hint.take().is_some() {
            self.advance(2);
        } else if starts("/*") {
            let inside = rest.get(2..).unwrap_or_default();
            self.advance(inside.find("*/").map_or(rest.len(), |end| end + 4));
        } else if matches!(letter, '\'' | '"' | '`') {
            let kind = if letter == '`' {
                Kind::Quoted
            } else {
                Kind::Literal
            };
            let (text, length) = unquoted(rest, letter);
            self.token(kind, &text, length);
        } else if is_of_word(letter) {
            let end = rest.find(|letter| !is_of_word(letter));
            let length = end.into_iter().chain(rest.find(&self.delimiter)).min();
            let length = length.unwrap_or(rest.len());
            self.token(Kind::Word, rest.get(..length).unwrap_or_default(), length);
        } else {
            let length = letter.len_utf8();
            self.token(Kind::Sign, rest.get(..length).unwrap_or_default(), length);
        }
        true
    }

    fn advance(&mut self, length: usize) {
        let passed = self.rest().get(..length).unwrap_or_default();
        self.line += passed.matches('\n').count();
        self.place += length;
    }

    fn token(&mut self, kind: Kind, text: &str, length: usize) {
        let line = self.line;
        let (start, comments) = (self.hint.unwrap_or(self.place), &mut self.comments);
        let (_, statement) = self.open.get_or_insert_with(|| {
            let statement = Statement {
                text: String::new(),
                line,
                comments: std::mem::take(comments),
                tokens: Vec::new(),
            };
            (start, statement)
        });
        let text = text.to_owned();
        statement.tokens.push(Token { kind, text, line });
        self.advance(length);
    }

    fn comment(&mut self, text: &str) {
        let comment = Comment {
            text: text.to_owned(),
            line: self.line,
        };
        match &self.open {
            Some(_) => {}
            // One on the line of a statement's end is not about the next.
            None if self.last_line == self.line => self.stray.push(comment),
            None => self.comments.push(comment),
        }
    }

    fn close(&mut self, end: usize) {
        if let Some((start, mut statement)) = self.open.take() {
            let text = self.sql.get(start..end).unwrap_or_default();
            statement.text = text.trim_end().to_owned();
            self.statements.push(statement);
            self.last_line = self.line;
        }
    }

    /// Whether the line is the client's order to split at another sign from here on.
    fn takes_delimiter(&mut self, line: Option<&str>) -> bool {
        let mut words = line.unwrap_or_default().split_whitespace();
        let is_order = words
            .next()
            .is_some_and(|word| word.eq_ignore_ascii_case("DELIMITER"));
        match words.next() {
            Some(delimiter) if is_order => {
                self.delimiter = delimiter.to_owned();
                true
            }
            _ => false,
        }
    }

    /// Whether the open statement has a body of statements, which has not ended.
    fn in_body(&self) -> bool {
        const BODIES: [&str; 4] = ["TRIGGER", "PROCEDURE", "FUNCTION", "EVENT"];
        let tokens = self.open.as_ref().map_or(&[][..], |(_, open)| &open.tokens);
        let has_body = object(tokens).is_some_and(|(_, object)| BODIES.contains(&object));
        let is_one_of = |token: &Token, words: &[&str]| words.iter().any(|word| token.is(word));
        let depth = tokens.windows(2).fold(0_i32, |depth, pair| match pair {
            // What ends was not counted where it began.
            [end, word] if end.is("END") && is_one_of(word, &["IF", "LOOP", "WHILE", "REPEAT"]) => {
                depth
            }
            [end, word] if end.is("END") && word.is("CASE") => depth - 1,
            [end, _] if end.is("END") => depth - 1,
            [_, word] if is_one_of(word, &["BEGIN", "CASE"]) => depth + 1,
            _ => depth,
        });
        let ends = tokens.last().is_some_and(|token| token.is("END"));
        has_body && self.delimiter == ";" && depth > i32::from(ends)
    }
}

/// What CREATE, ALTER or DROP is about, and the place of that word. Any such word may also be a
/// name, as of the user in `DEFINER = event@localhost`.
pub(crate) fn object(tokens: &[Token]) -> Option<(usize, &'static str)> {
    const OBJECTS: [&str; 20] = [
        "TABLE",
        "TABLES",
        "INDEX",
        "VIEW",
        "TRIGGER",
        "PROCEDURE",
        "FUNCTION",
        "EVENT",
        "DATABASE",
        "SCHEMA",
        "USER",
        "ROLE",
        "SERVER",
        "TABLESPACE",
        "INSTANCE",
        "LOGFILE",
        "RESOURCE",
        "REFERENCE",
        "SEQUENCE",
        "PACKAGE",
    ];
    let mut before = tokens.first()?;
    for (place, token) in tokens.iter().enumerate().skip(1).take(24) {
        let is_name = before.is("=") || before.is("@") || before.is(".");
        let object = OBJECTS.into_iter().find(|object| token.is(object));
        if let (Some(object), false) = (object, is_name) {
            return Some((place, object));
        }
        before = token;
    }
    None
}

/// The text between quotes, and the length with them.
fn unquoted(text: &str, quote: char) -> (String, usize) {
    let mut inside = String::new();
    let mut letters = text.char_indices().skip(1).peekable();
    while let Some((place, letter)) = letters.next() {
        if letter == '\\' && quote != '`' {
            inside.extend(letters.next().map(|(_, letter)| letter));
        } else if letter != quote {
            inside.push(letter);
        } else if letters.next_if(|(_, next)| *next == quote).is_some() {
            inside.push(quote);
        } else {
            return (inside, place + quote.len_utf8());
        }
    }
    (inside, text.len())
}

fn is_of_word(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '_' | '$') || !letter.is_ascii()
}

/// `--` begins a comment only before these (MySQL's manual, "Comments").
fn is_blank(letter: Option<char>) -> bool {
    letter.is_none_or(|letter| letter.is_whitespace() || letter.is_control())
}

#[cfg(test)]
mod tests {
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
    fn another_delimiter_splits_until_the_semicolon_is_back() {
        let sql = "DELIMITER $$\nCREATE TRIGGER t BEGIN a; END$$\ndelimiter ;\nDROP TABLE a;";
        let expected = [
            one(1, "DELIMITER $$"),
            one(2, "CREATE TRIGGER t BEGIN a; END"),
            one(4, "DROP TABLE a"),
        ];
        assert_eq!(texts(sql), expected);
    }

    #[test]
    fn what_the_server_skips_has_no_words() {
        let (statements, _) = split("CREATE TABLE a /*!99999 IF b; */ /*!50001 IF */ (c INT);");
        let words: Vec<_> = statements[0]
            .tokens()
            .iter()
            .map(|token| &token.text)
            .collect();
        assert_eq!(words, ["CREATE", "TABLE", "a", "IF", "(", "c", "INT", ")"]);
    }

    #[test]
    fn nothing_is_no_statement() {
        assert_eq!(texts(" \n-- only a comment\n/* and another */\n;"), []);
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
        let comments = shown(statements[1].comments());
        assert_eq!(comments, [one(3, "three"), one(4, "four")]);
        assert_eq!(shown(&stray), [one(2, "two"), one(6, "five")]);
    }
}
