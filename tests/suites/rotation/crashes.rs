//! The function dies between any two calls, and Secrets Manager begins again.

use crate::rotation::Rotation;
use crate::two_users;

/// Lets one rotation after another die one call later, and finishes each.
async fn die_everywhere(mut rotation: Rotation) -> usize {
    for call in 1.. {
        let before = rotation.current().await;
        let version = rotation.begin().await;
        let died = rotation.die_after(call, &version).await;
        rotation.finish(&version).await;
        rotation.assert_rotated(&before, &version).await;
        if !died {
            return call;
        }
    }
    unreachable!("the loop has no end");
}

#[tokio::test]
async fn a_rotation_ends_well_whatever_call_the_function_died_after() {
    let calls = die_everywhere(Rotation::on_planetscale("readwriter").await).await;
    assert!(calls > 15, "{calls}");
}

#[tokio::test]
async fn two_users_take_turns_whatever_call_the_function_died_after() {
    let calls = die_everywhere(two_users::rotation().await).await;
    assert!(calls > 10, "{calls}");
}
