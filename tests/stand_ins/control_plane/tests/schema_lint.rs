//! The schema lint, which keeps a schema with errors from being deployed.

use mysql_async::prelude::Queryable;
use serde_json::{Value, json};
use tests::stand_ins::control_plane::fresh_control_plane::{FreshControlPlane, server_error};

/// Statements on a branch, and the lint error that they cause.
const BROKEN: [(&str, &str); 9] = [
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
        "CREATE TABLE b (id INT PRIMARY KEY); CREATE VIEW a AS SELECT id FROM b; DROP TABLE b",
        "INVALID_TABLE_REFERENCED_IN_VIEW",
    ),
];

#[tokio::test]
async fn a_schema_with_lint_errors_is_not_deployed() {
    let api = FreshControlPlane::start().await;
    api.branch("dev").await;
    assert_eq!(
        api.get("/branches/dev/schema/lint").await["data"],
        json!([])
    );
    let request = api.open("dev", true).await;
    for (statements, code) in BROKEN {
        let statements: Vec<&str> = statements.split("; ").collect();
        api.run("dev", &statements).await;
        let lint = api.get("/branches/dev/schema/lint").await;
        let found: Vec<[&Value; 2]> = lint["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|finding| [&finding["lint_error"], &finding["table_name"]])
            .collect();
        assert_eq!(found, [[code, "a"]], "{statements:?}");

        let failed = api.until(&request, &["error"]).await;
        assert_eq!(failed["deployment"]["deployable"], false);
        assert_eq!(failed["deployment"]["lint_errors"], lint["data"]);
        let refusal = api.refused(&format!("{request}/deploy"), json!({})).await;
        assert_eq!(refusal, "The changes are not safe to deploy");

        let kind = if code.ends_with("VIEW") {
            "VIEW"
        } else {
            "TABLE"
        };
        api.run("dev", &[&format!("DROP {kind} a")]).await;
        api.until(&request, &["no_changes"]).await;
    }
}

#[tokio::test]
async fn text_in_quotes_causes_no_lint_error() {
    let api = FreshControlPlane::start().await;
    api.branch("dev").await;
    let table = "CREATE TABLE a (id INT PRIMARY KEY, \
                 note VARCHAR(90) DEFAULT 'it''s CHARACTER SET greek' \
                 COMMENT 'why COLLATE matters, \\\\', ` COLLATE x` INT) \
                 COMMENT = 'not DEFAULT CHARSET=greek' \
                 PARTITION BY HASH (id) (PARTITION p COMMENT = 'no SUBPARTITION BY')";
    api.run("dev", &[table]).await;
    assert_eq!(
        api.get("/branches/dev/schema/lint").await["data"],
        json!([])
    );
}

#[tokio::test]
async fn safe_migrations_are_refused_with_lint_errors() {
    let api = FreshControlPlane::start().await;
    api.branch_with("dev", &["CREATE TABLE loose (id INT NULL)"])
        .await;
    api.post("/branches/dev/promote", json!({})).await;
    let path = "/branches/dev/safe-migrations";
    let (status, refusal) = api.send("POST", path, None).await;
    assert_eq!((status, &refusal["code"]), (422, &json!("unprocessable")));
    let branch = api.get("/branches/dev").await;
    assert_eq!(branch["safe_migrations"], false);
    api.run("dev", &["DROP TABLE loose"]).await;
    let enabled = api.post(path, json!({})).await;
    assert_eq!(enabled["safe_migrations"], true);
}

#[tokio::test]
async fn foreign_keys_must_be_enabled() {
    let api = FreshControlPlane::start().await;
    let child = "CREATE TABLE child (id INT PRIMARY KEY, a INT, \
                 CONSTRAINT parent FOREIGN KEY (a) REFERENCES parent (id))";
    api.branch_with("dev", &["CREATE TABLE parent (id INT PRIMARY KEY)"])
        .await;
    let mut conn = api.login_as("dev", "admin").await;
    let (number, message) = server_error(conn.query_drop(child).await);
    assert_eq!(number, 1317);
    assert_eq!(message, "VT10001: foreign key constraints are not allowed");

    api.control_plane.enable_foreign_keys(true).await;
    conn.query_drop(child).await.unwrap();
    assert_eq!(api.get("").await["foreign_keys_enabled"], true);
    assert_eq!(
        api.get("/branches/dev/schema/lint").await["data"],
        json!([])
    );
    conn.query_drop("SET foreign_key_checks = 0").await.unwrap();
    conn.query_drop("DROP TABLE parent").await.unwrap();
    let lint = api.get("/branches/dev/schema/lint").await;
    assert_eq!(
        lint["data"][0]["lint_error"],
        "FOREIGN_KEYS_NONEXISTENT_TABLE"
    );
    api.control_plane.enable_foreign_keys(false).await;
    let lint = api.get("/branches/dev/schema/lint").await;
    assert_eq!(lint["data"][0]["lint_error"], "FOREIGN_KEYS_DISALLOWED");
    assert_eq!(lint["data"][0]["foreign_key_column_names"], json!(["a"]));
}
