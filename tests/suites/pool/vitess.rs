//! Every error that Vitess is known to answer has the status, the repetition and the fate of the
//! connection that the classification promises; none leaves anything half written or tells the
//! client of statements and values.

use tests::stand_ins::vtgate::Failure;
use tests::stand_ins::vtgate::errors::VitessError;

use crate::errand::{Call, logged};
use crate::function_under_test::{Backend, Scene};

/// What the client of a read sees when its statement met an error once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// It was sent again, and succeeded.
    SentAgain,
    /// 503: the time was up.
    OutOfTime,
    /// 500: the statement is at fault.
    Refused,
}
use Outcome::{OutOfTime, Refused, SentAgain};

/// The outcome of each error, and whether the connection is kept.
fn promised(error: &VitessError) -> (Outcome, bool) {
    const KEPT: bool = true;
    const CLOSED: bool = false;
    match error.name {
        // A transaction or the pool for it: again, later.
        "TRANSACTION_POOL_FULL"
        | "TRANSACTION_TIMED_OUT"
        | "TRANSACTION_BEING_KILLED"
        | "TRANSACTION_NOT_FOUND"
        | "TRANSACTION_ENDED"
        | "TRANSACTION_POISONED"
        | "ROLLBACK_FIRST"
        | "DEADLOCK"
        | "LOCK_WAIT_TIMEOUT" => (SentAgain, KEPT),
        // Something behind vtgate is failing over, full or lost: again. vtgate itself is well.
        "PRIMARY_NOT_SERVING"
        | "PRIMARY_NOT_SERVING_ONCE"
        | "NO_HEALTHY_TABLET"
        | "INCONSISTENT_STATE"
        | "BUFFER_FULL"
        | "EVICTED"
        | "RESHARDING"
        | "CUTOVER"
        | "DENIED_TABLE"
        | "NOT_SERVING"
        | "SHUTTING_DOWN"
        | "WRONG_TABLET"
        | "TABLET_REFUSES"
        | "POOL_TIMED_OUT"
        | "NO_SERVER_BEHIND"
        | "SERVER_FULL_BEHIND"
        | "SERVER_SHUTDOWN"
        | "SERVER_LOST"
        | "SERVER_GONE" => (SentAgain, KEPT),
        // Something on the way went away, or nobody knows what happened.
        "TABLET_LOST"
        | "NO_ENDPOINTS"
        | "NO_HEALTHY_ENDPOINTS"
        | "EDGE_LOST"
        | "UNHEARD_OF"
        | "READ_ONLY"
        | "UNKNOWN_STATEMENT" => (SentAgain, CLOSED),
        // A statement that is too slow will be so again.
        "QUERY_KILLED"
        | "QUERY_KILLED_ONCE"
        | "QUERY_TIMED_OUT"
        | "TRANSACTION_KILLED"
        | "EXECUTION_TIME_EXCEEDED" => (OutOfTime, KEPT),
        // MySQL hangs up after the first, PlanetScale's edge after the others.
        "MESSAGE_TOO_LARGE" | "BRANCH_MISSING" | "INSECURE" => (Refused, CLOSED),
        _ => (Refused, KEPT),
    }
}

/// What must not be told: statements, values, and what Vitess says of itself.
fn assert_tells_no_value(text: &str) {
    for inner in ["BindVars", "VARBINARY", "cust-1", "TEA-1"] {
        assert!(!text.contains(inner), "{inner} in {text}");
    }
}

#[tokio::test]
async fn a_read_that_meets_an_error() {
    let scene = Scene::new(Call::Get, Backend::StandIn).await;
    let mut wrong = Vec::new();
    for error in VitessError::all() {
        scene.succeed().await;
        let connections = scene.proxy.counts().ever;
        scene.vtgate().fail(Failure::with(error).on("FROM orders"));
        let errand = scene.errand().await;
        let answer = scene.function.invoke(errand.event.clone()).await.unwrap();
        assert!(scene.vtgate().has_failed_all());
        assert_tells_no_value(&serde_json::to_string(&answer.logs).unwrap());
        assert_tells_no_value(&answer.body["detail"].to_string());
        let outcome = match answer.status {
            200 => SentAgain,
            503 => OutOfTime,
            500 => Refused,
            _ => panic!("{answer:#?}"),
        };
        if outcome == SentAgain {
            scene.check(&errand, &answer).await;
            assert_eq!(logged(&answer, "retries"), 1);
        }
        scene.succeed().await;
        let kept = scene.proxy.counts().ever == connections;
        if (outcome, kept) != promised(&error) {
            wrong.push(format!(
                "{} ({}): {outcome:?}, kept: {kept}; promised: {:?}",
                error.name,
                error.number,
                promised(&error)
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Where an order is being written when an error comes.
async fn writes_that_meet(
    errors: impl Iterator<Item = VitessError>,
    place: impl Fn(Failure) -> Failure,
) {
    let scene = Scene::new(Call::Create, Backend::StandIn).await;
    for error in errors {
        scene.succeed().await;
        scene.vtgate().fail(place(Failure::with(error)));
        let errand = scene.errand().await;
        let answer = scene.function.invoke(errand.event.clone()).await.unwrap();
        assert!(scene.vtgate().has_failed_all(), "{}", error.name);
        assert_tells_no_value(&serde_json::to_string(&answer.logs).unwrap());
        let placed = scene.placed(&errand.key).await;
        let case = format!("{} {placed:?} {answer:#?}", error.name);
        match (answer.status, answer.body["type"].as_str()) {
            (201, _) => scene.check(&errand, &answer).await,
            (500, Some("/problems/outcome-unknown")) => assert!(placed.len() <= 1, "{case}"),
            // Whatever else is said, it says that nothing was done.
            (500 | 503, _) => assert!(placed.is_empty(), "{case}"),
            _ => panic!("{case}"),
        }
        scene.wait_until_no_transaction_is_open().await;
        // The same key again: one order.
        let again = scene.function.invoke(errand.event.clone()).await.unwrap();
        assert_eq!(again.status, 201, "{case} {again:#?}");
        assert_eq!(scene.placed(&errand.key).await.len(), 1, "{case}");
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

/// Whether what was sent may have been done all the same; the others say that it was refused.
fn may_be_done(error: &VitessError) -> bool {
    matches!(
        error.name,
        "QUERY_KILLED"
            | "QUERY_KILLED_ONCE"
            | "QUERY_TIMED_OUT"
            | "TABLET_LOST"
            | "NO_ENDPOINTS"
            | "NO_HEALTHY_ENDPOINTS"
            | "EDGE_LOST"
            | "UNHEARD_OF"
            | "SERVER_SHUTDOWN"
            | "SERVER_LOST"
            | "SERVER_GONE"
    )
}

#[tokio::test]
async fn a_transaction_that_meets_an_error_after_commit() {
    let poisoned = |error: &VitessError| error.name == "TRANSACTION_POISONED";
    let after = VitessError::all().filter(|error| may_be_done(error) || poisoned(error));
    writes_that_meet(after, |failure| failure.on("COMMIT").after_executing()).await;
}

#[tokio::test]
async fn a_change_that_meets_an_error_after_it_was_done() {
    let scene = Scene::new(Call::Update, Backend::StandIn).await;
    for error in VitessError::all().filter(may_be_done) {
        scene.succeed().await;
        let failure = Failure::with(error).on("UPDATE orders").after_executing();
        scene.vtgate().fail(failure);
        let errand = scene.errand().await;
        let answer = scene.function.invoke(errand.event.clone()).await.unwrap();
        assert!(scene.vtgate().has_failed_all(), "{}", error.name);
        // It looks, and finds its own change.
        scene.check(&errand, &answer).await;
    }
}
