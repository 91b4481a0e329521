//! Every kind of change: found, deployed and reverted.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tests::stand_ins::control_plane::fresh_control_plane::FreshControlPlane;

/// The changes in `changes.txt`: a table, its change on a branch, and the expected clause of the deploy
/// request. It is `any` if MySQL and MariaDB write it differently, and `none` if nothing is to be
/// deployed: the next value of AUTO_INCREMENT depends on the rows.
fn changes() -> impl Iterator<Item = [&'static str; 3]> {
    let blocks = include_str!("changes.txt").trim_end().split("\n\n");
    blocks.map(|block| {
        let lines: Vec<&str> = block.lines().collect();
        lines.try_into().expect(block)
    })
}

#[tokio::test]
async fn every_change_is_found_deployed_and_reverted() {
    let api = FreshControlPlane::start().await;
    api.control_plane.enable_foreign_keys(true).await;
    let creates = changes().map(|[table, ..]| format!("CREATE TABLE {table}"));
    let creates: Vec<String> = creates.collect();
    let mut creates: Vec<&str> = creates.iter().map(String::as_str).collect();
    creates.extend([
        "CREATE TABLE parent (id INT PRIMARY KEY)",
        "CREATE TABLE child (id INT PRIMARY KEY, a INT, \
         CONSTRAINT old FOREIGN KEY (a) REFERENCES parent (id))",
        "CREATE TABLE gone (id INT PRIMARY KEY)",
        "CREATE VIEW changed AS SELECT id FROM parent",
        "CREATE VIEW dropped AS SELECT id FROM parent",
    ]);
    api.run_on_production(&creates).await;
    api.branch("dev").await;
    let before = api.get("/branches/main/schema").await;
    let alters = changes().map(|[table, alter, _]| format!("ALTER TABLE {} {alter}", &table[..3]));
    let alters: Vec<String> = alters.collect();
    let mut alters: Vec<&str> = alters.iter().map(String::as_str).collect();
    alters.extend([
        "ALTER TABLE child DROP FOREIGN KEY old, ADD CONSTRAINT new FOREIGN KEY (a) REFERENCES parent (id) ON DELETE CASCADE",
        "DROP TABLE gone",
        "CREATE TABLE added (id INT PRIMARY KEY)",
        "CREATE OR REPLACE VIEW changed AS SELECT id + 1 AS next FROM added",
        "DROP VIEW dropped",
        "CREATE VIEW new_one AS SELECT next FROM changed",
    ]);
    api.run("dev", &alters).await;

    let request = api.ready("dev").await;
    let found = statements(&api, &request).await;
    for [table, _, expected] in changes() {
        let name = &table[..3];
        match expected {
            "any" => assert!(found.contains_key(name), "{name}"),
            "none" => assert_eq!(found.get(name), None),
            clause => assert_eq!(found[name], [format!("ALTER TABLE `{name}` {clause}")]),
        }
    }
    // The column's text stays the same, but its character set changes.
    let converted = &found["t09"][0];
    assert!(
        converted.contains("MODIFY COLUMN `a` varchar(9)"),
        "{converted}"
    );
    assert_eq!(found["gone"], ["DROP TABLE `gone`"]);
    assert_eq!(found["dropped"], ["DROP VIEW `dropped`"]);
    api.act(&request, "deploy").await;
    let deployed = api
        .until(&request, &["complete_pending_revert", "complete_error"])
        .await;
    assert_eq!(
        deployed["deployment_state"], "complete_pending_revert",
        "{deployed}"
    );
    assert_eq!(api.get("/branches/dev/diff").await["data"], json!([]));

    api.act(&request, "revert").await;
    let reverted = api
        .until(&request, &["complete_revert", "complete_revert_error"])
        .await;
    assert_eq!(reverted["deployment_state"], "complete_revert");
    assert_eq!(api.get("/branches/main/schema").await, before);
}

/// The statements of a deploy request by their tables.
async fn statements(api: &FreshControlPlane, request: &str) -> BTreeMap<String, Vec<String>> {
    let operations = api.get(&format!("{request}/operations?per_page=100")).await;
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for operation in operations["data"].as_array().unwrap() {
        let text = |name: &str| operation[name].as_str().map(str::to_owned).unwrap();
        found
            .entry(text("table_name"))
            .or_default()
            .push(text("ddl_statement"));
    }
    assert_eq!(operations["next_page"], Value::Null);
    found
}
