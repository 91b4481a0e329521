//! The rules that a schema has to keep, and that nothing is deployed which breaks one.

use serde_json::{Value, json};

use crate::fresh_control_plane::{Scene, server_error};
use mysql_async::prelude::Queryable;

/// What a branch is made to have, and the code of the rule that it breaks.
const BROKEN: [(&str, &str); 10] = [
    (
        "CREATE TABLE a (id INT NULL, UNIQUE KEY (id))",
        "NO_UNIQUE_KEY",
    ),
    (
        "CREATE TABLE a (id INT NULL COMMENT 'is NOT NULL', UNIQUE KEY (id))",
        "NO_UNIQUE_KEY",
    ),
    (
        "CREATE TABLE a (id INT PRIMARY KEY) ENGINE = MyISAM",
        "UNSUPPORTED_FEATURE",
    ),
    (
        "CREATE TABLE a (id INT PRIMARY KEY, note VARCHAR(9)) DEFAULT CHARSET = greek",
        "INVALID_CHARSET",
    ),
    (
        "CREATE TABLE a (id INT PRIMARY KEY, note VARCHAR(9) CHARACTER SET greek)",
        "INVALID_CHARSET",
    ),
    (
        "CREATE TABLE a (note TEXT NOT NULL, UNIQUE KEY (note(9)))",
        "BLOB_IN_UNIQUE_KEY",
    ),
    (
        "CREATE TABLE a (note VARCHAR(90) NOT NULL, UNIQUE KEY (note(9)))",
        "PARTIAL_KEY_IN_UNIQUE_KEY",
    ),
    (
        "CREATE TABLE a (id INT PRIMARY KEY) PARTITION BY LIST (id) (PARTITION a VALUES IN (1))",
        "UNSUPPORTED_PARTITIONING_FEATURE",
    ),
    (
        "SET sql_mode = ''; CREATE TABLE a (id INT PRIMARY KEY, kind ENUM ('b', 'a', 'b'))",
        "DUPLICATE_ENUM_VALUE",
    ),
    (
        "CREATE TABLE b (id INT PRIMARY KEY); CREATE VIEW a AS SELECT id FROM b; DROP TABLE b",
        "INVALID_TABLE_REFERENCED_IN_VIEW",
    ),
];

#[tokio::test]
async fn what_breaks_a_rule_is_not_deployed() {
    let scene = Scene::new().await;
    scene.branch("dev").await;
    assert_eq!(
        scene.get("/branches/dev/schema/lint").await["data"],
        json!([])
    );
    let request = scene.open("dev", true).await;
    for (statements, code) in BROKEN {
        let statements: Vec<&str> = statements.split("; ").collect();
        scene.run("dev", &statements).await;
        let lint = scene.get("/branches/dev/schema/lint").await;
        let found: Vec<[&Value; 2]> = lint["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|finding| [&finding["lint_error"], &finding["table_name"]])
            .collect();
        assert_eq!(found, [[code, "a"]], "{statements:?}");

        let failed = scene.until(&request, &["error"]).await;
        assert_eq!(failed["deployment"]["deployable"], false);
        assert_eq!(failed["deployment"]["lint_errors"], lint["data"]);
        let refusal = scene.refused(&format!("{request}/deploy"), json!({})).await;
        assert_eq!(refusal, "The changes are not safe to deploy");

        let kind = if code.ends_with("VIEW") {
            "VIEW"
        } else {
            "TABLE"
        };
        scene.run("dev", &[&format!("DROP {kind} a")]).await;
        scene.until(&request, &["no_changes"]).await;
    }
}

#[tokio::test]
async fn what_stands_in_quotes_breaks_no_rule() {
    let scene = Scene::new().await;
    scene.branch("dev").await;
    let table = "CREATE TABLE a (id INT PRIMARY KEY, \
                 note VARCHAR(90) DEFAULT 'it''s CHARACTER SET greek' \
                 COMMENT 'why COLLATE matters, \\\\', ` COLLATE x` INT) \
                 COMMENT = 'not DEFAULT CHARSET=greek' \
                 PARTITION BY HASH (id) (PARTITION p COMMENT = 'no SUBPARTITION BY')";
    scene.run("dev", &[table]).await;
    assert_eq!(
        scene.get("/branches/dev/schema/lint").await["data"],
        json!([])
    );
}

#[tokio::test]
async fn a_schema_that_breaks_a_rule_can_not_have_safe_migrations() {
    let scene = Scene::new().await;
    scene.branch("dev").await;
    scene
        .run("dev", &["CREATE TABLE loose (id INT NULL)"])
        .await;
    scene.post("/branches/dev/promote", json!({})).await;
    let path = "/branches/dev/safe-migrations";
    let (status, refusal) = scene.send("POST", path, None).await;
    assert_eq!((status, &refusal["code"]), (422, &json!("unprocessable")));
    let branch = scene.get("/branches/dev").await;
    assert_eq!(branch["safe_migrations"], false);
    scene.run("dev", &["DROP TABLE loose"]).await;
    let enabled = scene.post(path, json!({})).await;
    assert_eq!(enabled["safe_migrations"], true);
}

#[tokio::test]
async fn foreign_keys_are_for_databases_that_enable_them() {
    let scene = Scene::new().await;
    let child = "CREATE TABLE child (id INT PRIMARY KEY, a INT, \
                 CONSTRAINT parent FOREIGN KEY (a) REFERENCES parent (id))";
    scene.branch("dev").await;
    scene
        .run("dev", &["CREATE TABLE parent (id INT PRIMARY KEY)"])
        .await;
    let mut conn = scene
        .login(&scene.password("dev", "admin").await)
        .await
        .unwrap();
    let (number, message) = server_error(conn.query_drop(child).await);
    assert_eq!(number, 1317);
    assert_eq!(message, "VT10001: foreign key constraints are not allowed");

    scene.plane.enable_foreign_keys(true).await;
    conn.query_drop(child).await.unwrap();
    assert_eq!(scene.get("").await["foreign_keys_enabled"], true);
    assert_eq!(
        scene.get("/branches/dev/schema/lint").await["data"],
        json!([])
    );
    conn.query_drop("SET foreign_key_checks = 0").await.unwrap();
    conn.query_drop("DROP TABLE parent").await.unwrap();
    let lint = scene.get("/branches/dev/schema/lint").await;
    assert_eq!(
        lint["data"][0]["lint_error"],
        "FOREIGN_KEYS_NONEXISTENT_TABLE"
    );
    scene.plane.enable_foreign_keys(false).await;
    let lint = scene.get("/branches/dev/schema/lint").await;
    assert_eq!(lint["data"][0]["lint_error"], "FOREIGN_KEYS_DISALLOWED");
    assert_eq!(lint["data"][0]["foreign_key_column_names"], json!(["a"]));
}

#[tokio::test]
async fn a_failed_check_says_why() {
    let scene = Scene::new().await;
    scene.branch("dev").await;
    scene
        .run("dev", &["CREATE TABLE a (id INT PRIMARY KEY)"])
        .await;
    scene
        .plane
        .fail_deploy_check(Some("the cluster is too small"));
    let request = scene.open("dev", true).await;
    let failed = scene.until(&request, &["error"]).await;
    assert_eq!(
        failed["deployment"]["deploy_check_errors"],
        "the cluster is too small"
    );
    scene.plane.fail_deploy_check(None);
    scene.until(&request, &["ready"]).await;
}
