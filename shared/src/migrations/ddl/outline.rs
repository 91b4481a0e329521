//! Which kind of statement it is, and its outline.

use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::{
    Alien, Ddl, Definition, Name, NewTable, NewView, Unreadable, alter, definition,
    words::{Words, bare, keyword},
};
use crate::migrations::Statement;

/// What CREATE, ALTER and DROP can be about.
const OBJECTS: [&str; 15] = [
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
];

const DATA: [&str; 19] = [
    "INSERT",
    "REPLACE",
    "UPDATE",
    "DELETE",
    "SELECT",
    "WITH",
    "VALUES",
    "CALL",
    "DO",
    "LOAD",
    "IMPORT",
    "HANDLER",
    "TRUNCATE",
    "BEGIN",
    "START",
    "COMMIT",
    "ROLLBACK",
    "SAVEPOINT",
    "XA",
];

const ADMINISTRATION: [&str; 26] = [
    "SET",
    "USE",
    "GRANT",
    "REVOKE",
    "ANALYZE",
    "OPTIMIZE",
    "REPAIR",
    "CHECK",
    "CHECKSUM",
    "FLUSH",
    "KILL",
    "SHOW",
    "EXPLAIN",
    "DESCRIBE",
    "DESC",
    "PREPARE",
    "EXECUTE",
    "DEALLOCATE",
    "INSTALL",
    "UNINSTALL",
    "RESET",
    "PURGE",
    "SHUTDOWN",
    "RESTART",
    "CLONE",
    "CACHE",
];

/// Reads a statement.
pub(super) fn read(statement: &Statement) -> Ddl {
    let mut words = match Words::of(statement) {
        Ok(words) => words,
        Err(why) => return Ddl::NoSql(why),
    };
    // mysql's own command, which servers do not know, around triggers and routines.
    if words.take(&["DELIMITER"]) {
        words.until(&["CREATE"]);
        return match Head::read(&mut words).and_then(|head| head.alien()) {
            Some(alien) => Ddl::Alien(alien),
            None => Ddl::NoSql("DELIMITER is a command of the mysql program".to_owned()),
        };
    }
    let verb = words.peek().unwrap_or_default();
    match verb.as_str() {
        "CREATE" | "ALTER" | "DROP" => match Head::read(&mut words) {
            Some(head) => definition_of(&head, words),
            None => Ddl::NoSql(format!("{verb} of what is not known")),
        },
        "RENAME" => renaming(&mut words),
        "LOCK" | "UNLOCK" => Ddl::Alien(Alien::LockTables),
        _ if DATA.contains(&verb.as_str()) => Ddl::Alien(Alien::Data(verb)),
        _ if ADMINISTRATION.contains(&verb.as_str()) => Ddl::Alien(Alien::Administration(verb)),
        _ => Ddl::NoSql("no statement begins like this".to_owned()),
    }
}

impl Ddl {
    /// Whether the statement that begins with these tokens may have a body of statements, each with
    /// its semicolon.
    pub(in crate::migrations) fn may_have_body(tokens: &[TokenWithSpan]) -> bool {
        // A head is no longer than this, but for a host's name of many parts.
        const HEAD: usize = 24;
        let head = tokens
            .iter()
            .filter(|token| !matches!(token.token, Token::Whitespace(_)));
        let mut words = Words::from(head.take(HEAD).cloned().collect());
        Head::read(&mut words).is_some_and(|head| head.verb != "DROP" && head.alien().is_some())
    }
}

/// What CREATE, ALTER and DROP begin with. Any of these words may also be a column's name, so each
/// counts only where the server expects it.
struct Head {
    verb: &'static str,
    /// What stands between the verb and the object, as [`clauses`] names it.
    clauses: Vec<&'static str>,
    object: &'static str,
}

impl Head {
    /// Reads it, if the server would.
    fn read(words: &mut Words) -> Option<Self> {
        let mut take_of = |known: &[&'static str]| -> Option<&'static str> {
            known.iter().copied().find(|word| words.take(&[word]))
        };
        let verb = take_of(&["CREATE", "ALTER", "DROP"])?;
        let mut read = Vec::new();
        while let Some(clause) = clause(words) {
            read.push(clause);
        }
        let object = OBJECTS.into_iter().find(|object| words.take(&[object]))?;
        let mut allowed = clauses(verb, object).iter();
        let fits = read
            .iter()
            .all(|clause| allowed.any(|allowed| allowed == clause));
        fits.then_some(Self {
            verb,
            clauses: read,
            object,
        })
    }

    fn has(&self, clause: &str) -> bool {
        self.clauses.contains(&clause)
    }

    fn alien(&self) -> Option<Alien> {
        Some(match self.object {
            "TRIGGER" => Alien::Trigger,
            "PROCEDURE" | "FUNCTION" => Alien::Routine,
            "EVENT" => Alien::Event,
            _ => return None,
        })
    }
}

/// What may stand between the verb and the object, in this order. What only MariaDB takes is here
/// where a rule has something better to say than that it is no statement, and before a body, which
/// is one all the same.
fn clauses(verb: &str, object: &str) -> &'static [&'static str] {
    match (verb, object) {
        ("CREATE", "TABLE") => &["OR REPLACE", "TEMPORARY"],
        ("DROP", "TABLE" | "TABLES") => &["TEMPORARY"],
        ("CREATE", "INDEX") => &["UNIQUE", "FULLTEXT", "SPATIAL"],
        ("CREATE", "VIEW") => &["OR REPLACE", "ALGORITHM", "DEFINER", "SQL SECURITY"],
        ("ALTER", "VIEW") => &["ALGORITHM", "DEFINER", "SQL SECURITY"],
        ("CREATE", "TRIGGER" | "PROCEDURE" | "FUNCTION" | "EVENT") => {
            &["OR REPLACE", "DEFINER", "AGGREGATE"]
        }
        ("ALTER", "EVENT") => &["DEFINER"],
        (_, "TABLESPACE") => &["UNDO"],
        _ => &[],
    }
}

/// Reads one clause, if the next words are a whole one.
fn clause(words: &mut Words) -> Option<&'static str> {
    let mut ahead = words.clone();
    let first = bare(&ahead.any()?.token)?;
    let (clause, whole) = match first.as_str() {
        "OR" => ("OR REPLACE", ahead.take(&["REPLACE"])),
        "TEMPORARY" => ("TEMPORARY", true),
        "UNIQUE" => ("UNIQUE", true),
        "FULLTEXT" => ("FULLTEXT", true),
        "SPATIAL" => ("SPATIAL", true),
        "AGGREGATE" => ("AGGREGATE", true),
        "UNDO" => ("UNDO", true),
        "ALGORITHM" => {
            let known = ["UNDEFINED", "MERGE", "TEMPTABLE"];
            let whole = ahead.sign(&Token::Eq) && ahead.take_one(&known);
            ("ALGORITHM", whole)
        }
        "DEFINER" => ("DEFINER", ahead.sign(&Token::Eq) && account(&mut ahead)),
        "SQL" => {
            let whole = ahead.take(&["SECURITY"]) && ahead.take_one(&["DEFINER", "INVOKER"]);
            ("SQL SECURITY", whole)
        }
        _ => return None,
    };
    whole.then(|| {
        *words = ahead;
        clause
    })
}

/// Reads `user@host`, each with quotes or without, or CURRENT_USER. The tokenizer has `@` as a sign
/// or as a part of a word, and a host's name in as many tokens as it has parts.
fn account(words: &mut Words) -> bool {
    if words.take(&["CURRENT_USER"]) {
        return !words.sign(&Token::LParen) || words.sign(&Token::RParen);
    }
    let mut is_there = false;
    while let Some(next) = words.left().first() {
        let belongs = match &next.token {
            Token::Word(word) => {
                !is_there || word.quote_style.is_some() || word.value.starts_with('@')
            }
            Token::SingleQuotedString(_) | Token::DoubleQuotedString(_) => true,
            Token::Number(..) => is_there,
            Token::AtSign | Token::Period if is_there => {
                words.any();
                true
            }
            _ => false,
        };
        if !belongs {
            break;
        }
        is_there |= words.any().is_some();
    }
    is_there
}

fn definition_of(head: &Head, mut words: Words) -> Ddl {
    if let Some(alien) = head.alien() {
        return Ddl::Alien(alien);
    }
    let Head { verb, object, .. } = *head;
    let read = match (verb, object) {
        (_, "TABLE" | "TABLES") if head.has("TEMPORARY") => Some(Ddl::Alien(Alien::Temporary)),
        ("CREATE", "TABLE") => create_table(head.has("OR REPLACE"), &mut words),
        ("ALTER", "TABLE") => words.name().map(|table| Ddl::AlterTable {
            table,
            clauses: alter::clauses(words),
        }),
        ("DROP", "TABLE" | "TABLES") => drop_tables(&mut words),
        ("CREATE", "INDEX") => {
            let kind = head.clauses.iter().copied().map(keyword).collect();
            alter::create_index(kind, &mut words).map(Ddl::from)
        }
        ("DROP", "INDEX") => alter::drop_index(&mut words).map(Ddl::from),
        ("CREATE" | "ALTER", "VIEW") => create_view(head, &mut words),
        ("DROP", "VIEW") => drop_views(&mut words),
        _ => return Ddl::Alien(Alien::Administration(format!("{verb} {object}"))),
    };
    read.unwrap_or_else(|| Ddl::Unread {
        table: None,
        fault: format!("what follows {verb} {object} is not known")
            .as_str()
            .into(),
    })
}

impl From<alter::Indexing> for Ddl {
    fn from(alter::Indexing { table, clauses }: alter::Indexing) -> Self {
        Self::AlterTable { table, clauses }
    }
}

fn create_table(replaces: bool, words: &mut Words) -> Option<Ddl> {
    let conditional = words.take(&["IF", "NOT", "EXISTS"]) || replaces;
    let name = words.name()?;
    let mut table = NewTable {
        name,
        conditional,
        copied: None,
        definition: Definition::default(),
        partitions: None,
    };
    if words.take(&["LIKE"]) || is_parenthesised_like(words) {
        table.copied = Some("LIKE");
        return Some(Ddl::CreateTable(Box::new(table)));
    }
    let items = words.parenthesised();
    let ends = [
        "PARTITION",
        "AS",
        "SELECT",
        "WITH",
        "TABLE",
        "VALUES",
        "IGNORE",
        "REPLACE",
    ];
    let options = words.until(&ends);
    if words.peek().as_deref() == Some("PARTITION") {
        let line = Some(words.line());
        let mut partitions = Words::from(words.until(&["AS", "SELECT", "WITH"]));
        table.partitions = alter::partitions(&mut partitions);
        if table.partitions.is_none() {
            return Some(Ddl::Unread {
                table: Some(table.name),
                fault: Unreadable {
                    why: "PARTITION BY is not followed by a known method".to_owned(),
                    line,
                },
            });
        }
    }
    if !words.is_empty() {
        table.copied = Some("SELECT");
    }
    match items {
        Some(items) => match definition::read(items, options) {
            Ok(definition) => table.definition = definition,
            Err(fault) => {
                return Some(Ddl::Unread {
                    table: Some(table.name),
                    fault,
                });
            }
        },
        None if table.copied.is_some() => {}
        None => return None,
    }
    Some(Ddl::CreateTable(Box::new(table)))
}

fn is_parenthesised_like(words: &Words) -> bool {
    let mut ahead = words.clone();
    ahead.sign(&Token::LParen) && ahead.take(&["LIKE"])
}

fn drop_tables(words: &mut Words) -> Option<Ddl> {
    let if_exists = words.take(&["IF", "EXISTS"]);
    let tables = words.names()?;
    words.take_one(&["RESTRICT", "CASCADE"]);
    words
        .is_empty()
        .then_some(Ddl::DropTables { tables, if_exists })
}

fn drop_views(words: &mut Words) -> Option<Ddl> {
    let if_exists = words.take(&["IF", "EXISTS"]);
    let views = words.names()?;
    words.take_one(&["RESTRICT", "CASCADE"]);
    words
        .is_empty()
        .then_some(Ddl::DropViews { views, if_exists })
}

fn renaming(words: &mut Words) -> Ddl {
    words.take(&["RENAME"]);
    if !words.take_one(&["TABLE", "TABLES"]) {
        return Ddl::Alien(Alien::Administration("RENAME USER".to_owned()));
    }
    let mut renamed = Vec::new();
    loop {
        let old = words.name();
        words.take(&["TO"]);
        match (old, words.name()) {
            (Some(old), Some(new)) => renamed.push((old, new)),
            _ => {
                return Ddl::Unread {
                    table: None,
                    fault: Unreadable {
                        why: "RENAME TABLE is not followed by `a TO b`".to_owned(),
                        line: Some(words.line()),
                    },
                };
            }
        }
        if !words.sign(&Token::Comma) {
            return Ddl::RenameTables(renamed);
        }
    }
}

fn create_view(head: &Head, words: &mut Words) -> Option<Ddl> {
    let alters = head.verb == "ALTER";
    let conditional = words.take(&["IF", "NOT", "EXISTS"]);
    let name = words.name()?;
    words.parenthesised();
    let mut query = words.clone();
    query.take(&["AS"]);
    while query.sign(&Token::LParen) {}
    if !words.take(&["AS"]) || !begins_query(&query) {
        return Some(Ddl::Unread {
            table: Some(name),
            fault: Unreadable {
                why: "no query follows the name of the view".to_owned(),
                line: Some(query.line()),
            },
        });
    }
    let json_table = words.contain("JSON_TABLE");
    Some(Ddl::CreateView(NewView {
        name,
        alters,
        replaces: alters || head.has("OR REPLACE"),
        conditional,
        reads: read_tables(words),
        json_table,
    }))
}

/// What is open while a query is read: the query, or a parenthesis in it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A query, before its FROM or behind it.
    Query,
    /// The tables of a FROM, with commas and JOINs between them.
    From,
    /// The arguments of a function, and whatever else has parentheses. The FROM of EXTRACT, TRIM
    /// and SUBSTRING leads to no table.
    Other,
}

/// The tables and views in each FROM of a query, but for those that WITH gives.
fn read_tables(words: &mut Words) -> Vec<Name> {
    let mut names: Vec<Name> = Vec::new();
    let mut own: Vec<String> = Vec::new();
    let mut outer: Vec<Place> = Vec::new();
    let mut place = Place::Query;
    while !words.is_empty() {
        own.extend(named_by_with(words));
        let mut before_table = false;
        if words.sign(&Token::LParen) {
            outer.push(place);
            let begins = begins_query(words) || words.left().first().is_some_and(is_parenthesis);
            place = if begins { Place::Query } else { Place::Other };
        } else if words.sign(&Token::RParen) {
            place = outer.pop().unwrap_or(Place::Query);
        } else if words.sign(&Token::Period) {
            // Behind it a keyword is a name.
            words.any();
        } else if words.take(&["TABLE"]) {
            names.extend(words.name());
        } else if place == Place::Query && words.take(&["FROM"]) {
            place = Place::From;
            before_table = true;
        } else if place == Place::From {
            if words.take_one(&["JOIN", "STRAIGHT_JOIN"]) || words.sign(&Token::Comma) {
                before_table = true;
            } else if words.take(&["INDEX", "FOR"]) || words.take(&["KEY", "FOR"]) {
                // JOIN, ORDER BY or GROUP BY.
                words.any();
            } else if words.take_one(&BEHIND_FROM) {
                place = Place::Query;
            } else {
                words.any();
            }
        } else {
            words.any();
        }
        if before_table {
            words.take(&["LATERAL"]);
            // `{OJ a LEFT JOIN b … }`
            if words.sign(&Token::LBrace) {
                words.take(&["OJ"]);
            }
            while is_table_list(words) && words.sign(&Token::LParen) {
                outer.push(place);
                place = Place::From;
            }
            names.extend(table(words));
        }
    }
    names.retain(|name| name.database.is_some() || !own.contains(&name.name));
    names
}

/// The words that end the tables of a FROM.
const BEHIND_FROM: [&str; 13] = [
    "WHERE",
    "GROUP",
    "HAVING",
    "WINDOW",
    "ORDER",
    "LIMIT",
    "FOR",
    "LOCK",
    "WITH",
    "UNION",
    "EXCEPT",
    "INTERSECT",
    "SELECT",
];

fn begins_query(words: &Words) -> bool {
    words
        .clone()
        .take_one(&["SELECT", "WITH", "TABLE", "VALUES"])
}

fn is_parenthesis(token: &TokenWithSpan) -> bool {
    token.token == Token::LParen
}

/// Whether a parenthesis follows that has tables in it, and not a query.
fn is_table_list(words: &Words) -> bool {
    let mut ahead = words.clone();
    ahead.sign(&Token::LParen) && !begins_query(&ahead)
}

/// Reads the name of a table. What takes arguments, as JSON_TABLE does, is none.
fn table(words: &mut Words) -> Option<Name> {
    let mut ahead = words.clone();
    if ahead.take(&["DUAL"]) {
        return None;
    }
    let name = ahead.name()?;
    if ahead.left().first().is_some_and(is_parenthesis) {
        return None;
    }
    *words = ahead;
    Some(name)
}

/// The name of `name AS (` and `name (columns) AS (`.
fn named_by_with(words: &Words) -> Option<String> {
    let mut ahead = words.clone();
    let name = ahead.identifier()?.name;
    // Not up to a parenthesis' end: whoever asks that of each word of a deep one never ends.
    if ahead.sign(&Token::LParen) {
        ahead.names()?;
        if !ahead.sign(&Token::RParen) {
            return None;
        }
    }
    (ahead.take(&["AS"]) && ahead.sign(&Token::LParen)).then_some(name)
}
