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
async fn a_call_needs_no_more_than_its_statements() {
    for call in Call::ALL {
        let under_test = FunctionUnderTest::new(call).await;
        // What every invocation sends was prepared at the start. The items of an order are not:
        // their number is part of the statement.
        let to_prepare = usize::from(call == Call::Create);
        for to_prepare in [to_prepare, 0, 0] {
            let counted = round_trips(&under_test).await;
            assert_eq!(counted, call.flights() + to_prepare, "{call:?}");
        }
        assert_eq!(under_test.proxy.counts().ever, 1);
    }
}

#[tokio::test]
async fn a_new_connection_needs_no_more_than_the_protocol() {
    let under_test = FunctionUnderTest::new(Call::Get).await;
    // TLS, the password (the first time, caching_sha2_password wants it itself), and one prepares
    // the statement. Session tickets that the server sends in between may look like one answer more.
    let start = under_test.proxy.counts().round_trips;
    assert!((3..=5).contains(&start), "{start}");

    under_test.succeed().await;
    under_test.proxy.strike(Fault::Close).await;
    // One more executes it.
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
