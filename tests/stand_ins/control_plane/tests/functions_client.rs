//! The client that the functions use, with every call that it has.

use std::sync::Arc;
use std::time::Duration;

use lambda::Deadline;
use lambda::clock::SystemClock;
use planetscale::settings::PlanetScaleSettings;
use planetscale::{
    Calls, DeploymentState, Filter, NewDeployRequest, NewPassword, Openness, PlanetScale, Role,
};
use tests::stand_ins::control_plane::contract::Contract;
use tests::stand_ins::control_plane::{BRANCH, DATABASE, ORGANIZATION};

use crate::fresh_control_plane::{Scene, eventually};

async fn until(calls: &Calls<'_>, number: u64, state: &DeploymentState) {
    eventually(&format!("{state} of deploy request {number}"), async || {
        let request = calls.deploy_request(number).await.unwrap();
        (request.deployment_state == *state).then_some(())
    })
    .await;
}

#[tokio::test]
async fn every_call_of_the_functions_client_works_and_keeps_to_the_document() {
    let scene = Scene::new().await;
    let settings = PlanetScaleSettings {
        api_url: scene.plane.url().parse().unwrap(),
        organization: ORGANIZATION.to_owned(),
        database: DATABASE.to_owned(),
        branch: BRANCH.to_owned(),
        token_secret_id: scene.stack.new_secret(&scene.token.secret()).await.unwrap(),
        token_max_age: Duration::from_secs(60),
    };
    let client = PlanetScale::new(settings, Arc::new(SystemClock));
    let calls = client.until(Deadline::after(Duration::from_secs(60)));

    assert_eq!(calls.database().await.unwrap().name, DATABASE);
    assert!(calls.branch(BRANCH).await.unwrap().safe_migrations);

    calls.create_branch("dev", BRANCH).await.unwrap();
    eventually("the branch", async || {
        calls.branch("dev").await.unwrap().ready.then_some(())
    })
    .await;
    let new = NewPassword {
        name: "a-test".to_owned(),
        role: Role::Reader,
        ttl: Some(Duration::from_secs(600)),
    };
    let password = calls.create_password("dev", &new).await.unwrap();
    assert!(password.plain_text.is_some() && !password.expired);
    let listed = calls.passwords("dev").await.unwrap();
    assert_eq!(listed[0].name, "a-test");
    calls.delete_password("dev", &password.id).await.unwrap();

    scene
        .run("dev", &["CREATE TABLE t (id INT NOT NULL PRIMARY KEY)"])
        .await;
    assert_eq!(calls.lint("dev").await.unwrap(), []);

    let new = NewDeployRequest {
        branch: "dev",
        into_branch: BRANCH,
        notes: "for a test",
        auto_cutover: true,
    };
    let open = async || {
        let request = calls.create_deploy_request(&new).await.unwrap();
        assert_eq!(request.state, Openness::Open);
        until(&calls, request.number, &DeploymentState::Ready).await;
        request.number
    };
    let number = open().await;
    let closed = calls.close_deploy_request(number).await.unwrap();
    assert_eq!(closed.state, Openness::Closed);

    let number = open().await;
    assert_eq!(calls.operations(number).await.unwrap()[0].table_name, "t");
    scene.plane.fail_deployment_at(0);
    calls.deploy(number).await.unwrap();
    until(&calls, number, &DeploymentState::CompleteError).await;
    calls.complete_failed_deploy(number).await.unwrap();
    calls.close_deploy_request(number).await.unwrap();

    let number = open().await;
    calls.deploy(number).await.unwrap();
    until(&calls, number, &DeploymentState::CompletePendingRevert).await;
    calls.skip_revert(number).await.unwrap();
    until(&calls, number, &DeploymentState::Complete).await;
    let filter = Filter {
        branch: Some("dev"),
        into_branch: Some(BRANCH),
        ..Filter::default()
    };
    assert_eq!(calls.deploy_requests(filter).await.unwrap().len(), 3);
    calls.delete_branch("dev").await.unwrap();
    assert!(calls.branch("dev").await.unwrap_err().is_not_found());

    if let Some(contract) = Contract::from_env().unwrap() {
        let violations = contract.check(&scene.plane.exchanges()).violations;
        assert!(violations.is_empty(), "{violations:#?}");
    }
}
