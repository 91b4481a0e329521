//! Every kind of change: found, deployed and reverted.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::fresh_control_plane::FreshControlPlane;

/// A table, its change on a branch, and the expected clauses of the deploy request. There are none
/// if MySQL and MariaDB write them differently.
const CHANGES: [(&str, &str, &[&str]); 17] = [
    (
        "t01 (id INT PRIMARY KEY, a INT)",
        "ADD COLUMN b CHAR(3) NOT NULL AFTER id, ADD COLUMN c CHAR(3) NOT NULL",
        &["ADD COLUMN `b` char(3) NOT NULL AFTER `id`, ADD COLUMN `c` char(3) NOT NULL"],
    ),
    (
        "t02 (id INT PRIMARY KEY, a CHAR(3), b CHAR(3))",
        "MODIFY b CHAR(3) NOT NULL FIRST",
        &["MODIFY COLUMN `b` char(3) NOT NULL FIRST"],
    ),
    (
        "t03 (id INT PRIMARY KEY, a INT, KEY by_a (a))",
        "DROP COLUMN a",
        &["DROP KEY `by_a`, DROP COLUMN `a`"],
    ),
    (
        "t04 (id INT PRIMARY KEY, a CHAR(3) NOT NULL)",
        "RENAME COLUMN a TO b",
        &["DROP COLUMN `a`, ADD COLUMN `b` char(3) NOT NULL"],
    ),
    (
        "t05 (id INT PRIMARY KEY, a INT, KEY by_a (a))",
        "DROP KEY by_a, ADD UNIQUE KEY by_a (a), ADD KEY by_both (a, id)",
        &["DROP KEY `by_a`, ADD UNIQUE KEY `by_a` (`a`), ADD KEY `by_both` (`a`,`id`)"],
    ),
    (
        "t06 (id INT NOT NULL, a INT NOT NULL, PRIMARY KEY (id))",
        "DROP PRIMARY KEY, ADD PRIMARY KEY (id, a)",
        &["DROP PRIMARY KEY, ADD PRIMARY KEY (`id`,`a`)"],
    ),
    (
        "t07 (id INT PRIMARY KEY, a ENUM ('a', 'b, c'))",
        "MODIFY a ENUM ('a', 'b, c', 'it''s') NOT NULL DEFAULT 'a'",
        &["MODIFY COLUMN `a` enum('a','b, c','it''s') NOT NULL DEFAULT 'a'"],
    ),
    (
        "t08 (id INT PRIMARY KEY) COMMENT = 'a'",
        "COMMENT = ''",
        &[],
    ),
    (
        "t09 (id INT PRIMARY KEY, a VARCHAR(9), b VARCHAR(9) COLLATE utf8mb4_bin) DEFAULT CHARSET = latin1",
        "CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci",
        &[],
    ),
    (
        "t10 (id INT PRIMARY KEY, a INT, CONSTRAINT positive CHECK (a > 0))",
        "DROP CONSTRAINT positive, ADD CONSTRAINT large CHECK (a > 10)",
        &[],
    ),
    (
        "t11 (id INT PRIMARY KEY)",
        "PARTITION BY RANGE (id) (PARTITION a VALUES LESS THAN (10), PARTITION b VALUES LESS THAN MAXVALUE)",
        &[],
    ),
    (
        "t12 (id INT PRIMARY KEY) PARTITION BY HASH (id) PARTITIONS 3",
        "REMOVE PARTITIONING",
        &["REMOVE PARTITIONING"],
    ),
    (
        "t13 (id INT PRIMARY KEY, a INT)",
        "ADD COLUMN b INT GENERATED ALWAYS AS (a + id) STORED, ADD COLUMN c JSON",
        &[],
    ),
    (
        "t14 (id INT PRIMARY KEY, a INT, b INT, c INT)",
        "MODIFY c INT AFTER id, MODIFY a INT AFTER b",
        &[],
    ),
    (
        "t15 (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY)",
        "MODIFY id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT",
        &[],
    ),
    (
        "t16 (id INT PRIMARY KEY, a VARCHAR(9) COMMENT 'x, y' DEFAULT 'a, b')",
        "MODIFY a VARCHAR(19) COMMENT 'COLLATE utf8mb4_bin' DEFAULT 'it''s'",
        &[],
    ),
    // The next value depends on the rows.
    (
        "t17 (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY)",
        "AUTO_INCREMENT = 100",
        &["-"],
    ),
];

#[tokio::test]
async fn every_change_is_found_deployed_and_reverted() {
    let api = FreshControlPlane::start().await;
    api.control_plane.enable_foreign_keys(true).await;
    let creates: Vec<String> = CHANGES
        .iter()
        .map(|(table, ..)| format!("CREATE TABLE {table}"))
        .collect();
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
    let mut alters: Vec<String> = Vec::new();
    for (table, alter, _) in CHANGES {
        alters.push(format!("ALTER TABLE {} {alter}", &table[..3]));
    }
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
    for (table, _, expected) in CHANGES {
        let name = &table[..3];
        match expected {
            [] => assert!(found.contains_key(name), "{name}"),
            ["-"] => assert_eq!(found.get(name), None),
            expected => {
                let expected: Vec<String> = expected
                    .iter()
                    .map(|alter| format!("ALTER TABLE `{name}` {alter}"))
                    .collect();
                assert_eq!(found[name], expected);
            }
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

#[tokio::test]
async fn instant_ddl_only_adds_columns_at_the_end() {
    let api = FreshControlPlane::start().await;
    let instant = json!({"instant_ddl": true});
    for (name, alter, eligible) in [
        ("one", "ALTER TABLE orders ADD COLUMN gift INT", true),
        ("two", "ALTER TABLE orders DROP COLUMN gift", false),
    ] {
        api.branch_with(name, &[alter]).await;
        let request = api.ready(name).await;
        let ready = api.get(&request).await;
        assert_eq!(
            ready["deployment"]["instant_ddl_eligible"], eligible,
            "{ready}"
        );
        if eligible {
            api.post(&format!("{request}/deploy"), instant.clone())
                .await;
            // It cannot be reverted.
            api.until(&request, &["complete"]).await;
        } else {
            let refusal = api
                .refused(&format!("{request}/deploy"), instant.clone())
                .await;
            assert_eq!(refusal, "The changes are not eligible for instant DDL");
        }
    }
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
