//! The messages of a server without the values in them.
//!
//! MySQL, MariaDB and Vitess quote values in the same way as names of keys, columns and tables, and do
//! not escape a quotation mark within a value. So a name is kept only if its place shows that it is no
//! value. Everything else in quotes is cut.

/// Vitess repeats a statement with its values behind these words (`sql_error.go`, `tabletserver.go`,
/// `vreplication`).
const ECHOES: [&str; 5] = [
    "(CallerID:",
    ": Sql: ",
    "BindVars: ",
    " during query:",
    " prepare statement: ",
];

/// vtgate repeats a statement between these words at the front (`plan_execute.go`).
const RETRIED: (&str, &str) = ("query ", " failed after retries: ");

const QUOTES: [char; 3] = ['\'', '"', '`'];

/// Words that are followed by a name in quotes.
const BEFORE_NAMES: [&str; 12] = [
    "key",
    "column",
    "table",
    "constraint",
    "field",
    "index",
    "view",
    "database",
    "partition",
    "references",
    "drop",
    "default value for",
];

/// The parts of a statement that MySQL names in quotes.
const CLAUSES: [&str; 5] = [
    "field list",
    "where clause",
    "on clause",
    "order clause",
    "group statement",
];

/// Messages that begin so have a value in their first quotes, then these words, then a name.
const VALUE_THEN_NAME: [(&str, &str); 2] = [
    ("Duplicate entry ", " for key "),
    ("Incorrect ", " for column "),
];

/// The message with its names and without its values. An ellipsis takes the place of what was cut.
///
/// ```
/// let message = "Duplicate entry 'cust-1' for key 'orders.by_customer'";
/// assert_eq!(database::without_values(message), "Duplicate entry … for key 'orders.by_customer'");
/// ```
pub fn without_values(message: &str) -> String {
    let message = without_echo(message);
    let Some(values) = first_value(message) else {
        return message.to_owned();
    };
    let (kept, rest) = message.split_at(values);
    let tail = name_at_end(kept, rest).unwrap_or_else(|| after_last_quote(rest));
    format!("{kept}…{tail}")
}

/// The message without the statement that Vitess repeats in front of it or behind it.
pub(crate) fn without_echo(message: &str) -> &str {
    let (before, after) = RETRIED;
    let message = match message.rsplit_once(after) {
        Some((statement, rest)) if statement.starts_with(before) => rest,
        _ => message,
    };
    let end = ECHOES.iter().filter_map(|echo| message.find(echo)).min();
    let words = end.and_then(|end| message.get(..end));
    words.unwrap_or(message).trim_end()
}

/// Where the first quoted text that is no name begins.
fn first_value(message: &str) -> Option<usize> {
    let mut end = 0;
    loop {
        let start = end + next_quote(message, end)?;
        let Some(length) = length_of_name(message, start) else {
            return Some(start);
        };
        end = start + length;
    }
}

/// The distance from `from` to the next quotation mark. An apostrophe within a word does not count.
fn next_quote(message: &str, from: usize) -> Option<usize> {
    let rest = message.get(from..)?;
    let bytes = message.as_bytes();
    let is_letter = |at: Option<usize>| {
        let byte = at.and_then(|at| bytes.get(at));
        byte.is_some_and(u8::is_ascii_alphabetic)
    };
    rest.char_indices()
        .filter(|(_, character)| QUOTES.contains(character))
        .map(|(at, _)| at)
        .find(|at| {
            let at = from + at;
            !(is_letter(at.checked_sub(1)) && is_letter(Some(at + 1)))
        })
}

/// The length of the quoted name that begins at `start`, with its quotes. Nothing if it is no name.
fn length_of_name(message: &str, start: usize) -> Option<usize> {
    let (before, quoted) = message.split_at_checked(start)?;
    let quote = quoted.chars().next()?;
    let (name, _) = quoted.get(1..)?.split_once(quote)?;
    let before = before.trim_end().to_lowercase();
    // No server quotes a value in backticks.
    let is_announced = quote == '`'
        || BEFORE_NAMES.iter().any(|word| before.ends_with(word))
        || CLAUSES.contains(&name);
    let is_name = is_identifier(name) || CLAUSES.contains(&name);
    (is_announced && is_name).then_some(name.len() + 2)
}

fn is_identifier(name: &str) -> bool {
    let fits = |c: char| c.is_alphanumeric() || "_$.-".contains(c);
    !name.is_empty() && name.chars().all(fits)
}

/// The end of a message that names a key or a column after a value.
fn name_at_end<'m>(before: &str, values: &'m str) -> Option<&'m str> {
    VALUE_THEN_NAME.iter().find_map(|(beginning, between)| {
        before.contains(beginning).then_some(())?;
        let tail = values.get(values.rfind(between)?..)?;
        first_value(tail).is_none().then_some(tail)
    })
}

fn after_last_quote(values: &str) -> &str {
    match values.rfind(QUOTES) {
        // The first one alone opens a value that the server has cut off.
        Some(0) | None => "",
        Some(last) => values.get(last + 1..).unwrap_or(""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[rustfmt::skip] // A row of the table is a line.
    fn names_stay_and_values_go() {
        for (message, expected) in [
            // MySQL
            ("Duplicate entry 'hunter2' for key 'orders.by_customer'", "Duplicate entry … for key 'orders.by_customer'"),
            ("Duplicate entry 'it's hunter2' for key 'orders.PRIMARY'", "Duplicate entry … for key 'orders.PRIMARY'"),
            ("Duplicate entry 'x' for key 'hunter2' for key 'orders.k'", "Duplicate entry … for key 'orders.k'"),
            ("Incorrect integer value: 'hunter2' for column 'n' at row 1", "Incorrect integer value: … for column 'n' at row 1"),
            ("Data too long for column 'note' at row 1", "Data too long for column 'note' at row 1"),
            ("Out of range value for column 'n' at row 1", "Out of range value for column 'n' at row 1"),
            ("Column 'n' cannot be null", "Column 'n' cannot be null"),
            ("Field 'n' doesn't have a default value", "Field 'n' doesn't have a default value"),
            ("Unknown column 'x' in 'field list'", "Unknown column 'x' in 'field list'"),
            ("Table 'shop.orders' doesn't exist", "Table 'shop.orders' doesn't exist"),
            ("Can't DROP 'nope'; check that column/key exists", "Can't DROP 'nope'; check that column/key exists"),
            ("Key 'nope' doesn't exist in table 't'", "Key 'nope' doesn't exist in table 't'"),
            ("Check constraint 'total' is violated.", "Check constraint 'total' is violated."),
            ("Invalid default value for 'created_at'", "Invalid default value for 'created_at'"),
            ("Cannot add or update a child row: a foreign key constraint fails (`shop`.`items`, CONSTRAINT `of_order` FOREIGN KEY (`order_id`) REFERENCES `orders` (`id`))",
             "Cannot add or update a child row: a foreign key constraint fails (`shop`.`items`, CONSTRAINT `of_order` FOREIGN KEY (`order_id`) REFERENCES `orders` (`id`))"),
            ("Truncated incorrect DOUBLE value: 'hunter2'", "Truncated incorrect DOUBLE value: …"),
            ("Truncated incorrect DOUBLE value: 'x' for key 'hunter2'", "Truncated incorrect DOUBLE value: …"),
            ("BIGINT value is out of range in '(`shop`.`t`.`a` - 42)'", "BIGINT value is out of range in …"),
            ("You have an error in your SQL syntax; check the manual for the right syntax to use near 'hunter2' at line 1",
             "You have an error in your SQL syntax; check the manual for the right syntax to use near … at line 1"),
            ("Access denied for user 'app'@'10.0.0.1' (using password: YES)", "Access denied for user … (using password: YES)"),
            ("Invalid JSON text: \"Invalid value.\" at position 1 in value for column 't.doc'.", "Invalid JSON text: …."),
            ("near \"hunter2\" at line 1", "near … at line 1"),
            ("Incorrect value: 'hunter2", "Incorrect value: …"),
            ("Duplicate entry 'hunter2", "Duplicate entry …"),
            ("Duplicate key name 'by_note'", "Duplicate key name …"),
            // MariaDB
            ("Incorrect integer value: 'hunter2' for column `shop`.`t`.`n` at row 1", "Incorrect integer value: … for column `shop`.`t`.`n` at row 1"),
            ("CONSTRAINT `total` failed for `shop`.`orders`", "CONSTRAINT `total` failed for `shop`.`orders`"),
            ("Can't DROP COLUMN `nope`; check that it exists", "Can't DROP COLUMN `nope`; check that it exists"),
            // Vitess
            ("target: a.-.primary: vttablet: rpc error: code = AlreadyExists desc = Duplicate entry 'n'1' for key 't.by_note' (errno 1062) (sqlstate 23000) (CallerID: app): Sql: \"insert\", BindVars: {v1: \"hunter2\"}",
             "target: a.-.primary: vttablet: rpc error: code = AlreadyExists desc = Duplicate entry … for key 't.by_note' (errno 1062) (sqlstate 23000)"),
            ("vreplication: Duplicate entry 'it's \"me\"' for key 'a.b' (errno 1062)", "vreplication: Duplicate entry … for key 'a.b' (errno 1062)"),
            ("error applying event (errno 1048) during query: insert into a values (42)", "error applying event (errno 1048)"),
            ("target: a.-.primary: it failed: Sql: \"insert\", BindVars: {b: 42}", "target: a.-.primary: it failed"),
            ("it failed (CallerID: app): Sql: \"insert\"", "it failed"),
            ("query SELECT id FROM t WHERE id = 'hunter2' failed after retries: Code: FAILED_PRECONDITION\nvttablet: disallowed", "Code: FAILED_PRECONDITION\nvttablet: disallowed"),
            ("[BUG] unrecognized prepare statement: PREPARE s FROM 'hunter2'", "[BUG] unrecognized"),
            ("hot row protection: too many queued transactions for the same row (table + WHERE clause: 't where id = 1')",
             "hot row protection: too many queued transactions for the same row (table + WHERE clause: …)"),
            ("syntax error at position 17 near 'hunter2'", "syntax error at position 17 near …"),
            ("not enough storage", "not enough storage"),
        ] {
            assert_eq!(without_values(message), expected, "{message}");
        }
    }
}
