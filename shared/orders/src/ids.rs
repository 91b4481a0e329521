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

    #[test]
    fn an_id_has_the_hyphenated_form() {
        let text = "0197c1f0-7a3e-7c11-9d0e-2f6f3c1d9a55";
        for right in [
            text,
            "00000000-0000-0000-0000-000000000000",
            &text.to_uppercase(),
        ] {
            let id: OrderId = right.parse().unwrap();
            assert_eq!(id.to_string(), right.to_lowercase());
        }
        let wrong = [
            "",
            "1",
            "0197c1f07a3e7c119d0e2f6f3c1d9a55",
            "{0197c1f0-7a3e-7c11-9d0e-2f6f3c1d9a55}",
            "urn:uuid:0197c1f0-7a3e-7c11-9d0e-2f6f3c1d9a55",
            "0197c1f0-7a3e-7c11-9d0e-2f6f3c1d9a5g",
            "0197c1f0-7a3e7-c11-9d0e-2f6f3c1d9a55",
            " 197c1f0-7a3e-7c11-9d0e-2f6f3c1d9a55",
        ];
        for wrong in wrong {
            assert_eq!(wrong.parse::<OrderId>(), Err(Rule::OrderId), "{wrong:?}");
        }
    }

    #[test]
    fn a_customer_id_is_what_openid_connect_allows_for_a_subject() {
        let longest = "c".repeat(255);
        for right in [
            "cust-0042",
            "auth0|65f",
            "eu:Ab_1.2@x",
            "7",
            "alice+test@example.com",
            "https://issuer.example/users/7?a=b#c",
            "a%2Fb",
            "'--\"\\`{}~!",
            &longest,
        ] {
            assert_eq!(right.parse::<CustomerId>().unwrap().as_str(), right);
        }
        let too_long = "c".repeat(256);
        for wrong in [
            "",
            " ",
            "a b",
            " a",
            "a ",
            "é",
            "a\0",
            "a\n",
            "a\t",
            "a\u{7f}",
            "🍵",
            "a\u{200b}",
            &too_long,
        ] {
            assert_eq!(
                wrong.parse::<CustomerId>(),
                Err(Rule::CustomerId),
                "{wrong:?}"
            );
        }
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
