//! Money: decimal amounts in the currencies of ISO 4217.

use std::fmt;
use std::str::FromStr;

use database::Value;
use rust_decimal::Decimal;
use serde::{Serialize, Serializer};

use super::quantity::Quantity;
use super::rule::Rule;

/// The currencies in use, by their number of decimals: ISO 4217, list one, as of 2026.
///
/// Codes without a minor unit, such as gold (XAU) or "no currency" (XXX), are left out because
/// nothing can be priced in them.
const CURRENCIES: [(u32, &[&str]); 4] = [
    (
        0,
        &[
            "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI",
            "VND", "VUV", "XAF", "XOF", "XPF",
        ],
    ),
    (
        2,
        &[
            "AED", "AFN", "ALL", "AMD", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT",
            "BMD", "BND", "BOB", "BOV", "BRL", "BSD", "BTN", "BWP", "BYN", "BZD", "CAD", "CDF",
            "CHE", "CHF", "CHW", "CNY", "COP", "COU", "CRC", "CUP", "CVE", "CZK", "DKK", "DOP",
            "DZD", "EGP", "ERN", "ETB", "EUR", "FJD", "FKP", "GBP", "GEL", "GHS", "GIP", "GMD",
            "GTQ", "GYD", "HKD", "HNL", "HTG", "HUF", "IDR", "ILS", "INR", "IRR", "JMD", "KES",
            "KGS", "KHR", "KPW", "KYD", "KZT", "LAK", "LBP", "LKR", "LRD", "LSL", "MAD", "MDL",
            "MGA", "MKD", "MMK", "MNT", "MOP", "MRU", "MUR", "MVR", "MWK", "MXN", "MXV", "MYR",
            "MZN", "NAD", "NGN", "NIO", "NOK", "NPR", "NZD", "PAB", "PEN", "PGK", "PHP", "PKR",
            "PLN", "QAR", "RON", "RSD", "RUB", "SAR", "SBD", "SCR", "SDG", "SEK", "SGD", "SHP",
            "SLE", "SOS", "SRD", "SSP", "STN", "SVC", "SYP", "SZL", "THB", "TJS", "TMT", "TOP",
            "TRY", "TTD", "TWD", "TZS", "UAH", "USD", "USN", "UYU", "UZS", "VED", "VES", "WST",
            "XAD", "XCD", "XCG", "YER", "ZAR", "ZMW", "ZWG",
        ],
    ),
    (3, &["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"]),
    (4, &["CLF", "UYW"]),
];

/// Currencies that are no longer in use: ISO 4217, list three, since 2021. Orders placed in
/// them can still be read. When ISO withdraws a code, move it here.
const WITHDRAWN: [(u32, &[&str]); 1] = [(2, &["ANG", "BGN", "CUC", "HRK", "SLL", "ZWL"])];

/// A currency of ISO 4217, and how many decimals its amounts have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Currency {
    code: &'static str,
    decimals: u32,
}

impl Currency {
    /// The three capital letters.
    pub fn code(self) -> &'static str {
        self.code
    }

    /// How many decimals an amount has: 2 for EUR, 0 for JPY, 3 for BHD, 4 for CLF.
    pub fn decimals(self) -> u32 {
        self.decimals
    }

    /// Reads the code of a placed order, whose currency may have been withdrawn since.
    pub(super) fn stored(code: &str) -> Result<Self, Rule> {
        Self::among(CURRENCIES.iter().chain(&WITHDRAWN), code)
    }

    fn among<'a>(
        mut currencies: impl Iterator<Item = &'a (u32, &'static [&'static str])>,
        text: &str,
    ) -> Result<Self, Rule> {
        currencies
            .find_map(|&(decimals, codes)| {
                let code = *codes.iter().find(|code| **code == text)?;
                Some(Self { code, decimals })
            })
            .ok_or(Rule::Currency)
    }
}

impl FromStr for Currency {
    type Err = Rule;

    fn from_str(text: &str) -> Result<Self, Rule> {
        Self::among(CURRENCIES.iter(), text)
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code)
    }
}

impl From<Currency> for Value {
    fn from(currency: Currency) -> Self {
        Value::from(currency.code)
    }
}

/// 9999999999.99, the largest value of a DECIMAL(12, 2). It is the bound in every currency.
const LARGEST_IN_HUNDREDTHS: i64 = 999_999_999_999;

/// An amount of some currency: 0 to 9999999999.99, with exactly the currency's decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amount(Decimal);

impl Amount {
    /// Reads digits with an optional point and decimals, at most as many as the currency has.
    pub fn parse(text: &str, currency: Currency) -> Result<Self, Rule> {
        let (whole, fraction) = match text.split_once('.') {
            Some((_, "")) => return Err(Rule::Amount),
            Some(parts) => parts,
            None => (text, ""),
        };
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let needless_zero = whole.len() > 1 && whole.starts_with('0');
        if whole.is_empty() || needless_zero || !digits(whole) || !digits(fraction) {
            return Err(Rule::Amount);
        }
        if fraction.len() > currency.decimals as usize {
            return Err(Rule::Decimals(currency.decimals));
        }
        // Only digits are left, so a number that does not fit is too large.
        let number = Decimal::from_str_exact(text).map_err(|_| Rule::AmountTooLarge)?;
        Self::new(number, currency).ok_or(Rule::AmountTooLarge)
    }

    /// Reads a number from the table, which keeps four decimals in every currency.
    pub(super) fn stored(number: Decimal, currency: Currency) -> Result<Self, Rule> {
        let amount = Self::new(number, currency).ok_or(Rule::AmountTooLarge)?;
        if amount.0 == number {
            Ok(amount)
        } else {
            Err(Rule::Decimals(currency.decimals))
        }
    }

    /// What `lines` cost together, or `None` if that is more than an amount can be.
    pub(super) fn total(
        mut lines: impl Iterator<Item = (Quantity, Amount)>,
        currency: Currency,
    ) -> Option<Self> {
        let sum = lines.try_fold(Decimal::ZERO, |sum, line| {
            let (quantity, Amount(price)) = line;
            sum.checked_add(price.checked_mul(Decimal::from(quantity.get()))?)
        });
        Self::new(sum?, currency)
    }

    fn new(mut number: Decimal, currency: Currency) -> Option<Self> {
        number.rescale(currency.decimals);
        let fits = !number.is_sign_negative() && number <= Decimal::new(LARGEST_IN_HUNDREDTHS, 2);
        fits.then_some(Self(number))
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl From<Amount> for Value {
    fn from(Amount(number): Amount) -> Self {
        Value::from(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn currency(code: &str) -> Currency {
        code.parse().unwrap()
    }

    fn amount(text: &str, code: &str) -> Result<String, Rule> {
        Amount::parse(text, currency(code)).map(|amount| amount.to_string())
    }

    #[test]
    fn currencies_have_their_decimals() {
        let known = [
            ("JPY", 0),
            ("KRW", 0),
            ("EUR", 2),
            ("USD", 2),
            ("BHD", 3),
            ("CLF", 4),
        ];
        for (code, decimals) in known {
            assert_eq!(
                (currency(code).code(), currency(code).decimals()),
                (code, decimals)
            );
        }
        for wrong in ["", "eur", "EU", "EURO", "XXX", "XAU", "DEM", "EUR ", "€"] {
            assert_eq!(wrong.parse::<Currency>(), Err(Rule::Currency), "{wrong:?}");
        }
    }

    #[test]
    fn a_withdrawn_currency_can_be_read_but_not_chosen() {
        assert_eq!("BGN".parse::<Currency>(), Err(Rule::Currency));
        let lev = Currency::stored("BGN").unwrap();
        assert_eq!((lev.code(), lev.decimals()), ("BGN", 2));
        assert_eq!(Currency::stored("EUR"), "EUR".parse());
        assert_eq!(Currency::stored("DEM"), Err(Rule::Currency));
    }

    #[test]
    fn every_code_has_three_letters_and_appears_once() {
        let currencies = CURRENCIES.iter().chain(&WITHDRAWN);
        let mut codes: Vec<_> = currencies.flat_map(|(_, codes)| *codes).collect();
        assert!(codes.iter().all(|code| code.len() == 3));
        assert!(
            codes
                .iter()
                .all(|code| code.bytes().all(|byte| byte.is_ascii_uppercase()))
        );
        let count = codes.len();
        codes.sort();
        codes.dedup();
        assert_eq!(codes.len(), count);
    }

    #[test]
    fn wrong_amounts_are_refused_with_the_broken_rule() {
        let nonsense = [
            "", ".", "4.", ".5", "+4", "-4", "-0", "4e2", " 4", "4 ", "4,50", "1_000", "00",
            "00.5", "01", "0x10", "NaN", "４", "4.5.0", "4.-5", "4\0",
        ];
        for text in nonsense {
            assert_eq!(amount(text, "EUR"), Err(Rule::Amount), "{text:?}");
        }
        assert_eq!(amount("4.500", "EUR"), Err(Rule::Decimals(2)));
        assert_eq!(amount("4.0", "JPY"), Err(Rule::Decimals(0)));
        assert_eq!(amount("4.1234", "BHD"), Err(Rule::Decimals(3)));
        let endless = "9".repeat(100_000);
        for text in ["10000000000", "99999999999.99", &endless] {
            assert_eq!(amount(text, "EUR"), Err(Rule::AmountTooLarge));
        }
        assert_eq!(amount("9999999999.9901", "CLF"), Err(Rule::AmountTooLarge));
    }

    #[test]
    fn a_total_has_a_bound() {
        let total = |quantity: i64, price: &str, lines: usize| {
            let eur = currency("EUR");
            let price = Amount::parse(price, eur).unwrap();
            let line = (Quantity::try_from(quantity).unwrap(), price);
            Amount::total(std::iter::repeat_n(line, lines), eur).map(|total| total.to_string())
        };
        assert_eq!(total(2, "4.50", 1).as_deref(), Some("9.00"));
        assert_eq!(total(3, "0.10", 3).as_deref(), Some("0.90"));
        assert_eq!(
            total(1, "9999999999.99", 1).as_deref(),
            Some("9999999999.99")
        );
        assert_eq!(total(2, "5000000000.00", 1), None);
        assert_eq!(total(1, "5000000000.00", 2), None);
        assert_eq!(total(1_000_000, "9999999999.99", 100), None);
    }

    #[test]
    fn stored_amounts_must_fit_their_currency() {
        let stored = |text: &str, code| {
            Amount::stored(text.parse().unwrap(), currency(code)).map(|amount| amount.to_string())
        };
        assert_eq!(stored("4.5000", "EUR").as_deref(), Ok("4.50"));
        assert_eq!(stored("450.0000", "JPY").as_deref(), Ok("450"));
        assert_eq!(stored("4.5010", "EUR"), Err(Rule::Decimals(2)));
        assert_eq!(stored("-4.5000", "EUR"), Err(Rule::AmountTooLarge));
    }

    proptest! {
        #[test]
        fn an_amount_survives_its_text_and_the_table(
            hundredths in 0..=LARGEST_IN_HUNDREDTHS,
            code in prop::sample::select(vec!["JPY", "EUR", "BHD", "CLF"]),
        ) {
            let currency = currency(code);
            let number = Decimal::new(hundredths, 2).trunc_with_scale(currency.decimals);
            let amount = Amount::parse(&number.to_string(), currency).unwrap();
            prop_assert_eq!(Amount::parse(&amount.to_string(), currency), Ok(amount));

            let mut column = amount.0;
            column.rescale(4);
            prop_assert_eq!(Amount::stored(column, currency), Ok(amount));

            let text = amount.to_string();
            let decimals = text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
            prop_assert_eq!(decimals, currency.decimals as usize);
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in "[0-9.eE+-]{0,40}|.*") {
            if let Ok(amount) = Amount::parse(&text, currency("EUR")) {
                prop_assert!(amount.to_string().starts_with(&text));
            }
        }
    }
}
