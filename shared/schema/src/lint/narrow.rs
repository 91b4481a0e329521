//! Whether a column's new type holds less than its old one.

use crate::ddl::Column;

/// What of the old column the new one has no room for; nothing where that is not known.
pub(super) fn lost(old: &Column, new: &Column) -> Option<String> {
    if !new.members.is_empty()
        && let Some(member) = old.members.iter().find(|old| !new.members.contains(old))
    {
        return Some(format!("the value '{member}'"));
    }
    let (from, to) = (Size::of(&old.data_type)?, Size::of(&new.data_type)?);
    let less = match (from, to) {
        (
            Size::Integer { bytes, unsigned },
            Size::Integer {
                bytes: new_bytes,
                unsigned: new_unsigned,
            },
        ) => {
            // A signed type of more bytes holds every unsigned number of fewer.
            let signed_again = unsigned && !new_unsigned && new_bytes <= bytes;
            new_bytes < bytes || !unsigned && new_unsigned || signed_again
        }
        (Size::Text(length), Size::Text(new)) | (Size::Bytes(length), Size::Bytes(new)) => {
            new < length
        }
        (
            Size::Decimal { whole, places },
            Size::Decimal {
                whole: new_whole,
                places: new_places,
            },
        ) => new_whole < whole || new_places < places,
        _ => return None,
    };
    less.then(|| format!("some values of {}", old.data_type))
}

/// How much a type holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Size {
    Integer {
        bytes: u8,
        unsigned: bool,
    },
    /// In characters; TEXT holds as many bytes, which is close enough.
    Text(u64),
    Bytes(u64),
    /// Digits before and behind the point.
    Decimal {
        whole: u64,
        places: u64,
    },
}

impl Size {
    /// From a type as sqlparser writes it.
    fn of(data_type: &str) -> Option<Self> {
        let name = data_type.split(['(', ' ']).next()?;
        let numbers = data_type
            .split_once('(')
            .and_then(|(_, rest)| rest.split_once(')'))
            .map_or("", |(inside, _)| inside);
        let mut numbers = numbers.split(',').map(|number| number.trim().parse());
        let first = numbers.next().and_then(Result::ok);
        let second = numbers.next().and_then(Result::ok);
        let integer = |bytes| Self::Integer {
            bytes,
            unsigned: data_type.contains("UNSIGNED"),
        };
        Some(match name {
            "TINYINT" | "BOOL" | "BOOLEAN" => integer(1),
            "SMALLINT" => integer(2),
            "MEDIUMINT" => integer(3),
            "INT" | "INTEGER" => integer(4),
            "BIGINT" => integer(8),
            "CHAR" | "CHARACTER" => Self::Text(first.unwrap_or(1)),
            "VARCHAR" => Self::Text(first?),
            "BINARY" => Self::Bytes(first.unwrap_or(1)),
            "VARBINARY" => Self::Bytes(first?),
            "TINYTEXT" => Self::Text(0xFF),
            "TEXT" => Self::Text(0xFFFF),
            "MEDIUMTEXT" => Self::Text(0xFF_FFFF),
            "LONGTEXT" => Self::Text(0xFFFF_FFFF),
            "TINYBLOB" => Self::Bytes(0xFF),
            "BLOB" => Self::Bytes(0xFFFF),
            "MEDIUMBLOB" => Self::Bytes(0xFF_FFFF),
            "LONGBLOB" => Self::Bytes(0xFFFF_FFFF),
            "DECIMAL" | "NUMERIC" | "DEC" => {
                let (digits, places) = (first.unwrap_or(10), second.unwrap_or(0));
                Self::Decimal {
                    whole: digits.saturating_sub(places),
                    places,
                }
            }
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ddl::Ddl, statement};

    /// The column of a definition, as the linter reads it.
    fn column(definition: &str) -> Column {
        let sql = format!("CREATE TABLE t (a {definition})");
        match Ddl::read(&statement::split(&sql)[0]) {
            Ddl::CreateTable(table) => table.definition.columns[0].clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn less_room_is_told_from_more() {
        for (small, large) in [
            ("TINYINT(1)", "SMALLINT"),
            ("INT", "BIGINT"),
            ("INT UNSIGNED", "BIGINT"),
            ("INT", "INTEGER"),
            ("CHAR", "CHAR(2)"),
            ("VARCHAR(16)", "VARCHAR(17) CHARACTER SET ascii"),
            ("VARCHAR(255)", "TEXT"),
            ("TEXT", "LONGTEXT"),
            ("BINARY(16)", "VARBINARY(32)"),
            ("BLOB", "MEDIUMBLOB"),
            ("DECIMAL(14, 4)", "DECIMAL(16, 6)"),
            ("DECIMAL", "NUMERIC(12, 2)"),
            ("ENUM ('a')", "ENUM ('b', 'a')"),
            ("SET ('a')", "SET ('a', 'b')"),
        ] {
            let (small, large) = (column(small), column(large));
            assert_eq!(lost(&small, &large), None, "{small:?} {large:?}");
            let equal = small.data_type == "INT" && large.data_type == "INTEGER";
            assert_eq!(lost(&large, &small).is_none(), equal, "{large:?} {small:?}");
        }
    }

    #[test]
    fn a_sign_takes_room() {
        assert!(lost(&column("INT"), &column("INT UNSIGNED")).is_some());
        assert!(lost(&column("INT UNSIGNED"), &column("INT")).is_some());
        assert!(lost(&column("DECIMAL(10, 2)"), &column("DECIMAL(10, 4)")).is_some());
    }

    #[test]
    fn other_kinds_of_types_are_not_judged() {
        for (one, other) in [
            ("INT", "VARCHAR(9)"),
            ("JSON", "TEXT"),
            ("DATE", "DATETIME(6)"),
        ] {
            assert_eq!(lost(&column(one), &column(other)), None);
        }
    }
}
