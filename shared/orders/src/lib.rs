//! The orders: types that cannot hold a wrong value, and the four things that are done with them.
//!
//! Text from outside becomes a value of one of these types once, or is refused with the [`Rule`]
//! that it breaks; everything behind takes the types alone. [`place`], [`find`], [`list`] and
//! [`change_status`] run the catalogue's [`statements`] on a session, with as few round trips as
//! each can have. Nothing here knows HTTP: the functions turn the errors into answers.

mod change;
mod money;
mod new_order;
mod order;
mod page;
mod place;
pub mod statements;
mod status;
mod values;

pub use change::{ChangeError, change_status};
pub use money::{Amount, Currency};
pub use new_order::{Draft, DraftItem, Invalid, NewOrder};
pub use order::{Item, Order, OrderSummary, can_be_read, find};
pub use page::{Cursor, Limit, OrderPage, Page, list};
pub use place::{IdempotencyKey, PlaceError, Placed, place};
pub use status::OrderStatus;
pub use values::{CustomerId, OrderId, Quantity, Rule, Sku, Timestamp, WholeNumber};
