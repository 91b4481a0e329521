//! The sample data, and what of it the printed examples show.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use uuid::Uuid;

/// What fills empty tables.
const SAMPLE: &str = include_str!("sample.sql");

/// An order and a customer to show in examples.
pub struct Shown {
    /// An order that is pending.
    pub order: String,
    /// Its customer.
    pub customer: String,
}

/// Fills the tables when they are empty, and returns what to show.
pub async fn fill(connection: &mut Conn) -> Result<Shown, mysql_async::Error> {
    let query = "SELECT 1 FROM orders LIMIT 1";
    let filled: Option<u8> = connection.query_first(query).await?;
    if filled.is_none() {
        connection.query_drop("START TRANSACTION").await?;
        for statement in SAMPLE.split_inclusive(";\n") {
            connection.query_drop(statement).await?;
        }
        connection.query_drop("COMMIT").await?;
    }
    let query = "SELECT id, customer_id FROM orders ORDER BY status = 'pending' DESC, id LIMIT 1";
    let shown: Option<(Vec<u8>, String)> = connection.query_first(query).await?;
    let (id, customer) = shown.unwrap_or_default();
    Ok(Shown {
        order: Uuid::from_slice(&id).unwrap_or_default().to_string(),
        customer,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::Stack;

    #[tokio::test]
    async fn the_tables_are_filled_once_with_orders_that_the_api_could_have_made() {
        let stack = Stack::from_env().unwrap();
        let database = stack.fresh_database().await.unwrap();
        let mut connection = database.connect().await.unwrap();
        let shown = fill(&mut connection).await.unwrap();
        assert_eq!(
            fill(&mut connection).await.unwrap().order,
            shown.order,
            "the second call adds nothing"
        );
        let query = "SELECT id, UNIX_TIMESTAMP(created_at) FROM orders ORDER BY created_at";
        let orders: Vec<(Vec<u8>, f64)> = connection.query(query).await.unwrap();
        assert_eq!(orders.len(), 300);
        for (id, created) in &orders {
            let id = Uuid::from_slice(id).unwrap();
            let (seconds, nanoseconds) = id.get_timestamp().unwrap().to_unix();
            let time = seconds as f64 + f64::from(nanoseconds) / 1e9;
            assert_eq!(id.get_version_num(), 7);
            assert!((time - created).abs() < 0.01, "{id}: {time}, {created}");
        }
        let wrong = "SELECT COUNT(*) FROM orders WHERE total <> (SELECT SUM(quantity * unit_price)
            FROM order_items WHERE order_id = id) OR total <= 0";
        let wrong: Option<u64> = connection.query_first(wrong).await.unwrap();
        assert_eq!(wrong, Some(0));
    }
}
