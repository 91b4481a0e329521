//! The statements and the tables: the server accepts every statement of the catalogue and uses its
//! index, and the tables keep PlanetScale's rules.

use std::collections::BTreeSet;

use database::Statement;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Params, Row, Value};
use orders::statements::{
    ALL, FIND_BY_KEY, FIND_ORDER, INSERT_ITEMS, INSERT_ORDER, LIST_ORDERS, LIST_ORDERS_OF_STATUS,
    UPDATE_STATUS,
};
use tests::stack::FreshDatabase;
use uuid::Uuid;

use crate::client::fresh_database;

const ORDERS_OF_A_CUSTOMER: usize = 50;

/// The id and the idempotency key of a placed order.
#[derive(Clone, Copy, Default)]
pub struct Placed {
    pub id: [u8; 16],
    pub key: [u8; 32],
}

/// A schema with a few thousand orders, so that the choice of an index matters, and one order of
/// `cust-0`, who has a third of them.
async fn filled() -> (FreshDatabase, Conn, Placed) {
    let database = fresh_database().await;
    let mut connection = database.connect().await.unwrap();
    let mut placed = Placed::default();
    for customer in 0..40 {
        let number = if customer == 0 { 20 } else { 1 } * ORDERS_OF_A_CUSTOMER;
        let (mut orders, mut items) = (Vec::<Value>::new(), Vec::<Value>::new());
        for order in 0..number {
            let id = Uuid::now_v7().into_bytes();
            let status = ["pending", "paid", "delivered"][order % 3];
            let key = (order % 2 == 0).then(|| [id, id].concat());
            if let (0, Some(key)) = (customer, &key) {
                let key = key.as_slice().try_into().unwrap();
                placed = Placed { id, key };
            }
            orders.extend([
                id.into(),
                format!("cust-{customer}").into(),
                status.into(),
                "EUR".into(),
                "9.00".into(),
                1.into(),
                key.clone().into(),
                key.into(),
                "2026-11-22 09:00:00".into(),
                "2026-11-22 09:00:00".into(),
            ]);
            for position in 0..2 {
                items.extend([
                    id.into(),
                    format!("cust-{customer}").into(),
                    position.into(),
                    "A".into(),
                    1.into(),
                    "4.50".into(),
                ]);
            }
        }
        for (statement, values, width) in [(INSERT_ORDER, orders, 10), (INSERT_ITEMS, items, 6)] {
            let statement = statement.with_rows(values.len() / width);
            connection.exec_drop(statement.sql(), values).await.unwrap();
        }
    }
    connection
        .query_drop("ANALYZE TABLE orders, order_items")
        .await
        .unwrap();
    (database, connection, placed)
}

/// Every statement with parameters like those of the functions.
pub fn with_parameters(Placed { id, key }: Placed) -> [(Statement, Params); 7] {
    let now = "2026-11-22 09:00:00";
    let order = (id, "cust-0", "paid", "EUR", "9.00", 1, key, key, now, now);
    [
        (INSERT_ORDER, order.into()),
        (INSERT_ITEMS, (id, "cust-0", 0, "A", 1, "4.50").into()),
        (FIND_ORDER, (id,).into()),
        (FIND_BY_KEY, ("cust-0", key).into()),
        (LIST_ORDERS, ("cust-0", id, 21).into()),
        (LIST_ORDERS_OF_STATUS, ("cust-0", "paid", id, 21).into()),
        (UPDATE_STATUS, ("paid", 2, now, "cust-0", id, 1).into()),
    ]
}

#[test]
fn the_tests_cover_the_whole_catalogue() {
    let known: Vec<_> = ALL
        .iter()
        .map(|statement| statement.sql().to_owned())
        .collect();
    let tried = with_parameters(Placed::default()).map(|(statement, _)| statement.sql().to_owned());
    assert_eq!(known, tried);
}

#[tokio::test]
async fn every_statement_uses_its_index_and_nothing_else() {
    let (_database, mut connection, placed) = filled().await;
    for (statement, parameters) in with_parameters(placed) {
        let sql = statement.sql();
        let plan = connection
            .exec(format!("EXPLAIN FORMAT=TRADITIONAL {sql}"), parameters)
            .await;
        let plan: Vec<Row> = plan.unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert!(!plan.is_empty(), "{sql}");
        if sql.starts_with("INSERT") {
            continue;
        }
        // A change finds its one row by the primary key. MariaDB takes the index that ends with it.
        let indexes = match statement.index() {
            Some(index) => vec![index],
            None => vec!["PRIMARY", "by_customer"],
        };
        for row in plan {
            let column = |name: &str| row.get::<Option<String>, _>(name).unwrap();
            let key = column("key").unwrap_or_default();
            assert!(indexes.contains(&key.as_str()), "{sql}: {row:?}");
            let access = column("type").unwrap();
            assert!(
                !["ALL", "index"].contains(&access.as_str()),
                "{sql}: {row:?}"
            );
            let extra = column("Extra").unwrap_or_default();
            for costly in ["filesort", "temporary"] {
                assert!(!extra.contains(costly), "{sql}: {row:?}");
            }
        }
    }
}

/// The statements that return many rows are bounded by their limit, not by the table.
#[tokio::test]
async fn a_page_reads_no_more_rows_than_it_shows() {
    let (_database, mut connection, _) = filled().await;
    for (statement, parameters) in [
        (
            LIST_ORDERS,
            Params::from(("cust-0", Uuid::max().into_bytes(), 21)),
        ),
        (
            LIST_ORDERS_OF_STATUS,
            ("cust-0", "paid", Uuid::max().into_bytes(), 21).into(),
        ),
    ] {
        let sql = statement.sql();
        let before = rows_read(&mut connection).await;
        let rows: Vec<Row> = connection.exec(sql, parameters).await.unwrap();
        let read = rows_read(&mut connection).await - before;

        assert_eq!(rows.len(), 21);
        assert!(read <= 23, "{read} rows were read: {sql}");
    }
}

/// The number of rows and index entries that this connection has read.
async fn rows_read(connection: &mut Conn) -> u64 {
    let query = "SHOW SESSION STATUS LIKE 'Handler_read%'";
    let counters: Vec<(String, u64)> = connection.query(query).await.unwrap();
    // The reads of this query itself are counted as `rnd`.
    let counters = counters.iter().filter(|(name, _)| !name.contains("rnd"));
    counters.map(|(_, number)| number).sum()
}

#[tokio::test]
async fn every_index_is_used_by_a_statement() {
    let database = fresh_database().await;
    let mut connection = database.connect().await.unwrap();
    let query = "SELECT DISTINCT index_name FROM information_schema.statistics \
                 WHERE table_schema = DATABASE() AND table_name IN ('orders', 'order_items')";
    let there: BTreeSet<String> = connection.query(query).await.unwrap().into_iter().collect();
    let used = ALL
        .into_iter()
        .filter_map(|statement| statement.index().map(str::to_owned));
    assert_eq!(there, used.collect());
}

#[tokio::test]
async fn the_tables_keep_planetscales_rules() {
    let database = fresh_database().await;
    let mut connection = database.connect().await.unwrap();
    let query = "SELECT table_name, engine, table_collation FROM information_schema.tables \
                 WHERE table_schema = DATABASE()";
    let tables: Vec<(String, String, String)> = connection.query(query).await.unwrap();
    assert!(tables.len() >= 2, "{tables:?}");
    for (table, engine, collation) in tables {
        assert_eq!(engine, "InnoDB", "{table}");
        assert!(collation.starts_with("utf8mb4"), "{table}: {collation}");
        let query = "SELECT COUNT(*) FROM information_schema.table_constraints \
                     WHERE table_schema = DATABASE() AND table_name = ? AND constraint_type = ?";
        for (kind, number) in [("PRIMARY KEY", 1), ("FOREIGN KEY", 0)] {
            let found: Option<u64> = connection.exec_first(query, (&table, kind)).await.unwrap();
            assert_eq!(found, Some(number), "{table}: {kind}");
        }
    }
    for (kind, column) in [
        ("triggers", "trigger_schema"),
        ("routines", "routine_schema"),
        ("events", "event_schema"),
    ] {
        let query =
            format!("SELECT COUNT(*) FROM information_schema.{kind} WHERE {column} = DATABASE()");
        let found: Option<u64> = connection.query_first(query).await.unwrap();
        assert_eq!(found, Some(0), "{kind}");
    }
}
