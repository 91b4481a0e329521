//! What a line item sells.

use std::str::FromStr;

use icu_normalizer::ComposingNormalizer;
use icu_properties::props::{
    BidiClass, DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup,
};
use icu_properties::{CodePointMapData, CodePointSetData};
use serde::Serialize;

use super::rule::Rule;

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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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

    proptest! {
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
