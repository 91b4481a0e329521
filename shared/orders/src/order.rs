//! Placed orders: their JSON, and how they are read from the table.

use rust_decimal::Decimal;
use serde::Serialize;
use time::PrimitiveDateTime;

use super::ids::{CustomerId, OrderId};
use super::money::{Amount, Currency};
use super::quantity::Quantity;
use super::rule::Rule;
use super::sku::Sku;
use super::statements::FIND_ORDER;
use super::status::OrderStatus;
use super::timestamp::Timestamp;
use database::{DatabaseError, Joined, Session};

/// A placed order. Its JSON is the wire format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Order {
    /// Its id.
    pub id: OrderId,
    /// Its customer.
    pub customer_id: CustomerId,
    /// Its status.
    pub status: OrderStatus,
    /// The currency of its amounts.
    pub currency: Currency,
    /// Its items, in the sequence in which the customer gave them.
    pub items: Vec<Item>,
    /// The price of all items.
    pub total: Amount,
    /// 1 for a new order, one more after each change.
    pub version: u32,
    /// When it was placed.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// A line item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Item {
    /// What is sold.
    pub sku: Sku,
    /// The quantity.
    pub quantity: Quantity,
    /// The price of one, in the order's currency.
    pub unit_price: Amount,
}

/// An order without its items, for lists. Its JSON is the wire format.
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

/// Reads the order with this id, if there is one, in one round trip.
pub async fn find(session: &mut Session<'_>, id: OrderId) -> Result<Option<Order>, DatabaseError> {
    let rows: Vec<Joined<OrderRow, ItemRow>> = session.rows(&FIND_ORDER, (id,)).await?;
    let mut items = Vec::with_capacity(rows.len());
    let mut summary = None;
    for Joined(order, item) in rows {
        let order = OrderSummary::read(order)?;
        items.push(Item::read(&order, item)?);
        summary = Some(order);
    }
    Ok(summary.map(|order| order.with(items)))
}

/// Runs the same read as [`find`], and fails whenever that would fail.
pub async fn can_be_read(session: &mut Session<'_>) -> Result<(), DatabaseError> {
    find(session, OrderId::MAX).await.map(drop)
}

database::row! {
    /// The columns that every read of an order returns.
    pub(super) struct OrderRow {
        id: [u8; 16],
        customer_id: String,
        status: String,
        currency: String,
        total: Decimal,
        version: u32,
        created_at: PrimitiveDateTime,
        updated_at: PrimitiveDateTime,
    }
}

database::row! {
    struct ItemRow {
        sku: String,
        quantity: u32,
        unit_price: Decimal,
    }
}

impl OrderSummary {
    pub(super) fn read(row: OrderRow) -> Result<Self, DatabaseError> {
        let id = OrderId::from_bytes(row.id);
        let currency = Currency::stored(&row.currency).map_err(unreadable(id, "currency"))?;
        let customer_id = row.customer_id.parse();
        Ok(Self {
            id,
            customer_id: customer_id.map_err(unreadable(id, "customer_id"))?,
            status: row.status.parse().map_err(unreadable(id, "status"))?,
            currency,
            total: Amount::stored(row.total, currency).map_err(unreadable(id, "total"))?,
            version: row.version,
            created_at: row.created_at.into(),
            updated_at: row.updated_at.into(),
        })
    }

    fn with(self, items: Vec<Item>) -> Order {
        Order {
            id: self.id,
            customer_id: self.customer_id,
            status: self.status,
            currency: self.currency,
            items,
            total: self.total,
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }
}

impl Item {
    fn read(order: &OrderSummary, row: ItemRow) -> Result<Self, DatabaseError> {
        let price = Amount::stored(row.unit_price, order.currency);
        Ok(Self {
            sku: row.sku.parse().map_err(unreadable(order.id, "sku"))?,
            quantity: i64::from(row.quantity)
                .try_into()
                .map_err(unreadable(order.id, "quantity"))?,
            unit_price: price.map_err(unreadable(order.id, "unit_price"))?,
        })
    }
}

/// The error for a stored value that breaks a rule. Something else wrote it, or a rule became
/// stricter than the stored orders. The place is logged, and the client sees a fault of ours.
fn unreadable(order: OrderId, column: &'static str) -> impl FnOnce(Rule) -> DatabaseError {
    move |rule| {
        tracing::error!(%order, column, %rule, "a stored order breaks a rule");
        DatabaseError::Refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACED: PrimitiveDateTime = time::macros::datetime!(2026-11-22 09:00:00.123456);

    /// The row of the order that the documentation shows.
    fn row() -> OrderRow {
        let id: OrderId = "0197c1f0-7a3e-7c11-9d0e-2f6f3c1d9a55".parse().unwrap();
        OrderRow {
            id: *id.as_bytes(),
            customer_id: "cust-0042".to_owned(),
            status: "pending".to_owned(),
            currency: "EUR".to_owned(),
            total: Decimal::new(90000, 4),
            version: 1,
            created_at: PLACED,
            updated_at: PLACED,
        }
    }

    #[test]
    fn an_order_is_written_in_the_wire_format() {
        let order = OrderSummary::read(row()).unwrap();
        let item = ItemRow {
            sku: "TEA-1".to_owned(),
            quantity: 2,
            unit_price: Decimal::new(45000, 4),
        };
        let items = vec![Item::read(&order, item).unwrap()];
        let json = r#"{"id":"0197c1f0-7a3e-7c11-9d0e-2f6f3c1d9a55","customer_id":"cust-0042","#
            .to_owned()
            + r#""status":"pending","currency":"EUR","#
            + r#""items":[{"sku":"TEA-1","quantity":2,"unit_price":"4.50"}],"#
            + r#""total":"9.00","version":1,"created_at":"2026-11-22T09:00:00.123456Z","#
            + r#""updated_at":"2026-11-22T09:00:00.123456Z"}"#;
        assert_eq!(serde_json::to_string(&order.with(items)).unwrap(), json);
    }

    #[test]
    fn a_stored_value_that_breaks_a_rule_is_an_error() {
        assert!(OrderSummary::read(row()).is_ok());
        let spoil: [fn(&mut OrderRow); 5] = [
            |row| row.customer_id.clear(),
            |row| row.status.clear(),
            |row| row.status = "lost".to_owned(),
            |row| row.currency = "DEM".to_owned(),
            |row| row.total = Decimal::new(45001, 4),
        ];
        for (number, spoil) in spoil.iter().enumerate() {
            let mut row = row();
            spoil(&mut row);
            let refused = OrderSummary::read(row);
            assert!(matches!(refused, Err(DatabaseError::Refused)), "{number}");
        }
    }
}
