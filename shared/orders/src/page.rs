//! A customer's orders, page by page.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Serialize, Serializer};

use super::digest::sha256;
use super::ids::{CustomerId, OrderId};
use super::order::{OrderRow, OrderSummary};
use super::rule::Rule;
use super::statements::{LIST_ORDERS, LIST_ORDERS_OF_STATUS};
use super::status::OrderStatus;
use database::{DatabaseError, Session};

/// The most orders that a page has: 1 to 100, by default 20.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit(u32);

impl Default for Limit {
    fn default() -> Self {
        Self(20)
    }
}

impl FromStr for Limit {
    type Err = Rule;

    fn from_str(text: &str) -> Result<Self, Rule> {
        match text.parse() {
            Ok(number @ 1..=100) if number.to_string() == text => Ok(Self(number)),
            _ => Err(Rule::Limit),
        }
    }
}

/// Where a page ends and the next one begins: the id of the last order, and the list it belongs to.
///
/// To clients it is opaque text. It contains a tag: eight bytes of a SHA-256 over the customer, the
/// requested status and the id. The tag shows whether a cursor was made up or taken from another
/// list. It is not a secret and protects none. Someone who forges a cursor still reads only the
/// customer's own orders, because the customer is a condition of the statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    after: OrderId,
    tag: [u8; 8],
}

impl Cursor {
    /// Reads a cursor that came from the list of `customer` and `status`.
    pub fn parse(
        text: &str,
        customer: &CustomerId,
        status: Option<OrderStatus>,
    ) -> Result<Self, Rule> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| Rule::Cursor)?;
        let (id, tag) = bytes.split_first_chunk().ok_or(Rule::Cursor)?;
        let cursor = Self::new(OrderId::from_bytes(*id), customer, status);
        if cursor.tag == tag {
            Ok(cursor)
        } else {
            Err(Rule::Cursor)
        }
    }

    fn new(after: OrderId, customer: &CustomerId, status: Option<OrderStatus>) -> Self {
        let status = status.map_or("", OrderStatus::as_str);
        let list = format!("{}\n{status}\n{after}", customer.as_str());
        let digest = sha256(list.as_bytes());
        let mut tag = [0; 8];
        tag.copy_from_slice(&digest[..8]);
        Self { after, tag }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [self.after.as_bytes().as_slice(), &self.tag].concat();
        f.write_str(&URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The requested part of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// The most orders to return.
    pub limit: Limit,
    /// Where the previous page ended, or `None` for the first page.
    pub after: Option<Cursor>,
}

/// A part of a list. Its JSON is the wire format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OrderPage {
    /// The orders, newest first.
    pub orders: Vec<OrderSummary>,
    /// Where the next page begins, or `None` at the end of the list.
    pub next: Option<Cursor>,
}

/// Reads a page of a customer's orders in one round trip, newest first: all of them, or those with
/// one status.
pub async fn list(
    session: &mut Session<'_>,
    customer: &CustomerId,
    status: Option<OrderStatus>,
    page: Page,
) -> Result<OrderPage, DatabaseError> {
    let Limit(limit) = page.limit;
    // The first page starts below the greatest id. One extra order shows that there is a next page.
    let below = page.after.map_or(OrderId::MAX, |cursor| cursor.after);
    let rows: Vec<OrderRow> = match status {
        None => {
            session
                .rows(&LIST_ORDERS, (customer, below, limit + 1))
                .await?
        }
        Some(status) => {
            let params = (customer, status, below, limit + 1);
            session.rows(&LIST_ORDERS_OF_STATUS, params).await?
        }
    };
    let more = rows.len() > limit as usize;
    let orders = rows
        .into_iter()
        .take(limit as usize)
        .map(OrderSummary::read)
        .collect::<Result<Vec<_>, _>>()?;
    let last = orders.last().filter(|_| more);
    let next = last.map(|order| Cursor::new(order.id, customer, status));
    Ok(OrderPage { orders, next })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn customer(text: &str) -> CustomerId {
        text.parse().unwrap()
    }

    proptest! {
        #[test]
        fn a_cursor_works_only_for_its_own_list(bytes: [u8; 16]) {
            let id = OrderId::from_bytes(bytes);
            let paid = Some(OrderStatus::Paid);
            let (ours, theirs) = (customer("cust-1"), customer("cust-2"));
            for status in [None, paid] {
                let cursor = Cursor::new(id, &ours, status);
                let text = cursor.to_string();
                prop_assert_eq!(text.len(), 32);
                prop_assert_eq!(Cursor::parse(&text, &ours, status), Ok(cursor));
                prop_assert_eq!(Cursor::parse(&text, &theirs, status), Err(Rule::Cursor));
                let pending = Some(OrderStatus::Pending);
                prop_assert_eq!(Cursor::parse(&text, &ours, pending), Err(Rule::Cursor));
            }
            let text = Cursor::new(id, &ours, None).to_string();
            prop_assert_eq!(Cursor::parse(&text, &ours, paid), Err(Rule::Cursor));
        }

        #[test]
        fn a_cursor_with_one_character_changed_is_refused(bytes: [u8; 16], at in 0..32_usize) {
            let ours = customer("cust-1");
            let mut text = Cursor::new(OrderId::from_bytes(bytes), &ours, None).to_string();
            let other = if text.as_bytes()[at] == b'A' { "B" } else { "A" };
            text.replace_range(at..=at, other);
            prop_assert_eq!(Cursor::parse(&text, &ours, None), Err(Rule::Cursor));
        }

        #[test]
        fn text_that_is_not_a_cursor_is_refused(text in "[A-Za-z0-9_=-]{0,64}|.*") {
            prop_assert_eq!(Cursor::parse(&text, &customer("cust-1"), None), Err(Rule::Cursor));
        }
    }
}
