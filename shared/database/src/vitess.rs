//! What Vitess says, without the rows and statements that it repeats.
//!
//! Its errors echo the statement with the values in it, from where they would come into logs, answers
//! and the histories of executions.

/// What stands before an echo (Vitess' `sql_error.go`, `tabletserver.go`, `vreplication`).
const ECHOES: [&str; 4] = ["(CallerID:", ": Sql: ", "BindVars: ", " during query:"];

/// Values stand in quotes, and may hold quotes themselves.
const QUOTES: [char; 3] = ['\'', '"', '`'];

/// The message up to the statement and the values that follow it.
pub fn own_words(message: &str) -> &str {
    ECHOES
        .iter()
        .filter_map(|echo| message.find(echo))
        .min()
        .and_then(|end| message.get(..end))
        .unwrap_or(message)
        .trim_end()
}

/// Its own words, with all between the first and the last quotation mark left out.
pub fn without_values(message: &str) -> String {
    let words = own_words(message);
    match (words.find(QUOTES), words.rfind(QUOTES)) {
        (Some(first), Some(last)) if first < last => {
            let (before, after) = (words.get(..first), words.get(last + 1..));
            format!("{}…{}", before.unwrap_or(""), after.unwrap_or(""))
        }
        (Some(first), _) => format!("{}…", words.get(..first).unwrap_or("")),
        _ => words.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_and_no_statement_is_left() {
        for (message, expected) in [
            ("not enough storage", "not enough storage"),
            (
                "vreplication: Duplicate entry 'it's \"me\"' for key 'a.b' (errno 1062)",
                "vreplication: Duplicate entry … (errno 1062)",
            ),
            (
                "error applying event (errno 1048) during query: insert into a values (42)",
                "error applying event (errno 1048)",
            ),
            (
                "target: a.-.primary: it failed: Sql: \"insert\", BindVars: {b: 42}",
                "target: a.-.primary: it failed",
            ),
            ("it failed (CallerID: app): Sql: \"insert\"", "it failed"),
            ("Incorrect value: 'cut off", "Incorrect value: …"),
        ] {
            assert_eq!(without_values(message), expected);
        }
    }
}
