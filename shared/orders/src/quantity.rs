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
