//! A text of SQL as the server reads it: its statements, and what of them is neither a comment nor
//! in quotes.

/// One statement of a text.
#[derive(Debug)]
pub(super) struct Statement<'t> {
    /// From its first character to its end.
    text: &'t str,
    /// Its words and signs. What is quoted is a sign too.
    code: String,
}

impl Statement<'_> {
    /// The first word, in capitals.
    pub(super) fn keyword(&self) -> String {
        let letters = self.code.chars().take_while(char::is_ascii_alphabetic);
        letters.map(|letter| letter.to_ascii_uppercase()).collect()
    }

    /// Whether it changes a schema.
    pub(super) fn is_ddl(&self) -> bool {
        matches!(
            self.keyword().as_str(),
            "CREATE" | "ALTER" | "DROP" | "TRUNCATE" | "RENAME"
        )
    }

    /// Whether it runs another statement, which can't be read here and may change a schema.
    pub(super) fn hides_another(&self) -> bool {
        let immediate = |word: &str| word.eq_ignore_ascii_case("IMMEDIATE");
        match self.keyword().as_str() {
            "PREPARE" | "CALL" => true,
            "EXECUTE" => self.code.split_whitespace().nth(1).is_some_and(immediate),
            _ => false,
        }
    }

    /// Whether it makes a foreign key, being DDL.
    pub(super) fn has_foreign_keys(&self) -> bool {
        let is_of_word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
        let mut words = self.code.split(|c| !is_of_word(c));
        words.any(|word| word.eq_ignore_ascii_case("REFERENCES"))
    }

    /// The keyspace that `USE` names.
    pub(super) fn used_keyspace(&self) -> &str {
        let name = self.text.get("USE".len()..).unwrap_or_default();
        name.trim().trim_matches('`')
    }
}

/// The statements of a text. What stands in `/*! … */` belongs to them, whichever version it is for,
/// and so does what only MariaDB reads, in `/*M! … */`.
pub(super) fn statements(sql: &str) -> Vec<Statement<'_>> {
    let mut statements = Vec::new();
    let mut open: Option<(usize, String)> = None;
    let mut conditional = false;
    let mut at = 0;
    while let Some((piece, length)) = piece(sql.get(at..).unwrap_or_default(), conditional) {
        let code = match piece {
            Piece::End => {
                statements.extend(close(sql, at, open.take()));
                None
            }
            Piece::Space => open.is_some().then_some(' '),
            Piece::Condition(begins) => {
                conditional = begins;
                open.is_some().then_some(' ')
            }
            Piece::Quoted => Some('?'),
            Piece::Code(character) => Some(character),
        };
        if let Some(character) = code {
            let (_, code) = open.get_or_insert_with(|| (at, String::new()));
            code.push(character);
        }
        at += length;
    }
    statements.extend(close(sql, at, open));
    statements
}

fn close(sql: &str, end: usize, open: Option<(usize, String)>) -> Option<Statement<'_>> {
    let (start, code) = open?;
    let text = sql.get(start..end)?;
    Some(Statement { text, code })
}

/// What a text begins with.
enum Piece {
    /// A blank or a comment.
    Space,
    /// The sign before or behind what a comment holds that is none.
    Condition(bool),
    /// A name or a string in quotes.
    Quoted,
    /// The end of a statement.
    End,
    /// Any other character.
    Code(char),
}

/// The first piece of a text and its length.
fn piece(text: &str, conditional: bool) -> Option<(Piece, usize)> {
    let first = text.chars().next()?;
    let through = |end: &str| text.find(end).map_or(text.len(), |found| found + end.len());
    Some(match first {
        ';' => (Piece::End, 1),
        '\'' | '"' | '`' => (Piece::Quoted, quoted(text, first)),
        '#' => (Piece::Space, through("\n")),
        '-' if begins_comment(text) => (Piece::Space, through("\n")),
        '*' if conditional && text.starts_with("*/") => (Piece::Condition(false), 2),
        '/' if text.starts_with("/*!") || text.starts_with("/*M!") => {
            let sign = through("!");
            let rest = text.get(sign..).unwrap_or_default();
            let version = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            (Piece::Condition(true), sign + version)
        }
        '/' if text.starts_with("/*") => {
            let inside = text.get(2..).unwrap_or_default();
            let end = inside.find("*/").map_or(text.len(), |found| found + 4);
            (Piece::Space, end)
        }
        _ if first.is_whitespace() => (Piece::Space, first.len_utf8()),
        _ => (Piece::Code(first), first.len_utf8()),
    })
}

/// Whether a text that begins with `-` does so with a comment: in `1--1` are two signs.
fn begins_comment(text: &str) -> bool {
    let behind = text.strip_prefix("--").map(|rest| rest.chars().next());
    behind.is_some_and(|next| next.is_none_or(|c| c.is_whitespace() || c.is_control()))
}

/// The length of what is quoted. A doubled quote ends one and begins another, which is the same here.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if character == '\\' && quote != '`' {
            escaped = true;
        } else if character == quote {
            return at + quote.len_utf8();
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keywords(sql: &str) -> Vec<String> {
        statements(sql).iter().map(Statement::keyword).collect()
    }

    #[test]
    fn the_first_word_is_found_behind_comments() {
        for (sql, keyword) in [
            ("SELECT 1", "SELECT"),
            ("\n /* a */ /*+ b */ with recursive", "WITH"),
            ("commit;", "COMMIT"),
            ("-- a ; b\nALTER TABLE t", "ALTER"),
            ("--\nDROP TABLE t", "DROP"),
            ("# a\n#\nTRUNCATE t", "TRUNCATE"),
            ("/*/ a */ ALTER TABLE t", "ALTER"),
            ("ALTER/**/TABLE t", "ALTER"),
        ] {
            assert_eq!(keywords(sql), [keyword], "{sql}");
        }
        for nothing in ["", " ;;", "-- a", "/* a ; b", "# a; b"] {
            assert_eq!(keywords(nothing), [] as [&str; 0], "{nothing}");
        }
    }

    #[test]
    fn what_the_server_runs_of_a_comment_is_code() {
        for sql in [
            "/*! ALTER TABLE t ADD a INT */",
            "/*!50100ALTER TABLE t ADD a INT */;",
            "/*M!100100 ALTER TABLE t ADD a INT */",
            "/*! /* a */ ALTER TABLE t */",
            "/*!50100 */ ALTER TABLE t",
        ] {
            assert_eq!(keywords(sql), ["ALTER"], "{sql}");
        }
        assert_eq!(
            keywords("SELECT 1 /*! ; ALTER TABLE t */"),
            ["SELECT", "ALTER"]
        );
        assert_eq!(keywords("SELECT 6 */* ; ALTER */ 7"), ["SELECT"]);
    }

    #[test]
    fn every_statement_is_found() {
        assert_eq!(
            keywords("SELECT 1; alter table t add a int;\n;SELECT 2"),
            ["SELECT", "ALTER", "SELECT"]
        );
        for one in [
            "SELECT 'a;b', \"c;d\", `e;f`",
            r"SELECT 'it''s; \'; ', 1",
            "SELECT 1 /* ; */ -- ;\n # ;",
            "SELECT 'é;'",
        ] {
            assert_eq!(keywords(one), ["SELECT"], "{one}");
        }
        // No comment, and no escape.
        assert_eq!(keywords("SELECT 1--1; DROP TABLE t"), ["SELECT", "DROP"]);
        assert_eq!(keywords(r"SELECT `\`; DROP TABLE t"), ["SELECT", "DROP"]);
    }

    #[test]
    fn only_the_word_itself_makes_a_foreign_key() {
        let makes = |sql: &str| statements(sql).iter().any(Statement::has_foreign_keys);
        for sql in [
            "CREATE TABLE a (b INT, FOREIGN KEY (b) references c (d))",
            "ALTER TABLE a ADD b INT /*! REFERENCES c (d) */",
            "CREATE TABLE a (b INT REFERENCES`c`(d))",
        ] {
            assert!(makes(sql), "{sql}");
        }
        for sql in [
            "CREATE TABLE a (b INT COMMENT 'references c')",
            "CREATE TABLE a (`references` INT, references_of INT)",
            "CREATE TABLE a (b INT) -- references",
            "CREATE TABLE a (b INT /* references */)",
        ] {
            assert!(!makes(sql), "{sql}");
        }
    }

    #[test]
    fn a_keyspace_is_named_with_quotes_or_without() {
        for sql in [
            "USE orders",
            "-- a\nuse `orders` ;",
            "/* a */ USE\torders\n",
        ] {
            assert_eq!(statements(sql)[0].used_keyspace(), "orders", "{sql}");
        }
        assert_eq!(statements("USE `a;b`")[0].used_keyspace(), "a;b");
    }
}
