//! The backups of the production branch: when `back-up-database` begins one, what it follows, reports
//! and deletes, and that a backup can be restored. Its program runs on a stand-in of PlanetScale's
//! control plane, whose backups are copies of a real schema.

mod production;

use std::time::Duration;

use mysql_async::prelude::Queryable;
use serde_json::{Value, json};
use tests::cargo_dev::restore;
use tests::stand_ins::control_plane::ApiFailure;

use production::Production;

const HOUR: Duration = Duration::from_secs(3600);

/// The statuses of so many checks, one after the other.
async fn statuses(production: &Production, checks: usize) -> Vec<String> {
    let mut statuses = Vec::new();
    for _ in 0..checks {
        let report = production.check().await.unwrap();
        statuses.push(report["status"].as_str().unwrap().to_owned());
    }
    statuses
}

#[tokio::test]
async fn a_backup_is_begun_when_there_is_none_and_followed_to_its_end() {
    let production = Production::new().await;
    production.control_plane.age(3 * HOUR).await;
    let report = production.check().await.unwrap();
    assert_eq!(report["status"], "begun");
    assert_eq!(report["newest"], Value::Null);
    assert_eq!(report["under_way"]["state"], "pending");
    // The rows were not safe since the branch was made.
    assert_eq!(report["age_hours"], 3.0);
    assert_eq!(production.metric("BackupAge"), Some(3.0));
    assert_eq!(production.metric("BackupFailed"), None);

    assert_eq!(
        statuses(&production, 3).await,
        ["under_way", "under_way", "fresh"]
    );
    assert_eq!(
        production.requests(),
        [json!({
            "name": report["under_way"]["name"],
            "retention_unit": "day",
            "retention_value": 7,
        })]
    );
    let line = production.last_line();
    assert_eq!(line["status"], "fresh");
    assert_eq!(line["newest"], report["under_way"]["name"]);
    assert_eq!(line["age_hours"], 0.0);
    assert!(line["size_bytes"].as_u64().unwrap() > 0, "{line}");
}

#[tokio::test]
async fn a_backup_is_too_old_from_the_age_of_the_policy_on() {
    let production = Production::new().await;
    production.back_up("nightly").await;
    for (hours, status) in [(25, "fresh"), (1, "begun"), (0, "under_way")] {
        production.control_plane.age(hours * HOUR).await;
        assert_eq!(statuses(&production, 1).await, [status]);
    }
    assert_eq!(production.requests().len(), 2);
}

#[tokio::test]
async fn a_backup_of_somebody_else_is_followed_too() {
    let production = Production::new().await;
    production.begin("by hand").await;
    let report = production.check().await.unwrap();
    assert_eq!(report["status"], "under_way");
    assert_eq!(report["under_way"]["name"], "by hand");
    assert_eq!(production.requests().len(), 1);
}

#[tokio::test]
async fn a_backup_that_failed_is_reported_until_another_succeeds() {
    let production = Production::new().await;
    production.control_plane.fail_backup();
    let first = production.check().await.unwrap();
    let failed = json!([first["under_way"]["name"]]);
    assert_eq!(statuses(&production, 2).await, ["under_way", "under_way"]);
    let report = production.check().await.unwrap();
    assert_eq!(
        (&report["status"], &report["failed"]),
        (&json!("begun"), &failed)
    );
    assert_eq!(production.last_line()["failed"], failed[0]);
    assert_eq!(production.metric("BackupFailed"), Some(1.0));
    let report = production.check().await.unwrap();
    assert_eq!(
        (&report["status"], &report["failed"]),
        (&json!("under_way"), &failed)
    );
    assert_eq!(statuses(&production, 2).await, ["under_way", "fresh"]);
    let report = production.check().await.unwrap();
    assert_eq!(report["failed"], json!([]));
    assert_eq!(production.requests().len(), 2);
}

#[tokio::test]
async fn only_own_backups_are_deleted_when_they_are_older_than_the_retention() {
    let production = Production::new().await;
    let own = [
        "back-up-database-20261101T000000Z",
        "back-up-database-20261102T000000Z",
    ];
    let others = ["nightly", "back-up-database-before-the-move"];
    let protected = "back-up-database-20261103T000000Z";
    for name in own.into_iter().chain(others) {
        production.back_up(name).await;
    }
    let path = production.back_up(protected).await;
    let protect = json!({ "protected": true });
    assert_eq!(production.patch(&path, protect).await, 200);
    let deleted = async || production.check().await.unwrap()["deleted"].clone();
    production.control_plane.age(6 * 24 * HOUR).await;
    production
        .back_up("back-up-database-20261108T000000Z")
        .await;
    assert_eq!(deleted().await, json!([]));
    production.control_plane.age(24 * HOUR).await;
    assert_eq!(deleted().await, json!(own));
    assert_eq!(production.last_line()["deleted"], own.join(" "));
    // The newest is kept, whatever its age.
    production.control_plane.age(24 * 365 * HOUR).await;
    assert_eq!(deleted().await, json!([]));
    let left = production.names().await;
    for name in others.iter().chain(&["back-up-database-20261108T000000Z"]) {
        assert!(left.contains(&json!(name)), "{left:?}");
    }
}

#[tokio::test]
async fn an_access_that_the_token_lacks_is_named() {
    for (lacking, named) in [
        (&["read_backups"][..], "read_backups"),
        (&["write_backups"], "write_backups"),
        (
            &["delete_backups", "delete_production_branch_backups"],
            "delete_production_branch_backups",
        ),
        (
            &[
                "read_branch",
                "create_branch",
                "delete_branch",
                "connect_branch",
                "connect_production_branch",
            ],
            "read_branch",
        ),
    ] {
        let production = Production::new().await;
        if named.starts_with("delete") {
            production
                .back_up("back-up-database-20261101T000000Z")
                .await;
            production.control_plane.age(24 * 8 * HOUR).await;
            production.back_up("nightly").await;
        }
        for access in lacking {
            production
                .control_plane
                .revoke(&production.token, access)
                .await;
        }
        let error = production.check().await.unwrap_err();
        assert_eq!(error.name, "NotAllowed", "{error:?}");
        assert!(error.message.contains(named), "{error:?}");
        let is_checked = !named.starts_with("read");
        assert_eq!(
            production.metric("BackupAge").is_some(),
            is_checked,
            "{named}"
        );
        let has_failed = !named.starts_with("delete");
        assert_eq!(
            production.metric("BackupFailed").is_some(),
            has_failed,
            "{named}"
        );
    }
}

#[tokio::test]
async fn a_busy_api_and_a_lost_answer_begin_no_second_backup() {
    for failure in [
        ApiFailure::with(429).on("GET", "/backups"),
        ApiFailure::with(500).on("GET", "/backups"),
        ApiFailure::with(429).on("POST", "/backups"),
        ApiFailure::with(500).on("POST", "/backups").after_doing(),
    ] {
        let production = Production::new().await;
        production.control_plane.fail(failure.clone());
        assert_eq!(statuses(&production, 1).await, ["begun"], "{failure:?}");
        assert!(production.control_plane.has_failed_all());
        assert_eq!(production.names().await.len(), 1);
    }
}

#[tokio::test]
async fn what_the_template_schedules_is_what_the_function_reads() {
    let production = Production::new().await;
    assert_eq!(production.scheduled(), production::policy());
    let error = production
        .call(json!({ "max_age_hours": 26, "retention": "7 eons" }))
        .await;
    let error = error.unwrap_err();
    assert!(error.message.contains("from 1 to 1000"), "{error:?}");
}

#[tokio::test]
async fn a_branch_from_the_newest_backup_has_its_rows() {
    let production = Production::new().await;
    let orders = |count: u8| {
        let rows = (0..count)
            .map(|id| format!("(X'{id:032x}', 'c', 'pending', 'EUR', 1, 1, NOW(6), NOW(6))"));
        let rows = rows.collect::<Vec<_>>().join(", ");
        format!(
            "REPLACE INTO orders (id, customer_id, status, currency, total, version, created_at, updated_at) VALUES {rows}"
        )
    };
    let mut database = production.database.connect().await.unwrap();
    database.query_drop(orders(3)).await.unwrap();
    assert_eq!(statuses(&production, 4).await.last().unwrap(), "fresh");
    database.query_drop(orders(5)).await.unwrap();
    let restored = restore::restore(&production.environment()).await.unwrap();
    assert_eq!(restored.tables["orders"], [Some(5), Some(3)]);
    let comparison = restored.comparison().unwrap();
    assert!(
        comparison.contains("written to after the backup"),
        "{comparison}"
    );
}
