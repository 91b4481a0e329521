//! How many a line item sells, and whole numbers in JSON.

use std::fmt;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::rule::Rule;

/// A whole number in JSON. `2`, `2.0` and `2e0` are the same number, as in JSON Schema, and `-0` is
/// 0. A number that does not fit into the type becomes the type's largest, so that the rule about
/// the value reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WholeNumber(pub(super) i64);

impl<'de> Deserialize<'de> for WholeNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Numbers;

        impl Visitor<'_> for Numbers {
            type Value = WholeNumber;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number")
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<WholeNumber, E> {
                Ok(WholeNumber(number))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<WholeNumber, E> {
                Ok(WholeNumber(i64::try_from(number).unwrap_or(i64::MAX)))
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<WholeNumber, E> {
                if number.fract() != 0.0 {
                    return Err(E::invalid_type(de::Unexpected::Float(number), &self));
                }
                #[expect(clippy::cast_possible_truncation, reason = "it saturates")]
                Ok(WholeNumber(number as i64))
            }
        }

        deserializer.deserialize_any(Numbers)
    }
}

/// The quantity of a line item: 1 to [`Quantity::MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Quantity(u32);

impl Quantity {
    /// The largest quantity of a line item.
    pub const MAX: u32 = 1_000_000;

    /// The number.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<WholeNumber> for Quantity {
    type Error = Rule;

    fn try_from(WholeNumber(number): WholeNumber) -> Result<Self, Rule> {
        number.try_into()
    }
}

impl TryFrom<i64> for Quantity {
    type Error = Rule;

    fn try_from(number: i64) -> Result<Self, Rule> {
        match u32::try_from(number) {
            Ok(number @ 1..=Self::MAX) => Ok(Self(number)),
            _ => Err(Rule::Quantity),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_number_may_have_any_json_form() {
        let read = |json: &str| serde_json::from_str::<WholeNumber>(json).ok();
        for (json, number) in [
            ("2", 2),
            ("2.0", 2),
            ("2e0", 2),
            ("0.2e1", 2),
            ("200E-2", 2),
            ("-1.0", -1),
            ("0", 0),
            ("-0", 0),
            ("-0.0", 0),
            ("0e9", 0),
            ("0e999", 0),
            ("9223372036854775807", i64::MAX),
            ("9223372036854775808", i64::MAX),
            ("18446744073709551616", i64::MAX),
            ("1e300", i64::MAX),
            ("-9223372036854775809", i64::MIN),
            ("-1e300", i64::MIN),
        ] {
            assert_eq!(read(json), Some(WholeNumber(number)), "{json}");
        }
        for json in ["1.5", "-0.5", "1e-1", "\"2\"", "null", "true", "[2]", "{}"] {
            assert_eq!(read(json), None, "{json}");
        }
    }

    #[test]
    fn quantities_have_bounds() {
        for right in [1, 2, 1_000_000] {
            assert_eq!(i64::from(Quantity::try_from(right).unwrap().get()), right);
        }
        for wrong in [i64::MIN, -1, 0, 1_000_001, i64::MAX] {
            assert_eq!(Quantity::try_from(wrong), Err(Rule::Quantity));
        }
    }
}
