//! Statements that are sent as text, which define something or ask for a plan, and the server's own
//! words where it refuses one.

use super::{DatabaseError, failure, redaction::without_echo};

/// Why a definition was not made, or a plan not given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DefinitionError {
    /// The server refused it, and changed nothing.
    #[error("{words}")]
    Refused {
        /// The error's number.
        code: u16,
        /// What the server said, with the names of columns and keys and without values of rows.
        words: String,
    },
    /// As for any other statement.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// The refusal of a definition, where the error is one.
pub(super) fn refusal(error: &mysql_async::ServerError) -> Option<DefinitionError> {
    failure::is_refusal(error).then(|| DefinitionError::Refused {
        code: error.code,
        words: without_row_values(without_echo(&error.message)),
    })
}

/// The words without the value of a row: as `Duplicate entry … for key 'a.b'`. Only these name one
/// where a definition is refused (MySQL's list of server errors: 1062, 1292, 1366, 1411, 1525).
fn without_row_values(words: &str) -> String {
    const BEFORE: [&str; 3] = ["entry '", "value: '", "value '"];
    const AFTER: [&str; 3] = ["' for key", "' for column", "' for function"];
    let Some(start) = BEFORE
        .iter()
        .filter_map(|before| Some(words.find(before)? + before.len() - 1))
        .min()
    else {
        return words.to_owned();
    };
    let (before, value) = words.split_at(start);
    // The value may hold quotes itself, so its end is the last one that can be.
    let end = AFTER.iter().filter_map(|after| value.rfind(after)).max();
    let end = end.or_else(|| value.rfind('\'').filter(|end| *end > 0));
    let end = end.unwrap_or(value.len());
    let after = value.get(end..).unwrap_or_default();
    format!("{before}…{}", after.strip_prefix('\'').unwrap_or(after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_and_values_of_rows_go() {
        for (words, told) in [
            (
                "Duplicate entry 'it's \"me\"' for key 'orders.by_code'",
                "Duplicate entry … for key 'orders.by_code'",
            ),
            (
                "Incorrect integer value: 'abc' for column 'note' at row 1",
                "Incorrect integer value: … for column 'note' at row 1",
            ),
            (
                "Truncated incorrect DOUBLE value: 'a'b'",
                "Truncated incorrect DOUBLE value: …",
            ),
            (
                "Unknown column 'age' in 'check constraint orders_chk_1 expression'",
                "Unknown column 'age' in 'check constraint orders_chk_1 expression'",
            ),
            ("Duplicate entry 'cut off", "Duplicate entry …"),
        ] {
            assert_eq!(without_row_values(words), told);
        }
    }
}
