//! When something happened to an order.

use std::fmt;

use database::Value;
use serde::{Serialize, Serializer};
use time::macros::format_description;
use time::{PrimitiveDateTime, UtcDateTime};

/// A moment in UTC. It has whole microseconds, like the table, so that a new order is answered with
/// the same time that is read later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(UtcDateTime);

impl Timestamp {
    /// The current time.
    pub fn now() -> Self {
        Self(UtcDateTime::now().truncate_to_microsecond())
    }
}

impl From<PrimitiveDateTime> for Timestamp {
    fn from(utc: PrimitiveDateTime) -> Self {
        Self(utc.as_utc().truncate_to_microsecond())
    }
}

impl From<Timestamp> for Value {
    fn from(Timestamp(moment): Timestamp) -> Self {
        Value::from(PrimitiveDateTime::new(moment.date(), moment.time()))
    }
}

/// RFC 3339 with six digits of a second and `Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let format = format_description!(
            "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z"
        );
        f.write_str(&self.0.format(format).map_err(|_| fmt::Error)?)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(value: &impl Serialize) -> String {
        serde_json::to_string(value).unwrap()
    }

    #[test]
    fn times_have_six_digits() {
        let midnight = time::macros::datetime!(2026-11-22 00:00:00);
        assert_eq!(
            json(&Timestamp::from(midnight)),
            r#""2026-11-22T00:00:00.000000Z""#
        );
        let exact = time::macros::datetime!(2026-11-22 09:00:00.123456);
        assert_eq!(
            json(&Timestamp::from(exact)),
            r#""2026-11-22T09:00:00.123456Z""#
        );
    }

    #[test]
    fn now_has_the_precision_of_the_table() {
        let now = Timestamp::now();
        let stored: PrimitiveDateTime = database::from_value(now.into());
        assert_eq!(Timestamp::from(stored), now);
    }
}
