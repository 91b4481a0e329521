//! Placed orders, how they are answered, and how they are read from the table.

use rust_decimal::Decimal;
use serde::Serialize;
use time::PrimitiveDateTime;

use super::money::{Amount, Currency};
use super::statements::FIND_ORDER;
use super::status::OrderStatus;
use super::values::{CustomerId, OrderId, Quantity, Rule, Sku, Timestamp};
use database::{DatabaseError, Session};

/// A placed order. Its JSON is the wire format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Order {
    /// Its id.
    pub id: OrderId,
    /// Whose it is.
    pub customer_id: CustomerId,
    /// Where it is on its way.
    pub status: OrderStatus,
    /// The currency of its amounts.
    pub currency: Currency,
    /// What was ordered, in the order in which the customer gave it.
    pub items: Vec<Item>,
    /// What all items cost together.
    pub total: Amount,
    /// 1 when placed, one more with each change.
    pub version: u32,
    /// When it was placed.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

/// A line item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Item {
    /// What is sold.
    pub sku: Sku,
    /// How many of it.
    pub quantity: Quantity,
    /// What one costs, in the order's currency.
    pub unit_price: Amount,
}

/// An order without its items, as lists give it. Its JSON is the wire format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "each field is the one of Order")]
pub struct OrderSummary {
    pub id: OrderId,
    pub customer_id: CustomerId,
    pub status: OrderStatus,
    pub currency: Currency,
    pub total: Amount,
    pub version: u32,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// The order with this id, or nothing. One round trip.
pub async fn find(session: &mut Session<'_>, id: OrderId) -> Result<Option<Order>, DatabaseError> {
    let rows: Vec<OrderAndItem> = session.rows(&FIND_ORDER, (id,)).await?;
    let Some((customer_id, status, currency, total, version, created_at, updated_at, ..)) =
        rows.first()
    else {
        return Ok(None);
    };
    let customer_id = customer_id.parse().map_err(unreadable(id, "customer_id"))?;
    let columns = (
        status.as_str(),
        currency.as_str(),
        *total,
        *version,
        *created_at,
        *updated_at,
    );
    let order = OrderSummary::read(id, customer_id, columns)?;
    let items = rows
        .iter()
        .map(|(.., sku, quantity, price)| Item::read(id, order.currency, sku, *quantity, *price))
        .collect::<Result<_, _>>()?;
    Ok(Some(Order {
        id,
        customer_id: order.customer_id,
        status: order.status,
        currency: order.currency,
        items,
        total: order.total,
        version: order.version,
        created_at: order.created_at,
        updated_at: order.updated_at,
    }))
}

/// A row of [`FIND_ORDER`].
type OrderAndItem = (
    String,
    String,
    String,
    Decimal,
    u32,
    PrimitiveDateTime,
    PrimitiveDateTime,
    String,
    u32,
    Decimal,
);

/// Status, currency, total, version, created and updated: what every read of an order has.
pub(super) type Columns<'a> = (
    &'a str,
    &'a str,
    Decimal,
    u32,
    PrimitiveDateTime,
    PrimitiveDateTime,
);

impl OrderSummary {
    pub(super) fn read(
        id: OrderId,
        customer_id: CustomerId,
        (status, currency, total, version, created_at, updated_at): Columns<'_>,
    ) -> Result<Self, DatabaseError> {
        let currency = Currency::stored(currency).map_err(unreadable(id, "currency"))?;
        Ok(Self {
            id,
            customer_id,
            status: status.parse().map_err(unreadable(id, "status"))?,
            currency,
            total: Amount::stored(total, currency).map_err(unreadable(id, "total"))?,
            version,
            created_at: created_at.into(),
            updated_at: updated_at.into(),
        })
    }
}

impl Item {
    fn read(
        order: OrderId,
        currency: Currency,
        sku: &str,
        quantity: u32,
        unit_price: Decimal,
    ) -> Result<Self, DatabaseError> {
        Ok(Self {
            sku: sku.parse().map_err(unreadable(order, "sku"))?,
            quantity: i64::from(quantity)
                .try_into()
                .map_err(unreadable(order, "quantity"))?,
            unit_price: Amount::stored(unit_price, currency)
                .map_err(unreadable(order, "unit_price"))?,
        })
    }
}

/// A stored value that breaks a rule: something else wrote it, or a rule became stricter than
/// the orders that are there. It is logged with its place and answered as a fault of ours.
fn unreadable(order: OrderId, column: &'static str) -> impl FnOnce(Rule) -> DatabaseError {
    move |rule| {
        tracing::error!(%order, column, %rule, "a stored order breaks a rule");
        DatabaseError::Refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The order of the design's example, as its row is read.
    fn summary() -> OrderSummary {
        let placed = time::macros::datetime!(2026-11-22 09:00:00.123456);
        let columns = ("pending", "EUR", Decimal::new(90000, 4), 1, placed, placed);
        let id = "0197c1f0-7a3e-7c11-9d0e-2f6f3c1d9a55".parse().unwrap();
        OrderSummary::read(id, "cust-0042".parse().unwrap(), columns).unwrap()
    }

    #[test]
    fn an_order_is_written_as_clients_know_it() {
        let order = summary();
        let item = Item::read(order.id, order.currency, "TEA-1", 2, Decimal::new(45000, 4));
        let order = Order {
            id: order.id,
            customer_id: order.customer_id,
            status: order.status,
            currency: order.currency,
            items: vec![item.unwrap()],
            total: order.total,
            version: order.version,
            created_at: order.created_at,
            updated_at: order.updated_at,
        };
        let json = r#"{"id":"0197c1f0-7a3e-7c11-9d0e-2f6f3c1d9a55","customer_id":"cust-0042","#
            .to_owned()
            + r#""status":"pending","currency":"EUR","#
            + r#""items":[{"sku":"TEA-1","quantity":2,"unit_price":"4.50"}],"#
            + r#""total":"9.00","version":1,"created_at":"2026-11-22T09:00:00.123456Z","#
            + r#""updated_at":"2026-11-22T09:00:00.123456Z"}"#;
        assert_eq!(serde_json::to_string(&order).unwrap(), json);
    }

    #[test]
    fn lists_leave_the_items_out() {
        let json = serde_json::to_value(summary()).unwrap();
        let fields: Vec<_> = json.as_object().unwrap().keys().collect();
        assert!(!fields.iter().any(|field| *field == "items"));
        assert_eq!(fields.len(), 8);
    }

    #[test]
    fn a_stored_value_that_breaks_a_rule_is_an_error_and_no_panic() {
        let id = OrderId::generate();
        let now = time::macros::datetime!(2026-11-22 09:00:00);
        let read = |status, currency, total| {
            let columns = (status, currency, Decimal::new(total, 4), 1, now, now);
            OrderSummary::read(id, "c".parse().unwrap(), columns)
        };
        assert!(read("pending", "EUR", 45000).is_ok());
        for (status, currency, total) in [
            ("", "EUR", 45000),
            ("lost", "EUR", 45000),
            ("pending", "DEM", 45000),
            ("pending", "EUR", 45001),
        ] {
            let refused = read(status, currency, total);
            assert!(
                matches!(refused, Err(DatabaseError::Refused)),
                "{status} {currency} {total}"
            );
        }
    }
}
