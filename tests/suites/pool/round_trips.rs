//! What goes over the wire, counted.

use tests::proxy::Fault;

use crate::errand::Call;
use crate::function_under_test::{Backend, PING_AFTER, Scene, pinging};

/// The round trips of one invocation.
async fn round_trips(scene: &Scene) -> usize {
    let before = scene.proxy.counts().round_trips;
    scene.succeed().await;
    scene.proxy.counts().round_trips - before
}

#[tokio::test]
async fn a_warm_call_needs_no_more_than_its_statements() {
    for backend in Backend::all() {
        for (call, most) in [
            (Call::Get, 1),
            (Call::List, 1),
            (Call::Create, 4),
            (Call::Update, 2),
        ] {
            let scene = Scene::new(call, backend).await;
            scene.succeed().await;
            for _ in 0..3 {
                let counted = round_trips(&scene).await;
                assert!(counted <= most, "{call:?} needed {counted}");
            }
            assert_eq!(scene.proxy.counts().ever, 1);
        }
    }
}

#[tokio::test]
async fn a_new_connection_needs_no_more_than_the_protocol() {
    for backend in Backend::all() {
        let scene = Scene::new(Call::Get, backend).await;
        // TLS (the first time, MySQL wants the key share of another group) and the password
        // (the first time, caching_sha2_password wants it itself). Session tickets that the
        // server sends in between may look like one answer more.
        let login = scene.proxy.counts().round_trips;
        assert!((2..=5).contains(&login), "{login}");
        // One to prepare, one to execute.
        assert_eq!(round_trips(&scene).await, 2);

        scene.proxy.strike(Fault::Close).await;
        let anew = round_trips(&scene).await;
        assert!((4..=5).contains(&anew), "{anew}");
        assert_eq!(scene.proxy.counts().ever, 2);
    }
}

#[tokio::test]
async fn a_ping_comes_only_after_idling() {
    for backend in Backend::all() {
        let scene = Scene::with(Call::Get, backend, pinging).await;
        scene.succeed().await;
        tokio::time::sleep(2 * PING_AFTER).await;
        assert_eq!(round_trips(&scene).await, 2);
        assert_eq!(scene.proxy.counts().ever, 1);
    }
}
