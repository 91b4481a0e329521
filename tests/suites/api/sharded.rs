//! Orders on two shards: each statement goes to one of them, and no order is apart from its items.
//! These tests only run with `cargo dev test --sharded`.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Params};
use schema::ledger;
use serde_json::json;
use tests::stack::FreshDatabase;
use tests::stand_ins::lambda::event::Event;
use tests::stand_ins::lambda::{Answer, Function};
use tests::vitess::Vitess;

use crate::client::{fresh_database, function, path_of, stack, tea};
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
    let functions = Functions::start(&database).await;
    for customer in 0..4 {
        functions.use_all(&format!("cust-{customer}")).await;
    }
    let plans = vitess(&database).plans().await.unwrap();
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
    let functions = Functions::start(&database).await;
    for customer in 0..16 {
        functions.use_all(&format!("cust-{customer}")).await;
    }
    let mut admin = stack().admin().await.unwrap();
    let mut customers = 0;
    for schema in database.schemas() {
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

/// The functions of the API, on one database.
struct Functions {
    create: Function,
    get: Function,
    list: Function,
    update: Function,
}

impl Functions {
    async fn start(database: &FreshDatabase) -> Self {
        let start = async |name| function(name, database).start().await.unwrap();
        Self {
            create: start("create-order").await,
            get: start("get-order").await,
            list: start("list-orders").await,
            update: start("update-order").await,
        }
    }

    /// Makes every call for this customer.
    async fn use_all(&self, customer: &str) {
        let post = Event::post("/orders")
            .header("idempotency-key", "once")
            .json(&tea(customer));
        let placed = self.create.invoke(post.clone()).await.unwrap();
        let again = self.create.invoke(post).await.unwrap();
        let path = path_of(&placed.body);
        let got = self.get.invoke(Event::get(&path)).await.unwrap();
        let paid = Event::patch(&path)
            .header("if-match", "\"1\"")
            .json(&json!({ "status": "paid" }));
        let updated = self.update.invoke(paid).await.unwrap();
        let list = format!("/customers/{customer}/orders");
        let listed = self.list.invoke(Event::get(&list)).await.unwrap();
        let of_status = Event::get(format!("{list}?status=paid"));
        let of_status = self.list.invoke(of_status).await.unwrap();

        let statuses = |answers: [&Answer; 6]| answers.map(|answer| answer.status);
        let answers = [&placed, &again, &got, &updated, &listed, &of_status];
        assert_eq!(statuses(answers), [201, 201, 200, 200, 200, 200]);
        assert_eq!(again.body, placed.body);
        assert_eq!(got.body, placed.body);
        for list in [listed, of_status] {
            assert_eq!(list.body["orders"][0]["id"], placed.body["id"]);
        }
    }
}
