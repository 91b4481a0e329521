//! Changes that must not reach production, and the errors that say why.

use serde_json::json;

use crate::pipeline::Pipeline;
use crate::{CHANNEL, NOTES, TWO_TABLES};

#[tokio::test]
async fn a_migration_that_breaks_a_rule_is_refused_with_its_place_and_what_to_do() {
    // What the words show is refused before there is a branch.
    for (sql, advice, by_words) in [
        (
            "UPDATE orders SET version = 2;",
            "does not belong in a migration",
            true,
        ),
        (
            "ALTER TABLE orders RENAME COLUMN total TO sum;",
            "add the new column",
            true,
        ),
        (
            "ALTER TABLE orders DROP COLUMN total;",
            "-- allow drop-column: reason",
            false,
        ),
    ] {
        let pipeline = Pipeline::with("0002_wrong.sql", sql).await;
        pipeline
            .refused("MigrationsRefused", &["0002_wrong.sql:1", advice])
            .await;
        assert_eq!(pipeline.steps() == ["plan", "clean_up"], by_words, "{sql}");
        assert!(pipeline.has_column("orders", "total").await);
        pipeline.assert_nothing_happened().await;
    }
}

#[tokio::test]
async fn a_check_cannot_be_dropped_by_the_name_in_its_migration() {
    let pipeline = Pipeline::new().await;
    let check = "ALTER TABLE notes ADD CONSTRAINT short CHECK (CHAR_LENGTH(text) < 9);";
    pipeline.add("0002_notes.sql", &format!("{NOTES}{check}"));
    pipeline.succeed(json!({})).await;
    pipeline.add("0003_drop.sql", "ALTER TABLE notes DROP CONSTRAINT short;");
    // The deployment has renamed it, and the new branch has that name too.
    pipeline
        .refused("StatementRefused", &["0003_drop.sql:1", "short"])
        .await;
    pipeline.assert_recorded(&[1, 2]).await;
}

#[tokio::test]
async fn findings_of_planetscales_lint_stop_the_run() {
    let pipeline = Pipeline::new().await;
    // No migration knows of this table.
    let keyless = "CREATE TABLE by_hand (id INT) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4";
    pipeline.run_on_production(&[keyless]).await;
    pipeline.add("0002_notes.sql", NOTES);
    pipeline
        .refused("DeployRequestRefused", &["NO_UNIQUE_KEY in `by_hand`"])
        .await;
    pipeline.assert_nothing_happened().await;
}

#[tokio::test]
async fn failed_checks_of_the_deploy_request_stop_the_run() {
    let pipeline = Pipeline::new().await;
    pipeline
        .control_plane
        .fail_deploy_checks("not enough storage");
    pipeline.add("0002_notes.sql", NOTES);
    pipeline
        .refused("DeployRequestRefused", &["not enough storage"])
        .await;
    pipeline.assert_nothing_happened().await;
}

#[tokio::test]
async fn a_branch_that_somebody_changed_is_not_deployed() {
    for (migration, change, named) in [
        (NOTES, "ADD COLUMN extra INT NULL", "column `extra`"),
        (CHANNEL, "ADD COLUMN extra INT NOT NULL", "column `extra`"),
        (
            CHANNEL,
            "ADD UNIQUE KEY one_each (total)",
            "index `one_each`",
        ),
        (CHANNEL, "ADD CHECK (total > 0)", "CHECK "),
        (CHANNEL, "COMMENT = 'by hand'", "the table `orders`"),
    ] {
        let pipeline = Pipeline::with("0002_change.sql", migration).await;
        pipeline.die_after("apply_migrations").await;
        let change = format!("ALTER TABLE orders {change}");
        pipeline.change_own_branch(&[&change]).await;
        pipeline.refused("DifferenceRefused", &[named]).await;
        pipeline.assert_nothing_happened().await;
    }
}

#[tokio::test]
async fn a_branch_is_neither_deployed_nor_recorded_if_somebody_undid_part_of_the_change() {
    for (migration, removal) in [
        (TWO_TABLES, "DROP TABLE second_table"),
        // Then PlanetScale finds nothing to deploy.
        (TWO_TABLES, "DROP TABLE first_table, second_table"),
        (CHANNEL, "ALTER TABLE orders DROP COLUMN channel"),
    ] {
        let pipeline = Pipeline::with("0002_change.sql", migration).await;
        pipeline.die_after("apply_migrations").await;
        pipeline.change_own_branch(&[removal]).await;
        pipeline
            .refused("DifferenceRefused", &["the branch was changed"])
            .await;
        assert_eq!(pipeline.columns("first_table").await, [""; 0]);
        pipeline.assert_nothing_happened().await;

        pipeline.succeed(json!({})).await;
        assert_eq!(pipeline.recorded().await, [1, 2]);
    }
}

#[tokio::test]
async fn a_partly_deployed_change_is_recorded_once_production_has_all_of_it() {
    let pipeline = Pipeline::with("0002_tables.sql", TWO_TABLES).await;
    deploy_by_hand(&pipeline, "DROP TABLE second_table").await;
    assert_eq!(pipeline.columns("first_table").await, ["id"]);
    pipeline
        .refused(
            "DifferenceRefused",
            &[
                "the branch was changed",
                "deploy request 1 is deployed and not recorded",
            ],
        )
        .await;
    assert_eq!(pipeline.recorded().await, [1]);

    let second = TWO_TABLES.split(';').nth(1).unwrap();
    pipeline.run_on_production(&[second]).await;
    let result = pipeline.succeed(json!({})).await;
    assert_eq!(result["status"], "nothing_pending");
    pipeline.assert_recorded(&[1, 2]).await;
}

/// Changes the branch of the migrations and deploys it, as a person could.
async fn deploy_by_hand(pipeline: &Pipeline, change: &str) {
    pipeline.succeed(json!({ "deploy": false })).await;
    pipeline.change_own_branch(&[change]).await;
    let request = "/deploy-requests/1";
    // The control plane compares the branch again when somebody looks at the deploy request.
    pipeline.get(request).await;
    pipeline.act(request, "deploy").await;
    pipeline.until(request, &["complete_pending_revert"]).await;
}

#[tokio::test]
async fn a_different_change_deployed_from_the_branch_is_not_recorded() {
    let pipeline = Pipeline::with("0002_channel.sql", CHANNEL).await;
    let other = "ALTER TABLE orders DROP COLUMN channel, ADD COLUMN other INT NULL";
    deploy_by_hand(&pipeline, other).await;
    for _ in 0..2 {
        pipeline
            .refused("DifferenceRefused", &["the branch was changed"])
            .await;
        assert_eq!(pipeline.recorded().await, [1]);
    }
    // A migration with another text is another change. It would have to wait as long as the first
    // deployment can be reverted, which is cut short here.
    pipeline.act("/deploy-requests/1", "skip-revert").await;
    pipeline.add("0002_channel.sql", &format!("-- Once more.\n{CHANNEL}"));
    pipeline.succeed(json!({})).await;
    assert_eq!(pipeline.recorded().await, [1, 2]);
    let columns = pipeline.columns("orders").await;
    assert!(columns.ends_with(&["other".to_owned(), "channel".to_owned()]));
}

#[tokio::test]
async fn a_deployment_is_not_recorded_if_production_lost_its_table_afterwards() {
    let pipeline = Pipeline::with("0002_notes.sql", NOTES).await;
    pipeline.die_after("await_deployment").await;
    pipeline.run_on_production(&["DROP TABLE notes"]).await;
    let missing = "the table `notes` is missing. If it has their part of it, insert their rows";
    pipeline
        .step_fails("finish", "DifferenceRefused", missing)
        .await;
    pipeline.refused("DifferenceRefused", &[missing]).await;
    assert_eq!(pipeline.recorded().await, [1]);
}

#[tokio::test]
async fn a_deployment_does_not_undo_what_somebody_changed_in_production() {
    for (change, named) in [
        ("CREATE INDEX newer ON orders (total)", "index `newer`"),
        (
            "ALTER TABLE orders MODIFY customer_id VARCHAR(100) CHARACTER SET ascii NOT NULL",
            "column `customer_id`",
        ),
        ("ALTER TABLE orders ADD CHECK (total < 1000000)", "CHECK "),
        (
            "ALTER TABLE orders ADD COLUMN newer INT NULL",
            "column `newer`",
        ),
    ] {
        let pipeline = Pipeline::with("0002_channel.sql", CHANNEL).await;
        pipeline.succeed(json!({ "deploy": false })).await;
        pipeline.run_on_production(&[change]).await;
        pipeline.refused("DifferenceRefused", &[named]).await;
        pipeline.assert_nothing_happened().await;
        assert!(!pipeline.has_column("orders", "channel").await, "{change}");
    }
}

#[tokio::test]
async fn a_change_made_after_the_approval_is_not_deployed() {
    for in_production in [true, false] {
        let pipeline = Pipeline::with("0002_channel.sql", CHANNEL).await;
        pipeline.die_after("check_difference").await;
        let change = ["CREATE INDEX newer ON orders (total)"];
        match in_production {
            true => pipeline.run_on_production(&change).await,
            false => pipeline.change_own_branch(&change).await,
        }
        pipeline
            .step_fails("deploy", "DifferenceRefused", "index `newer`")
            .await;
        assert!(!pipeline.has_column("orders", "channel").await);
    }
}

#[tokio::test]
async fn a_refused_statement_is_reported_with_its_place_and_the_servers_words() {
    let pipeline = Pipeline::new().await;
    pipeline.run_on_production(&[NOTES]).await;
    pipeline.add("0002_notes.sql", NOTES);
    pipeline
        .refused("StatementRefused", &["0002_notes.sql:2", "already exists"])
        .await;
    pipeline.assert_nothing_happened().await;
}

#[tokio::test]
async fn a_migration_that_was_changed_after_it_was_applied_is_refused() {
    let pipeline = Pipeline::with("0002_notes.sql", NOTES).await;
    pipeline.succeed(json!({})).await;
    pipeline.add("0002_notes.sql", "CREATE TABLE other (id INT PRIMARY KEY);");
    pipeline
        .refused("LedgerDiffers", &["0002_notes.sql was changed"])
        .await;
}

#[tokio::test]
async fn the_error_names_the_access_that_the_token_lacks() {
    // Each of these is enough for the operation.
    let branch = [
        "create_branch",
        "restore_backup",
        "restore_production_branch_backup",
    ];
    let password = [
        "connect_branch",
        "connect_production_branch",
        "connect_production_read_only_branch",
    ];
    for grants in [
        branch.as_slice(),
        password.as_slice(),
        &["create_deploy_request"],
        &["delete_branch"],
    ] {
        let pipeline = Pipeline::new().await;
        for grant in grants {
            pipeline.control_plane.revoke(&pipeline.token, grant).await;
        }
        pipeline.add("0002_notes.sql", NOTES);
        let (error, cause) = pipeline.fail(json!({})).await;
        assert_eq!(error, "NotAllowed", "{grants:?}: {cause}");
        assert!(cause.contains(grants[0]), "{grants:?}: {cause}");
        // The branch is deleted last.
        let recorded: &[u32] = match grants {
            ["delete_branch"] => &[1, 2],
            _ => &[1],
        };
        assert_eq!(pipeline.recorded().await, recorded, "{grants:?}");
    }
}

#[tokio::test]
async fn an_unknown_option_is_refused() {
    let pipeline = Pipeline::with("0002_notes.sql", NOTES).await;
    let (error, cause) = pipeline.fail(json!({ "deploi": false })).await;
    assert_eq!(error, "WrongInput");
    assert!(cause.contains("deploi"), "{cause}");
    let (error, _) = pipeline.fail(json!({ "deploy": "no" })).await;
    assert_eq!(error, "WrongInput");
    pipeline.assert_nothing_happened().await;
}

#[tokio::test]
async fn a_change_is_refused_while_another_has_an_open_deploy_request() {
    let pipeline = Pipeline::with("0002_notes.sql", NOTES).await;
    pipeline.succeed(json!({ "deploy": false })).await;
    pipeline.add("0003_channel.sql", CHANNEL);
    pipeline
        .refused("AnotherAtWork", &["deploy request 1"])
        .await;
    assert_eq!(pipeline.open_deploy_requests().await, json!([[1]]));
}
