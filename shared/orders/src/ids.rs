//! Whose an order is, and which one.

use std::fmt;
use std::str::FromStr;

use database::Value;
use serde::{Serialize, Serializer};
use uuid::Uuid;

use super::rule::Rule;

/// An order's id: a UUID. Those made here have version 7, so they sort by the time of placing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct OrderId(Uuid);

impl OrderId {
    /// Greater than any generated id. It bounds the first page of a list.
    pub(super) const MAX: Self = Self(Uuid::max());

    /// A new id, greater than all that this process has generated.
    pub fn generate() -> Self {
        Self(Uuid::now_v7())
    }

    pub(super) const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    pub(super) fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

/// Accepts a UUID of any version, so that ids from elsewhere can be imported. Letters may be of
/// either case (RFC 9562, section 4). Only the form with hyphens is accepted.
impl FromStr for OrderId {
    type Err = Rule;

    fn from_str(text: &str) -> Result<Self, Rule> {
        const HYPHENATED_LENGTH: usize = 36;
        if text.len() != HYPHENATED_LENGTH {
            return Err(Rule::OrderId);
        }
        Uuid::try_parse(text).map(Self).map_err(|_| Rule::OrderId)
    }
}

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl Serialize for OrderId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl From<OrderId> for Value {
    fn from(id: OrderId) -> Self {
        Value::from(*id.as_bytes())
    }
}

/// A customer's id: 1 to 255 visible ASCII characters, which is what OpenID Connect allows for a
/// token's `sub` (OpenID Connect Core 1.0, section 2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CustomerId(String);

impl CustomerId {
    /// The text of the id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CustomerId {
    type Err = Rule;

    fn from_str(text: &str) -> Result<Self, Rule> {
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        if matches!(text.len(), 1..=255) && visible {
            Ok(Self(text.to_owned()))
        } else {
            Err(Rule::CustomerId)
        }
    }
}

impl From<&CustomerId> for Value {
    fn from(id: &CustomerId) -> Self {
        Value::from(id.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn generated_ids_sort_by_time_and_stay_below_the_greatest() {
        let ids: Vec<_> = (0..1000).map(|_| OrderId::generate()).collect();
        assert!(ids.is_sorted_by(|earlier, later| earlier < later));
        assert!(ids.iter().all(|id| *id < OrderId::MAX));
        assert!(ids.iter().all(|id| id.0.get_version_num() == 7));
    }

    proptest! {
        #[test]
        fn any_uuid_is_an_id(bytes: [u8; 16]) {
            let id = OrderId::from_bytes(bytes);
            prop_assert_eq!(id.to_string().parse(), Ok(id));
            prop_assert_eq!(id.as_bytes(), &bytes);
        }

        #[test]
        fn any_text_is_read_without_a_panic(text: String) {
            prop_assert!(text.parse::<OrderId>().is_err());
            let _ = text.parse::<CustomerId>();
        }
    }
}
