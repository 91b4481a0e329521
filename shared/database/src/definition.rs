//! Statements that are sent as text: they define something or ask for a plan. If the server refuses one,
//! its own words are kept.

use super::{DatabaseError, failure, redaction::without_echo};

/// Why there is no definition or no plan.
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
    /// It failed as any other statement can.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// The refusal of a definition, if the error is a refusal.
pub(super) fn refusal(error: &mysql_async::ServerError) -> Option<DefinitionError> {
    failure::is_refusal(error).then(|| DefinitionError::Refused {
        code: error.code,
        words: without_row_values(without_echo(&error.message)),
    })
}

/// The words without the value of a row, as in `Duplicate entry … for key 'a.b'`. If a definition is
/// refused, only these errors name a value (MySQL's list of server errors: 1062, 1292, 1366, 1411, 1525).
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
    // The value may contain quotes, so it ends at the last quote that can be its end.
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
