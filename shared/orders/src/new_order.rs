//! An order before it is placed.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::digest::sha256;
use super::ids::CustomerId;
use super::money::{Amount, Currency};
use super::order::Item;
use super::quantity::{Quantity, WholeNumber};
use super::rule::Rule;
use super::sku::Sku;

/// An order as a client wrote it. Its shape is right, but its values are not checked yet.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draft<'a> {
    /// The customer.
    #[serde(borrow)]
    pub customer_id: Cow<'a, str>,
    /// The currency of all its prices.
    #[serde(borrow)]
    pub currency: Cow<'a, str>,
    /// What is ordered.
    #[serde(borrow, deserialize_with = "objects")]
    pub items: Vec<DraftItem<'a>>,
}

/// A line item as a client wrote it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DraftItem<'a> {
    /// What is sold.
    #[serde(borrow)]
    pub sku: Cow<'a, str>,
    /// The quantity.
    pub quantity: WholeNumber,
    /// The price of one.
    #[serde(borrow)]
    pub unit_price: Cow<'a, str>,
}

/// Reads a list of structs from JSON objects only. The code that serde derives for a struct also
/// accepts an array of its fields in their order, but `["TEA-1", 2, "4.50"]` is not a line item.
fn objects<'de, D: Deserializer<'de>, T: Deserialize<'de>>(list: D) -> Result<Vec<T>, D::Error> {
    struct Object<T>(T);

    struct Objects<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_map(Objects(PhantomData)).map(Self)
        }
    }

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Objects<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a map")
        }

        fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<T, A::Error> {
            T::deserialize(MapAccessDeserializer::new(fields))
        }
    }

    let items = Vec::<Object<T>>::deserialize(list)?;
    Ok(items.into_iter().map(|Object(item)| item).collect())
}

/// An order that keeps every rule and has its total. It is ready to be placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOrder {
    pub(super) customer_id: CustomerId,
    pub(super) currency: Currency,
    pub(super) items: Vec<Item>,
    pub(super) total: Amount,
}

/// The first value of a draft that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} {rule}")]
pub struct Invalid {
    /// The field in the draft, such as `items[2].unit_price`.
    pub field: String,
    /// The rule that it breaks.
    pub rule: Rule,
}

impl NewOrder {
    /// The largest number of line items of an order.
    pub const MAX_ITEMS: usize = 100;

    /// Reads the fields of a draft in order, and stops at the first wrong one.
    pub fn parse(draft: &Draft<'_>) -> Result<Self, Invalid> {
        let customer_id = draft.customer_id.parse().map_err(at("customer_id"))?;
        let currency: Currency = draft.currency.parse().map_err(at("currency"))?;
        if !(1..=Self::MAX_ITEMS).contains(&draft.items.len()) {
            return Err(at("items")(Rule::Items));
        }
        let items = draft.items.iter().enumerate();
        let items = items
            .map(|(index, item)| Item::parse(item, currency, index))
            .collect::<Result<Vec<_>, _>>()?;
        let lines = items.iter().map(|item| (item.quantity, item.unit_price));
        let total =
            Amount::total(lines, currency).ok_or_else(|| at("items")(Rule::TotalTooLarge))?;
        Ok(Self {
            customer_id,
            currency,
            items,
            total,
        })
    }

    /// The customer.
    pub fn customer_id(&self) -> &CustomerId {
        &self.customer_id
    }

    /// The SHA-256 of what is ordered. Drafts that mean the same order have the same digest, in
    /// whatever way they are written. It is stored beside the idempotency key, so its form must not
    /// change.
    pub(super) fn digest(&self) -> [u8; 32] {
        // No value contains a control character, so none can forge the end of a line.
        let mut text = format!("{}\n{}\n", self.customer_id.as_str(), self.currency.code());
        for item in &self.items {
            let (sku, quantity, price) = (item.sku.as_str(), item.quantity.get(), item.unit_price);
            text.push_str(&format!("{sku}\n{quantity}\n{price}\n"));
        }
        sha256(text.as_bytes())
    }
}

impl Item {
    fn parse(draft: &DraftItem<'_>, currency: Currency, index: usize) -> Result<Self, Invalid> {
        let field = |name: &str| at(format!("items[{index}].{name}"));
        Ok(Self {
            sku: draft.sku.parse::<Sku>().map_err(field("sku"))?,
            quantity: Quantity::try_from(draft.quantity).map_err(field("quantity"))?,
            unit_price: Amount::parse(&draft.unit_price, currency).map_err(field("unit_price"))?,
        })
    }
}

fn at(field: impl Into<String>) -> impl FnOnce(Rule) -> Invalid {
    |rule| Invalid {
        field: field.into(),
        rule,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAFT: &str = r#"{"customer_id": "cust-0042", "currency": "EUR", "items": [
        {"sku": "TEA-1", "quantity": 2, "unit_price": "4.50"},
        {"sku": "caf\u00e9", "quantity": 1, "unit_price": "0"}]}"#;

    fn parse(json: &str) -> Result<NewOrder, Invalid> {
        NewOrder::parse(&serde_json::from_str(json).unwrap())
    }

    #[test]
    fn the_first_wrong_field_is_named() {
        for (right, wrong, message) in [
            (
                "cust-0042",
                "a b",
                "customer_id must be 1 to 255 visible ASCII characters",
            ),
            ("EUR", "EUX", "currency must be the ISO 4217 code"),
            (
                "TEA-1",
                "",
                "items[0].sku must be 1 to 64 visible characters",
            ),
            (": 2", ": 0", "items[0].quantity must be 1 to 1000000"),
            (": 2", ": -0.0", "items[0].quantity must be 1 to 1000000"),
            (": 2", ": 1e30", "items[0].quantity must be 1 to 1000000"),
            (": 1", ": -1", "items[1].quantity must be 1 to 1000000"),
            (
                "4.50",
                "4.505",
                "items[0].unit_price must have no more decimals",
            ),
            (
                "4.50",
                "-4.5",
                "items[0].unit_price must be a decimal number",
            ),
            (
                "4.50",
                "10000000000",
                "items[0].unit_price must be at most 9999999999.99",
            ),
            (
                "4.50",
                "5000000000",
                "items must not add up to more than 9999999999.99",
            ),
        ] {
            let error = parse(&DRAFT.replacen(right, wrong, 1))
                .unwrap_err()
                .to_string();
            assert!(error.starts_with(message), "{error}");
        }
    }

    #[test]
    fn drafts_that_mean_the_same_order_have_the_same_digest() {
        let digest = |json: &str| parse(json).unwrap().digest();
        let first = digest(DRAFT);
        for (right, same) in [
            ("4.50", "4.5"),
            (": 2", ": 2.0"),
            (r"\u00e9", "é"),
            (", ", ",\n  "),
        ] {
            assert_eq!(digest(&DRAFT.replace(right, same)), first, "{same}");
        }
        for (right, other) in [
            ("cust-0042", "cust-0043"),
            ("EUR", "USD"),
            ("TEA-1", "TEA-2"),
            (": 2", ": 3"),
            ("4.50", "4.51"),
        ] {
            assert_ne!(digest(&DRAFT.replace(right, other)), first, "{other}");
        }
    }

    #[test]
    fn the_digest_does_not_change_between_releases() {
        let text = "cust-0042\nEUR\nTEA-1\n2\n4.50\ncafé\n1\n0.00\n";
        assert_eq!(parse(DRAFT).unwrap().digest(), sha256(text.as_bytes()));
    }
}
