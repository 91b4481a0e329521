//! PlanetScale's own words, which stand in the execution's history and in the log.

/// What Vitess echoes after its own words: statements, with the rows' values in them.
const ECHOES: [&str; 4] = [" during query:", "(CallerID:", ": Sql: ", "BindVars: "];

/// Values stand in quotes, and may hold quotes themselves.
const QUOTES: [char; 3] = ['\'', '"', '`'];

/// Why a deployment failed, without the statement and the values of rows.
pub fn without_values(text: &str) -> String {
    let echoes = ECHOES.iter().filter_map(|echo| text.find(echo));
    let words = echoes
        .min()
        .and_then(|end| text.get(..end))
        .unwrap_or(text)
        .trim_end();
    let Some(first) = words.find(QUOTES) else {
        return words.to_owned();
    };
    let after = words.rfind(QUOTES).filter(|last| first < *last);
    let after = after.and_then(|last| words.get(last + 1..));
    let before = words.get(..first).unwrap_or_default();
    format!("{before}…{}", after.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_and_no_statement_is_left() {
        for (text, expected) in [
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
            ("Incorrect value: 'cut off", "Incorrect value: …"),
        ] {
            assert_eq!(without_values(text), expected);
        }
    }
}
