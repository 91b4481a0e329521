//! The rule that a refused value breaks.

use super::quantity::Quantity;
use super::sku::Sku;

/// The rule that a refused value breaks.
///
/// Its text tells a client what would be right. It never repeats the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each variant's message says all of it")]
pub enum Rule {
    #[error("must be a UUID in its hyphenated form")]
    OrderId,
    #[error("must be 1 to 255 visible ASCII characters")]
    CustomerId,
    #[error(
        "must be 1 to {} visible characters that are written from left to right, with spaces only between them",
        Sku::MAX_LENGTH
    )]
    Sku,
    #[error("must be 1 to {}", Quantity::MAX)]
    Quantity,
    #[error("must be one of pending, paid, shipped, delivered, cancelled")]
    Status,
    #[error("must be the ISO 4217 code of a currency in use, such as EUR")]
    Currency,
    #[error("must be a decimal number such as 4.50, without sign, exponent or needless zeros")]
    Amount,
    #[error("must have no more decimals than its currency, which has {0}")]
    Decimals(u32),
    #[error("must be at most 9999999999.99")]
    AmountTooLarge,
    #[error("must have 1 to 100 items")]
    Items,
    #[error("must not add up to more than 9999999999.99")]
    TotalTooLarge,
    #[error("must be 1 to 100")]
    Limit,
    #[error("must be the `next` of a page of the same list")]
    Cursor,
}
