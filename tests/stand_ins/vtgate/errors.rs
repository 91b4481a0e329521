//! The errors of Vitess and PlanetScale, word for word.
//!
//! Each has a line in `errors.jsonl`, which also says when it comes, and how we know it: `seen` means
//! that real Vitess 24.0.4 answered it when it was provoked, `reported` that PlanetScale's
//! documentation or a public issue quotes it, `invented` that it stands for errors that are not known
//! yet. Otherwise it is in the named file of Vitess' source. Some come twice: PlanetScale documents
//! them as 1105, but Vitess answers another number.
//!
//! A line also says what the functions make of the error. If a transaction fails, or something behind
//! vtgate fails over, is full or is lost, the statement is sent again. vtgate itself is fine, so the
//! connection to it is kept, unless something on the way to it is lost or nobody knows what happened.
//! After `MESSAGE_TOO_LARGE` MySQL hangs up, and after `BRANCH_MISSING` and `INSECURE` PlanetScale's edge
//! does. What was too slow would be too slow again.

use std::sync::LazyLock;

use mysql_async::ServerError;
use serde::Deserialize;

/// An error of Vitess, as a client gets it.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub struct VitessError {
    /// Its name in these tests.
    pub name: String,
    /// The number that the client sees.
    pub number: u16,
    /// The SQLSTATE that the client sees.
    pub state: String,
    /// How we know it.
    pub known: String,
    /// What the client of a read gets after its statement met the error once.
    pub outcome: Outcome,
    /// Whether a function uses the connection again.
    pub keeps_connection: bool,
    /// Whether the statement may have been done in spite of the error. The other errors refuse it.
    #[serde(default)]
    pub may_be_done: bool,
    /// The text. `{keyspace}`, `{user}` and `{sql}` stand for those of the session.
    pub text: String,
}

/// What the client of a read gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The statement was repeated, and succeeded.
    SentAgain,
    /// 503: the time ran out.
    OutOfTime,
    /// 500: the statement is at fault.
    Refused,
}

#[expect(clippy::expect_used, reason = "the file is part of the program")]
static ALL: LazyLock<Vec<VitessError>> = LazyLock::new(|| {
    let lines = include_str!("errors.jsonl").lines();
    lines
        .map(|line| serde_json::from_str(line).expect("an error of Vitess"))
        .collect()
});

/// The error of this name.
///
/// # Panics
///
/// There is none.
#[must_use]
#[expect(clippy::panic, reason = "a test has a mistake")]
pub fn named(name: &str) -> &'static VitessError {
    let found = ALL.iter().find(|error| error.name == name);
    found.unwrap_or_else(|| panic!("there is no error {name}"))
}

impl VitessError {
    /// Every error.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        ALL.iter()
    }

    /// The error that the client of a session gets.
    pub(super) fn about(&self, keyspace: &str, user: &str, sql: &str) -> ServerError {
        let message = self.text.replace("{keyspace}", keyspace);
        ServerError {
            code: self.number,
            state: self.state.clone(),
            message: message.replace("{user}", user).replace("{sql}", sql),
        }
    }

    /// Whether vtgate rolls back an open transaction after this error (source: `scatter_conn.go`). It
    /// does so if something was aborted or a resource was exhausted.
    pub(super) fn ends_transaction(&self) -> bool {
        let says = |code: &str| self.text.contains(code);
        let without_code = self.is_of_tablet() && matches!(self.number, 1203 | 1317);
        says("code = Aborted") || says("code = ResourceExhausted") || without_code
    }

    /// Whether vtgate refuses everything but ROLLBACK after this error.
    pub(super) fn poisons(&self) -> bool {
        self.text.starts_with("VT15001")
    }

    /// Whether the connection to the server is lost, and its transaction with it.
    pub(super) fn loses_server(&self) -> bool {
        let lost = matches!(self.number, 1053 | 2006 | 2013);
        let because = [
            ", killing ",
            "context deadline",
            "error reading from server",
        ];
        self.is_of_tablet() && (lost || because.iter().any(|part| self.text.contains(part)))
    }

    fn is_of_tablet(&self) -> bool {
        self.text
            .starts_with("target: {keyspace}.-.primary: vttablet: ")
    }
}
