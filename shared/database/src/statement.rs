//! Statements as constants, with what may be done when their answer is lost.

use std::{borrow::Cow, time::Duration};

/// A statement with parameters.
#[derive(Debug, Clone)]
pub struct Statement {
    sql: Cow<'static, str>,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Read { index: &'static str },
    Write,
    IdempotentWrite,
    Ddl,
}

impl Statement {
    /// A SELECT, which may be repeated; `index` is the one that it must use, as EXPLAIN names
    /// it.
    ///
    /// # Panics
    ///
    /// Where the text does not begin with `SELECT `, for its time limit is put behind that word: a
    /// constant does not compile then.
    pub const fn read(sql: &'static str, index: &'static str) -> Self {
        assert!(matches!(
            sql.as_bytes().split_first_chunk(),
            Some((b"SELECT ", _))
        ));
        Self {
            sql: Cow::Borrowed(sql),
            kind: Kind::Read { index },
        }
    }

    /// A write that is never repeated when it may have happened.
    pub const fn write(sql: &'static str) -> Self {
        Self {
            sql: Cow::Borrowed(sql),
            kind: Kind::Write,
        }
    }

    /// A write whose effect and whose answer are the same when it happens twice.
    pub const fn idempotent_write(sql: &'static str) -> Self {
        Self {
            sql: Cow::Borrowed(sql),
            kind: Kind::IdempotentWrite,
        }
    }

    /// A statement of a migration, without parameters. It is sent as text: Vitess does not prepare
    /// all of them, and a `?` or a `:name` in a comment is none. It is never repeated when it may
    /// have happened.
    pub fn ddl(sql: impl Into<String>) -> Self {
        Self {
            sql: Cow::Owned(sql.into()),
            kind: Kind::Ddl,
        }
    }

    /// An INSERT that ends in `VALUES` and one group of them, for `rows` rows: the group is
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
        let kind = self.kind;
        Self { sql, kind }
    }

    /// The text, as the catalogue has it.
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// The index that a read must use.
    pub fn index(&self) -> Option<&'static str> {
        match self.kind {
            Kind::Read { index } => Some(index),
            Kind::Write | Kind::IdempotentWrite | Kind::Ddl => None,
        }
    }

    pub(super) fn is_repeatable(&self) -> bool {
        !matches!(self.kind, Kind::Write | Kind::Ddl)
    }

    pub(super) fn is_text(&self) -> bool {
        self.kind == Kind::Ddl
    }

    pub(super) fn is_write(&self) -> bool {
        !matches!(self.kind, Kind::Read { .. })
    }

    /// The text to send. A SELECT tells the server to stop after `limit`, to MySQL in its own
    /// hint and to Vitess in its own (PlanetScale's documentation, system limits); others pass
    /// over both. The limit is part of the text, and each text is prepared once, so callers
    /// keep the number of different limits small.
    pub(super) fn limited(&self, limit: Duration) -> Cow<'_, str> {
        match (self.kind, self.sql.strip_prefix("SELECT ")) {
            (Kind::Read { .. }, Some(rest)) => {
                let limit = limit.as_millis();
                Cow::Owned(format!(
                    "SELECT /*+ MAX_EXECUTION_TIME({limit}) */ /*vt+ QUERY_TIMEOUT_MS={limit} */ {rest}"
                ))
            }
            _ => Cow::Borrowed(&self.sql),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_carries_its_limit() {
        let read = Statement::read("SELECT id FROM orders WHERE id = ?", "PRIMARY");
        assert_eq!(
            read.limited(Duration::from_secs(2)),
            "SELECT /*+ MAX_EXECUTION_TIME(2000) */ /*vt+ QUERY_TIMEOUT_MS=2000 */ id FROM orders WHERE id = ?"
        );
    }

    #[test]
    fn a_write_is_sent_as_it_stands() {
        let write = Statement::write("UPDATE orders SET status = ?");
        assert_eq!(write.limited(Duration::from_secs(2)), write.sql());
    }

    #[test]
    fn rows_repeat_the_group_of_values() {
        let insert = Statement::write("INSERT INTO items (a, b) VALUES (?, ?)");
        assert_eq!(
            insert.with_rows(3).sql(),
            "INSERT INTO items (a, b) VALUES (?, ?), (?, ?), (?, ?)"
        );
        assert_eq!(insert.with_rows(1).sql(), insert.sql());
        let with_call = Statement::write("INSERT INTO items (a, b) VALUES (?, NOW(6))");
        assert_eq!(
            with_call.with_rows(2).sql(),
            "INSERT INTO items (a, b) VALUES (?, NOW(6)), (?, NOW(6))"
        );
    }
}
