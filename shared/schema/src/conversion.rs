//! What a column's new type makes of the values that it holds.

use crate::snapshot::{Column, quoted};

/// What becomes of the values of a column. MySQL in strict mode refuses a value that has no room,
/// and rounds or converts without a word where a type merely knows less.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Conversion {
    /// Each stays.
    Keeps,
    /// Each stays, and comes out as another kind of value.
    Retypes,
    /// Each stays, and they sort in another way.
    Reorders,
    /// Those of the rows for which this condition is true have no room.
    Fails(String),
    /// They are altered, in this way.
    Loses(&'static str),
}

/// A type by what it can hold.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Type {
    Integer {
        least: i128,
        most: i128,
    },
    Decimal {
        whole: u32,
        places: u32,
        signed: bool,
    },
    Float {
        exact: i128,
    },
    /// Characters at most. TEXT counts bytes, which is close enough.
    Text {
        length: u64,
        padded: bool,
    },
    Bytes {
        length: u64,
        padded: bool,
    },
    Members {
        values: Vec<String>,
        set: bool,
    },
    Date,
    /// Digits of a second.
    Time(u32),
    DateTime {
        digits: u32,
        stamp: bool,
    },
    Json,
    Other(String),
}

impl Type {
    fn of(column: &Column) -> Self {
        let (name, all) = (column.type_name(), column.data_type.as_str());
        let inside = all
            .split_once('(')
            .and_then(|(_, rest)| rest.rsplit_once(')'));
        let inside = inside.map_or("", |(inside, _)| inside);
        let mut numbers = inside
            .split(',')
            .map(|number| number.trim().parse::<u32>().ok());
        let (first, second) = (numbers.next().flatten(), numbers.next().flatten());
        let length = u64::from(first.unwrap_or(1));
        let digits = first.unwrap_or(0);
        let signed = !all.contains("unsigned");
        let integer = |bits: u32| match signed {
            true => Self::Integer {
                least: -(1 << (bits - 1)),
                most: (1 << (bits - 1)) - 1,
            },
            false => Self::Integer {
                least: 0,
                most: (1 << bits) - 1,
            },
        };
        let text = |length| Self::Text {
            length,
            padded: name == "char",
        };
        let bytes = |length| Self::Bytes {
            length,
            padded: name == "binary",
        };
        match name {
            "tinyint" => integer(8),
            "smallint" => integer(16),
            "mediumint" => integer(24),
            "int" => integer(32),
            "bigint" => integer(64),
            "bit" => Self::Integer {
                least: 0,
                most: (1 << first.unwrap_or(1).min(64)) - 1,
            },
            "year" => Self::Integer {
                least: 1901,
                most: 2155,
            },
            "decimal" => {
                let (all, places) = (first.unwrap_or(10), second.unwrap_or(0));
                Self::Decimal {
                    whole: all.saturating_sub(places),
                    places,
                    signed,
                }
            }
            "float" => Self::Float { exact: 1 << 24 },
            "double" => Self::Float { exact: 1 << 53 },
            "char" | "varchar" => text(length),
            "tinytext" => text(0xFF),
            "text" => text(0xFFFF),
            "mediumtext" => text(0xFF_FFFF),
            "longtext" => text(0xFFFF_FFFF),
            "binary" | "varbinary" => bytes(length),
            "tinyblob" => bytes(0xFF),
            "blob" => bytes(0xFFFF),
            "mediumblob" => bytes(0xFF_FFFF),
            "longblob" => bytes(0xFFFF_FFFF),
            "enum" | "set" => Self::Members {
                values: members(inside),
                set: name == "set",
            },
            "date" => Self::Date,
            "time" => Self::Time(digits),
            "datetime" => Self::DateTime {
                digits,
                stamp: false,
            },
            "timestamp" => Self::DateTime {
                digits,
                stamp: true,
            },
            "json" => Self::Json,
            _ => Self::Other(all.to_owned()),
        }
    }
}

/// What the values of the old column become in the new one.
pub(crate) fn convert(old: &Column, new: &Column) -> Conversion {
    use Conversion::{Fails, Keeps, Loses, Retypes};
    use Type::{Bytes, Date, DateTime, Decimal, Float, Integer, Json, Members, Other, Text, Time};
    let column = quoted(&old.name);
    // A condition, where there is one.
    let fails = |conditions: Vec<String>| match conditions.is_empty() {
        true => Keeps,
        false => Fails(conditions.join(" OR ")),
    };
    let longer = |than: u64| format!("CHAR_LENGTH({column}) > {than}");
    let beyond = |whole: u32| format!("ABS({column}) >= 1{}", "0".repeat(whole as usize));
    let negative = || format!("{column} < 0");
    match (Type::of(old), Type::of(new)) {
        (
            Integer { least, most },
            Integer {
                least: new_least,
                most: new_most,
            },
        ) => {
            let below = (least < new_least).then(|| format!("{column} < {new_least}"));
            let above = (most > new_most).then(|| format!("{column} > {new_most}"));
            fails(below.into_iter().chain(above).collect())
        }
        (Integer { least, most }, Decimal { whole, signed, .. }) => {
            let room = 10_i128.checked_pow(whole).unwrap_or(i128::MAX);
            let large = (most >= room || least <= -room).then(|| beyond(whole));
            let below = (least < 0 && !signed).then(negative);
            fails(large.into_iter().chain(below).collect())
        }
        (Integer { least, most }, Float { exact }) if most <= exact && least >= -exact => Keeps,
        (Integer { .. }, Float { .. }) => Loses("large numbers are rounded"),
        (
            Decimal {
                whole,
                places,
                signed,
            },
            Decimal {
                whole: new_whole,
                places: new_places,
                signed: new_signed,
            },
        ) => {
            if new_places < places {
                return Loses("digits after the decimal point are rounded");
            }
            let large = (new_whole < whole).then(|| beyond(new_whole));
            let below = (signed && !new_signed).then(negative);
            fails(large.into_iter().chain(below).collect())
        }
        (Decimal { places: 1.., .. }, Integer { .. }) => {
            Loses("digits after the decimal point are rounded")
        }
        (Decimal { .. }, Integer { least, most }) => {
            Fails(format!("{column} < {least} OR {column} > {most}"))
        }
        (Decimal { .. }, Float { .. }) => Loses("exact numbers become approximate ones"),
        (Float { exact }, Float { exact: new_exact }) => {
            let unsigned = |column: &Column| column.data_type.contains("unsigned");
            match new_exact < exact {
                true => Loses("numbers are rounded"),
                false => fails(
                    (!unsigned(old) && unsigned(new))
                        .then(negative)
                        .into_iter()
                        .collect(),
                ),
            }
        }
        (Float { .. }, Integer { .. } | Decimal { .. }) => Loses("numbers are rounded"),
        (
            Text { length, padded },
            Text {
                length: new_length,
                padded: new_padded,
            },
        ) => {
            let cut = (new_length < length).then(|| longer(new_length));
            // CHAR gives no spaces back that stand at the end.
            let trimmed = (new_padded && !padded).then(|| format!("RIGHT({column}, 1) = ' '"));
            let foreign = unknown_letters(&column, old, new);
            fails(cut.into_iter().chain(trimmed).chain(foreign).collect())
        }
        (
            Bytes { length, padded },
            Bytes {
                length: new_length,
                padded: new_padded,
            },
        ) => match (padded, new_padded) {
            (true, true) if new_length > length => Loses("zero bytes are appended to each value"),
            (false, true) => Fails(format!("LENGTH({column}) <> {new_length}")),
            _ if new_length < length => Fails(format!("LENGTH({column}) > {new_length}")),
            _ => Keeps,
        },
        (
            Members { values, set },
            Members {
                values: new_values,
                set: new_set,
            },
        ) if set == new_set => {
            let gone: Vec<String> = values
                .iter()
                .filter(|value| !new_values.contains(value))
                .map(|value| literal(value))
                .collect();
            match (gone.is_empty(), set) {
                (true, _) if new_values.starts_with(&values) => Keeps,
                (true, _) => Conversion::Reorders,
                (false, false) => Fails(format!("{column} IN ({})", gone.join(", "))),
                (false, true) => {
                    let in_set = gone
                        .iter()
                        .map(|value| format!("FIND_IN_SET({value}, {column})"));
                    fails(in_set.collect())
                }
            }
        }
        (Members { values, set }, Text { length, .. }) => {
            let length_of = |value: &String| value.chars().count() as u64 + u64::from(set);
            let most = match set {
                true => values.iter().map(length_of).sum(),
                false => values.iter().map(length_of).max().unwrap_or(0),
            };
            let cut = (most > length).then(|| longer(length));
            fails(
                cut.into_iter()
                    .chain(unknown_letters(&column, old, new))
                    .collect(),
            )
        }
        (Text { .. }, Members { values, set: false }) => {
            let values: Vec<String> = values.iter().map(|value| literal(value)).collect();
            Fails(format!("{column} NOT IN ({})", values.join(", ")))
        }
        (Date, DateTime { stamp: false, .. }) => Keeps,
        (
            Date | DateTime { stamp: false, .. },
            DateTime {
                stamp: true,
                digits,
            },
        ) if !loses_digits(old, digits) => Fails(format!(
            "{column} < '1970-01-02' OR {column} > '2038-01-18'"
        )),
        (
            DateTime { digits, .. },
            DateTime {
                digits: new_digits, ..
            },
        ) if new_digits >= digits => Keeps,
        (Time(digits), Time(new_digits)) if new_digits >= digits => Keeps,
        (DateTime { .. }, DateTime { .. }) | (Time(_), Time(_)) => {
            Loses("fractions of a second are rounded")
        }
        (DateTime { .. }, Date) => Loses("the time of day is cut off"),
        (Text { .. }, Json) => Fails(format!("NOT JSON_VALID({column})")),
        (
            Integer { .. } | Decimal { .. } | Float { .. } | Date | Time(_) | DateTime { .. },
            Text { length: 30.., .. },
        )
        | (
            Json,
            Text {
                length: 0xFFFF_FFFF,
                ..
            },
        ) => Retypes,
        (
            Integer { .. }
            | Decimal { .. }
            | Float { .. }
            | Date
            | Time(_)
            | DateTime { .. }
            | Json,
            Text { length, .. },
        ) => Fails(longer(length)),
        (Text { .. }, Bytes { length, padded }) => {
            let than = if padded { "<>" } else { ">" };
            Fails(format!("LENGTH({column}) {than} {length}"))
        }
        (Bytes { .. }, Text { .. }) => {
            let charset = new.charset.as_deref().unwrap_or("utf8mb4");
            Fails(format!("CONVERT({column} USING {charset}) IS NULL"))
        }
        (Other(old), Other(new)) if old == new || new == "geometry" => Keeps,
        _ => Loses("values of one kind are converted to another"),
    }
}

fn loses_digits(old: &Column, new_digits: u32) -> bool {
    matches!(Type::of(old), Type::DateTime { digits, .. } if digits > new_digits)
}

/// The rows with letters that the new character set does not have.
fn unknown_letters(column: &str, old: &Column, new: &Column) -> Option<String> {
    let (old, new) = (old.charset.as_deref()?, new.charset.as_deref()?);
    let holds = match (old, new) {
        (_, "utf8mb4") | ("ascii", _) | ("latin1", "utf8mb3") => true,
        (old, new) => old == new,
    };
    (!holds).then(|| {
        format!("HEX(CONVERT(CONVERT({column} USING {new}) USING {old})) <> HEX({column})")
    })
}

/// The values of an ENUM or a SET, from what stands in its parentheses.
fn members(inside: &str) -> Vec<String> {
    let inside = inside
        .strip_prefix('\'')
        .and_then(|inside| inside.strip_suffix('\''));
    let values = inside.unwrap_or_default().split("','");
    values.map(|value| value.replace("''", "'")).collect()
}

fn literal(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "''"))
}
