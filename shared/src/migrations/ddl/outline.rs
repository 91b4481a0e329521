//! Which kind of statement it is, and its outline.

use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::{
    Alien, Ddl, Definition, Name, NewTable, NewView, alter, definition,
    words::{Words, bare},
};
use crate::migrations::Statement;

/// What CREATE, ALTER and DROP can be about. DEFINER and other clauses may stand before it.
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

/// What may stand between CREATE, ALTER or DROP and what it is about.
const PRELUDE: [&str; 14] = [
    "OR",
    "REPLACE",
    "TEMPORARY",
    "UNIQUE",
    "FULLTEXT",
    "SPATIAL",
    "ALGORITHM",
    "UNDEFINED",
    "MERGE",
    "TEMPTABLE",
    "SQL",
    "SECURITY",
    "INVOKER",
    "UNDO",
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
        return match object(&words).as_deref().and_then(alien) {
            Some(alien) => Ddl::Alien(alien),
            None => Ddl::NoSql("DELIMITER is a command of the mysql program".to_owned()),
        };
    }
    let verb = words.peek().unwrap_or_default();
    match verb.as_str() {
        "CREATE" | "ALTER" | "DROP" => definition_of(&verb, words),
        "RENAME" => renaming(&mut words),
        "LOCK" | "UNLOCK" => Ddl::Alien(Alien::LockTables),
        _ if DATA.contains(&verb.as_str()) => Ddl::Alien(Alien::Data(verb)),
        _ if ADMINISTRATION.contains(&verb.as_str()) => Ddl::Alien(Alien::Administration(verb)),
        _ => Ddl::NoSql("no statement begins like this".to_owned()),
    }
}

fn object(words: &Words) -> Option<String> {
    words
        .left()
        .iter()
        .filter_map(|token| bare(&token.token))
        .find(|word| OBJECTS.contains(&word.as_str()))
}

/// The first word between the verb and what it is about that has no place there. Behind DEFINER
/// stands the name of a user, which may be any.
fn unknown(before: &[TokenWithSpan]) -> Option<String> {
    for token in before.iter().skip(1) {
        match bare(&token.token).as_deref() {
            Some("DEFINER") => return None,
            Some(word) if PRELUDE.contains(&word) => {}
            None if token.token == Token::Eq => {}
            _ => return Some(token.token.to_string()),
        }
    }
    None
}

fn alien(object: &str) -> Option<Alien> {
    Some(match object {
        "TRIGGER" => Alien::Trigger,
        "PROCEDURE" | "FUNCTION" => Alien::Routine,
        "EVENT" => Alien::Event,
        _ => return None,
    })
}

fn definition_of(verb: &str, mut words: Words) -> Ddl {
    let Some(object) = object(&words) else {
        return Ddl::NoSql(format!("{verb} of what is not known"));
    };
    if let Some(alien) = alien(&object) {
        return Ddl::Alien(alien);
    }
    let before = words.until(&[&object]);
    words.take(&[&object]);
    if let Some(word) = unknown(&before) {
        return Ddl::NoSql(format!("`{word}` is not expected behind {verb}"));
    }
    let temporary = before
        .iter()
        .any(|token| bare(&token.token).as_deref() == Some("TEMPORARY"));
    let read = match (verb, object.as_str()) {
        (_, "TABLE" | "TABLES") if temporary => Some(Ddl::Alien(Alien::Temporary)),
        ("CREATE", "TABLE") => create_table(&before, &mut words),
        ("ALTER", "TABLE") => words.name().map(|table| Ddl::AlterTable {
            table,
            clauses: alter::clauses(words),
        }),
        ("DROP", "TABLE" | "TABLES") => drop_tables(&mut words),
        ("CREATE", "INDEX") => {
            let kind = before.into_iter().skip(1).collect();
            alter::create_index(kind, &mut words).map(Ddl::from)
        }
        ("DROP", "INDEX") => alter::drop_index(&mut words).map(Ddl::from),
        ("CREATE" | "ALTER", "VIEW") => create_view(verb == "ALTER", &before, &mut words),
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

fn create_table(before: &[TokenWithSpan], words: &mut Words) -> Option<Ddl> {
    let conditional = words.take(&["IF", "NOT", "EXISTS"]) || replaces(before);
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
        return Some(Ddl::CreateTable(table));
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
        let mut partitions = Words::from(words.until(&["AS", "SELECT", "WITH"]));
        table.partitions = alter::partitions(&mut partitions);
        if table.partitions.is_none() {
            return Some(Ddl::Unread {
                table: Some(table.name),
                fault: "PARTITION BY is not followed by a known method".into(),
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
    Some(Ddl::CreateTable(table))
}

fn is_parenthesised_like(words: &Words) -> bool {
    let mut ahead = words.clone();
    ahead.sign(&Token::LParen) && ahead.take(&["LIKE"])
}

fn replaces(before: &[TokenWithSpan]) -> bool {
    before
        .iter()
        .any(|token| bare(&token.token).as_deref() == Some("REPLACE"))
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
                    fault: "RENAME TABLE is not followed by `a TO b`".into(),
                };
            }
        }
        if !words.sign(&Token::Comma) {
            return Ddl::RenameTables(renamed);
        }
    }
}

fn create_view(alters: bool, before: &[TokenWithSpan], words: &mut Words) -> Option<Ddl> {
    let conditional = words.take(&["IF", "NOT", "EXISTS"]);
    let name = words.name()?;
    words.parenthesised();
    if !words.take(&["AS"]) || !begins_query(words) {
        return None;
    }
    let json_table = words.contain("JSON_TABLE");
    Some(Ddl::CreateView(NewView {
        name,
        replaces: alters || replaces(before),
        conditional,
        reads: read_tables(words),
        json_table,
    }))
}

fn begins_query(words: &Words) -> bool {
    let mut ahead = words.clone();
    ahead.take_one(&["SELECT", "WITH", "TABLE", "VALUES"]) || ahead.sign(&Token::LParen)
}

/// The names behind FROM and JOIN, but for those that WITH gives. The FROM of EXTRACT, TRIM and
/// SUBSTRING leads to no table: their parentheses do not begin with a query.
fn read_tables(words: &mut Words) -> Vec<Name> {
    let mut names: Vec<Name> = Vec::new();
    let mut own: Vec<String> = Vec::new();
    // Of each parenthesis that is open, whether a query is in it.
    let mut queries: Vec<bool> = Vec::new();
    while !words.is_empty() {
        own.extend(named_by_with(words));
        if words.sign(&Token::LParen) {
            queries.push(begins_query(words));
        } else if words.sign(&Token::RParen) {
            queries.pop();
        } else if words.take_one(&["JOIN", "STRAIGHT_JOIN"])
            || queries.last().is_none_or(|query| *query) && words.take(&["FROM"])
        {
            names.extend(tables(words));
        } else {
            words.any();
        }
    }
    names.retain(|name| name.database.is_some() || !own.contains(&name.name));
    names
}

/// The name of `name AS (` and `name (columns) AS (`.
fn named_by_with(words: &Words) -> Option<String> {
    let mut ahead = words.clone();
    let name = ahead.identifier()?.name;
    ahead.parenthesised();
    (ahead.take(&["AS"]) && ahead.sign(&Token::LParen)).then_some(name)
}

/// The tables up to one that no comma follows. What takes arguments, as LATERAL and JSON_TABLE do,
/// is none.
fn tables(words: &mut Words) -> Vec<Name> {
    let mut tables = Vec::new();
    loop {
        let mut ahead = words.clone();
        let is_dual = ahead.peek().is_some_and(|word| word == "DUAL");
        let Some(name) = ahead.name().filter(|_| !is_dual) else {
            return tables;
        };
        if ahead.sign(&Token::LParen) {
            return tables;
        }
        tables.push(name);
        *words = ahead.clone();
        ahead.take(&["AS"]);
        if !ahead.sign(&Token::Comma) {
            ahead.identifier();
            if !ahead.sign(&Token::Comma) {
                return tables;
            }
        }
        *words = ahead;
    }
}
