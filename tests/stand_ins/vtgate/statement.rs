//! What can be read from a statement's text and values without a parser.

use std::fmt::Write;
use std::time::Duration;

use mysql_common::constants::{ColumnFlags, ColumnType};
use mysql_common::io::ParseBuf;
use mysql_common::proto::MyDeserialize;
use mysql_common::value::{BinValue, Value, ValueDeserializer};

use super::scan::statements;

/// The limit that a SELECT sets itself: `/*vt+ QUERY_TIMEOUT_MS=2000 */`.
pub(super) fn query_timeout(sql: &str) -> Option<Duration> {
    let first = statements(sql).into_iter().next();
    first.filter(|first| first.keyword() == "SELECT")?;
    let (_, directives) = sql.split_once("/*vt+")?;
    let (directives, _) = directives.split_once("*/")?;
    let (_, limit) = directives.split_once("QUERY_TIMEOUT_MS=")?;
    let end = limit
        .find(|digit: char| !digit.is_ascii_digit())
        .unwrap_or(limit.len());
    limit
        .get(..end)?
        .parse()
        .ok()
        .filter(|millis| *millis > 0)
        .map(Duration::from_millis)
}

/// The text with its markers numbered, as vtgate sends it on: `?` is `:v1`.
pub(super) fn numbered(sql: &str) -> String {
    let mut out = String::new();
    for (index, part) in sql.split('?').enumerate() {
        if index > 0 {
            // Writing to a string cannot fail.
            write!(out, ":v{index}").unwrap_or_default();
        }
        out.push_str(part);
    }
    out
}

/// The values of a COM_STMT_EXECUTE as an error of vttablet prints them; nothing if the packet
/// does not carry their types.
pub(super) fn bind_variables(packet: &[u8], parameters: usize) -> String {
    parse_values(packet, parameters).unwrap_or_default()
}

fn parse_values(packet: &[u8], parameters: usize) -> Option<String> {
    // Command, statement id, flags, iterations.
    let mut parse = ParseBuf(packet.get(1 + 4 + 1 + 4..)?);
    let nulls = parse.checked_eat(parameters.div_ceil(8))?;
    let [1] = parse.checked_eat(1)? else {
        return None;
    };
    let types = parse.checked_eat(2 * parameters)?;
    let mut out = String::new();
    for (index, kind) in types.chunks_exact(2).enumerate() {
        let [kind, flags] = kind else { return None };
        let is_null = nulls.get(index / 8)? >> (index % 8) & 1 == 1;
        let kind = ColumnType::try_from(*kind).ok()?;
        let (name, value) = if is_null {
            ("NULL_TYPE", String::new())
        } else {
            let flags = if flags & 0x80 == 0 {
                ColumnFlags::empty()
            } else {
                ColumnFlags::UNSIGNED_FLAG
            };
            let value =
                ValueDeserializer::<BinValue>::deserialize((kind, flags), &mut parse).ok()?;
            described(&value.0)
        };
        let printed = format!("type:{name} value:{value:?}");
        write!(out, "v{}: {printed:?}", index + 1).ok()?;
    }
    Some(out)
}

/// Vitess' name of a value's type, and the value in plain text.
fn described(value: &Value) -> (&'static str, String) {
    let name = match value {
        Value::NULL => "NULL_TYPE",
        Value::Bytes(bytes) => {
            return ("VARBINARY", String::from_utf8_lossy(bytes).into_owned());
        }
        Value::Int(_) => "INT64",
        Value::UInt(_) => "UINT64",
        Value::Float(_) => "FLOAT32",
        Value::Double(_) => "FLOAT64",
        Value::Date(..) => "DATETIME",
        Value::Time(..) => "TIME",
    };
    (name, value.as_sql(true).trim_matches('\'').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_read_from_a_select_only() {
        let two_seconds = Some(Duration::from_secs(2));
        assert_eq!(
            query_timeout("SELECT /*vt+ QUERY_TIMEOUT_MS=2000 */ 1"),
            two_seconds
        );
        assert_eq!(
            query_timeout("select /*vt+ QUERY_TIMEOUT_MS=2000 PLANNER=gen4 */ 1"),
            two_seconds
        );
        assert_eq!(query_timeout("SELECT 'QUERY_TIMEOUT_MS=2000'"), None);
        assert_eq!(
            query_timeout("UPDATE /*vt+ QUERY_TIMEOUT_MS=2000 */ t SET a = 1"),
            None
        );
    }

    #[test]
    fn markers_are_numbered() {
        assert_eq!(
            numbered("INSERT INTO t VALUES (?, ?)"),
            "INSERT INTO t VALUES (:v1, :v2)"
        );
    }
}
