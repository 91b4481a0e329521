//! Faults of PlanetScale's API, and people who interfere.

use serde_json::json;
use tests::stand_ins::control_plane::ApiFailure;

use crate::STEPS;
use crate::rotation::Rotation;
use crate::two_users;

#[tokio::test]
async fn a_rotation_succeeds_although_the_api_is_busy_and_then_broken() {
    let rotation = Rotation::on_planetscale("readwriter").await;
    // There is nothing to delete before the second rotation has made the first one's older.
    rotation.rotate().await;
    rotation.rotate().await;
    let control_plane = &rotation.planetscale().control_plane;
    for status in [429, 500] {
        control_plane.fail(ApiFailure::with(status).on("GET", "/passwords"));
        control_plane.fail(ApiFailure::with(status).on("POST", "/passwords"));
        control_plane.fail(ApiFailure::with(status).on("DELETE", ""));
    }
    // The password is made, but nobody gets to know it.
    control_plane.fail(ApiFailure::with(500).on("POST", "/passwords").after_doing());
    control_plane.fail(ApiFailure::with(500).on("DELETE", "").after_doing());
    rotation.rotate().await;
    assert!(control_plane.has_failed_all());
}

#[tokio::test]
async fn a_rotation_that_failed_for_the_api_succeeds_when_it_is_repeated() {
    let rotation = Rotation::on_planetscale("readwriter").await;
    rotation.rotate().await;
    let control_plane = &rotation.planetscale().control_plane;
    let before = rotation.current().await;
    let version = rotation.begin().await;
    control_plane.fail(ApiFailure::with(500).on("POST", "/passwords").times(3));
    let (name, message) = rotation.refused("createSecret", &version).await;
    assert_eq!(name, "Transient", "{message}");
    rotation.finish(&version).await;
    rotation.assert_rotated(&before, &version).await;
}

#[tokio::test]
async fn a_missing_access_of_the_token_is_named() {
    let rotation = Rotation::on_planetscale("readwriter").await;
    rotation.rotate().await;
    let before = rotation.current().await;
    let (control_plane, token) = (
        &rotation.planetscale().control_plane,
        &rotation.planetscale().token,
    );
    let version = rotation.begin().await;
    control_plane
        .revoke(token, "connect_production_branch")
        .await;
    let (name, message) = rotation.refused("createSecret", &version).await;
    assert_eq!(name, "NotAllowed");
    assert!(message.contains("connect_production_branch"), "{message}");
    assert!(
        rotation.log().contains("\"RotationFailed\":1"),
        "{}",
        rotation.log()
    );
    assert_eq!(rotation.current().await, before);
}

#[tokio::test]
async fn a_password_that_cannot_be_stored_is_deleted_at_once() {
    let rotation = Rotation::on_planetscale("readwriter").await;
    let usernames = rotation.planetscale().usernames().await;
    let version = rotation.begin().await;
    for status in [400, 500] {
        rotation.relay.refuse_to_store(Some(status));
        let (name, message) = rotation.refused("createSecret", &version).await;
        let expected = if status == 400 {
            "SecretsManagerRefused"
        } else {
            "Transient"
        };
        assert_eq!(name, expected, "{message}");
        assert_eq!(rotation.planetscale().usernames().await, usernames);
    }
    rotation.relay.refuse_to_store(None);
    let before = rotation.current().await;
    rotation.finish(&version).await;
    rotation.assert_rotated(&before, &version).await;
}

#[tokio::test]
async fn a_secret_with_a_login_of_no_password_of_the_branch_is_refused() {
    let rotation = Rotation::on_planetscale("readwriter").await;
    rotation.change("username", json!("somebody")).await;
    let version = rotation.begin().await;
    let (name, message) = rotation.refused("createSecret", &version).await;
    assert_eq!(name, "PasswordUnknown");
    assert!(message.contains("`main`"), "{message}");
}

#[tokio::test]
async fn a_secret_that_somebody_changes_during_a_rotation_keeps_the_change() {
    for rotation in [
        Rotation::on_planetscale("readwriter").await,
        two_users::rotation().await,
    ] {
        let version = rotation.begin().await;
        for step in &STEPS[..3] {
            rotation.step(step, &version).await;
        }
        rotation.change("note", json!("added by hand")).await;
        let changed = rotation.current().await;
        for step in ["setSecret", "finishSecret"] {
            let (name, message) = rotation.refused(step, &version).await;
            assert_eq!(name, "SecretChanged", "{message}");
            assert!(message.contains(&version), "{message}");
        }
        assert_eq!(rotation.current().await, changed);
        rotation.complete(&rotation.begin_anew().await).await;
    }
}

#[tokio::test]
async fn a_new_password_that_somebody_deletes_does_not_become_current() {
    let rotation = Rotation::on_planetscale("readwriter").await;
    let before = rotation.current().await;
    let version = rotation.begin().await;
    rotation.step("createSecret", &version).await;
    let (_, pending) = rotation.at("AWSPENDING").await;
    rotation
        .planetscale()
        .delete(pending["username"].as_str().unwrap())
        .await;
    for step in &STEPS[2..] {
        let (name, message) = rotation.refused(step, &version).await;
        assert_eq!(name, "PasswordGone");
        assert!(message.contains(&version), "{message}");
    }
    assert_eq!(rotation.current().await, before);
    rotation.complete(&rotation.begin_anew().await).await;
}
