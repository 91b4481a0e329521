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

/// The lines of a new session. The table `notes` is empty when it begins.
#[derive(Debug)]
pub struct Conversation {
    /// What it is about.
    pub title: String,
    pub lines: Vec<String>,
}

impl Conversation {
    /// Reads conversations that blank lines separate. The first line of each is its title.
    pub fn all(text: &str) -> Vec<Self> {
        let conversations = text.split("\n\n").map(|conversation| {
            let (title, lines) = conversation.trim().split_once('\n').unwrap();
            Self {
                title: title.trim_start_matches("# ").to_owned(),
                lines: lines.lines().map(str::to_owned).collect(),
            }
        });
        conversations.collect()
    }
}
