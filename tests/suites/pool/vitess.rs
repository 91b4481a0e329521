//! For every error that Vitess is known to answer, these tests check the status that the client gets,
//! whether the statement is repeated, and whether the connection is kept. No error leaves anything
//! half written, or shows statements and values to the client.

use tests::stand_ins::vtgate::Failure;
use tests::stand_ins::vtgate::errors::{Outcome, VitessError};

use crate::function_under_test::FunctionUnderTest;
use crate::request::{Call, logged};

/// Asserts that the text has no statements, no values and nothing from inside Vitess.
fn assert_tells_no_value(text: &str) {
    for inner in ["BindVars", "VARBINARY", "cust-1", "TEA-1"] {
        assert!(!text.contains(inner), "{inner} in {text}");
    }
}

#[tokio::test]
async fn a_read_that_meets_an_error() {
    let under_test = FunctionUnderTest::before_stand_in(Call::Get).await;
    let mut wrong = Vec::new();
    for error in VitessError::all() {
        under_test.succeed().await;
        let connections = under_test.proxy.counts().ever;
        under_test
            .vtgate()
            .fail(Failure::with(error).on("FROM orders"));
        let request = under_test.new_request().await;
        let answer = under_test.invoke(&request).await;
        assert!(under_test.vtgate().has_failed_all());
        assert_tells_no_value(&serde_json::to_string(&answer.logs).unwrap());
        assert_tells_no_value(&answer.body["detail"].to_string());
        let outcome = match answer.status {
            200 => Outcome::SentAgain,
            503 => Outcome::OutOfTime,
            500 => Outcome::Refused,
            _ => panic!("{answer:#?}"),
        };
        if outcome == Outcome::SentAgain {
            under_test.assert_success(&request, &answer).await;
            assert_eq!(logged(&answer, "Retries"), 1);
        }
        under_test.succeed().await;
        let kept = under_test.proxy.counts().ever == connections;
        if (outcome, kept) != (error.outcome, error.keeps_connection) {
            wrong.push(format!("{outcome:?}, kept: {kept}, after {error:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Writes an order once for each error, which `place` puts at a place in the transaction.
async fn writes_that_meet(
    errors: impl Iterator<Item = &'static VitessError>,
    place: impl Fn(Failure) -> Failure,
) {
    let under_test = FunctionUnderTest::before_stand_in(Call::Create).await;
    for error in errors {
        under_test.succeed().await;
        under_test.vtgate().fail(place(Failure::with(error)));
        let request = under_test.new_request().await;
        let answer = under_test.invoke(&request).await;
        assert!(under_test.vtgate().has_failed_all(), "{}", error.name);
        assert_tells_no_value(&serde_json::to_string(&answer.logs).unwrap());
        let placed = under_test.placed(&request.key).await;
        let case = format!("{} {placed:?} {answer:#?}", error.name);
        match (answer.status, answer.body["type"].as_str()) {
            (201, _) => under_test.assert_success(&request, &answer).await,
            (500, Some("/problems/outcome-unknown")) => assert!(placed.len() <= 1, "{case}"),
            // Any other answer says that nothing was done.
            (500 | 503, _) => assert!(placed.is_empty(), "{case}"),
            _ => panic!("{case}"),
        }
        under_test.wait_until_no_transaction_is_open().await;
        // The same key again: one order.
        let again = under_test.invoke(&request).await;
        assert_eq!(again.status, 201, "{case} {again:#?}");
        assert_eq!(under_test.placed(&request.key).await.len(), 1, "{case}");
    }
}

#[tokio::test]
async fn a_transaction_that_meets_an_error_at_its_start() {
    writes_that_meet(VitessError::all(), |failure| {
        failure.on("START TRANSACTION")
    })
    .await;
}

#[tokio::test]
async fn a_transaction_that_meets_an_error_in_a_statement() {
    writes_that_meet(VitessError::all(), |failure| {
        failure.on("INSERT INTO order_items").in_transaction()
    })
    .await;
}

#[tokio::test]
async fn a_transaction_that_meets_an_error_before_commit() {
    writes_that_meet(VitessError::all(), |failure| failure.on("COMMIT")).await;
}

#[tokio::test]
async fn a_transaction_that_meets_an_error_after_commit() {
    let poisoned = |error: &VitessError| error.name == "TRANSACTION_POISONED";
    let after = VitessError::all().filter(|error| error.may_be_done || poisoned(error));
    writes_that_meet(after, |failure| failure.on("COMMIT").after_executing()).await;
}

#[tokio::test]
async fn a_change_that_meets_an_error_after_it_was_done() {
    // vtgate sends a statement outside of a transaction again, and answers with its last error. That
    // says nothing of the first attempt.
    let of_repetition = ["PRIMARY_NOT_SERVING", "NO_HEALTHY_TABLET", "TABLET_REFUSES"];
    let under_test = FunctionUnderTest::before_stand_in(Call::Update).await;
    for error in VitessError::all()
        .filter(|error| error.may_be_done || of_repetition.contains(&error.name.as_str()))
    {
        under_test.succeed().await;
        let failure = Failure::with(error).on("UPDATE orders").after_executing();
        under_test.vtgate().fail(failure);
        let request = under_test.new_request().await;
        let answer = under_test.invoke(&request).await;
        assert!(under_test.vtgate().has_failed_all(), "{}", error.name);
        // The function looks, and finds its own change.
        under_test.assert_success(&request, &answer).await;
    }
}
