//! The sample data: orders of some customers, the same on every machine, so that an id from a
//! document works everywhere.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

const ORDERS: u32 = 300;
const CUSTOMERS: u32 = 40;

/// The first order's time, 2026-01-05T08:00:00Z, in milliseconds.
const FIRST: u64 = 1_767_600_000_000;

/// Between two orders, so that they are spread over some months.
const APART: u64 = 11 * 60 * 60 * 1000 + 1_234;

/// Currencies with the digits after their point.
const CURRENCIES: [(&str, u32); 4] = [("EUR", 2), ("USD", 2), ("JPY", 0), ("GBP", 2)];

/// Articles with their prices, in hundredths.
const ARTICLES: [(&str, u64); 8] = [
    ("TEA-1", 450),
    ("TEA-2", 620),
    ("COFFEE-1", 890),
    ("COFFEE-DECAF", 940),
    ("MUG-WHITE", 1_200),
    ("MUG-BLUE", 1_350),
    ("POT-GLASS", 3_900),
    ("KETTLE", 5_450),
];

/// Statuses with the version that an order has in them.
const STATUSES: [(&str, u32); 5] = [
    ("delivered", 4),
    ("shipped", 3),
    ("paid", 2),
    ("pending", 1),
    ("cancelled", 2),
];

/// An order and a customer to show in examples.
pub struct Shown {
    /// An order that is pending.
    pub order: String,
    /// Its customer.
    pub customer: String,
}

/// Fills the tables when they are empty, and returns what to show.
pub async fn fill(connection: &mut Conn) -> Result<Shown, mysql_async::Error> {
    let there: Option<u8> = connection
        .query_first("SELECT 1 FROM orders LIMIT 1")
        .await?;
    if there.is_none() {
        let [orders, items] = statements();
        connection.query_drop("START TRANSACTION").await?;
        connection.query_drop(orders).await?;
        connection.query_drop(items).await?;
        connection.query_drop("COMMIT").await?;
    }
    let shown = "SELECT LOWER(HEX(id)), customer_id FROM orders WHERE status = 'pending' ORDER BY id LIMIT 1";
    let (order, customer): (String, String) = match connection.query_first(shown).await? {
        Some(row) => row,
        None => (id(0).simple().to_string(), customer(0)),
    };
    let order = uuid::Uuid::try_parse(&order)
        .unwrap_or_default()
        .hyphenated()
        .to_string();
    Ok(Shown { order, customer })
}

/// The two INSERTs.
fn statements() -> [String; 2] {
    let mut orders = Vec::new();
    let mut items = Vec::new();
    for number in 0..ORDERS {
        let id = id(number).simple().to_string();
        let (currency, digits) = pick(&CURRENCIES, number / 7);
        let (status, version) = pick(&STATUSES, number.wrapping_mul(7) / 3);
        let mut total = 0;
        for position in 0..=number % 4 {
            let (sku, hundredths) = pick(&ARTICLES, number.wrapping_mul(3) + position * 5);
            let quantity = 1 + (number + position) % 3;
            let price = hundredths * if digits == 0 { 10_000 } else { 100 };
            total += price * u64::from(quantity);
            items.push(format!(
                "(x'{id}',{position},'{sku}',{quantity},{})",
                decimal(price)
            ));
        }
        let created = time(number, 0);
        let updated = time(number, u64::from(version - 1));
        let (total, customer) = (decimal(total), customer(number));
        orders.push(format!(
            "(x'{id}','{customer}','{status}','{currency}',{total},{version},{created},{updated})"
        ));
    }
    [
        format!(
            "INSERT INTO orders (id, customer_id, status, currency, total, version, created_at, updated_at) VALUES {}",
            orders.join(",")
        ),
        format!(
            "INSERT INTO order_items (order_id, position, sku, quantity, unit_price) VALUES {}",
            items.join(",")
        ),
    ]
}

/// A UUIDv7 of the order's time.
fn id(number: u32) -> uuid::Uuid {
    let milliseconds = FIRST + u64::from(number) * APART;
    let [a, b, c, d] = number.wrapping_mul(2_654_435_761).to_be_bytes();
    let random = [a, b, c, d, d, c, b, a, c, d];
    uuid::Builder::from_unix_timestamp_millis(milliseconds, &random).into_uuid()
}

fn customer(number: u32) -> String {
    format!("cust-{:04}", 1 + number.wrapping_mul(17) % CUSTOMERS)
}

/// The order's time and `days` more, as SQL.
fn time(number: u32, days: u64) -> String {
    let milliseconds = u64::from(number) * APART + days * 24 * 60 * 60 * 1000;
    format!("TIMESTAMPADD(MICROSECOND, {milliseconds}000, '2026-01-05 08:00:00')")
}

/// Ten-thousandths, as the tables keep amounts.
fn decimal(amount: u64) -> String {
    format!("{}.{:04}", amount / 10_000, amount % 10_000)
}

fn pick<T: Copy + Default, const N: usize>(from: &[T; N], number: u32) -> T {
    from.iter()
        .cycle()
        .nth(number as usize)
        .copied()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_ordered_like_the_times() {
        let ids: Vec<_> = (0..ORDERS).map(id).collect();
        assert!(ids.is_sorted());
        assert!(ids.iter().all(|id| id.get_version_num() == 7));
    }

    #[test]
    fn amounts_have_four_digits_after_the_point() {
        assert_eq!(decimal(45_000), "4.5000");
        assert_eq!(decimal(120_000_000), "12000.0000");
    }
}
