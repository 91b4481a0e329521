//! The values that orders consist of, each parsed once, and their rules.

use std::fmt;
use std::str::FromStr;

use database::Value;
use icu_normalizer::ComposingNormalizer;
use icu_properties::props::{
    BidiClass, DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup,
};
use icu_properties::{CodePointMapData, CodePointSetData};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::macros::format_description;
use time::{PrimitiveDateTime, UtcDateTime};
use uuid::Uuid;

/// The rule that a refused value breaks.
///
/// Its text tells a client what would be right. It never repeats the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each variant's message says all of it")]
pub enum Rule {
    #[error("must be a UUID in its hyphenated form")]
    OrderId,
    #[error("must be 1 to 255 visible ASCII characters")]
    CustomerId,
    #[error(
        "must be 1 to {} visible characters that are written from left to right, with spaces only between them",
        Sku::MAX_LENGTH
    )]
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

/// What a line item sells: 1 to [`Sku::MAX_LENGTH`] characters, kept unchanged.
///
/// All characters must be visible and stay where they are written, so that no two SKUs differ only
/// in something invisible:
///
/// - Letters, numbers, punctuation and symbols are allowed if their script is written from left to
///   right, and so are spaces (U+0020) between them.
/// - The text must be in Unicode's normalization form C, in which `é` is one character. Combining
///   marks are not allowed.
/// - Control and format characters (zero-width, bidirectional, joiners), fillers, variation
///   selectors and other white space are not allowed.
///
/// Letters of different scripts may still look alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sku(String);

impl Sku {
    /// The largest number of characters.
    pub const MAX_LENGTH: usize = 64;

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Sku {
    type Err = Rule;

    fn from_str(text: &str) -> Result<Self, Rule> {
        // One extra character is enough to know that there are too many.
        let length = text.chars().take(Self::MAX_LENGTH + 1).count();
        let fits = (1..=Self::MAX_LENGTH).contains(&length);
        let visible = |letter| letter == ' ' || is_visible(letter);
        if fits
            && text.trim() == text
            && text.chars().all(visible)
            && ComposingNormalizer::new_nfc().is_normalized(text)
        {
            Ok(Self(text.to_owned()))
        } else {
            Err(Rule::Sku)
        }
    }
}

/// Whether a character shows a shape of its own, written from left to right.
fn is_visible(letter: char) -> bool {
    // Both are symbols, but blank.
    const BRAILLE_BLANK: char = '\u{2800}';
    const NULL_NOTE_HEAD: char = '\u{1d159}';
    let shapes = GeneralCategoryGroup::Letter
        .union(GeneralCategoryGroup::Number)
        .union(GeneralCategoryGroup::Punctuation)
        .union(GeneralCategoryGroup::Symbol);
    let category = CodePointMapData::<GeneralCategory>::new().get(letter);
    let direction = CodePointMapData::<BidiClass>::new().get(letter);
    shapes.contains(category)
        && !matches!(
            direction,
            BidiClass::RightToLeft | BidiClass::ArabicLetter | BidiClass::ArabicNumber
        )
        && !CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(letter)
        && ![BRAILLE_BLANK, NULL_NOTE_HEAD].contains(&letter)
}

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

    #[test]
    fn a_sku_is_visible_text_of_any_script_that_is_written_from_left_to_right() {
        let longest = "🫖".repeat(64);
        for right in [
            "TEA-1",
            "茶 1",
            "ファイル",
            "차",
            "café",
            "Чай",
            "Ένα",
            "'; DROP TABLE orders; --",
            "<a href=\"x\">$€½²№</a>",
            "a  b",
            "🫖",
            &longest,
        ] {
            assert_eq!(right.parse::<Sku>().unwrap().as_str(), right);
        }
        let too_long = "🫖".repeat(65);
        for wrong in ["", " ", " TEA", "TEA ", &too_long] {
            assert_eq!(wrong.parse::<Sku>(), Err(Rule::Sku), "{wrong:?}");
        }
    }

    #[test]
    fn a_sku_with_invisible_or_bidirectional_characters_is_refused() {
        let kinds = [
            ("control", '\0'..='\u{1f}'),
            ("control", '\u{7f}'..='\u{9f}'),
            ("no-break space", '\u{a0}'..='\u{a0}'),
            ("soft hyphen", '\u{ad}'..='\u{ad}'),
            ("combining mark", '\u{300}'..='\u{36f}'),
            ("Hebrew letter", '\u{5d0}'..='\u{5ea}'),
            ("Arabic letter mark", '\u{61c}'..='\u{61c}'),
            ("Arabic letter", '\u{620}'..='\u{64a}'),
            ("Arabic number", '\u{660}'..='\u{669}'),
            ("Hangul filler", '\u{115f}'..='\u{1160}'),
            ("Ogham space", '\u{1680}'..='\u{1680}'),
            ("Khmer inherent vowel", '\u{17b4}'..='\u{17b5}'),
            ("Mongolian variation selector", '\u{180b}'..='\u{180f}'),
            (
                "space, zero-width and bidirectional",
                '\u{2000}'..='\u{200f}',
            ),
            (
                "separator, bidirectional, narrow space",
                '\u{2028}'..='\u{202f}',
            ),
            (
                "mathematical space, word joiner, isolate",
                '\u{205f}'..='\u{206f}',
            ),
            ("Braille blank", '\u{2800}'..='\u{2800}'),
            ("ideographic space", '\u{3000}'..='\u{3000}'),
            ("Hangul filler", '\u{3164}'..='\u{3164}'),
            ("private use", '\u{e000}'..='\u{e001}'),
            ("variation selector", '\u{fe00}'..='\u{fe0f}'),
            ("byte order mark", '\u{feff}'..='\u{feff}'),
            ("Hangul filler", '\u{ffa0}'..='\u{ffa0}'),
            ("annotation, noncharacter", '\u{fff0}'..='\u{fffb}'),
            (
                "blank note head, musical control",
                '\u{1d159}'..='\u{1d159}',
            ),
            ("musical control", '\u{1d173}'..='\u{1d17a}'),
            ("tag", '\u{e0000}'..='\u{e007f}'),
            ("variation selector", '\u{e0100}'..='\u{e01ef}'),
        ];
        for (kind, letters) in kinds {
            for letter in letters {
                for text in [
                    format!("A{letter}B"),
                    format!("{letter}A"),
                    format!("A{letter}"),
                ] {
                    assert_eq!(text.parse::<Sku>(), Err(Rule::Sku), "{kind}: {text:?}");
                }
            }
        }
    }

    #[test]
    fn a_sku_is_in_normalization_form_c() {
        // An e with an accent, a Kelvin sign, an Ohm sign, a syllable of single Hangul letters.
        for decomposed in ["cafe\u{301}", "\u{212a}", "\u{2126}", "\u{1100}\u{1161}"] {
            assert_eq!(decomposed.parse::<Sku>(), Err(Rule::Sku), "{decomposed:?}");
        }
    }

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

        #[test]
        fn no_two_skus_differ_only_in_something_invisible(text in "[A-Z茶é ]{1,8}", hidden: char) {
            let with_hidden = format!("A{hidden}{text}B");
            if let Ok(sku) = with_hidden.parse::<Sku>() {
                prop_assert_eq!(sku.as_str(), with_hidden.as_str());
                prop_assert!(hidden == ' ' || hidden.is_alphanumeric() || !hidden.is_whitespace());
                prop_assert!(!hidden.is_control());
            }
        }
    }
}
