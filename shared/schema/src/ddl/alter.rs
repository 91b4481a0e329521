//! The clauses of ALTER TABLE, and CREATE INDEX and DROP INDEX as such clauses.

use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::{
    Change, Clause, Definition, Options, Partitions, Unreadable,
    definition::{self, charset_of},
    words::{Words, bare, keyword, made, unquoted},
};

/// What may stand in the way of online changes and is left to Vitess.
const HOW_TO_APPLY: [&str; 2] = ["ALGORITHM", "LOCK"];

/// Reads everything behind the table's name.
pub(super) fn clauses(words: Words) -> Vec<Clause> {
    let mut clauses = Vec::new();
    if words.is_empty() {
        return clauses;
    }
    let last = words.line();
    let mut parts = words.parts().into_iter();
    while let Some(mut part) = parts.next() {
        if part.is_empty() {
            clauses.push(Clause {
                line: clauses.last().map_or(last, |before: &Clause| before.line),
                change: Change::Unread("there is nothing beside a comma".into()),
            });
            continue;
        }
        let line = part.line();
        // Names of partitions have commas too, and no other clause follows them.
        if word(&part, 1) == Some("PARTITION".to_owned()) {
            let mut whole = part.left().to_vec();
            for rest in parts {
                whole.push(made(Token::Comma));
                whole.extend_from_slice(rest.left());
            }
            clauses.push(Clause {
                line,
                change: change(Words::from(whole)),
            });
            return clauses;
        }
        // PARTITION BY and REMOVE PARTITIONING follow the last clause without a comma.
        let own = until_partitioning(&mut part);
        if !own.is_empty() {
            let after = column_before(&own);
            clauses.push(Clause {
                line,
                change: change(Words::from(own)),
            });
            clauses.extend(after.map(|column| Clause {
                line,
                change: Change::After(column),
            }));
        }
        if !part.is_empty() {
            clauses.push(Clause {
                line: part.line(),
                change: match part.peek().as_deref() {
                    Some("PARTITION") => partition_by(part),
                    _ => change(part),
                },
            });
        }
    }
    clauses
}

/// The column that AFTER names at the end of a clause which adds or redefines one.
fn column_before(clause: &[TokenWithSpan]) -> Option<String> {
    let verb = bare(&clause.first()?.token)?;
    let (name, before) = clause.split_last()?;
    let Token::Word(name) = &name.token else {
        return None;
    };
    let is_after = bare(&before.last()?.token).as_deref() == Some("AFTER");
    let places = matches!(verb.as_str(), "ADD" | "MODIFY" | "CHANGE");
    (is_after && places && before.len() > 2).then(|| name.value.clone())
}

fn word(words: &Words, position: usize) -> Option<String> {
    bare(&words.left().get(position)?.token)
}

fn until_partitioning(part: &mut Words) -> Vec<TokenWithSpan> {
    let mut own = Vec::new();
    while !part.is_empty() {
        own.extend(part.until(&["PARTITION", "REMOVE"]));
        if matches!(word(part, 1).as_deref(), Some("BY" | "PARTITIONING")) {
            break;
        }
        own.extend(part.any());
    }
    own
}

fn change(mut words: Words) -> Change {
    let unread = || Change::Unread("this clause is not known".into());
    let read = match words.peek().unwrap_or_default().as_str() {
        "ADD" => add(&mut words),
        "DROP" => drop(&mut words),
        "MODIFY" | "CHANGE" => redefine(&mut words),
        "RENAME" => rename(&mut words),
        "ALTER" => touch(&mut words),
        "CONVERT" => convert(&mut words),
        "ALGORITHM" | "LOCK" => return Change::HowToApply,
        "FORCE" => whole(words, &[&["FORCE"]], Change::Other),
        "WITH" | "WITHOUT" => {
            let validation = [&["WITH", "VALIDATION"][..], &["WITHOUT", "VALIDATION"]];
            whole(words, &validation, Change::Other)
        }
        "ENABLE" | "DISABLE" => whole(
            words,
            &[&["ENABLE", "KEYS"], &["DISABLE", "KEYS"]],
            Change::Other,
        ),
        "REMOVE" => whole(
            words,
            &[&["REMOVE", "PARTITIONING"]],
            Change::TouchPartitions,
        ),
        "REORGANIZE" => reorganize(&mut words),
        "COALESCE" => coalesce(&mut words),
        "TRUNCATE" | "DISCARD" | "EXCHANGE" | "IMPORT" | "ORDER" | "ANALYZE" | "CHECK"
        | "OPTIMIZE" | "REBUILD" | "REPAIR" => return unread(),
        _ => Some(options(&mut words)),
    };
    read.unwrap_or_else(unread)
}

fn define(definition: Result<Definition, Unreadable>) -> Change {
    definition.map_or_else(Change::Unread, Change::Define)
}

/// `ENGINE = InnoDB COMMENT = 'x'`.
fn options(words: &mut Words) -> Change {
    define(definition::read_options(words.until(&[])))
}

/// The change, if the clause is one of these and nothing more.
fn whole(mut words: Words, clauses: &[&[&str]], change: Change) -> Option<Change> {
    let is_one = clauses.iter().any(|clause| words.take(clause));
    (is_one && words.is_empty()).then_some(change)
}

/// REORGANIZE PARTITION, by which rows go to other partitions and stay.
fn reorganize(words: &mut Words) -> Option<Change> {
    if !words.take(&["REORGANIZE", "PARTITION"]) {
        return None;
    }
    if words.is_empty() {
        return Some(Change::TouchPartitions);
    }
    words.names()?;
    let is_whole = words.take(&["INTO"]) && words.parenthesised().is_some() && words.is_empty();
    is_whole.then_some(Change::TouchPartitions)
}

/// COALESCE PARTITION, by which the rows of some go to the others.
fn coalesce(words: &mut Words) -> Option<Change> {
    let is_whole = words.take(&["COALESCE", "PARTITION"]) && number(words) && words.is_empty();
    is_whole.then_some(Change::TouchPartitions)
}

fn number(words: &mut Words) -> bool {
    matches!(
        words.any().map(|token| token.token),
        Some(Token::Number(..))
    )
}

fn add(words: &mut Words) -> Option<Change> {
    words.take(&["ADD"]);
    if words.take(&["PARTITION"]) {
        let is_whole = match words.take(&["PARTITIONS"]) {
            true => number(words),
            false => words.parenthesised().is_some(),
        };
        return (is_whole && words.is_empty()).then_some(Change::TouchPartitions);
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
        Err(fault) => Change::Unread(fault),
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
        let key = words.identifier()?.name;
        let is_whole = words.take_one(&["VISIBLE", "INVISIBLE"]) && words.is_empty();
        return is_whole.then_some(Change::TouchKey(key));
    }
    if words.take_one(&["CHECK", "CONSTRAINT"]) {
        words.identifier()?;
        words.take(&["NOT"]);
        let is_whole = words.take(&["ENFORCED"]) && words.is_empty();
        return is_whole.then_some(Change::TouchCheck);
    }
    words.take(&["COLUMN"]);
    let column = words.identifier()?.name;
    let is_whole = if words.take(&["SET", "DEFAULT"]) {
        !words.until(&[]).is_empty()
    } else {
        let known = [
            &["DROP", "DEFAULT"][..],
            &["SET", "VISIBLE"],
            &["SET", "INVISIBLE"],
        ];
        known.iter().any(|known| words.take(known)) && words.is_empty()
    };
    is_whole.then_some(Change::TouchColumn(column))
}

fn convert(words: &mut Words) -> Option<Change> {
    let line = words.line();
    let is_known = words.take(&["CONVERT", "TO"])
        && (words.take(&["CHARACTER", "SET"])
            || words.take(&["CHAR", "SET"])
            || words.take(&["CHARSET"]));
    if !is_known {
        return None;
    }
    let mut charset = name_or_text(words)?.to_ascii_lowercase();
    let mut collation = None;
    if words.take(&["COLLATE"]) {
        words.sign(&Token::Eq);
        let name = name_or_text(words)?.to_ascii_lowercase();
        if charset == "default" {
            charset = charset_of(&name);
        }
        collation = Some(name);
    }
    if !words.is_empty() {
        return None;
    }
    Some(Change::Define(Definition {
        options: Options {
            line,
            engine: None,
            charset: Some(charset).filter(|name| name != "default"),
            collation,
        },
        ..Definition::default()
    }))
}

/// A name that may stand in the quotes of a text.
fn name_or_text(words: &mut Words) -> Option<String> {
    match unquoted(&words.any()?).token {
        Token::Word(word) => Some(word.value),
        _ => None,
    }
}

fn partition_by(mut words: Words) -> Change {
    match partitions(&mut words) {
        Some(partitions) => Change::Partition(partitions),
        None => Change::Unread("PARTITION BY is not followed by a known method".into()),
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
    clauses.extend(how_to_apply(words));
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
    clauses.extend(how_to_apply(words));
    Some(Indexing { table, clauses })
}

/// ALGORITHM and LOCK at the end of a statement about an index.
fn how_to_apply(words: &mut Words) -> Option<Clause> {
    let line = words.line();
    let mut change = None;
    while words.take_one(&HOW_TO_APPLY) {
        words.sign(&Token::Eq);
        words.identifier();
        change = Some(Change::HowToApply);
    }
    if !words.is_empty() {
        change = Some(Change::Unread("this clause is not known".into()));
    }
    change.map(|change| Clause { line, change })
}

/// A statement about an index, as clauses of ALTER TABLE.
pub(super) struct Indexing {
    pub(super) table: super::Name,
    pub(super) clauses: Vec<Clause>,
}
