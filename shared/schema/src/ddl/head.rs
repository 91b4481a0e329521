//! What stands at the head of CREATE, ALTER and DROP.

use sqlparser::tokenizer::Token;

use super::{
    Alien,
    words::{Words, bare},
};

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

/// What CREATE, ALTER and DROP begin with. Any of these words may also be a column's name, so each
/// counts only where the server expects it.
pub(super) struct Head {
    pub(super) verb: &'static str,
    /// What stands between the verb and the object, as [`clauses`] names it.
    pub(super) clauses: Vec<&'static str>,
    pub(super) object: &'static str,
}

impl Head {
    /// Reads it, if the server would.
    pub(super) fn read(words: &mut Words) -> Option<Self> {
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

    pub(super) fn has(&self, clause: &str) -> bool {
        self.clauses.contains(&clause)
    }

    pub(super) fn alien(&self) -> Option<Alien> {
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
