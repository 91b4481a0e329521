//! Placing an order, once, even when the request or the database's answer is lost on the way.

use database::{Params, Value};
use time::PrimitiveDateTime;

use super::new_order::NewOrder;
use super::order::Order;
use super::statements::{FIND_BY_KEY, INSERT_ITEMS, INSERT_ORDER};
use super::status::OrderStatus;
use super::values::{OrderId, Timestamp, sha256};
use database::{DatabaseError, Session};

/// What a client calls a request that it may send again: its own text, of any length.
///
/// Only the SHA-256 is kept: every key is as long as the next in the table, and none can be read
/// from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdempotencyKey([u8; 32]);

impl IdempotencyKey {
    /// The key that the client called `text`.
    pub fn new(text: &str) -> Self {
        Self(sha256(text.as_bytes()))
    }
}

/// An order that is in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The order as it was when it was placed.
    pub order: Order,
    /// Whether an earlier request with the same key had placed it.
    pub replayed: bool,
}

/// Why an order was not placed.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// The customer used the key for another order before.
    #[error("the key was used for another order")]
    KeyReused,
    /// The database did not do it. After [`DatabaseError::OutcomeUnknown`] the order may be there.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// Writes an order and its items in one transaction: four round trips.
///
/// With a key, a customer's second request for the same order is answered with the first one's
/// order as it was then, whatever has become of it. The unique key `by_idempotency_key` decides,
/// so that this holds for requests at the same time too.
pub async fn place(
    session: &mut Session<'_>,
    new: &NewOrder,
    key: Option<IdempotencyKey>,
) -> Result<Placed, PlaceError> {
    let order = Order::place(new, OrderId::generate(), Timestamp::now());
    let request = key.map(|key| (key, new.digest()));

    let mut outcome = insert(session, &order, request).await;
    if matches!(outcome, Err(DatabaseError::OutcomeUnknown)) {
        // The same rows again answer the question: if the first COMMIT came through, its row has
        // this id; if it is still on its way, this INSERT waits for it. An error that leaves the
        // question open stays an unknown outcome.
        outcome = match insert(session, &order, request).await {
            answer @ (Ok(()) | Err(DatabaseError::Duplicate { .. })) => answer,
            Err(_) => Err(DatabaseError::OutcomeUnknown),
        };
    }
    match (outcome, request) {
        (Ok(()), _) => Ok(Placed {
            order,
            replayed: false,
        }),
        // Nobody else has this id.
        (Err(DatabaseError::Duplicate { key }), _) if key == "PRIMARY" => Ok(Placed {
            order,
            replayed: false,
        }),
        (Err(DatabaseError::Duplicate { key }), Some(request)) if key == "by_idempotency_key" => {
            replay(session, order, request).await
        }
        (Err(error), _) => Err(error.into()),
    }
}

impl Order {
    fn place(new: &NewOrder, id: OrderId, now: Timestamp) -> Self {
        Self {
            id,
            customer_id: new.customer_id.clone(),
            status: OrderStatus::Pending,
            currency: new.currency,
            items: new.items.clone(),
            total: new.total,
            version: 1,
            created_at: now,
            updated_at: now,
        }
    }
}

/// A key and the digest of the order that it is for.
type Request = (IdempotencyKey, [u8; 32]);

async fn insert(
    session: &mut Session<'_>,
    order: &Order,
    request: Option<Request>,
) -> Result<(), DatabaseError> {
    let insert_items = &INSERT_ITEMS.with_rows(order.items.len());
    session
        .transaction(|mut transaction| async move {
            let row = order_row(order, request);
            transaction.execute(&INSERT_ORDER, row).await?;
            transaction.execute(insert_items, item_rows(order)).await?;
            Ok(())
        })
        .await
}

/// The parameters of [`INSERT_ORDER`].
fn order_row(order: &Order, request: Option<Request>) -> Params {
    Params::from((
        order.id,
        &order.customer_id,
        order.status,
        order.currency,
        order.total,
        order.version,
        request.map(|(IdempotencyKey(key), _)| key),
        request.map(|(_, digest)| digest),
        order.created_at,
        order.updated_at,
    ))
}

/// The parameters of [`INSERT_ITEMS`], one row after the other.
fn item_rows(order: &Order) -> Vec<Value> {
    let rows = order
        .items
        .iter()
        .zip(0_u32..)
        .flat_map(|(item, position)| {
            [
                order.id.into(),
                position.into(),
                item.sku.as_str().into(),
                item.quantity.get().into(),
                item.unit_price.into(),
            ]
        });
    rows.collect()
}

/// Answers for the order that the key has placed already. `order` is what would have been placed
/// now: where the digests agree, only the id and the time are different.
async fn replay(
    session: &mut Session<'_>,
    order: Order,
    (IdempotencyKey(key), digest): Request,
) -> Result<Placed, PlaceError> {
    let params = (&order.customer_id, key);
    let row: Option<([u8; 16], [u8; 32], PrimitiveDateTime)> =
        session.row(&FIND_BY_KEY, params).await?;
    // The row that refused ours is gone again: nothing is placed, and a new attempt may.
    let (id, first_digest, created_at) = row.ok_or(DatabaseError::Unavailable)?;
    if first_digest != digest {
        return Err(PlaceError::KeyReused);
    }
    let id = OrderId::from_bytes(id);
    let created_at = Timestamp::from(created_at);
    Ok(Placed {
        replayed: id != order.id,
        order: Order {
            id,
            created_at,
            updated_at: created_at,
            ..order
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Draft;

    fn order() -> Order {
        let draft: Draft<'_> = serde_json::from_str(
            r#"{"customer_id": "c", "currency": "JPY", "items": [
                {"sku": "A", "quantity": 1, "unit_price": "5"},
                {"sku": "B", "quantity": 2, "unit_price": "7"}]}"#,
        )
        .unwrap();
        let new = NewOrder::parse(&draft).unwrap();
        Order::place(&new, OrderId::generate(), Timestamp::now())
    }

    #[test]
    fn each_statement_gets_as_many_values_as_it_has_places() {
        let places = |statement: &database::Statement| statement.sql().matches('?').count();
        let Params::Positional(row) = order_row(&order(), None) else {
            panic!("named parameters");
        };
        assert_eq!(row.len(), places(&INSERT_ORDER));
        assert_eq!(
            item_rows(&order()).len(),
            places(&INSERT_ITEMS.with_rows(2))
        );
    }

    #[test]
    fn without_a_key_nothing_of_a_request_is_stored() {
        let Params::Positional(row) = order_row(&order(), None) else {
            panic!("named parameters");
        };
        assert_eq!(row[6..8], [Value::NULL, Value::NULL]);
    }

    #[test]
    fn items_keep_their_positions() {
        let rows = item_rows(&order());
        assert_eq!(
            (&rows[1], &rows[2]),
            (&Value::from(0_u32), &Value::from("A"))
        );
        assert_eq!(
            (&rows[6], &rows[7]),
            (&Value::from(1_u32), &Value::from("B"))
        );
    }
}
