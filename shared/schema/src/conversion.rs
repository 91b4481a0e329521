//! What a column's new type makes of the values that it holds.

use crate::snapshot::{Row, quoted};

/// What becomes of the values of a column. MySQL in strict mode refuses a value that has no room,
/// and rounds or converts without a word where the new type merely knows less.
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
    /// Digits after the decimal point.
    Number(Range, u32, Form),
    /// Digits after the decimal point, where it has a number of them. Whole numbers are exact up to
    /// the last one.
    Float(Range, Option<u32>, i128),
    /// Characters at most, and whether it pads. TEXT counts bytes, which is close enough.
    Text(u64, bool),
    Bytes(u64, bool),
    Members(Vec<String>, bool),
    /// Whether it has a day, the digits of a second if it has a time, and whether it is a TIMESTAMP.
    Moment(bool, Option<u32>, bool),
    Json,
    Other(String),
}

/// The whole parts from the least to the most.
type Range = (i128, i128);

/// As what an exact number comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Integer,
    Decimal,
    Bits,
}

impl Type {
    fn of(column: &Row) -> Self {
        let (name, all) = (column.text("type"), column.text("data_type"));
        let (size, scale) = (column.number("size"), column.number("scale"));
        let size = size.unwrap_or_default();
        let digits = u32::try_from(size).unwrap_or(u32::MAX);
        let places = scale.and_then(|scale| scale.try_into().ok()).unwrap_or(0);
        let signed = !all.contains("unsigned");
        let range = |count: i128| match signed {
            true => (-count, count - 1),
            false => (0, count - 1),
        };
        let parts = || {
            let most = 10_i128.pow(digits.saturating_sub(places).min(38)) - 1;
            (if signed { -most } else { 0 }, most)
        };
        let integer =
            |bits: u32| Self::Number(range(1 << (bits - u32::from(signed))), 0, Form::Integer);
        let float = |exact| {
            let range = match scale {
                Some(_) => parts(),
                None => range(i128::MAX),
            };
            Self::Float(range, scale.map(|_| places), exact)
        };
        match name {
            "tinyint" => integer(8),
            "smallint" => integer(16),
            "mediumint" => integer(24),
            "int" => integer(32),
            "bigint" => integer(64),
            "bit" => Self::Number((0, (1 << size.min(64)) - 1), 0, Form::Bits),
            "year" => Self::Number((1901, 2155), 0, Form::Integer),
            "decimal" => Self::Number(parts(), places, Form::Decimal),
            "float" => float(1 << 24),
            "double" => float(1 << 53),
            "enum" | "set" => Self::Members(members(all), name == "set"),
            "date" => Self::Moment(true, None, false),
            "time" => Self::Moment(false, Some(digits), false),
            "datetime" | "timestamp" => Self::Moment(true, Some(digits), name == "timestamp"),
            "json" => Self::Json,
            _ if name.ends_with("char") || name.ends_with("text") => {
                Self::Text(size, name == "char")
            }
            _ if name.ends_with("binary") || name.ends_with("blob") => {
                Self::Bytes(size, name == "binary")
            }
            _ => Self::Other(all.to_owned()),
        }
    }
}

/// What the values of the column of this name become in the new one.
pub(crate) fn convert(name: &str, old: &Row, new: &Row) -> Conversion {
    use Conversion::{Fails, Keeps, Loses, Reorders, Retypes};
    use Type::{Bytes, Float, Json, Members, Moment, Number, Other, Text};
    let column = quoted(name);
    let longer = |than: u64| format!("CHAR_LENGTH({column}) > {than}");
    let fails = |conditions: Vec<Option<String>>| {
        let conditions: Vec<_> = conditions.into_iter().flatten().collect();
        match conditions.is_empty() {
            true => Keeps,
            false => Fails(conditions.join(" OR ")),
        }
    };
    let fits = |(least, most): Range, (new_least, new_most): Range| {
        fails(vec![
            (least < new_least).then(|| match new_least {
                0 => format!("{column} < 0"),
                _ => format!("{column} <= {}", new_least - 1),
            }),
            (most > new_most).then(|| format!("{column} >= {}", new_most + 1)),
        ])
    };
    match (Type::of(old), Type::of(new)) {
        (Number(_, places, _), Number(_, new_places, _)) if new_places < places => {
            Loses("digits after the decimal point are rounded")
        }
        (Number(range, _, form), Number(new_range, _, new_form)) => match fits(range, new_range) {
            Keeps if new_form != form => Retypes,
            conversion => conversion,
        },
        (Number((least, most), 0, _), Float(range, _, exact))
            if most <= exact && least >= -exact =>
        {
            match fits((least, most), range) {
                Keeps => Retypes,
                conversion => conversion,
            }
        }
        (Float(range, places, exact), Float(new_range, new_places, new_exact))
            if new_exact >= exact
                && new_places.is_none_or(|new| places.is_some_and(|places| places <= new)) =>
        {
            fits(range, new_range)
        }
        (Number(..) | Float(..), Float(..)) | (Float(..), Number(..)) => {
            Loses("numbers are rounded")
        }
        (Text(length, padded), Text(new_length, new_padded)) => fails(vec![
            (new_length < length).then(|| longer(new_length)),
            // CHAR does not give back the spaces at the end.
            (new_padded && !padded).then(|| format!("RIGHT({column}, 1) = ' '")),
            unknown_letters(&column, old, new),
        ]),
        (Bytes(length, true), Bytes(new_length, true)) if new_length > length => {
            Loses("zero bytes are appended to each value")
        }
        (Bytes(_, false) | Text(..), Bytes(length, true)) => {
            Fails(format!("LENGTH({column}) <> {length}"))
        }
        (Bytes(length, _), Bytes(new_length, _)) if new_length >= length => Keeps,
        (Bytes(..) | Text(..), Bytes(length, _)) => Fails(format!("LENGTH({column}) > {length}")),
        (Bytes(..), Text(..)) => {
            let charset = new.get("charset").unwrap_or("utf8mb4");
            Fails(format!("CONVERT({column} USING {charset}) IS NULL"))
        }
        (Members(values, set), Members(new_values, new_set)) if set == new_set => {
            let gone = values.iter().filter(|value| !new_values.contains(value));
            let gone = gone.map(|value| match set {
                true => format!("FIND_IN_SET({}, {column})", literal(value)),
                false => format!("{column} = {}", literal(value)),
            });
            match fails(gone.map(Some).collect()) {
                Keeps if !new_values.starts_with(&values) => Reorders,
                conversion => conversion,
            }
        }
        (Members(..), Text(length, _)) => {
            let cut = (old.number("size") > Some(length)).then(|| longer(length));
            fails(vec![cut, unknown_letters(&column, old, new)])
        }
        (Text(..), Members(values, false)) => {
            let values: Vec<_> = values.iter().map(|value| literal(value)).collect();
            Fails(format!("{column} NOT IN ({})", values.join(", ")))
        }
        (Moment(day, time, stamp), Moment(new_day, new_time, new_stamp)) => {
            if day != new_day || time.is_some() && new_time.is_none() {
                Loses("the day or the time of day is lost")
            } else if new_time < time {
                Loses("fractions of a second are rounded")
            } else {
                let range = || format!("{column} < '1970-01-02' OR {column} > '2038-01-18'");
                fails(vec![(new_stamp && !stamp).then(range)])
            }
        }
        (Text(..), Json) => Fails(format!("NOT JSON_VALID({column})")),
        (Number(_, _, Form::Bits), Text(30.., _)) => Retypes,
        (Number(..) | Float(..) | Moment(..), Text(length @ 30.., _)) if length >= longest(old) => {
            Retypes
        }
        (Json, Text(0xFFFF_FFFF, _)) => Retypes,
        (Number(..) | Float(..) | Moment(..) | Json, Text(length, _)) => Fails(longer(length)),
        (Json, Json) => Keeps,
        (Other(old), Other(new)) if old == new || new == "geometry" => Keeps,
        _ => Loses("values of one kind are converted to another"),
    }
}

/// How many characters a number's longest value has: its digits, a sign, and a point. If all digits
/// stand behind the point, a zero stands before it.
fn longest(column: &Row) -> u64 {
    let digits = column.number("size").unwrap_or_default();
    match column.number("scale") {
        None | Some(0) => digits + 1,
        Some(scale) if scale == digits => digits + 3,
        Some(_) => digits + 2,
    }
}

/// The rows with letters that the new character set does not have.
fn unknown_letters(column: &str, old: &Row, new: &Row) -> Option<String> {
    let (old, new) = (old.get("charset")?, new.get("charset")?);
    let holds = matches!(
        (old, new),
        (_, "utf8mb4") | ("ascii", _) | ("latin1", "utf8mb3")
    );
    let there_and_back = format!("CONVERT(CONVERT({column} USING {new}) USING {old})");
    (!holds && old != new).then(|| format!("HEX({there_and_back}) <> HEX({column})"))
}

/// The values of an ENUM or a SET: `enum('a','b')`.
fn members(all: &str) -> Vec<String> {
    let inside = all
        .split_once("('")
        .and_then(|(_, rest)| rest.strip_suffix("')"));
    let values = inside.unwrap_or_default().split("','");
    values.map(|value| value.replace("''", "'")).collect()
}

fn literal(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "''"))
}
