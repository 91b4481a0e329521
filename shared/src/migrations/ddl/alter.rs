//! The clauses of ALTER TABLE, and CREATE INDEX and DROP INDEX as such clauses.

use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::{
    Change, Clause, Definition, Options, Partitions,
    definition::{self, charset_of},
    words::{Words, bare, keyword},
};

/// What may stand in the way of online changes and is left to Vitess.
const HOW_TO_APPLY: [&str; 2] = ["ALGORITHM", "LOCK"];

/// Reads everything behind the table's name.
pub(super) fn clauses(words: Words) -> Vec<Clause> {
    let mut clauses = Vec::new();
    for mut part in words.parts() {
        let line = part.line();
        // Names of partitions have commas too, and no other clause follows them.
        if word(&part, 1) == Some("PARTITION".to_owned()) {
            let change = change(part);
            clauses.push(Clause { line, change });
            return clauses;
        }
        // PARTITION BY follows the last clause without a comma.
        let begins = part.peek().is_some_and(|word| word == "PARTITION");
        let own = if begins {
            Vec::new()
        } else {
            until_partition_by(&mut part)
        };
        if !own.is_empty() {
            clauses.push(Clause {
                line,
                change: change(Words::from(own)),
            });
        }
        if !part.is_empty() {
            clauses.push(Clause {
                line: part.line(),
                change: partition_by(part),
            });
        }
    }
    clauses
}

fn word(words: &Words, position: usize) -> Option<String> {
    bare(&words.left().get(position)?.token)
}

fn until_partition_by(part: &mut Words) -> Vec<TokenWithSpan> {
    let mut own = part.until(&["PARTITION"]);
    if word(part, 1) != Some("BY".to_owned()) {
        while let Some(token) = part.any() {
            own.push(token);
        }
    }
    own
}

fn change(mut words: Words) -> Change {
    let unread = || Change::Unread("this clause is not known".to_owned());
    let read = match words.peek().unwrap_or_default().as_str() {
        "ADD" => add(&mut words),
        "DROP" => drop(&mut words),
        "MODIFY" | "CHANGE" => redefine(&mut words),
        "RENAME" => rename(&mut words),
        "ALTER" => touch(&mut words),
        "CONVERT" => convert(&mut words),
        "ALGORITHM" | "LOCK" => return Change::HowToApply,
        "FORCE" | "WITH" | "WITHOUT" | "ENABLE" | "DISABLE" => return Change::Other,
        "REMOVE" => return Change::TouchPartitions,
        "TRUNCATE" | "DISCARD" | "EXCHANGE" | "IMPORT" | "ORDER" | "COALESCE" | "REORGANIZE"
        | "ANALYZE" | "CHECK" | "OPTIMIZE" | "REBUILD" | "REPAIR" => return unread(),
        _ => Some(options(&mut words)),
    };
    read.unwrap_or_else(unread)
}

fn define(definition: Result<Definition, String>) -> Change {
    definition.map_or_else(Change::Unread, Change::Define)
}

/// `ENGINE = InnoDB COMMENT = 'x'`.
fn options(words: &mut Words) -> Change {
    define(definition::read_options(words.until(&[])))
}

fn add(words: &mut Words) -> Option<Change> {
    words.take(&["ADD"]);
    if words.peek().as_deref() == Some("PARTITION") {
        return Some(Change::TouchPartitions);
    }
    words.take(&["COLUMN"]);
    let items = words
        .parenthesised()
        .unwrap_or_else(|| without_position(words.until(&[])));
    words
        .is_empty()
        .then(|| define(definition::read(items, Vec::new())))
}

/// Without FIRST or AFTER at the end.
fn without_position(mut tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let is = |token: Option<&TokenWithSpan>, word: &str| {
        token.is_some_and(|token| bare(&token.token).as_deref() == Some(word))
    };
    if is(tokens.last(), "FIRST") {
        tokens.pop();
    } else if tokens.len() > 2 && is(tokens.iter().rev().nth(1), "AFTER") {
        tokens.truncate(tokens.len() - 2);
    }
    tokens
}

fn drop(words: &mut Words) -> Option<Change> {
    words.take(&["DROP"]);
    let dropped = if words.take(&["PRIMARY", "KEY"]) {
        Change::DropPrimaryKey
    } else if words.take(&["PARTITION"]) {
        return Some(Change::DropPartitions);
    } else if words.take_one(&["INDEX", "KEY"]) {
        Change::DropKey(words.identifier()?.name)
    } else if words.take(&["CONSTRAINT"]) {
        Change::DropConstraint(words.identifier()?.name)
    } else if words.take(&["FOREIGN", "KEY"]) {
        words.identifier()?;
        Change::DropForeignKey
    } else if words.take(&["CHECK"]) {
        words.identifier()?;
        Change::DropCheck
    } else {
        words.take(&["COLUMN"]);
        let column = words.identifier()?.name;
        words.take_one(&["RESTRICT", "CASCADE"]);
        Change::DropColumn(column)
    };
    words.is_empty().then_some(dropped)
}

fn redefine(words: &mut Words) -> Option<Change> {
    let changes = words.take(&["CHANGE"]) || !words.take(&["MODIFY"]);
    words.take(&["COLUMN"]);
    let mut ahead = words.clone();
    let old = ahead.identifier()?.name;
    if changes {
        *words = ahead;
    }
    let all = words.until(&[]);
    let length = all.len();
    let tokens = without_position(all);
    let moves = tokens.len() < length;
    Some(match definition::read(tokens, Vec::new()) {
        Ok(new) if new.columns.len() == 1 => Change::Redefine { old, new, moves },
        Ok(_) => return None,
        Err(why) => Change::Unread(why),
    })
}

fn rename(words: &mut Words) -> Option<Change> {
    words.take(&["RENAME"]);
    let column = words.take(&["COLUMN"]);
    let renamed = if column || words.take_one(&["INDEX", "KEY"]) {
        let old = words.identifier()?.name;
        if !words.take(&["TO"]) {
            return None;
        }
        let new = words.identifier()?.name;
        if column {
            Change::RenameColumn { old, new }
        } else {
            Change::RenameKey { old, new }
        }
    } else {
        let _ = words.take_one(&["TO", "AS"]) || words.sign(&Token::Eq);
        Change::RenameTable(words.name()?)
    };
    words.is_empty().then_some(renamed)
}

fn touch(words: &mut Words) -> Option<Change> {
    words.take(&["ALTER"]);
    if words.take(&["INDEX"]) {
        return Some(Change::TouchKey(words.identifier()?.name));
    }
    if words.take_one(&["CHECK", "CONSTRAINT"]) {
        return Some(Change::Other);
    }
    words.take(&["COLUMN"]);
    Some(Change::TouchColumn(words.identifier()?.name))
}

fn convert(words: &mut Words) -> Option<Change> {
    let line = words.line();
    let _ = words.take(&["CONVERT", "TO", "CHARACTER", "SET"])
        || words.take(&["CONVERT", "TO", "CHARSET"]);
    let mut charset = words.identifier()?.name.to_ascii_lowercase();
    if charset == "default" && words.take(&["COLLATE"]) {
        charset = charset_of(&words.identifier()?.name);
    }
    Some(Change::Define(Definition {
        options: Options {
            line,
            engine: None,
            charset: Some(charset).filter(|name| name != "default"),
        },
        ..Definition::default()
    }))
}

fn partition_by(mut words: Words) -> Change {
    match partitions(&mut words) {
        Some(partitions) => Change::Partition(partitions),
        None => Change::Unread("PARTITION BY is not followed by a known method".to_owned()),
    }
}

/// Reads `PARTITION BY …` to its end.
pub(super) fn partitions(words: &mut Words) -> Option<Partitions> {
    let line = words.line();
    if !words.take(&["PARTITION", "BY"]) {
        return None;
    }
    words.take(&["LINEAR"]);
    let method = words.identifier()?.name.to_ascii_uppercase();
    let subpartitions = words.contain("SUBPARTITION");
    let mut engines = Vec::new();
    while let Some(token) = words.any() {
        if bare(&token.token).as_deref() == Some("ENGINE") {
            words.sign(&Token::Eq);
            engines.extend(words.identifier().map(|engine| engine.name));
        }
    }
    matches!(method.as_str(), "RANGE" | "HASH" | "KEY" | "LIST").then_some(Partitions {
        line,
        method,
        subpartitions,
        engines,
    })
}

/// The rest of `CREATE … INDEX name`, whose words before INDEX are `kind`.
pub(super) fn create_index(mut kind: Vec<TokenWithSpan>, words: &mut Words) -> Option<Indexing> {
    let line = words.line();
    let name = words.any()?;
    let using = words.until(&["ON"]);
    if !words.take(&["ON"]) {
        return None;
    }
    let table = words.name()?;
    let parts = words.until(&HOW_TO_APPLY);
    kind.push(keyword("KEY"));
    kind.push(name);
    kind.extend(using);
    kind.extend(parts);
    let mut clauses = vec![Clause {
        line,
        change: define(definition::read(kind, Vec::new())),
    }];
    if !words.is_empty() {
        clauses.push(Clause {
            line: words.line(),
            change: Change::HowToApply,
        });
    }
    Some(Indexing { table, clauses })
}

/// The rest of `DROP INDEX`.
pub(super) fn drop_index(words: &mut Words) -> Option<Indexing> {
    let line = words.line();
    let name = words.identifier()?.name;
    if !words.take(&["ON"]) {
        return None;
    }
    let table = words.name()?;
    let change = match name.to_ascii_uppercase().as_str() {
        "PRIMARY" => Change::DropPrimaryKey,
        _ => Change::DropKey(name),
    };
    let mut clauses = vec![Clause { line, change }];
    if !words.is_empty() {
        clauses.push(Clause {
            line: words.line(),
            change: Change::HowToApply,
        });
    }
    Some(Indexing { table, clauses })
}

/// A statement about an index, as clauses of ALTER TABLE.
pub(super) struct Indexing {
    pub(super) table: super::Name,
    pub(super) clauses: Vec<Clause>,
}
