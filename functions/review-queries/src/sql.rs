//! The text of queries, to show it and to recognise it.

/// The longest text of a query that a report shows, in characters.
const MOST: usize = 160;

/// The query without comments, and with `?` in place of each literal, in case PlanetScale has left
/// one in.
pub fn without_literals(sql: &str) -> String {
    let mut shown = String::new();
    let mut rest = sql.trim();
    while let Some(first) = rest.chars().next() {
        let word = rest
            .find(|c: char| !c.is_alphanumeric() && !"_.:$@`".contains(c))
            .unwrap_or(rest.len());
        let length = match first {
            '/' if rest.starts_with("/*") => end(rest, "*/"),
            '\'' | '"' => end_of_text(rest, first),
            _ => word.max(first.len_utf8()),
        };
        let (part, after) = rest.split_at(length);
        match first {
            '/' if part.len() > 1 => {}
            '\'' | '"' | '0'..='9' => shown.push('?'),
            '.' if part.len() > 1 => shown.push('?'),
            _ if first.is_whitespace() && shown.ends_with(' ') => {}
            _ if first.is_whitespace() => shown.push(' '),
            _ => shown.push_str(part),
        }
        rest = after;
    }
    shown.trim_end().to_owned()
}

/// The same, cut to a length that fits into a line.
pub fn shown(sql: &str) -> String {
    let sql = without_literals(sql);
    match sql.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", sql.get(..end).unwrap_or_default()),
        None => sql,
    }
}

/// What two texts of the same query have in common. Vitess writes keywords in small letters, names
/// its parameters, quotes names that are keywords, says `asc`, and sets spaces in its own way.
pub fn canonical(sql: &str) -> String {
    let sql = without_literals(sql).to_lowercase().replace('`', "");
    let words = sql.split(|c: char| !c.is_alphanumeric() && !"_.:?".contains(c));
    let words = words.filter(|word| !word.is_empty() && *word != "asc");
    let words = words.map(|word| if word.starts_with(':') { "?" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

/// Where the first stretch up to `mark` ends.
fn end(text: &str, mark: &str) -> usize {
    text.find(mark).map_or(text.len(), |at| at + mark.len())
}

/// Where a literal in quotation marks ends.
fn end_of_text(text: &str, quote: char) -> usize {
    let mut letters = text.char_indices().skip(1);
    while let Some((at, letter)) = letters.next() {
        if letter == '\\' {
            letters.next();
        } else if letter == quote {
            return at + quote.len_utf8();
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use orders::statements;

    use super::*;

    #[test]
    fn no_literal_is_shown() {
        for (sql, shown) in [
            (
                "select  a1 from `t` where b = 'it''s \\' me' and c in (1, -2.5e3, 0x1f)",
                "select a1 from `t` where b = ?? and c in (?, -?, ?)",
            ),
            (
                "select a/b from t where c = \"x\" /*function='f'*/",
                "select a/b from t where c = ?",
            ),
            (
                "select a from t where b = 'cut off",
                "select a from t where b = ?",
            ),
            (
                "select a from t where b = :v1 and c = X'00'",
                "select a from t where b = :v1 and c = X?",
            ),
            (
                "select t.a from t where b > .5",
                "select t.a from t where b > ?",
            ),
        ] {
            assert_eq!(without_literals(sql), shown);
        }
    }

    #[test]
    fn a_statement_is_recognised_as_vitess_writes_it() {
        for (statement, sql) in [
            (
                &statements::FIND_BY_KEY,
                "select id, request_hash, created_at from orders where customer_id = :v1 and idempotency_key = :v2",
            ),
            (
                &statements::LIST_ORDERS,
                "select id, customer_id, `status`, currency, total, version, created_at, updated_at \
                 from orders force index (by_customer) where customer_id = ? and id < ? order by id desc limit ?",
            ),
            (
                &statements::INSERT_ITEMS,
                "insert into order_items(order_id, customer_id, `position`, sku, quantity, unit_price) values (?, ?, ?, ?, ?, ?)",
            ),
        ] {
            assert_eq!(canonical(sql), canonical(statement.sql()));
        }
    }
}
