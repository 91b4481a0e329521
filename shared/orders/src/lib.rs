//! Orders: types that cannot hold a wrong value, and the statements that read and write them. This
//! is the crate that you replace with your own tables.
//!
//! - Text from outside is parsed once into one of these types, or refused with the [`Rule`] that it
//!   breaks. All other code takes the types.
//! - [`place`], [`find`], [`list`] and [`change_status`] run statements on a session, with as few
//!   round trips as possible.
//! - [`statements`] is the catalogue of all SQL. It names the index that each read must use.
//!
//! Nothing here knows HTTP or the driver. The functions turn errors into HTTP answers.

mod change;
mod digest;
mod ids;
mod money;
mod new_order;
mod order;
mod page;
mod place;
mod quantity;
mod rule;
mod sku;
pub mod statements;
mod status;
mod timestamp;

pub use change::{ChangeError, change_status};
pub use ids::{CustomerId, OrderId};
pub use money::{Amount, Currency};
pub use new_order::{Draft, DraftItem, Invalid, NewOrder};
pub use order::{Item, Order, OrderSummary, can_be_read, find};
pub use page::{Cursor, Limit, OrderPage, Page, list};
pub use place::{IdempotencyKey, PlaceError, Placed, place};
pub use quantity::{Quantity, WholeNumber};
pub use rule::Rule;
pub use sku::Sku;
pub use status::{OrderStatus, StatusDraft};
pub use timestamp::Timestamp;
