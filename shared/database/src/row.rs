//! Rows as structs, read by the names of their columns.

use mysql_async::{
    FromRowError, Row,
    prelude::{FromRow, FromValue},
};

/// Columns of a row, taken by their names. [`row!`](crate::row!) implements it.
pub trait Columns: Sized {
    /// Takes them out of the row; nothing where one is missing or has another type.
    fn take(row: &mut Row) -> Option<Self>;
}

/// Takes one column out of a row. For [`row!`](crate::row!).
#[doc(hidden)]
pub fn take_column<T: FromValue>(row: &mut Row, name: &str) -> Option<T> {
    row.take_opt(name)?.ok()
}

/// Declares a struct that a row is read into. Each field has the name of its column.
///
/// ```
/// database::row! {
///     /// What a list shows of a book.
///     struct Book { isbn: String, pages: u32, subtitle: Option<String> }
/// }
/// ```
#[macro_export]
macro_rules! row {
    ($(#[$attribute:meta])* $visibility:vis struct $name:ident { $($field:ident: $type:ty),* $(,)? }) => {
        $(#[$attribute])*
        $visibility struct $name { $($visibility $field: $type),* }

        impl $crate::Columns for $name {
            fn take(row: &mut $crate::Row) -> Option<Self> {
                Some(Self { $($field: $crate::take_column(row, stringify!($field))?),* })
            }
        }

        impl $crate::FromRow for $name {
            fn from_row_opt(mut row: $crate::Row) -> Result<Self, $crate::FromRowError> {
                <Self as $crate::Columns>::take(&mut row).ok_or($crate::FromRowError(row))
            }
        }
    };
}

/// A row of two joined tables.
#[derive(Debug)]
pub struct Joined<A, B>(pub A, pub B);

impl<A: Columns, B: Columns> FromRow for Joined<A, B> {
    fn from_row_opt(mut row: Row) -> Result<Self, FromRowError> {
        match (A::take(&mut row), B::take(&mut row)) {
            (Some(first), Some(second)) => Ok(Self(first, second)),
            _ => Err(FromRowError(row)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mysql_async::{Column, Value, consts::ColumnType};
    use mysql_common::row::new_row;

    use super::*;

    crate::row! {
        #[derive(Debug, PartialEq)]
        struct Book { isbn: String, pages: u32, subtitle: Option<String> }
    }

    crate::row! {
        #[derive(Debug, PartialEq)]
        struct Author { name: String }
    }

    fn row(columns: &[(&str, Value)]) -> Row {
        let names = columns.iter().map(|(name, _)| {
            Column::new(ColumnType::MYSQL_TYPE_VAR_STRING).with_name(name.as_bytes())
        });
        let values = columns.iter().map(|(_, value)| value.clone()).collect();
        new_row(values, Arc::from(names.collect::<Vec<_>>()))
    }

    #[test]
    fn columns_are_found_by_their_names_in_any_order() {
        let row = row(&[
            ("name", "Ada".into()),
            ("subtitle", Value::NULL),
            ("pages", 7.into()),
            ("isbn", "1".into()),
        ]);
        let Joined(book, author) = Joined::<Book, Author>::from_row_opt(row).unwrap();
        let (isbn, subtitle) = ("1".to_owned(), None);
        assert_eq!(
            book,
            Book {
                isbn,
                pages: 7,
                subtitle
            }
        );
        assert_eq!(author.name, "Ada");
    }

    #[test]
    fn a_column_that_is_missing_or_of_another_type_is_an_error_and_no_panic() {
        for wrong in [
            row(&[("isbn", "1".into()), ("pages", 7.into())]),
            row(&[
                ("isbn", "1".into()),
                ("pages", "many".into()),
                ("subtitle", Value::NULL),
            ]),
            row(&[
                ("isbn", Value::NULL),
                ("pages", 7.into()),
                ("subtitle", Value::NULL),
            ]),
        ] {
            assert!(Book::from_row_opt(wrong).is_err());
        }
    }
}
