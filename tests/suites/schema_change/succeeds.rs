//! Changes that reach production.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::NOTES;
use crate::pipeline::Pipeline;

#[tokio::test]
async fn a_new_table_is_deployed_and_recorded_and_nothing_is_left() {
    let pipeline = Pipeline::with("0002_notes.sql", NOTES).await;
    let result = pipeline.succeed(json!({})).await;
    assert_eq!(result["status"], "deployed");
    assert_eq!(result["migrations"], json!(["0002_notes"]));
    assert_eq!(result["deploy_request"]["number"], 1);
    assert_eq!(pipeline.columns("notes").await, ["id", "text"]);
    pipeline.assert_recorded(&[1, 2]).await;

    let result = pipeline.succeed(json!({})).await;
    assert_eq!(result["status"], "nothing_pending");
    assert_eq!(result["migrations"], json!([]));
}

#[tokio::test]
async fn a_new_column_and_an_index_on_it_keep_the_rows() {
    let pipeline = Pipeline::new().await;
    let insert = "INSERT INTO orders (id, customer_id, status, currency, total, version, created_at, updated_at) \
                  VALUES (UNHEX(REPLACE(UUID(), '-', '')), 'a', 'pending', 'EUR', 1, 1, NOW(6), NOW(6))";
    pipeline.run_on_production(&[insert]).await;
    pipeline.add(
        "0002_channel.sql",
        "ALTER TABLE orders ADD COLUMN channel VARCHAR(20) NULL, ADD INDEX orders_channel (channel);",
    );
    pipeline.succeed(json!({})).await;
    assert!(pipeline.has_column("orders", "channel").await);
    let indexed: Vec<String> = pipeline
        .rows("SELECT column_name FROM information_schema.statistics WHERE table_schema = DATABASE() AND index_name = 'orders_channel'")
        .await;
    assert_eq!(indexed, ["channel"]);
    let rows: Vec<u32> = pipeline.rows("SELECT COUNT(*) FROM orders").await;
    assert_eq!(rows, [1]);
}

#[tokio::test]
async fn an_empty_database_gets_everything_and_the_ledger_with_it() {
    let pipeline = Pipeline::new().await;
    let tables: BTreeSet<String> = pipeline.rows("SHOW TABLES").await.into_iter().collect();
    assert!(tables.contains("schema_migrations"), "{tables:?}");
    for table in &tables {
        pipeline
            .run_on_production(&[&format!("DROP TABLE {table}")])
            .await;
    }
    let result = pipeline.succeed(json!({})).await;
    assert_eq!(result["status"], "deployed");
    assert_eq!(pipeline.recorded().await, [1]);
    let after: BTreeSet<String> = pipeline.rows("SHOW TABLES").await.into_iter().collect();
    assert_eq!(after, tables);
    pipeline.assert_nothing_left().await;
}

#[tokio::test]
async fn checks_foreign_keys_and_views_are_deployed_and_recorded() {
    let pipeline = Pipeline::new().await;
    pipeline.control_plane.enable_foreign_keys(true).await;
    // The stack's Vitess takes no foreign keys.
    let foreign_key = match pipeline.stack.is_vitess() {
        true => "",
        false => "CONSTRAINT of_note FOREIGN KEY (note_id) REFERENCES notes (id),",
    };
    pipeline.add("0002_notes.sql", NOTES);
    pipeline.add(
        "0003_replies.sql",
        &format!(
            "CREATE TABLE replies (
               id BIGINT UNSIGNED NOT NULL,
               note_id BIGINT UNSIGNED NOT NULL,
               stars INT NOT NULL,
               PRIMARY KEY (id),
               {foreign_key}
               CONSTRAINT positive CHECK (stars > 0)
             ) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;
             CREATE VIEW best_replies AS SELECT id, note_id FROM replies WHERE stars > 4;"
        ),
    );
    pipeline.succeed(json!({})).await;
    assert_eq!(pipeline.recorded().await, [1, 2, 3]);
    assert_eq!(pipeline.columns("best_replies").await, ["id", "note_id"]);

    // The deployment has renamed the constraints, which does not count as a difference.
    pipeline.add(
        "0004_more.sql",
        "ALTER TABLE replies ADD COLUMN text VARCHAR(500) NULL;",
    );
    pipeline.succeed(json!({})).await;
    assert_eq!(pipeline.recorded().await, [1, 2, 3, 4]);
}

#[tokio::test]
async fn a_migration_that_changes_nothing_is_recorded_with_a_warning() {
    let pipeline = Pipeline::with("0002_nothing.sql", "ALTER TABLE orders ENGINE = InnoDB;").await;
    let result = pipeline.succeed(json!({})).await;
    assert_eq!(result["status"], "deployed");
    let warnings = result["warnings"].to_string();
    assert!(
        warnings.contains("change nothing in the schema"),
        "{warnings}"
    );
    assert_eq!(result["deploy_request"], json!(null));
    pipeline.assert_recorded(&[1, 2]).await;
}

#[tokio::test]
async fn a_deployment_may_change_everything_that_follows_from_the_migrations() {
    let pipeline = Pipeline::new().await;
    pipeline.add("0002_notes.sql", NOTES);
    pipeline.add(
        "0003_more.sql",
        "ALTER TABLE notes ADD COLUMN author VARCHAR(20) NULL, ADD COLUMN kind VARCHAR(20) NOT NULL DEFAULT '', \
         ADD KEY by_author (author), ADD KEY by_kind (kind, author);",
    );
    // Both are deployed together.
    let result = pipeline.succeed(json!({})).await;
    assert_eq!(result["deploy_request"]["number"], 1);
    assert_eq!(pipeline.recorded().await, [1, 2, 3]);
    // Dropping a column changes indexes, and moving a column moves others.
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
        pipeline.add(file, sql);
        pipeline.succeed(json!({})).await;
    }
    assert_eq!(pipeline.columns("notes").await, ["text", "kind", "id"]);
    let indexes: Vec<String> = pipeline
        .rows(
            "SELECT DISTINCT index_name FROM information_schema.statistics \
             WHERE table_schema = DATABASE() AND table_name = 'notes' ORDER BY index_name",
        )
        .await;
    assert_eq!(indexes, ["by_kind", "PRIMARY"]);
}

#[tokio::test]
async fn a_run_can_stop_at_the_open_deploy_request_and_the_next_run_continues() {
    let pipeline = Pipeline::with("0002_notes.sql", NOTES).await;
    let result = pipeline.succeed(json!({ "deploy": false })).await;
    assert_eq!(result["status"], "opened");
    assert_eq!(result["deploy_request"]["number"], 1);
    let url = result["deploy_request"]["url"].as_str().unwrap();
    assert!(url.ends_with("/deploy-requests/1"), "{url}");
    assert_eq!(pipeline.open_deploy_requests().await, json!([[1]]));
    assert_eq!(pipeline.columns("notes").await, [""; 0]);
    let notes = pipeline.list("/deploy-requests", ["notes"]).await;
    assert!(notes.to_string().contains("0002_notes"), "{notes}");

    let result = pipeline.succeed(json!({})).await;
    assert_eq!(result["status"], "deployed");
    assert_eq!(result["deploy_request"]["number"], 1);
    assert_eq!(pipeline.recorded().await, [1, 2]);
}

#[tokio::test]
async fn a_run_waits_for_an_approval_if_the_input_or_the_database_demands_one() {
    for options in [json!({ "approval": true }), json!({})] {
        let pipeline = Pipeline::new().await;
        let demanded = options == json!({});
        pipeline.control_plane.require_approval(demanded).await;
        pipeline.add("0002_notes.sql", NOTES);
        let execution = pipeline.start(options).await;
        pipeline.carried_out("await_approval", 3).await;
        assert_eq!(pipeline.columns("notes").await, [""; 0]);
        let person = pipeline.control_plane.new_token().await;
        pipeline.approve(&person).await;
        pipeline.succeeds(execution).await;
        assert_eq!(pipeline.recorded().await, [1, 2]);
    }
}

#[tokio::test]
async fn neither_the_history_nor_the_log_holds_a_password_the_token_or_sql() {
    let pipeline = Pipeline::with("0002_notes.sql", NOTES).await;
    pipeline.succeed(json!({})).await;
    let made = pipeline.posted("/passwords");
    assert!(made.len() > 1);
    for text in [pipeline.history(), pipeline.logs()] {
        for exchange in &made {
            let password = exchange.response.as_ref().unwrap()["plain_text"].as_str();
            assert!(!text.contains(password.unwrap()), "{text}");
        }
        assert!(!text.contains(&pipeline.token.token), "{text}");
        assert!(!text.contains("CREATE TABLE"), "{text}");
    }
}

#[tokio::test]
async fn a_deployment_is_never_instant_and_its_passwords_are_short_lived() {
    let pipeline = Pipeline::with("0002_notes.sql", NOTES).await;
    pipeline.succeed(json!({})).await;
    let bodies = |end: &str| -> Vec<Value> {
        let posted = pipeline.posted(end).into_iter();
        posted.map(|exchange| exchange.request.unwrap()).collect()
    };
    assert_eq!(bodies("/deploy"), [json!({ "instant_ddl": false })]);
    let opened = &bodies("/deploy-requests")[0];
    assert_eq!(opened["auto_cutover"], true);
    assert_eq!(opened["auto_delete_branch"], false);
    assert_eq!(bodies("/skip-revert").len(), 1);
    let passwords = bodies("/passwords");
    assert!(passwords.len() > 1);
    for (at, password) in passwords.iter().enumerate() {
        let role = if at == 0 { "admin" } else { "reader" };
        let expected = (&json!(role), &json!(600));
        assert_eq!((&password["role"], &password["ttl"]), expected);
    }
}
