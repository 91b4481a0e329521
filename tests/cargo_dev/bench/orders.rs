//! The orders that are measured with. SQL writes them, a million in a statement.

use anyhow::Context as _;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use uuid::Uuid;

use crate::stack::access::Login;
use crate::stack::migrations;

/// The customer with [`BUSY_ORDERS`] orders, evenly among all others. There have to be so many.
pub const BUSY: &str = "busy";
pub const BUSY_ORDERS: u64 = 10_000;

/// The customer with every tenth order, where there are more than those of [`BUSY`].
pub const HUGE: &str = "huge";

/// The most orders that one statement writes.
const PIECE: u64 = 1_000_000;

/// A schema full of orders.
pub struct Filled {
    /// Who may read it.
    pub login: Login,
    /// An order of [`BUSY`], which alone has items.
    pub order: Uuid,
}

/// Makes a schema with so many orders. One of the same name is dropped before.
pub async fn fill(admin: &mut Conn, schema: &str, count: u64) -> anyhow::Result<Filled> {
    let login = Login::new(schema, schema);
    remove(admin, schema).await?;
    for statement in login.statements() {
        admin.query_drop(statement).await?;
    }
    admin.query_drop(format!("USE `{schema}`")).await?;
    migrations::apply(admin, &crate::root().join("shared/migrations")).await?;

    let created: Option<(String, String)> = admin.query_first("SHOW CREATE TABLE orders").await?;
    let (_, created) = created.context("no table of orders")?;
    let [drops, adds] = keys(&created)?;
    let statements = [
        format!("ALTER TABLE orders {drops}"),
        "CREATE TABLE thousand (n INT UNSIGNED PRIMARY KEY)".to_owned(),
        "INSERT INTO thousand WITH RECURSIVE numbers (n) AS \
         (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < 999) SELECT n FROM numbers"
            .to_owned(),
    ];
    for statement in statements {
        admin.query_drop(statement).await?;
    }
    let step = count / BUSY_ORDERS;
    for first in (0..count).step_by(usize::try_from(PIECE)?) {
        // In the order of the primary key. The ids are UUIDv7s, a second apart.
        let insert = format!(
            "INSERT INTO orders
               (id, customer_id, status, currency, total, version, created_at, updated_at)
             SELECT
               UNHEX(CONCAT(LPAD(HEX(1700000000000 + n * 1000), 12, '0'), '7', LPAD(HEX(n % 4096), 3, '0'),
                 '8', LPAD(HEX(n * 2654435761), 15, '0'))),
               CASE WHEN n % {step} = 0 THEN '{BUSY}' WHEN n % 10 = 1 THEN '{HUGE}'
                 ELSE CONCAT('cust-', n % {customers}) END,
               1 + n % 5, 'EUR', 9, 1, FROM_UNIXTIME(1700000000 + n), FROM_UNIXTIME(1700000000 + n)
             FROM (SELECT {first} + thousands.n * 1000 + ones.n AS n
               FROM thousand AS thousands STRAIGHT_JOIN thousand AS ones
               WHERE thousands.n < {thousands} ORDER BY thousands.n, ones.n) AS numbers",
            customers = count / 100,
            thousands = count.min(PIECE) / 1000,
        );
        admin.query_drop(insert).await?;
    }
    let statements = [
        format!("ALTER TABLE orders {adds}"),
        format!(
            "INSERT INTO order_items (order_id, customer_id, position, sku, quantity, unit_price)
             SELECT id, customer_id, position, 'TEA-1', 1, 4.5
             FROM orders JOIN (SELECT 0 AS position UNION SELECT 1) AS positions
             WHERE customer_id = '{BUSY}'"
        ),
        "DROP TABLE thousand".to_owned(),
        "ANALYZE TABLE orders, order_items".to_owned(),
    ];
    for statement in statements {
        admin.query_drop(statement).await?;
    }
    let query = format!("SELECT MIN(id) FROM orders WHERE customer_id = '{BUSY}'");
    let order: Option<Vec<u8>> = admin.query_first(query).await?;
    Ok(Filled {
        login,
        order: Uuid::from_slice(&order.unwrap_or_default())?,
    })
}

/// What drops the keys of a table and what adds them again, without the primary key. They are quicker
/// made once the rows are written. The table is as `SHOW CREATE TABLE` has it, a key in a line.
fn keys(created: &str) -> anyhow::Result<[String; 2]> {
    let (mut drops, mut adds) = (Vec::new(), Vec::new());
    let lines = created
        .lines()
        .map(|line| line.trim().trim_end_matches(','));
    for key in lines.filter(|line| line.starts_with("KEY ") || line.starts_with("UNIQUE KEY ")) {
        let name = key.split('`').nth(1);
        drops.push(format!("DROP KEY `{}`", name.context("a key has no name")?));
        adds.push(format!("ADD {key}"));
    }
    Ok([drops.join(", "), adds.join(", ")])
}

/// Drops the schema and its user.
pub async fn remove(admin: &mut Conn, schema: &str) -> Result<(), mysql_async::Error> {
    crate::stack::remove_those(admin, |name| name == schema).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_of_a_table_are_dropped_and_added() {
        let created = "CREATE TABLE `orders` (\n  `id` binary(16) NOT NULL,\n  `key` int NOT NULL,\n  \
             PRIMARY KEY (`id`),\n  UNIQUE KEY `by_key` (`key`),\n  KEY `by_both` (`key`,`id`)\n) \
             ENGINE=InnoDB";
        let expected = [
            "DROP KEY `by_key`, DROP KEY `by_both`",
            "ADD UNIQUE KEY `by_key` (`key`), ADD KEY `by_both` (`key`,`id`)",
        ];
        assert_eq!(keys(created).unwrap(), expected);
    }
}
