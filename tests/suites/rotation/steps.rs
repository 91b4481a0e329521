//! Steps that come twice, late, out of order, or for a version that is not pending.

use serde_json::json;

use crate::STEPS;
use crate::rotation::Rotation;

#[tokio::test]
async fn each_step_can_come_twice_and_late() {
    let rotation = Rotation::on_planetscale("readwriter").await;
    let before = rotation.current().await;
    let version = rotation.take_each_step_twice().await;
    for step in STEPS {
        rotation.step(step, &version).await;
    }
    rotation.assert_rotated(&before, &version).await;
}

#[tokio::test]
async fn many_rotations_leave_the_current_password_and_the_previous_one() {
    let rotation = Rotation::on_planetscale("readwriter").await;
    for _ in 0..3 {
        rotation.rotate().await;
    }
}

#[tokio::test]
async fn the_new_password_has_the_role_and_the_settings_of_the_present_one() {
    for role in ["reader", "writer", "readwriter", "admin"] {
        let rotation = Rotation::on_planetscale(role).await;
        rotation.rotate().await;
        let username = rotation.current().await["username"].clone();
        let passwords = rotation.planetscale().passwords().await;
        let made = passwords
            .iter()
            .find(|one| one["username"] == username)
            .unwrap();
        assert_eq!(made["role"], role);
        assert_eq!(made["replica"], role == "reader");
        assert_eq!(made["cidrs"], json!(["127.0.0.0/8"]));
        assert_eq!(made["expires_at"], json!(null));
    }
}

#[tokio::test]
async fn steps_out_of_order_change_nothing() {
    let rotation = Rotation::on_planetscale("readwriter").await;
    let before = rotation.current().await;
    let version = rotation.begin().await;
    for step in &STEPS[1..] {
        let (name, message) = rotation.refused(step, &version).await;
        assert_eq!(name, "OutOfOrder", "{message}");
    }
    assert_eq!(rotation.current().await, before);
    rotation.finish(&version).await;
    rotation.assert_rotated(&before, &version).await;
}

#[tokio::test]
async fn a_version_that_is_not_pending_is_refused() {
    let rotation = Rotation::on_planetscale("readwriter").await;
    let usernames = rotation.planetscale().usernames().await;
    let (first, _) = rotation.at("AWSCURRENT").await;
    // Before anybody has enabled the rotation.
    let (name, message) = rotation.refused("createSecret", &first).await;
    assert_eq!(name, "RotationNotEnabled");
    assert!(message.contains("rotate-secret"), "{message}");
    assert!(message.contains("update-secret-version-stage"), "{message}");

    let cancelled = rotation.begin().await;
    rotation.step("createSecret", &cancelled).await;
    let before = rotation.current().await;
    // Secrets Manager takes the cancelled rotation for one under way.
    let begun = rotation.stack.secrets();
    let begun = begun.begin_rotation(&rotation.secret_id).await;
    let refusal = begun.unwrap_err().to_string();
    assert!(refusal.contains("previous rotation"), "{refusal}");
    let version = rotation.begin_anew().await;
    for version in [cancelled.as_str(), "00000000-0000-0000-0000-000000000000"] {
        for step in STEPS {
            let (name, message) = rotation.refused(step, version).await;
            assert_eq!(name, "NotPending");
            assert!(message.contains("rotate-secret"), "{message}");
            assert!(message.contains("update-secret-version-stage"), "{message}");
        }
    }
    assert_eq!(
        rotation.planetscale().usernames().await.len(),
        usernames.len() + 1
    );
    // The next rotation deletes what the cancelled one has left.
    rotation.finish(&version).await;
    rotation.assert_rotated(&before, &version).await;
    // And the first version is over.
    rotation.rotate().await;
    assert_eq!(
        rotation.refused("finishSecret", &first).await.0,
        "NotPending"
    );
}
