//! The values that orders are made of, each parsed once, and the rules that they keep.

use std::fmt;
use std::str::FromStr;

use database::Value;
use serde::{Serialize, Serializer};
use time::macros::format_description;
use time::{PrimitiveDateTime, UtcDateTime};
use uuid::Uuid;

/// The rule that a refused value breaks.
///
/// Its text says to a client what would have been right. It never repeats the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each variant's message says all of it")]
pub enum Rule {
    #[error("must be a UUID in its hyphenated form")]
    OrderId,
    #[error("must be 1 to 64 characters out of letters, digits and . _ : | @ -")]
    CustomerId,
    #[error("must be 1 to 64 characters, no control characters, no white space at either end")]
    Sku,
    #[error("must be 1 to {}", Quantity::MAX)]
    Quantity,
    #[error("must be one of pending, paid, shipped, delivered, cancelled")]
    Status,
    #[error("must be the ISO 4217 code of a currency in use, such as EUR")]
    Currency,
    #[error("must be a decimal number such as 4.50, without sign, exponent or needless zeros")]
    Amount,
    #[error("must have no more decimals than its currency, which has {0}")]
    Decimals(u32),
    #[error("must be at most 9999999999.99")]
    AmountTooLarge,
    #[error("must have 1 to 100 items")]
    Items,
    #[error("must not add up to more than 9999999999.99")]
    TotalTooLarge,
    #[error("must be 1 to 100")]
    Limit,
    #[error("must be the `next` of a page of the same list")]
    Cursor,
}

/// An order's id: a UUID, of version 7 when made here, so that ids sort by the time of placing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct OrderId(Uuid);

impl OrderId {
    /// Greater than any id that is made: the bound of a list's first page.
    pub(super) const MAX: Self = Self(Uuid::max());

    /// An id of its own, greater than every one that this process made before.
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

/// Takes a UUID of any version, so that ids from elsewhere can be brought along, and letters of
/// either case (RFC 9562, section 4), but only the form with hyphens.
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

/// A customer's id, as the identity provider gives it: 1 to 64 of letters, digits and
/// `. _ : | @ -`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CustomerId(String);

impl CustomerId {
    /// The id's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CustomerId {
    type Err = Rule;

    fn from_str(text: &str) -> Result<Self, Rule> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:|@-".contains(&byte);
        if matches!(text.len(), 1..=64) && text.bytes().all(allowed) {
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

/// What a line item sells: 1 to 64 characters of any script, kept as they came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sku(String);

impl Sku {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Sku {
    type Err = Rule;

    fn from_str(text: &str) -> Result<Self, Rule> {
        // Sixty-five are enough to know that there are too many.
        let length = text.chars().take(65).count();
        if matches!(length, 1..=64) && text.trim() == text && !text.chars().any(char::is_control) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Rule::Sku)
        }
    }
}

/// How many of an item: 1 to [`Quantity::MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Quantity(u32);

impl Quantity {
    /// The most that one line item can ask for.
    pub const MAX: u32 = 1_000_000;

    /// The number.
    pub fn get(self) -> u32 {
        self.0
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

/// A moment in UTC, in whole microseconds as the table keeps it, so that what is answered when an
/// order is written is what is read later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(UtcDateTime);

impl Timestamp {
    /// The moment of the call.
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

pub(super) fn sha256(data: &[u8]) -> [u8; 32] {
    let digest = ring::digest::digest(&ring::digest::SHA256, data);
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest.as_ref());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn json(value: &impl Serialize) -> String {
        serde_json::to_string(value).unwrap()
    }

    #[test]
    fn made_ids_sort_by_time_and_stay_below_the_greatest() {
        let ids: Vec<_> = (0..1000).map(|_| OrderId::generate()).collect();
        assert!(ids.is_sorted_by(|earlier, later| earlier < later));
        assert!(ids.iter().all(|id| *id < OrderId::MAX));
        assert!(ids.iter().all(|id| id.0.get_version_num() == 7));
    }

    #[test]
    fn only_the_hyphenated_form_is_an_id() {
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
    fn customers_are_what_identity_providers_call_them() {
        let longest = "c".repeat(64);
        for right in ["cust-0042", "auth0|65f", "eu:Ab_1.2@x", "7", &longest] {
            assert_eq!(right.parse::<CustomerId>().unwrap().as_str(), right);
        }
        let too_long = "c".repeat(65);
        for wrong in [
            "", " ", "a b", "a/b", "a%2Fb", "é", "a\0", "'--", "a\n", &too_long,
        ] {
            assert_eq!(
                wrong.parse::<CustomerId>(),
                Err(Rule::CustomerId),
                "{wrong:?}"
            );
        }
    }

    #[test]
    fn skus_are_text_of_any_script_without_surprises() {
        let longest = "🫖".repeat(64);
        for right in ["TEA-1", "茶 1", "'; DROP TABLE orders; --", "🫖", &longest] {
            assert_eq!(right.parse::<Sku>().unwrap().as_str(), right);
        }
        let too_long = "🫖".repeat(65);
        for wrong in [
            "",
            " TEA",
            "TEA ",
            "TEA\u{a0}",
            "T\0A",
            "T\nA",
            "\u{7f}",
            &too_long,
        ] {
            assert_eq!(wrong.parse::<Sku>(), Err(Rule::Sku), "{wrong:?}");
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
    fn now_is_what_the_table_gives_back() {
        let now = Timestamp::now();
        let stored: PrimitiveDateTime = database::from_value(now.into());
        assert_eq!(Timestamp::from(stored), now);
    }

    proptest! {
        #[test]
        fn any_uuid_is_an_id_and_comes_back(bytes: [u8; 16]) {
            let id = OrderId::from_bytes(bytes);
            prop_assert_eq!(id.to_string().parse(), Ok(id));
            prop_assert_eq!(id.as_bytes(), &bytes);
        }

        #[test]
        fn any_text_is_read_without_a_panic(text: String) {
            prop_assert!(text.parse::<OrderId>().is_err());
            if let Ok(sku) = text.parse::<Sku>() {
                prop_assert_eq!(sku.as_str(), text.as_str());
            }
            let _ = text.parse::<CustomerId>();
        }
    }
}
