//! The functions' own client: every operation of it, against the control plane.

use std::sync::Arc;
use std::time::Duration;

use lambda::Deadline;
use lambda::clock::SystemClock;
use planetscale::settings::PlanetScaleSettings;
use planetscale::{
    BackupState, Calls, DeploymentState, Filter, NewBackup, NewDeployRequest, NewPassword,
    Openness, Period, PlanetScale, RetentionUnit, Role, Verdict,
};
use tests::stand_ins::control_plane::contract::Contract;
use tests::stand_ins::control_plane::{BRANCH, DATABASE, ORGANIZATION};

use crate::fresh_control_plane::{Scene, eventually};

async fn client(scene: &Scene) -> PlanetScale {
    let secret_id = scene.stack.new_secret(&scene.token.secret()).await.unwrap();
    PlanetScale::new(
        PlanetScaleSettings {
            api_url: scene.plane.url().parse().unwrap(),
            organization: ORGANIZATION.to_owned(),
            database: DATABASE.to_owned(),
            branch: BRANCH.to_owned(),
            token_secret_id: secret_id,
            token_max_age: Duration::from_secs(60),
        },
        Arc::new(SystemClock),
    )
}

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(60))
}

async fn branch(calls: &Calls<'_>, scene: &Scene, name: &str, statement: &str) {
    calls.create_branch(name, BRANCH).await.unwrap();
    eventually(name, async || {
        calls.branch(name).await.unwrap().ready.then_some(())
    })
    .await;
    scene.run(name, &[statement]).await;
}

async fn opened(calls: &Calls<'_>, name: &str, auto_cutover: bool) -> u64 {
    let new = NewDeployRequest {
        branch: name,
        into_branch: BRANCH,
        notes: "for a test",
        auto_cutover,
    };
    let request = calls.create_deploy_request(&new).await.unwrap();
    assert_eq!(request.state, Openness::Open);
    until(calls, request.number, &DeploymentState::Ready).await;
    request.number
}

async fn until(calls: &Calls<'_>, number: u64, state: &DeploymentState) {
    eventually(&format!("{state} of deploy request {number}"), async || {
        let deployment = calls.deployment(number).await.unwrap();
        (deployment.state == *state).then_some(())
    })
    .await;
}

#[tokio::test]
async fn every_operation_of_the_functions_client_works_and_keeps_to_the_document() {
    let scene = Scene::new().await;
    let client = client(&scene).await;
    let calls = client.until(soon());

    assert_eq!(calls.database().await.unwrap().name, DATABASE);
    let protected = calls.set_safe_migrations(BRANCH, true).await.unwrap();
    assert!(protected.safe_migrations);

    let table = "CREATE TABLE t (id INT NOT NULL, PRIMARY KEY (id))";
    branch(&calls, &scene, "first", table).await;
    let unprotected = calls.set_safe_migrations("first", false).await.unwrap();
    assert!(!unprotected.safe_migrations);
    assert_eq!(calls.branches().await.unwrap().len(), 2);
    let tables = calls.schema("first").await.unwrap();
    assert!(tables.iter().any(|table| table.name == "t"));
    assert_eq!(calls.lint("first").await.unwrap(), []);

    let new = NewPassword {
        name: "a-test".to_owned(),
        role: Role::Reader,
        ttl: Some(Duration::from_secs(600)),
    };
    let password = calls.create_password("first", &new).await.unwrap();
    assert!(password.plain_text.is_some() && password.renewable);
    let renewed = calls.renew_password("first", &password.id).await.unwrap();
    assert!(renewed.plain_text.is_none() && renewed.expires_at.is_some());
    let names = calls.passwords("first").await.unwrap();
    assert!(names.iter().any(|password| password.name == "a-test"));
    calls.delete_password("first", &password.id).await.unwrap();

    let number = opened(&calls, "first", false).await;
    assert_eq!(calls.operations(number).await.unwrap()[0].table_name, "t");
    assert_eq!(calls.diff(number).await.unwrap()[0].name, "t");
    let review = calls.review(number, &Verdict::Commented, "well").await;
    assert_eq!(review.unwrap().state, Verdict::Commented);
    calls.deploy(number).await.unwrap();
    until(&calls, number, &DeploymentState::PendingCutover).await;
    calls.apply_deploy(number).await.unwrap();
    until(&calls, number, &DeploymentState::CompletePendingRevert).await;
    calls.revert(number).await.unwrap();
    until(&calls, number, &DeploymentState::CompleteRevert).await;
    calls.delete_branch("first").await.unwrap();
    assert!(calls.branch("first").await.unwrap_err().is_not_found());

    branch(&calls, &scene, "second", table).await;
    let number = opened(&calls, "second", false).await;
    calls.deploy(number).await.unwrap();
    until(&calls, number, &DeploymentState::PendingCutover).await;
    calls.cancel_deploy(number).await.unwrap();
    until(&calls, number, &DeploymentState::CompleteCancel).await;
    calls.close_deploy_request(number).await.unwrap();
    let number = opened(&calls, "second", true).await;
    calls.deploy(number).await.unwrap();
    until(&calls, number, &DeploymentState::CompletePendingRevert).await;
    calls.skip_revert(number).await.unwrap();
    until(&calls, number, &DeploymentState::Complete).await;

    branch(
        &calls,
        &scene,
        "third",
        "ALTER TABLE t ADD COLUMN a INT NULL",
    )
    .await;
    let number = opened(&calls, "third", true).await;
    let closed = calls.close_deploy_request(number).await.unwrap();
    assert_eq!(closed.state, Openness::Closed);
    let number = opened(&calls, "third", true).await;
    scene.plane.fail_deployment_at(0);
    calls.deploy(number).await.unwrap();
    until(&calls, number, &DeploymentState::CompleteError).await;
    calls.complete_failed_deploy(number).await.unwrap();
    let filter = Filter {
        branch: Some("third"),
        into_branch: Some(BRANCH),
        ..Filter::default()
    };
    assert_eq!(calls.deploy_requests(filter).await.unwrap().len(), 2);

    let new = NewBackup {
        name: "a-test",
        retention_value: 2,
        retention_unit: RetentionUnit::Day,
    };
    let backup = calls.create_backup(BRANCH, &new).await.unwrap();
    eventually("the backup", async || {
        let seen = calls.backup(BRANCH, &backup.id).await.unwrap();
        (seen.state == BackupState::Success).then_some(())
    })
    .await;
    assert_eq!(calls.backups(BRANCH).await.unwrap().len(), 1);
    calls.delete_backup(BRANCH, &backup.id).await.unwrap();

    calls.queries(BRANCH, &Period::Day).await.unwrap();
    calls.anomalies(BRANCH, &Period::Day).await.unwrap();
    calls.query_errors(BRANCH, &Period::Day).await.unwrap();

    if let Some(contract) = Contract::from_env().unwrap() {
        let violations = contract.check(&scene.plane.exchanges()).violations;
        assert!(violations.is_empty(), "{violations:#?}");
    }
}
