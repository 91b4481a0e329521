//! Changes an order's status if it still has the version that the client has read.

use super::ids::{CustomerId, OrderId};
use super::order::{Order, find};
use super::statements::UPDATE_STATUS;
use super::status::OrderStatus;
use super::timestamp::Timestamp;
use database::{DatabaseError, Session};

/// Why an order's status was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// There is no such order, or the caller may not see it.
    #[error("no such order")]
    NotFound,
    /// The order does not have the expected version.
    #[error("the order has changed in the meantime")]
    Stale,
    /// The order's status cannot become this one.
    #[error("an order that is {from} cannot become {to}")]
    NotAllowed {
        /// The order's status.
        from: OrderStatus,
        /// The status that was asked for.
        to: OrderStatus,
    },
    /// The database did not make the change. After [`DatabaseError::OutcomeUnknown`] it may have.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// Moves the order `id` to the status `to` and returns the changed order: two round trips.
///
/// Nothing changes unless the caller `may_see` the order's customer and `expects` its version. Both
/// are checked before the rules of the status.
pub async fn change_status(
    session: &mut Session<'_>,
    id: OrderId,
    to: OrderStatus,
    may_see: impl Fn(&CustomerId) -> bool,
    expects: impl Fn(u32) -> bool,
) -> Result<Order, ChangeError> {
    let now = Timestamp::now();
    // The change that was sent last, and whether the answer to one was lost.
    let mut sent: Option<Order> = None;
    let mut is_lost = false;
    loop {
        let order = match find(session, id).await {
            Ok(order) => order,
            Err(error) => return Err(unknown_if(is_lost, error)),
        };
        let order = order
            .filter(|order| may_see(&order.customer_id))
            .ok_or(ChangeError::NotFound)?;
        if let Some(sent) = &sent {
            if order == *sent {
                return Ok(order);
            }
            // The order has moved on, from our change or from another one. Nobody can tell which.
            if is_lost && order.version > sent.version {
                return Err(DatabaseError::OutcomeUnknown.into());
            }
        }
        if !expects(order.version) {
            return Err(ChangeError::Stale);
        }
        if !order.status.can_become(to) {
            let from = order.status;
            return Err(ChangeError::NotAllowed { from, to });
        }

        let changed = order.moved(to, now);
        let params = (
            changed.status,
            changed.version,
            changed.updated_at,
            &changed.customer_id,
            id,
            order.version,
        );
        match session.execute(&UPDATE_STATUS, params).await {
            // Someone else was faster, so the order as it is now decides. Or it was our own change:
            // vtgate sends a statement again by itself when it loses a tablet, and then answers for
            // the second time. The loop ends, because an order can change its status only a few
            // times.
            Ok(0) => {}
            Ok(_) => return Ok(changed),
            Err(DatabaseError::OutcomeUnknown) if !is_lost => is_lost = true,
            Err(error) => return Err(unknown_if(is_lost, error)),
        }
        sent = Some(changed);
    }
}

impl Order {
    fn moved(&self, to: OrderStatus, now: Timestamp) -> Self {
        Self {
            status: to,
            version: self.version.saturating_add(1),
            // Clocks differ between functions, but no order may change before it was placed.
            updated_at: now.max(self.updated_at),
            ..self.clone()
        }
    }
}

fn unknown_if(lost: bool, error: DatabaseError) -> ChangeError {
    ChangeError::Database(if lost {
        DatabaseError::OutcomeUnknown
    } else {
        error
    })
}
