//! The status of an order.

use std::fmt;
use std::str::FromStr;

use database::Value;
use serde::{Deserialize, Serialize};

use super::rule::Rule;

/// The status of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OrderStatus {
    /// Placed and not yet paid.
    Pending,
    /// Paid and not yet sent.
    Paid,
    /// On its way to the customer.
    Shipped,
    /// Arrived. Final.
    Delivered,
    /// Cancelled before it was sent. Final.
    Cancelled,
}

/// A change as a client wrote it. Its shape is right, but its value is not checked yet.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusDraft {
    /// The new status.
    pub status: String,
}

impl OrderStatus {
    /// Every status, from the first to the last.
    pub const ALL: [Self; 5] = [
        Self::Pending,
        Self::Paid,
        Self::Shipped,
        Self::Delivered,
        Self::Cancelled,
    ];

    /// Whether an order with this status can become `next`. A status cannot follow itself.
    pub fn can_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Pending, Self::Paid | Self::Cancelled)
                | (Self::Paid, Self::Shipped | Self::Cancelled)
                | (Self::Shipped, Self::Delivered)
        )
    }

    /// The name, the same in JSON and in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Paid => "paid",
            Self::Shipped => "shipped",
            Self::Delivered => "delivered",
            Self::Cancelled => "cancelled",
        }
    }
}

impl FromStr for OrderStatus {
    type Err = Rule;

    fn from_str(text: &str) -> Result<Self, Rule> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or(Rule::Status)
    }
}

impl fmt::Display for OrderStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<OrderStatus> for Value {
    fn from(status: OrderStatus) -> Self {
        Value::from(status.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_has_the_same_name_everywhere() {
        let names: Vec<_> = OrderStatus::ALL
            .iter()
            .map(|status| status.as_str())
            .collect();
        assert_eq!(
            Rule::Status.to_string(),
            format!("must be one of {}", names.join(", "))
        );
        for status in OrderStatus::ALL {
            assert_eq!(
                serde_json::to_string(&status).unwrap(),
                format!("\"{status}\"")
            );
            assert_eq!(status.as_str().parse(), Ok(status));
        }
        for wrong in ["", "Paid", "lost", "paid "] {
            assert_eq!(wrong.parse::<OrderStatus>(), Err(Rule::Status));
        }
    }
}
