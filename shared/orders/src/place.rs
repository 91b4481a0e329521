//! Places an order exactly once, even if the request is repeated or the database's answer is lost.

use database::{Params, Value};
use time::PrimitiveDateTime;

use super::digest::sha256;
use super::ids::OrderId;
use super::new_order::NewOrder;
use super::order::Order;
use super::statements::{FIND_BY_KEY, INSERT_ITEMS, INSERT_ORDER};
use super::status::OrderStatus;
use super::timestamp::Timestamp;
use database::{DatabaseError, Session};

/// The client's name for a request that it may send again: text of any length.
///
/// Only its SHA-256 is kept. So all keys in the table have the same length, and nobody can read the
/// client's text from them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdempotencyKey([u8; 32]);

impl IdempotencyKey {
    /// The key for the client's `text`.
    pub fn new(text: &str) -> Self {
        Self(sha256(text.as_bytes()))
    }
}

/// An order that is in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The order as it was placed.
    pub order: Order,
    /// Whether an earlier request with the same key placed it.
    pub replayed: bool,
}

/// Why an order was not placed.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// The customer has used the key for another order.
    #[error("the key was used for another order")]
    KeyReused,
    /// The database did not place it. After [`DatabaseError::OutcomeUnknown`] it may have.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// Writes an order and its items in one transaction: four round trips.
///
/// If a customer repeats a request with the same key, the answer is the first request's order as it
/// was placed, even if it has changed since. The unique index `by_idempotency_key` decides which
/// request is the first, so this also holds for simultaneous requests.
pub async fn place(
    session: &mut Session<'_>,
    new: &NewOrder,
    key: Option<IdempotencyKey>,
) -> Result<Placed, PlaceError> {
    let order = Order::place(new, OrderId::generate(), Timestamp::now());
    let request = key.map(|key| (key, new.digest()));

    let mut outcome = insert(session, &order, request).await;
    if matches!(outcome, Err(DatabaseError::OutcomeUnknown)) {
        // Writing the same rows again shows the outcome. If the first COMMIT succeeded, there is a
        // row with this id. If it is still running, this INSERT waits for it. An error that settles
        // neither leaves the outcome unknown.
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
        // Only this request has this id.
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

/// A key and the digest of its order.
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
                (&order.customer_id).into(),
                position.into(),
                item.sku.as_str().into(),
                item.quantity.get().into(),
                item.unit_price.into(),
            ]
        });
    rows.collect()
}

/// Answers with the order that the key has already placed. `order` is what this request would have
/// placed. If the digests are equal, the two orders differ only in id and time.
async fn replay(
    session: &mut Session<'_>,
    order: Order,
    (IdempotencyKey(key), digest): Request,
) -> Result<Placed, PlaceError> {
    let params = (&order.customer_id, key);
    let row: Option<([u8; 16], [u8; 32], PrimitiveDateTime)> =
        session.row(&FIND_BY_KEY, params).await?;
    // The row that conflicted with ours is gone again. Nothing is placed, so a new attempt may be.
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
