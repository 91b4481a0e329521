//! The number of round trips of an invocation.

use tests::proxy::Fault;

use crate::function_under_test::{FunctionUnderTest, PING_AFTER, pinging};
use crate::request::Call;

/// The round trips of one invocation.
async fn round_trips(under_test: &FunctionUnderTest) -> usize {
    let before = under_test.proxy.counts().round_trips;
    under_test.succeed().await;
    under_test.proxy.counts().round_trips - before
}

#[tokio::test]
async fn a_warm_call_needs_no_more_than_its_statements() {
    for (call, most) in [
        (Call::Get, 1),
        (Call::List, 1),
        (Call::Create, 4),
        (Call::Update, 2),
    ] {
        let under_test = FunctionUnderTest::new(call).await;
        under_test.succeed().await;
        for _ in 0..3 {
            let counted = round_trips(&under_test).await;
            assert!(counted <= most, "{call:?} needed {counted}");
        }
        assert_eq!(under_test.proxy.counts().ever, 1);
    }
}

#[tokio::test]
async fn a_new_connection_needs_no_more_than_the_protocol() {
    let under_test = FunctionUnderTest::new(Call::Get).await;
    // TLS (the first time, MySQL wants the key share of another group) and the password
    // (the first time, caching_sha2_password wants it itself). Session tickets that the
    // server sends in between may look like one answer more.
    let login = under_test.proxy.counts().round_trips;
    assert!((2..=5).contains(&login), "{login}");
    // One prepares the statement, and one executes it.
    assert_eq!(round_trips(&under_test).await, 2);

    under_test.proxy.strike(Fault::Close).await;
    let reconnected = round_trips(&under_test).await;
    assert!((4..=5).contains(&reconnected), "{reconnected}");
    assert_eq!(under_test.proxy.counts().ever, 2);
}

#[tokio::test]
async fn only_an_idle_connection_is_pinged() {
    let under_test = FunctionUnderTest::with(Call::Get, pinging).await;
    under_test.succeed().await;
    tokio::time::sleep(2 * PING_AFTER).await;
    assert_eq!(round_trips(&under_test).await, 2);
    assert_eq!(under_test.proxy.counts().ever, 1);
}
