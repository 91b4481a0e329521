//! The names of the backups that this function makes. It deletes no other.

use time::{
    OffsetDateTime, PrimitiveDateTime, format_description::BorrowedFormatItem,
    macros::format_description,
};

const PREFIX: &str = "back-up-database-";

/// What follows is when the backup was asked for, in UTC.
const TIME: &[BorrowedFormatItem<'_>] =
    format_description!("[year][month][day]T[hour][minute][second]Z");

/// The name of a backup that is asked for at this time, in UTC.
pub fn name(at: OffsetDateTime) -> String {
    // The time is formatted by its fields alone, all of which it has.
    PREFIX.to_owned() + &at.format(TIME).unwrap_or_default()
}

/// Whether this function made the backup of this name.
pub fn made(name: &str) -> bool {
    let time = name.strip_prefix(PREFIX);
    time.is_some_and(|time| PrimitiveDateTime::parse(time, TIME).is_ok())
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_backup_is_known_by_its_name() {
        let own = name(datetime!(2026-11-27 05:20:00 UTC));
        assert_eq!(own, "back-up-database-20261127T052000Z");
        assert!(made(&own));
        for other in [
            "",
            "nightly",
            "back-up-database",
            "back-up-database-before-the-move",
            "back-up-database-20261327T052000Z",
            "my-back-up-database-20261127T052000Z",
            "back-up-database-20261127T052000Z-kept",
        ] {
            assert!(!made(other), "{other}");
        }
    }
}
