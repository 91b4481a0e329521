//! Views, and the tables that their queries read.

use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::{Ddl, Name, NewView, Unreadable, head::Head, words::Words};

/// Reads what follows VIEW.
pub(super) fn create(head: &Head, words: &mut Words) -> Option<Ddl> {
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
