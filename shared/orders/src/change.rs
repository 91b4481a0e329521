//! Changing an order's status, with the version that was read as the condition.

use super::order::{Order, find};
use super::statements::UPDATE_STATUS;
use super::status::OrderStatus;
use super::values::{CustomerId, OrderId, Timestamp};
use database::{DatabaseError, Session};

/// Why an order's status was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// There is no such order, or it is none that may be seen.
    #[error("no such order")]
    NotFound,
    /// The order has another version than the one that was expected.
    #[error("the order was changed since")]
    Stale,
    /// The order's status cannot be followed by this one.
    #[error("an order that is {from} cannot become {to}")]
    NotAllowed {
        /// The order's status.
        from: OrderStatus,
        /// The status that was asked for.
        to: OrderStatus,
    },
    /// The database did not do it. After [`DatabaseError::OutcomeUnknown`] it may be done.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// Moves the order `id` to the status `to`, and gives it as it is then: two round trips.
///
/// Only an order of a customer whom the caller `may_see`, and whose version is one that the
/// caller `expects`, is touched; both are asked before the rules of the status are.
pub async fn change_status(
    session: &mut Session<'_>,
    id: OrderId,
    to: OrderStatus,
    may_see: impl Fn(&CustomerId) -> bool,
    expects: impl Fn(u32) -> bool,
) -> Result<Order, ChangeError> {
    let now = Timestamp::now();
    // The change whose outcome is not known, after its answer was lost.
    let mut lost: Option<Order> = None;
    loop {
        let order = match find(session, id).await {
            Ok(order) => order,
            Err(error) => return Err(unknown_if(lost.is_some(), error)),
        };
        let order = order
            .filter(|order| may_see(&order.customer_id))
            .ok_or(ChangeError::NotFound)?;
        if let Some(lost) = &lost {
            if order == *lost {
                return Ok(order);
            }
            // It went on from there, or from another change: nobody can tell.
            if order.version > lost.version {
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
            id,
            order.version,
        );
        match session.execute(&UPDATE_STATUS, params).await {
            // Someone else was faster. What they made of the order decides; the loop ends, since
            // an order can be changed only as often as its status has successors.
            Ok(0) => {}
            Ok(_) => return Ok(changed),
            Err(DatabaseError::OutcomeUnknown) if lost.is_none() => lost = Some(changed),
            Err(error) => return Err(unknown_if(lost.is_some(), error)),
        }
    }
}

impl Order {
    fn moved(&self, to: OrderStatus, now: Timestamp) -> Self {
        Self {
            status: to,
            version: self.version.saturating_add(1),
            // Clocks differ between functions, and no order is changed before it was placed.
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
