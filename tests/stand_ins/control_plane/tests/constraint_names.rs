//! Deployments give CHECK constraints and foreign keys new names.

use mysql_async::prelude::Queryable;
use serde_json::json;
use tests::stand_ins::control_plane::fresh_control_plane::{FreshControlPlane, server_error};

/// The names of the CHECK constraints and foreign keys of a table in production.
async fn names(api: &FreshControlPlane, table: &str) -> Vec<String> {
    api.rows(&format!(
        "SELECT constraint_name FROM information_schema.table_constraints \
         WHERE table_schema = DATABASE() AND table_name = '{table}' \
         AND constraint_type IN ('CHECK', 'FOREIGN KEY') ORDER BY constraint_name"
    ))
    .await
}

/// The names without the suffixes, of which each must have one.
fn originals(names: &[String]) -> Vec<&str> {
    let split = |name: &'_ String| name.len() - 26;
    for name in names {
        let suffix = &name[split(name)..];
        let digits = |c: char| c.is_ascii_digit() || c.is_ascii_lowercase();
        assert!(
            suffix.starts_with('_') && suffix[1..].chars().all(digits),
            "{name}"
        );
    }
    names.iter().map(|name| &name[..split(name)]).collect()
}

#[tokio::test]
async fn every_deployment_of_a_table_renames_all_its_constraints() {
    let api = FreshControlPlane::start().await;
    api.control_plane.enable_foreign_keys(true).await;
    api.branch_with(
        "dev",
        &[
            "CREATE TABLE parents (id INT PRIMARY KEY)",
            "CREATE TABLE children (id INT PRIMARY KEY, parent INT, size INT, \
                 CONSTRAINT positive CHECK (size > 0), \
                 CONSTRAINT has_parent FOREIGN KEY (parent) REFERENCES parents (id))",
        ],
    )
    .await;
    let request = api.deploy("dev").await;
    api.act(&request, "skip-revert").await;
    let created = names(&api, "children").await;
    assert_eq!(originals(&created), ["has_parent", "positive"]);
    // The names alone are no difference.
    let again = api.open("dev", true).await;
    api.until(&again, &["no_changes"]).await;
    assert_eq!(api.get("/branches/dev/diff").await["data"], json!([]));

    // A new branch has production's names.
    api.branch("next").await;
    let mut conn = api.login_as("next", "admin").await;
    let drop = "ALTER TABLE children DROP CONSTRAINT positive";
    let (number, _) = server_error(conn.query_drop(drop).await);
    assert!([1091, 3940].contains(&number), "{number}");
    // A foreign key that changes and keeps its name, and a CHECK that stays.
    let has_parent = &created[0];
    for statement in [
        format!("ALTER TABLE children DROP FOREIGN KEY {has_parent}"),
        format!(
            "ALTER TABLE children ADD CONSTRAINT {has_parent} \
             FOREIGN KEY (parent) REFERENCES parents (id) ON DELETE CASCADE"
        ),
    ] {
        conn.query_drop(statement).await.unwrap();
    }
    let request = api.deploy("next").await;
    let operations = api.get(&format!("{request}/operations")).await;
    assert_eq!(
        operations["data"][0]["removed_foreign_key_names"],
        json!([has_parent])
    );
    let altered = names(&api, "children").await;
    assert_eq!(originals(&altered), ["has_parent", "positive"]);
    assert!(
        !created.iter().any(|name| altered.contains(name)),
        "{altered:?}"
    );
    assert_eq!(api.get("/branches/next/diff").await["data"], json!([]));

    api.act(&request, "revert").await;
    api.until(&request, &["complete_revert"]).await;
    assert_eq!(names(&api, "children").await, created);
}

#[tokio::test]
async fn a_name_that_leaves_no_room_for_the_suffix_is_refused() {
    let api = FreshControlPlane::start().await;
    api.branch("dev").await;
    for (length, errors) in [(38, 0), (39, 1)] {
        let name = "c".repeat(length);
        let table =
            format!("CREATE TABLE t (id INT PRIMARY KEY, CONSTRAINT {name} CHECK (id > 0))");
        api.run("dev", &["DROP TABLE IF EXISTS t", &table]).await;
        let lint = api.get("/branches/dev/schema/lint").await;
        assert_eq!(lint["data"].as_array().unwrap().len(), errors, "{lint}");
        if errors == 1 {
            let error = &lint["data"][0];
            assert_eq!(error["lint_error"], "UNSUPPORTED_FEATURE");
            assert_eq!(error["check_constraint_name"], name);
        }
    }
    let request = api.open("dev", true).await;
    api.until(&request, &["error"]).await;
}
