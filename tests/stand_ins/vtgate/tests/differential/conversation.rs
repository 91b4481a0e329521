//! Conversations with vtgate, as text. A line is one of these:
//!
//! | line | what it does |
//! | --- | --- |
//! | `SELECT …` | sends a statement as text |
//! | `(1, 2) INSERT …` | prepares a statement, and executes it with these parameters |
//! | `met ROW_LIMIT: SELECT …` | sends a statement that meets this error at vtgate. The stand-in is asked for it |
//! | `command: reset` | sends another command of the protocol |
//! | `rival: …` | another client of vtgate sends a statement, which may wait for a lock |
//! | `mysql: kill` | does something to the MySQL behind vtgate |

use std::time::Duration;

use tests::stand_ins::vtgate::errors::{VitessError, named};

/// The lines of a new session. The table `notes` is empty when it begins.
#[derive(Debug)]
pub struct Conversation {
    /// What it is about.
    pub title: String,
    pub lines: Vec<Line>,
}

#[derive(Debug)]
pub struct Line {
    pub text: String,
    pub what: What,
}

#[derive(Debug)]
pub enum What {
    Statement {
        sql: String,
        /// Those of a prepared statement.
        parameters: Option<Vec<i64>>,
        /// What it meets at vtgate.
        met: Option<&'static VitessError>,
    },
    Command(Command),
    Rival {
        name: String,
        sql: String,
    },
    MySql(Event),
}

#[derive(Debug, Clone)]
pub enum Command {
    Reset,
    Ping,
    ChangeUser,
    ExecuteUnknown,
    InitDb(String),
}

/// What happens to the MySQL behind vtgate.
#[derive(Debug, Clone, Copy)]
pub enum Event {
    /// The tablet's connections are killed.
    Kill,
    ReadOnly,
    Writable,
    /// Nothing for a while.
    Rest(Duration),
}

impl Conversation {
    /// Reads conversations that blank lines separate. The first line of each is its title.
    pub fn all(text: &str) -> Vec<Self> {
        let conversations = text.split("\n\n").map(|conversation| {
            let (title, lines) = conversation.trim().split_once('\n').unwrap();
            Self {
                title: title.trim_start_matches("# ").to_owned(),
                lines: lines.lines().map(Line::parse).collect(),
            }
        });
        conversations.collect()
    }
}

impl Line {
    pub fn parse(text: &str) -> Self {
        let what = match text.split_once(": ") {
            Some(("command", command)) => What::Command(match command.split_once(' ') {
                Some(("database", name)) => Command::InitDb(name.to_owned()),
                _ => match command {
                    "reset" => Command::Reset,
                    "ping" => Command::Ping,
                    "change user" => Command::ChangeUser,
                    "execute unknown statement" => Command::ExecuteUnknown,
                    _ => panic!("no command: {command}"),
                },
            }),
            Some((name, sql)) if name.ends_with("rival") => What::Rival {
                name: name.to_owned(),
                sql: sql.to_owned(),
            },
            Some(("mysql", event)) => What::MySql(match event {
                "kill" => Event::Kill,
                "read-only" => Event::ReadOnly,
                "writable" => Event::Writable,
                rest => {
                    let seconds = rest.strip_prefix("rest ").unwrap().parse().unwrap();
                    Event::Rest(Duration::from_secs(seconds))
                }
            }),
            Some((met, statement)) if met.starts_with("met ") => {
                statement_of(statement, met.strip_prefix("met ").map(named))
            }
            _ => statement_of(text, None),
        };
        Self {
            text: text.to_owned(),
            what,
        }
    }
}

fn statement_of(text: &str, met: Option<&'static VitessError>) -> What {
    let prepared = text
        .strip_prefix('(')
        .and_then(|rest| rest.split_once(") "));
    let (parameters, sql) = match prepared {
        Some((numbers, sql)) => {
            let numbers = numbers.split(", ").filter(|number| !number.is_empty());
            let numbers = numbers.map(|number| number.parse().unwrap()).collect();
            (Some(numbers), sql)
        }
        None => (None, text),
    };
    What::Statement {
        sql: sql.to_owned(),
        parameters,
        met,
    }
}
