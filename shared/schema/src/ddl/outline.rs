//! Which kind of statement it is, and its outline.

use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::{
    Alien, Ddl, Definition, NewTable, Unreadable, alter, definition,
    head::Head,
    view,
    words::{Words, keyword},
};
use crate::statement::Statement;

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
    pub(crate) fn may_have_body(tokens: &[TokenWithSpan]) -> bool {
        // A head is no longer than this, but for a host's name of many parts.
        const HEAD: usize = 24;
        let head = tokens
            .iter()
            .filter(|token| !matches!(token.token, Token::Whitespace(_)));
        let mut words = Words::from(head.take(HEAD).cloned().collect());
        Head::read(&mut words).is_some_and(|head| head.verb != "DROP" && head.alien().is_some())
    }
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
        ("CREATE" | "ALTER", "VIEW") => view::create(head, &mut words),
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
    let queries = ["SELECT", "TABLE", "VALUES"];
    if queries.iter().any(|query| words.contain(query)) {
        table.copied = Some("SELECT");
    } else if !words.is_empty() {
        return Some(Ddl::Unread {
            table: Some(table.name),
            fault: Unreadable {
                why: "no query follows".to_owned(),
                line: Some(words.line()),
            },
        });
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
