//! Changes that reach production.

use std::collections::BTreeSet;

use serde_json::json;

use crate::NOTES;
use crate::pipeline::Scene;

#[tokio::test]
async fn a_new_table_is_deployed_and_recorded_and_nothing_is_left() {
    let scene = Scene::new().await;
    scene.add("0002_notes.sql", NOTES);
    let result = scene.succeed(json!({})).await;
    assert_eq!(result["status"], "deployed");
    assert_eq!(result["migrations"], json!(["0002_notes"]));
    assert_eq!(result["deploy_request"]["number"], 1);
    assert_eq!(scene.columns("notes").await, ["id", "text"]);
    assert_eq!(scene.recorded().await, [1, 2]);
    assert_eq!(scene.left().await, (vec![], vec![]));

    let result = scene.succeed(json!({})).await;
    assert_eq!(result["status"], "nothing_pending");
    assert_eq!(result["migrations"], json!([]));
}

#[tokio::test]
async fn a_new_column_and_an_index_on_it_keep_the_rows() {
    let scene = Scene::new().await;
    let insert = "INSERT INTO orders (id, customer_id, status, currency, total, version, created_at, updated_at) \
                  VALUES (UNHEX(REPLACE(UUID(), '-', '')), 'a', 'pending', 'EUR', 1, 1, NOW(6), NOW(6))";
    scene.change_production(&[insert]).await;
    scene.add(
        "0002_channel.sql",
        "ALTER TABLE orders ADD COLUMN channel VARCHAR(20) NULL, ADD INDEX orders_channel (channel);",
    );
    scene.succeed(json!({})).await;
    assert!(
        scene
            .columns("orders")
            .await
            .contains(&"channel".to_owned())
    );
    let indexed: Vec<String> = scene
        .rows("SELECT column_name FROM information_schema.statistics WHERE table_schema = DATABASE() AND index_name = 'orders_channel'")
        .await;
    assert_eq!(indexed, ["channel"]);
    let rows: Vec<u32> = scene.rows("SELECT COUNT(*) FROM orders").await;
    assert_eq!(rows, [1]);
}

#[tokio::test]
async fn a_column_goes_where_the_migration_allows_it() {
    let scene = Scene::new().await;
    scene.add("0002_notes.sql", NOTES);
    scene.succeed(json!({})).await;
    scene.add(
        "0003_no_text.sql",
        "-- allow drop-column: nobody reads it\nALTER TABLE notes DROP COLUMN text;",
    );
    scene.succeed(json!({})).await;
    assert_eq!(scene.columns("notes").await, ["id"]);
}

#[tokio::test]
async fn an_empty_database_gets_everything_and_the_ledger_with_it() {
    let scene = Scene::new().await;
    let tables: BTreeSet<String> = scene.rows("SHOW TABLES").await.into_iter().collect();
    assert!(tables.contains("schema_migrations"), "{tables:?}");
    for table in &tables {
        scene
            .change_production(&[&format!("DROP TABLE {table}")])
            .await;
    }
    let result = scene.succeed(json!({})).await;
    assert_eq!(result["status"], "deployed");
    assert_eq!(scene.recorded().await, [1]);
    let after: BTreeSet<String> = scene.rows("SHOW TABLES").await.into_iter().collect();
    assert_eq!(after, tables);
    assert_eq!(scene.left().await, (vec![], vec![]));
}

#[tokio::test]
async fn several_migrations_go_together() {
    let scene = Scene::new().await;
    scene.add("0002_notes.sql", NOTES);
    scene.add(
        "0003_done.sql",
        "ALTER TABLE notes ADD COLUMN done BOOLEAN NULL;",
    );
    let result = scene.succeed(json!({})).await;
    assert_eq!(result["deploy_request"]["number"], 1);
    assert_eq!(scene.recorded().await, [1, 2, 3]);
    assert_eq!(scene.columns("notes").await, ["id", "text", "done"]);
}

#[tokio::test]
async fn a_migration_that_makes_no_difference_is_recorded() {
    let scene = Scene::new().await;
    scene.add("0002_nothing.sql", "ALTER TABLE orders ENGINE = InnoDB;");
    let result = scene.succeed(json!({})).await;
    assert_eq!(result["status"], "deployed");
    assert_eq!(scene.recorded().await, [1, 2]);
    assert_eq!(scene.left().await, (vec![], vec![]));
}

#[tokio::test]
async fn what_a_migration_does_beside_is_no_deviation() {
    let scene = Scene::new().await;
    scene.add("0002_notes.sql", NOTES);
    scene.add(
        "0003_more.sql",
        "ALTER TABLE notes ADD COLUMN author VARCHAR(20) NULL, ADD COLUMN kind VARCHAR(20) NOT NULL DEFAULT '', \
         ADD KEY by_author (author), ADD KEY by_kind (kind, author);",
    );
    scene.succeed(json!({})).await;
    // The indexes follow the column; other columns are defined anew, for they stand elsewhere.
    for (file, sql) in [
        (
            "0004_no_author.sql",
            "-- allow drop-column: nobody reads it\nALTER TABLE notes DROP COLUMN author;",
        ),
        (
            "0005_order.sql",
            "ALTER TABLE notes MODIFY id BIGINT UNSIGNED NOT NULL AFTER kind;",
        ),
        (
            "0006_key.sql",
            "ALTER TABLE notes DROP PRIMARY KEY, ADD PRIMARY KEY (id, kind);",
        ),
        (
            "0007_charset.sql",
            "ALTER TABLE notes CONVERT TO CHARACTER SET latin1;",
        ),
    ] {
        scene.add(file, sql);
        scene.succeed(json!({})).await;
    }
    assert_eq!(scene.columns("notes").await, ["text", "kind", "id"]);
    let indexes: Vec<String> = scene
        .rows(
            "SELECT DISTINCT index_name FROM information_schema.statistics \
             WHERE table_schema = DATABASE() AND table_name = 'notes' ORDER BY index_name",
        )
        .await;
    assert_eq!(indexes, ["by_kind", "PRIMARY"]);
}

#[tokio::test]
async fn without_deploy_it_stops_at_the_open_deploy_request_and_goes_on_from_there() {
    let scene = Scene::new().await;
    scene.add("0002_notes.sql", NOTES);
    let result = scene.succeed(json!({ "deploy": false })).await;
    assert_eq!(result["status"], "opened");
    assert_eq!(result["deploy_request"]["number"], 1);
    let url = result["deploy_request"]["url"].as_str().unwrap();
    assert!(url.ends_with("/deploy-requests/1"), "{url}");
    assert_eq!(scene.left().await.1, [1]);
    assert_eq!(scene.columns("notes").await, [""; 0]);
    let requests = scene.api(&scene.token).await.deploy_requests().await;
    assert!(requests[0].notes.as_ref().unwrap().contains("0002_notes"));

    let result = scene.succeed(json!({})).await;
    assert_eq!(result["status"], "deployed");
    assert_eq!(result["deploy_request"]["number"], 1);
    assert_eq!(scene.recorded().await, [1, 2]);
}

#[tokio::test]
async fn it_waits_for_an_approval_where_it_is_asked_to_and_where_the_database_demands_one() {
    for options in [json!({ "approval": true }), json!({})] {
        let scene = Scene::new().await;
        let demanded = options == json!({});
        scene.plane.require_approval(demanded).await;
        scene.add("0002_notes.sql", NOTES);
        let execution = scene.start(options).await;
        scene.carried_out("await_approval", 3).await;
        assert_eq!(scene.columns("notes").await, [""; 0]);
        let person = scene.plane.new_token().await;
        let api = scene.api(&person).await;
        api.approve(1).await;
        execution.ended().await.unwrap();
        assert_eq!(scene.recorded().await, [1, 2], "{}", scene.logs());
    }
}

#[tokio::test]
async fn neither_history_nor_log_holds_a_password_the_token_or_sql() {
    let scene = Scene::new().await;
    scene.add("0002_notes.sql", NOTES);
    scene.succeed(json!({})).await;
    let exchanges = scene.plane.exchanges();
    let made = exchanges.iter().filter_map(|exchange| {
        let body = exchange.response.as_ref()?;
        body["plain_text"].as_str().map(str::to_owned)
    });
    let passwords: Vec<_> = made.collect();
    assert_eq!(passwords.len(), 1);
    for text in [scene.history(), scene.logs()] {
        for secret in passwords.iter().chain([&scene.token.token]) {
            assert!(!text.contains(secret.as_str()), "{text}");
        }
        assert!(!text.contains("CREATE TABLE"), "{text}");
    }
}

#[tokio::test]
async fn it_never_deploys_instantly_and_says_how_the_tables_are_exchanged() {
    let scene = Scene::new().await;
    scene.add("0002_notes.sql", NOTES);
    scene.succeed(json!({})).await;
    let bodies = |end: &str| {
        let exchanges = scene.plane.exchanges().into_iter();
        let posted = exchanges
            .filter(|exchange| exchange.method.as_str() == "POST" && exchange.path.ends_with(end));
        posted
            .map(|exchange| exchange.request.unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(bodies("/deploy"), [json!({ "instant_ddl": false })]);
    assert_eq!(bodies("/deploy-requests")[0]["auto_cutover"], true);
    assert_eq!(bodies("/skip-revert").len(), 1);
    assert_eq!(bodies("/passwords")[0]["role"], "admin");
    assert_eq!(bodies("/passwords")[0]["ttl"], 600);
}
