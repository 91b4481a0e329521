//! Orders on two shards: each statement goes to one of them, and no order is apart from its items.
//! These tests only run with `cargo dev test --sharded`.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Params};
use schema::ledger;
use tests::stack::FreshDatabase;
use tests::stand_ins::lambda::event::Event;
use tests::vitess::Vitess;

use crate::client::{Api, change, fresh_database, keyed, path_of, stack, tea};
use crate::statements::{Placed, with_parameters};

/// A fresh database on two shards. None if the test run has none.
async fn sharded() -> Option<FreshDatabase> {
    match stack().is_sharded() {
        true => Some(fresh_database().await),
        false => None,
    }
}

fn vitess(database: &FreshDatabase) -> &Vitess {
    database.vitess().unwrap()
}

/// What Vitess sends to the shards for a statement, which it executes.
async fn queries(connection: &mut Conn, sql: &str, parameters: Params) -> Vec<String> {
    let Params::Positional(values) = parameters else {
        panic!("{sql} has named parameters");
    };
    // Vitess does not prepare VEXPLAIN.
    let mut text = String::new();
    for (piece, value) in sql.split('?').zip(values.iter().map(Some).chain([None])) {
        text += piece;
        text += &value.map_or_else(String::new, |value| value.as_sql(false));
    }
    let explain = format!("VEXPLAIN /*vt+ EXECUTE_DML_QUERIES */ QUERIES {text}");
    let rows: Vec<(u64, String, String, Vec<u8>)> = connection.query(explain).await.unwrap();
    let queries = rows.into_iter().map(|(_, _, shard, query)| {
        let query = String::from_utf8_lossy(&query).into_owned();
        assert!(["-80", "80-"].contains(&shard.as_str()), "{shard}: {query}");
        query
    });
    queries.filter(|query| query != "begin").collect()
}

/// The statements that find an order by its id and insert an order also go to the shard of the id,
/// which knows the shard of the order.
#[tokio::test]
async fn each_statement_goes_to_one_shard() {
    let Some(database) = sharded().await else {
        return;
    };
    let (user, password) = (database.username(), database.password());
    let mut connection = vitess(&database).connect(user, password).await.unwrap();
    let placed = Placed {
        id: uuid::Uuid::now_v7().into_bytes(),
        key: [7; 32],
    };
    let migration = || (ledger::RECORD, (2, "next", "checksum").into());
    let statements = with_parameters(placed).into_iter();
    for (statement, parameters) in statements.chain([migration(), migration()]) {
        let sql = statement.sql();
        let queries = queries(&mut connection, sql, parameters).await;
        let (of_id, others): (Vec<_>, Vec<_>) = queries
            .iter()
            .partition(|query| query.contains("order_shards"));
        let expected = usize::from(["FIND_ORDER", "INSERT_ORDER"].contains(&statement.name()));
        assert_eq!(
            (others.len(), of_id.len()),
            (1, expected),
            "{sql}: {queries:#?}"
        );
    }
}

/// A prepared statement may get another plan than its text.
#[tokio::test]
async fn no_call_asks_all_shards() {
    let Some(database) = sharded().await else {
        return;
    };
    let api = Api::on(database);
    for customer in 0..4 {
        use_all(&api, &format!("cust-{customer}")).await;
    }
    let plans = vitess(&api.database).plans().await.unwrap();
    for kind in ["SELECT", "INSERT", "UPDATE"] {
        assert!(plans.keys().any(|plan| plan.starts_with(kind)), "{plans:?}");
    }
    assert!(
        !plans.keys().any(|plan| plan.contains("Scatter")),
        "{plans:?}"
    );
}

#[tokio::test]
async fn an_order_its_items_and_its_key_are_on_one_shard() {
    let Some(database) = sharded().await else {
        return;
    };
    let api = Api::on(database);
    for customer in 0..16 {
        use_all(&api, &format!("cust-{customer}")).await;
    }
    let mut admin = stack().admin().await.unwrap();
    let mut customers = 0;
    for schema in api.database.schemas() {
        admin.query_drop(format!("USE `{schema}`")).await.unwrap();
        let apart = "SELECT (SELECT COUNT(*) FROM order_items WHERE order_id NOT IN (SELECT id FROM orders)) +
                            (SELECT COUNT(*) FROM orders WHERE id NOT IN (SELECT order_id FROM order_items))";
        let apart: Option<u64> = admin.query_first(apart).await.unwrap();
        assert_eq!(apart, Some(0), "{schema}");
        // Each customer has one order, which a request with the same key has found again.
        let counts = "SELECT COUNT(*), COUNT(DISTINCT customer_id) FROM orders";
        let (orders, distinct): (u64, u64) = admin.query_first(counts).await.unwrap().unwrap();
        assert!(orders > 0, "{schema} has no orders");
        assert_eq!(orders, distinct, "{schema}");
        customers += distinct;
    }
    assert_eq!(customers, 16);
}

/// Makes every call for this customer.
async fn use_all(api: &Api, customer: &str) {
    let post = keyed("once", &tea(customer));
    let placed = api.send(post.clone()).await;
    let path = path_of(&placed.body);
    let list = format!("/customers/{customer}/orders");
    let mut answers = vec![placed];
    for event in [
        post,
        Event::get(&path),
        change(&path, 1, "paid"),
        Event::get(&list),
        Event::get(format!("{list}?status=paid")),
    ] {
        answers.push(api.send(event).await);
    }
    let statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [201, 201, 200, 200, 200, 200]);
    let [placed, again, got, _, listed, of_status] = answers.try_into().unwrap();
    assert_eq!(again.body, placed.body);
    assert_eq!(got.body, placed.body);
    for list in [listed, of_status] {
        assert_eq!(list.body["orders"][0]["id"], placed.body["id"]);
    }
}
