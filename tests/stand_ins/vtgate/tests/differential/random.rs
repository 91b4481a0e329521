//! Random conversations, as lines that could stand in the list of the fixed ones.

use fastrand::Rng;

use super::conversation::Conversation;

/// What may be said at any time; `#` stands for a random number.
const LINES: [&str; 24] = [
    "BEGIN",
    "BEGIN",
    "START TRANSACTION",
    "COMMIT",
    "COMMIT",
    "ROLLBACK",
    "INSERT INTO notes VALUES (#, #)",
    "INSERT INTO notes VALUES (#, #), (#, #)",
    "(#, #) INSERT INTO notes VALUES (?, ?)",
    "UPDATE notes SET n = # WHERE id = #",
    "(#, #) UPDATE notes SET n = ? WHERE id >= ?",
    "DELETE FROM notes WHERE id = #",
    "SELECT id, n FROM notes ORDER BY id",
    "(#) SELECT n FROM notes WHERE id < ? ORDER BY id",
    "SELECT id FROM nowhere",
    "SELECT FROM WHERE",
    "TRUNCATE notes",
    "USE `{keyspace}`",
    "USE other",
    "command: ping",
    "command: reset",
    "command: execute unknown statement",
    "met ROW_LIMIT: (#) SELECT id FROM many WHERE id <> ?",
    "met CHANGE_LIMIT: UPDATE many SET n = n + # + 1",
];

impl Conversation {
    /// A conversation of this seed.
    pub fn random(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let lines = (0..rng.usize(5..20)).map(|_| {
            let line = rng.choice(LINES).unwrap_or_default();
            let mut pieces = line.split('#');
            let mut text = pieces.next().unwrap_or_default().to_owned();
            for piece in pieces {
                text += &format!("{}{piece}", rng.u8(1..6));
            }
            text
        });
        Self {
            title: "Random".to_owned(),
            lines: lines.collect(),
        }
    }
}
