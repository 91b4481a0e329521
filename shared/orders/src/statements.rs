//! The catalogue of every statement on orders. It names the index that each read must use.
//!
//! All of them keep PlanetScale's rules: values are parameters, columns are listed, no statement
//! begins with WITH, and no statement leaves anything behind in its session.
//!
//! The two lists name their index in the statement. Without that, EXPLAIN shows that MySQL and
//! MariaDB scan the primary key if a customer has most of the orders, and sort if a customer has
//! few. Before a schema change drops one of these indexes, its statement must change.
//!
//! Every statement names the customer, who decides on the shard, except the one that finds an order
//! by its id alone. So each runs on one shard (`shared/migrations/README.md`).
//!
//! Two reads decide about a write, so they switch Vitess' consolidator off. It answers a read with the
//! rows of an identical read that began earlier, and those may be older than what the client has
//! just written. Outside Vitess this is an ordinary comment.

use database::Statement;

/// Writes an order without its items.
pub const INSERT_ORDER: Statement = Statement::write(
    "INSERT_ORDER",
    "INSERT INTO orders (id, customer_id, status, currency, total, version, idempotency_key, \
     request_hash, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
);

/// Writes one line item. For more, repeat the row with [`Statement::with_rows`].
pub const INSERT_ITEMS: Statement = Statement::write(
    "INSERT_ITEMS",
    "INSERT INTO order_items (order_id, customer_id, position, sku, quantity, unit_price) \
     VALUES (?, ?, ?, ?, ?, ?)",
);

/// Reads an order and its items: one row for each item, with the order's columns repeated.
pub const FIND_ORDER: Statement = Statement::read(
    "FIND_ORDER",
    "SELECT /*vt+ CONSOLIDATOR=disabled */ o.id, o.customer_id, o.status, o.currency, o.total, o.version, o.created_at, o.updated_at, \
     i.sku, i.quantity, i.unit_price \
     FROM orders AS o JOIN order_items AS i ON i.customer_id = o.customer_id AND i.order_id = o.id \
     WHERE o.id = ? ORDER BY i.position",
    "PRIMARY",
);

/// Reads the order that a customer's idempotency key placed.
pub const FIND_BY_KEY: Statement = Statement::read(
    "FIND_BY_KEY",
    "SELECT /*vt+ CONSOLIDATOR=disabled */ id, request_hash, created_at FROM orders \
     WHERE customer_id = ? AND idempotency_key = ?",
    "by_idempotency_key",
);

/// Reads a customer's orders below an id, newest first.
pub const LIST_ORDERS: Statement = Statement::read(
    "LIST_ORDERS",
    "SELECT id, customer_id, status, currency, total, version, created_at, updated_at \
     FROM orders FORCE INDEX (by_customer) \
     WHERE customer_id = ? AND id < ? ORDER BY id DESC LIMIT ?",
    "by_customer",
);

/// Reads a customer's orders with one status below an id, newest first.
pub const LIST_ORDERS_OF_STATUS: Statement = Statement::read(
    "LIST_ORDERS_OF_STATUS",
    "SELECT id, customer_id, status, currency, total, version, created_at, updated_at \
     FROM orders FORCE INDEX (by_customer_status) \
     WHERE customer_id = ? AND status = ? AND id < ? ORDER BY id DESC LIMIT ?",
    "by_customer_status",
);

/// Gives an order another status and version, if it still has the version that was read.
pub const UPDATE_STATUS: Statement = Statement::write(
    "UPDATE_STATUS",
    "UPDATE orders SET status = ?, version = ?, updated_at = ? \
     WHERE customer_id = ? AND id = ? AND version = ?",
);

/// The whole catalogue.
pub const ALL: [Statement; 7] = [
    INSERT_ORDER,
    INSERT_ITEMS,
    FIND_ORDER,
    FIND_BY_KEY,
    LIST_ORDERS,
    LIST_ORDERS_OF_STATUS,
    UPDATE_STATUS,
];

/// The reads, with literals in the places of their parameters, of the type that each has. With them,
/// the server can be asked how it would carry out a read. No order has such an id or customer.
pub const EXAMPLES: [(Statement, &[&str]); 4] = [
    (FIND_ORDER, &["X'00'"]),
    (FIND_BY_KEY, &["'nobody'", "X'00'"]),
    (LIST_ORDERS, &["'nobody'", "X'FF'", "21"]),
    (
        LIST_ORDERS_OF_STATUS,
        &["'nobody'", "'paid'", "X'FF'", "21"],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_read_has_an_example_for_each_parameter() {
        let reads = ALL.into_iter().filter(|one| one.index().is_some());
        let reads: Vec<_> = reads
            .map(|read| (read.name(), read.sql().matches('?').count()))
            .collect();
        let examples = EXAMPLES.map(|(read, literals)| (read.name(), literals.len()));
        assert_eq!(reads, examples);
    }

    #[test]
    fn every_statement_keeps_planetscales_rules() {
        for statement in ALL {
            let sql = statement.sql();
            let verb = sql.split(' ').next().unwrap();
            assert!(["SELECT", "INSERT", "UPDATE"].contains(&verb), "{sql}");
            // Reads name their index, and nothing else does.
            assert_eq!(statement.index().is_some(), verb == "SELECT", "{sql}");
            let uncommented = sql.replace(UNCONSOLIDATED, "");
            assert!(
                !uncommented.contains(['\'', '"', ';', '@', '*', '\n']),
                "{sql}"
            );
            assert!(!sql.contains("  "), "{sql}");
            let words: Vec<_> = sql
                .split(|c: char| !c.is_alphanumeric() && c != '_')
                .collect();
            for word in [
                "OFFSET",
                "SQL_CALC_FOUND_ROWS",
                "GET_LOCK",
                "NOW",
                "LAST_INSERT_ID",
            ] {
                assert!(!words.contains(&word), "{sql}");
            }
            // A number in the text would be a value that is not a parameter.
            assert!(
                !words.iter().any(|word| word.starts_with(char::is_numeric)),
                "{sql}"
            );
        }
    }

    /// The form and the effect were observed on Vitess 24.
    const UNCONSOLIDATED: &str = "/*vt+ CONSOLIDATOR=disabled */ ";

    #[test]
    fn a_read_that_decides_about_a_write_bypasses_the_consolidator() {
        for statement in ALL {
            let decides = [FIND_ORDER.sql(), FIND_BY_KEY.sql()].contains(&statement.sql());
            let unconsolidated = statement.sql().contains(UNCONSOLIDATED);
            assert_eq!(unconsolidated, decides, "{}", statement.sql());
        }
    }
}
