//! `cargo dev test --url`, on a database that is there already.

use std::path::Path;
use std::process::Output;

use mysql_async::prelude::Queryable;
use tests::stack::{FreshDatabase, Stack};

use crate::command::{cargo_dev, relative};

/// Runs the tests on the database, or some of them.
fn test(name: &str, database: &FreshDatabase, some: &[&str]) -> Output {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let environment = database.environment("get-order").unwrap();
    let mut test = cargo_dev();
    test.arg("test")
        .args(["--url", &database.url()])
        .args(["--ca", environment.get("DATABASE_CA_FILE").unwrap()])
        .args(["--folder", relative(&folder)])
        .arg("--")
        .args(some);
    test.output().unwrap()
}

fn text(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr].concat();
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn tests_run_on_an_existing_database_as_an_ordinary_user() {
    let stack = Stack::from_env().unwrap();
    for (name, database, some) in [
        (
            "given",
            stack.fresh_database().await.unwrap(),
            &["idempotency"][..],
        ),
        ("given-vitess", stack.fresh_keyspace().await.unwrap(), &[]),
    ] {
        let output = test(name, &database, some);
        let said = text(&output);
        assert!(output.status.success(), "{said}");
        assert!(said.contains("not run: faults"), "{said}");
        assert!(said.contains("test idempotency::"), "{said}");
        assert!(!said.contains(database.password()), "{said}");
        let mut connection = database.connect().await.unwrap();
        let orders = connection.query_first("SELECT COUNT(*) FROM orders").await;
        let orders: Option<u64> = orders.unwrap();
        assert!(orders > Some(0));
    }
}

#[tokio::test]
async fn a_schema_with_other_tables_is_refused() {
    let stack = Stack::from_env().unwrap();
    let database = stack.fresh_database().await.unwrap();
    let mut admin = database.connect_as_admin().await.unwrap();
    let schema = database.name();
    for statement in [
        &format!("DROP DATABASE `{schema}`"),
        &format!("CREATE DATABASE `{schema}`"),
        &format!("USE `{schema}`"),
        "CREATE TABLE invoices (id INT)",
        // A view and a table that Vitess keeps do not count.
        "CREATE SQL SECURITY INVOKER VIEW paid AS SELECT 1 AS one",
        "CREATE TABLE _vt_hld_6ace8bcef73211ea87e9f875a4d24e90_20261125012345_ (id INT)",
    ] {
        admin.query_drop(statement).await.unwrap();
    }
    let output = test("given-refused", &database, &[]);
    let said = text(&output);
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("not this project's (invoices)"), "{said}");
    assert!(!said.contains(database.password()), "{said}");
}
