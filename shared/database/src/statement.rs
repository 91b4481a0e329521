//! Statements as constants. Each says what may be done if its answer is lost.

use std::{borrow::Cow, sync::LazyLock, time::Duration};

/// Every statement ends with tags, which begin with this one. The function stays the same for as long as
/// the process runs.
static FUNCTION_TAG: LazyLock<String> =
    LazyLock::new(|| match std::env::var("AWS_LAMBDA_FUNCTION_NAME") {
        Ok(name) if is_plain(&name) => format!("function='{name}',"),
        _ => String::new(),
    });

/// A statement with parameters.
///
/// Its name leads back to the code: it is sent in a comment behind the statement, together with the
/// function's name (`/*function='get-order',statement='FIND_ORDER'*/`). PlanetScale's query insights
/// show both as tags. The comment never changes within a process, so the statement is still prepared
/// once on each connection.
#[derive(Debug, Clone)]
pub struct Statement {
    name: &'static str,
    sql: Cow<'static, str>,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Read { index: &'static str },
    Write,
    IdempotentWrite,
}

impl Statement {
    /// A SELECT, which may be repeated. `index` is the name that EXPLAIN has for the index that it must
    /// use. It is empty for a read of anything but rows of a table. Such a read may take the
    /// statement's whole limit before its connection counts as silent.
    ///
    /// # Panics
    ///
    /// If the text does not begin with `SELECT `, because the time limit is put behind that word, or
    /// if the name has other characters than letters, digits, `_`, `-` and `.`. Such a constant does
    /// not compile.
    pub const fn read(name: &'static str, sql: &'static str, index: &'static str) -> Self {
        assert!(matches!(
            sql.as_bytes().split_first_chunk(),
            Some((b"SELECT ", _))
        ));
        Self::new(name, sql, Kind::Read { index })
    }

    /// A write. If it may have happened, it is not repeated.
    ///
    /// vtgate itself sends a statement again when it loses a tablet, unless the statement is in a
    /// transaction (source: `tabletgateway.go`). So a write that must not happen twice, such as
    /// `SET stock = stock - 1`, belongs in a [transaction](crate::Session::transaction).
    ///
    /// # Panics
    ///
    /// If the name has characters that [`Statement::read`] does not allow.
    pub const fn write(name: &'static str, sql: &'static str) -> Self {
        Self::new(name, sql, Kind::Write)
    }

    /// A write that has the same effect and the same answer if it happens twice.
    ///
    /// # Panics
    ///
    /// If the name has characters that [`Statement::read`] does not allow.
    pub const fn idempotent_write(name: &'static str, sql: &'static str) -> Self {
        Self::new(name, sql, Kind::IdempotentWrite)
    }

    const fn new(name: &'static str, sql: &'static str, kind: Kind) -> Self {
        assert!(is_plain(name));
        let sql = Cow::Borrowed(sql);
        Self { name, sql, kind }
    }

    /// The same INSERT for `rows` rows. It must end in `VALUES` and one group of values, which is
    /// repeated.
    #[must_use]
    pub fn with_rows(&self, rows: usize) -> Self {
        const VALUES: &str = " VALUES ";
        let sql = match self.sql.rsplit_once(VALUES) {
            Some((head, group)) => {
                let groups = vec![group; rows].join(", ");
                Cow::Owned(format!("{head}{VALUES}{groups}"))
            }
            None => self.sql.clone(),
        };
        Self { sql, ..*self }
    }

    /// The text with these SQL literals in the places of its parameters.
    pub(super) fn with_literals(&self, literals: &[&str]) -> String {
        let mut literals = literals.iter();
        let parts = self.sql.split_inclusive('?').map(|part| {
            match (part.strip_suffix('?'), literals.next()) {
                (Some(before), Some(literal)) => format!("{before}{literal}"),
                _ => part.to_owned(),
            }
        });
        parts.collect()
    }

    /// The name of the constant in the code.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The text, as the catalogue has it.
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// The index that a read must use, if it reads by one.
    pub fn index(&self) -> Option<&'static str> {
        match self.kind {
            Kind::Read { index } if !index.is_empty() => Some(index),
            Kind::Read { .. } | Kind::Write | Kind::IdempotentWrite => None,
        }
    }

    pub(super) fn is_repeatable(&self) -> bool {
        self.kind != Kind::Write
    }

    pub(super) fn is_write(&self) -> bool {
        !matches!(self.kind, Kind::Read { .. })
    }

    /// Whether it is a read without an index, which can take the server a long time.
    pub(super) fn may_take_long(&self) -> bool {
        self.kind == Kind::Read { index: "" }
    }

    /// The text to send, with its tags. A SELECT tells the server to stop after `limit`. MySQL and
    /// Vitess each have a hint of their own for that (PlanetScale's documentation, system limits), and
    /// other servers ignore both. The limit is part of the text, and each text is prepared once, so
    /// callers use few different limits.
    pub(super) fn limited(&self, limit: Duration) -> String {
        let (function, Self { name, sql, .. }) = (&*FUNCTION_TAG, self);
        let tags = format_args!("/*{function}statement='{name}'*/");
        match (self.kind, sql.strip_prefix("SELECT ")) {
            (Kind::Read { .. }, Some(rest)) => {
                let limit = limit.as_millis();
                format!(
                    "SELECT /*+ MAX_EXECUTION_TIME({limit}) */ /*vt+ QUERY_TIMEOUT_MS={limit} */ {rest} {tags}"
                )
            }
            _ => format!("{sql} {tags}"),
        }
    }
}

/// Whether a tag's value needs no escapes (sqlcommenter's specification: values are URL-encoded).
const fn is_plain(value: &str) -> bool {
    let mut rest = value.as_bytes();
    while let Some((byte, others)) = rest.split_first() {
        if !byte.is_ascii_alphanumeric() && !matches!(byte, b'_' | b'-' | b'.') {
            return false;
        }
        rest = others;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_carries_its_name_and_a_read_its_limit_too() {
        let limit = Duration::from_secs(2);
        let read = Statement::read("FIND", "SELECT id FROM orders WHERE id = ?", "PRIMARY");
        assert_eq!(
            read.limited(limit),
            "SELECT /*+ MAX_EXECUTION_TIME(2000) */ /*vt+ QUERY_TIMEOUT_MS=2000 */ id FROM orders WHERE id = ? /*statement='FIND'*/"
        );
        let write = Statement::write("CHANGE", "UPDATE orders SET status = ?");
        assert_eq!(
            write.limited(limit),
            "UPDATE orders SET status = ? /*statement='CHANGE'*/"
        );
    }

    #[test]
    fn literals_take_the_places_of_parameters() {
        let read = Statement::read("LIST", "SELECT a FROM t WHERE b = ? LIMIT ?", "PRIMARY");
        assert_eq!(
            read.with_literals(&["'x'", "2"]),
            "SELECT a FROM t WHERE b = 'x' LIMIT 2"
        );
    }

    #[test]
    fn a_tag_that_would_need_escapes_is_not_plain() {
        for (value, plain) in [
            ("orders-GetOrder-1A", true),
            ("it's", false),
            ("a b", false),
        ] {
            assert_eq!(is_plain(value), plain, "{value}");
        }
    }

    #[test]
    fn rows_repeat_the_group_of_values() {
        let insert = Statement::write("INSERT", "INSERT INTO items (a, b) VALUES (?, ?)");
        assert_eq!(
            insert.with_rows(3).sql(),
            "INSERT INTO items (a, b) VALUES (?, ?), (?, ?), (?, ?)"
        );
        assert_eq!(insert.with_rows(1).sql(), insert.sql());
        let with_call = Statement::write("INSERT", "INSERT INTO items (a, b) VALUES (?, NOW(6))");
        assert_eq!(
            with_call.with_rows(2).sql(),
            "INSERT INTO items (a, b) VALUES (?, NOW(6)), (?, NOW(6))"
        );
    }
}
