//! The API's document, `functions/openapi.yaml`, agrees with the template's routes and with the limits
//! of the code.

use std::collections::BTreeSet;

use orders::{Currency, CustomerId, Draft, Limit, NewOrder, OrderStatus, Quantity, Sku};
use serde_json::{Value, json};
use tests::openapi::{Document, FILE};

use crate::{document::yaml, routes};

#[test]
fn every_route_is_documented_and_the_other_way_round() {
    let document = Document::of_the_api().unwrap();
    let documented: BTreeSet<String> = document
        .paths
        .iter()
        .flat_map(|(path, operations)| {
            let methods = operations.keys();
            methods.map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        .collect();
    let routed: BTreeSet<String> = routes().into_values().flatten().collect();
    assert_eq!(documented, routed);
}

fn text(length: u64) -> String {
    "x".repeat(length.try_into().unwrap())
}

/// An order with this number of items.
fn order(items: u64) -> bool {
    let item = json!({ "sku": "TEA-1", "quantity": 1, "unit_price": "4.50" });
    let items = vec![item; items.try_into().unwrap()];
    let order = json!({ "customer_id": "cust-1", "currency": "EUR", "items": items }).to_string();
    let draft: Draft<'_> = serde_json::from_str(&order).unwrap();
    NewOrder::parse(&draft).is_ok()
}

/// Whether the code takes a value.
type Accepts = fn(u64) -> bool;

/// The place of a schema, what follows `min` and `max` in the names of its limits there, and what the
/// code takes.
const LIMITS: [(&str, &str, Accepts); 5] = [
    ("/components/schemas/CustomerId", "Length", |length| {
        text(length).parse::<CustomerId>().is_ok()
    }),
    ("/components/schemas/Sku", "Length", |length| {
        text(length).parse::<Sku>().is_ok()
    }),
    ("/components/schemas/Quantity", "imum", |number| {
        Quantity::try_from(i64::try_from(number).unwrap()).is_ok()
    }),
    (
        "/components/schemas/NewOrder/properties/items",
        "Items",
        order,
    ),
    (LIMIT, "imum", |number| {
        number.to_string().parse::<Limit>().is_ok()
    }),
];

const LIMIT: &str = "/paths/~1customers~1{customer_id}~1orders/get/parameters/1/schema";

#[test]
fn the_limits_of_the_document_are_those_of_the_code() {
    let document = yaml(FILE);
    for (place, of, accepts) in LIMITS {
        let schema = document.pointer(place).unwrap();
        let [least, most] = ["min", "max"].map(|which| schema[format!("{which}{of}")].as_u64());
        let (least, most) = (least.unwrap(), most.unwrap());
        for (value, accepted) in [
            (least - 1, false),
            (least, true),
            (most, true),
            (most + 1, false),
        ] {
            assert_eq!(accepts(value), accepted, "{place}: {value}");
        }
    }
    let limit = &document.pointer(LIMIT).unwrap()["default"];
    assert_eq!(limit.to_string().parse(), Ok(Limit::default()));
    let statuses = OrderStatus::ALL.map(OrderStatus::as_str);
    let documented = &document["components"]["schemas"]["Status"]["enum"];
    assert_eq!(*documented, json!(statuses));
}

#[test]
fn the_currencies_and_their_decimals_are_those_of_the_code() {
    let letters = || 'A'..='Z';
    let codes = letters().flat_map(|first| letters().map(move |second| (first, second)));
    let codes = codes.flat_map(|(first, second)| {
        letters().map(move |third| String::from_iter([first, second, third]))
    });
    let currencies: Vec<Currency> = codes.filter_map(|code| code.parse().ok()).collect();

    let document = yaml(FILE);
    let groups = &document["components"]["schemas"]["NewOrder"]["anyOf"];
    let mut documented = 0;
    for group in groups.as_array().unwrap() {
        let pattern = "/properties/items/items/properties/unit_price/pattern";
        let pattern = group.pointer(pattern).unwrap();
        let of_group = |decimals: u32| {
            let fraction = format!(r"(\.[0-9]{{1,{decimals}}})?");
            let fraction = if decimals == 0 { "" } else { &fraction };
            *pattern == format!("^(0|[1-9][0-9]{{0,9}}){fraction}$")
        };
        let expected: Vec<_> = currencies
            .iter()
            .filter(|currency| of_group(currency.decimals()))
            .map(|currency| Value::from(currency.code()))
            .collect();
        let codes = &group["properties"]["currency"]["enum"];
        assert_eq!(*codes, Value::Array(expected), "{pattern}");
        documented += codes.as_array().unwrap().len();
    }
    assert_eq!(documented, currencies.len());
}
