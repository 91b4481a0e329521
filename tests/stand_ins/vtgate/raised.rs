//! Errors on their way to a client, in the form that Vitess gives them.

use super::errors::{COMMAND_DENIED, Code, Form, TRANSACTION_POISONED, VitessError};
use super::wire::SqlError;

/// An error on its way to a client: one of the table's, or one of the real server's.
#[derive(Debug)]
pub(super) struct Raised {
    number: u16,
    state: String,
    form: Form,
    text: String,
    pub(super) loses_server: bool,
    pub(super) poisons: bool,
}

/// What a message repeats of the statement that met the error.
#[derive(Default)]
pub(super) struct Echo<'a> {
    pub(super) keyspace: &'a str,
    pub(super) caller: &'a str,
    pub(super) sql: &'a str,
    pub(super) bind_variables: &'a str,
}

impl From<VitessError> for Raised {
    fn from(error: VitessError) -> Self {
        Self {
            number: error.number,
            state: error.state.to_owned(),
            form: error.form,
            text: error.text.to_owned(),
            loses_server: error.loses_server,
            poisons: error.name == TRANSACTION_POISONED.name,
        }
    }
}

impl From<SqlError> for Raised {
    fn from(error: SqlError) -> Self {
        Self {
            number: error.number,
            state: error.state,
            form: Form::MySql(Code::of_mysql(error.number)),
            text: error.message,
            loses_server: false,
            poisons: false,
        }
    }
}

impl Raised {
    /// An error as it is.
    pub(super) fn plain(error: SqlError) -> Self {
        Self {
            form: Form::Plain,
            ..Self::from(error)
        }
    }

    /// MySQL's refusal for want of a grant, as vttablet words its own for want of a role.
    pub(super) fn denied(error: &SqlError, role: &str) -> Option<Self> {
        const TABLE_ACCESS_DENIED: u16 = 1142;
        let (command, rest) = error.message.split_once(" command denied to user ")?;
        let table = rest.rsplit(['\'', '`']).nth(1)?;
        let (first, others) = command.split_at_checked(1)?;
        (error.number == TABLE_ACCESS_DENIED).then(|| Self {
            number: COMMAND_DENIED.number,
            state: COMMAND_DENIED.state.to_owned(),
            form: COMMAND_DENIED.form,
            text: format!(
                "{first}{} command denied to user 'planetscale-{role}' for table '{table}' (ACL check error)",
                others.to_lowercase()
            ),
            loses_server: false,
            poisons: false,
        })
    }

    /// The error as the client gets it.
    pub(super) fn about(&self, echo: &Echo<'_>) -> SqlError {
        let Echo {
            keyspace,
            caller,
            sql,
            bind_variables,
        } = echo;
        let Self { number, state, .. } = self;
        let text = self
            .text
            .replace("{keyspace}", keyspace)
            .replace("{sql}", sql);
        let shard = format!("target: {keyspace}.-.primary");
        let message = match self.form {
            Form::MySql(code) => format!(
                "{shard}: vttablet: rpc error: code = {code} desc = {text} (errno {number}) (sqlstate {state}) \
                 (CallerID: {caller}): Sql: {sql:?}, BindVars: {{{bind_variables}}}"
            ),
            Form::Tablet(code) => format!(
                "{shard}: vttablet: rpc error: code = {code} desc = {text} (CallerID: {caller})"
            ),
            Form::Call(code) => {
                format!("{shard}: vttablet: rpc error: code = {code} desc = {text}")
            }
            Form::Shard => format!("{shard}: {text}"),
            Form::Plain => text,
        };
        SqlError::new(*number, state, message)
    }

    /// Whether vtgate rolls an open transaction back by itself after it.
    pub(super) const fn ends_transaction(&self) -> bool {
        match self.form {
            Form::MySql(code) | Form::Tablet(code) | Form::Call(code) => code.ends_transaction(),
            Form::Shard | Form::Plain => false,
        }
    }
}
