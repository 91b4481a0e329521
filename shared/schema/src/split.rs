//! Splits a file into statements where MySQL's client and server do, and a statement into its words.

use crate::words;

/// One statement of a migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Its text, without the semicolon and without the comments before it.
    pub text: String,
    /// The line of the file on which it begins, from 1.
    pub line: usize,
    /// The comments between the statement before and this one, of the form `-- …` or `# …`.
    pub(crate) comments: Vec<Comment>,
    pub(crate) tokens: Vec<Token>,
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

impl Token {
    /// Whether it is this keyword or this sign.
    pub(crate) fn is(&self, text: &str) -> bool {
        matches!(self.kind, Kind::Word | Kind::Sign) && self.text.eq_ignore_ascii_case(text)
    }

    /// Whether it is one of these keywords or signs, which `|` divides.
    pub(crate) fn is_one_of(&self, words: &str) -> bool {
        words.split('|').any(|word| self.is(word))
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
        depth: 0,
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
    /// How many bodies of statements are open in the open statement.
    depth: i32,
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
        let token = Token { kind, text, line };
        let after_end = statement.tokens.last().is_some_and(|last| last.is("END"));
        if token.is("END") {
            self.depth -= 1;
        } else if after_end && token.is_one_of("IF|LOOP|WHILE|REPEAT") {
            // What ends was not counted where it began.
            self.depth += 1;
        } else if !after_end && token.is_one_of("BEGIN|CASE") {
            self.depth += 1;
        }
        statement.tokens.push(token);
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
        self.depth = 0;
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
        let is_order = |word: &&str| word.eq_ignore_ascii_case("DELIMITER");
        let delimiter = words.next().filter(is_order).and_then(|_| words.next());
        if let Some(delimiter) = delimiter {
            self.delimiter = delimiter.to_owned();
        }
        delimiter.is_some()
    }

    /// Whether the open statement has a body of statements, which has not ended.
    fn in_body(&self) -> bool {
        let open = self.open.as_ref();
        let has_body = open.is_some_and(|(_, open)| words::has_body(&open.tokens));
        has_body && self.delimiter == ";" && self.depth > 0
    }
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
mod tests;
