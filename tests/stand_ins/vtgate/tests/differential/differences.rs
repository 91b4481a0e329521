//! Where the two may differ, and why.

use super::side::Said;

pub struct Difference {
    pub name: &'static str,
    pub why: &'static str,
    /// Whether this is how the stand-in's words differ from those of Vitess.
    holds: fn(&str, &str) -> bool,
}

/// Each has to occur in the fixed conversations.
pub const DIFFERENCES: [Difference; 4] = [
    Difference {
        name: "numbers and echo",
        why: "an error on demand has the times and ids of the day on which it was seen, and no rows of this test",
        holds: |stand_in, vitess| without_numbers(stand_in) == without_numbers(vitess),
    },
    Difference {
        name: "read-only option",
        why: "MySQL names the option that the rights of the tablet's user make matter",
        holds: |stand_in, vitess| {
            let stand_in = without_numbers(stand_in).replace("--super-read-only", "--read-only");
            stand_in == without_numbers(vitess)
        },
    },
    Difference {
        name: "frame",
        why: "what MySQL refuses, the stand-in says in MySQL's words, and vtgate says where it met them",
        holds: |stand_in, vitess| {
            let words = vitess.split_once(" desc = ").map(|(_, words)| words);
            let words = words.and_then(|words| words.split_once(" (errno "));
            words.is_some_and(|(words, _)| words == stand_in)
        },
    },
    Difference {
        name: "place of a syntax error",
        why: "only a parser of Vitess' own knows it",
        holds: |stand_in, vitess| {
            let syntax_error = |text: &str| text.starts_with("syntax error at position ");
            syntax_error(stand_in) && syntax_error(vitess)
        },
    },
];

/// Whether both said the same but for one of the differences, which is returned.
pub fn between(stand_in: &Said, vitess: &Said) -> Option<&'static Difference> {
    let (Said::Refused(ours), Said::Refused(theirs)) = (stand_in, vitess) else {
        return None;
    };
    if (ours.code, &ours.state) != (theirs.code, &theirs.state) {
        return None;
    }
    DIFFERENCES
        .iter()
        .find(|difference| (difference.holds)(&ours.message, &theirs.message))
}

/// The text up to what was echoed, with `#` for each number and its unit.
pub fn without_numbers(text: &str) -> String {
    let echo = text.find(" (CallerID: ").unwrap_or(text.len());
    let (text, _) = text.split_at(echo);
    let pieces = text.split_inclusive(|c: char| !c.is_ascii_alphanumeric() && c != '.');
    let words = pieces.map(|piece| {
        let digit = |c: char| c.is_ascii_digit();
        let unit = |c: char| c.is_ascii_alphanumeric() || c == '.';
        match piece.starts_with(digit) {
            true => format!("#{}", piece.trim_start_matches(unit)),
            false => piece.to_owned(),
        }
    });
    words.collect()
}
