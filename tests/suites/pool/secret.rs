//! Secrets Manager is away, late or wrong. A function keeps the login that it has, and sends one
//! request for all its invocations.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tests::proxy::{Fault, Proxy};
use tests::stack::Stack;
use tests::stand_ins::lambda::Answer;

use crate::function_under_test::{FunctionUnderTest, millis, sharing};
use crate::request::Call;

const AT_ONCE: usize = 16;

/// So short that every invocation finds the login too old.
const MAX_AGE: Duration = Duration::from_millis(1);

/// A function that reaches Secrets Manager through a proxy of its own.
async fn start(max_age: Option<Duration>) -> (Arc<FunctionUnderTest>, Proxy) {
    let stack = Stack::from_env().unwrap();
    let address = stack.secrets_url().strip_prefix("http://").unwrap();
    let address: SocketAddr = address.parse().unwrap();
    let secrets = Proxy::start(address).await.unwrap();
    let url = format!("http://{}", secrets.address());
    let under_test = FunctionUnderTest::on(&stack, Call::Get, |setup| {
        let setup = sharing(setup, AT_ONCE, 5).env("AWS_ENDPOINT_URL_SECRETS_MANAGER", url);
        match max_age {
            Some(age) => setup.env("DATABASE_SECRET_MAX_AGE_MS", millis(age)),
            None => setup,
        }
    });
    (Arc::new(under_test.await), secrets)
}

/// How often these invocations kept the login that they had, because they could not get a newer one.
fn kept_login(answers: &[Answer]) -> usize {
    let lines = answers.iter().flat_map(|answer| &answer.logs);
    let kept_login = lines.filter(|line| {
        let message = line["message"].as_str().unwrap_or_default();
        message.contains("the older value stays in use")
    });
    kept_login.count()
}

/// Invokes the function several times, each time with a login that is too old.
async fn succeed_with_old_logins(under_test: &FunctionUnderTest) -> Vec<Answer> {
    let mut answers = Vec::new();
    for _ in 0..5 {
        tokio::time::sleep(2 * MAX_AGE).await;
        answers.push(under_test.succeed().await);
    }
    answers
}

#[tokio::test]
async fn an_outage_of_secrets_manager_fails_no_invocation_and_is_noticed_once() {
    let (under_test, secrets) = start(Some(MAX_AGE)).await;
    let answers = succeed_with_old_logins(&under_test).await;
    assert_eq!(kept_login(&answers), 0);
    secrets.refuse().await;
    secrets.strike(Fault::Reset).await;
    let answers = succeed_with_old_logins(&under_test).await;
    assert_eq!(kept_login(&answers), 1, "{answers:#?}");
    // New connections do not need a newer login either.
    under_test.kill_once().await;
    under_test.succeed_at_once(AT_ONCE).await;
}

#[tokio::test]
async fn an_unreadable_secret_does_not_replace_the_known_login() {
    let (under_test, _secrets) = start(Some(MAX_AGE)).await;
    for text in ["hunter2", r#"{"host": "hunter2"}"#] {
        under_test.change_secret(text).await;
        let answers = succeed_with_old_logins(&under_test).await;
        assert!(!format!("{answers:?}").contains("hunter2"));
    }
    let output = under_test.function.output().unwrap();
    assert!(output.contains("not a JSON object"), "{output}");
}

#[tokio::test]
async fn many_refused_logins_fetch_the_secret_once() {
    let (under_test, secrets) = start(None).await;
    while under_test.proxy.counts().open < 5 {
        under_test.succeed_at_once(AT_ONCE).await;
    }
    let asked = secrets.counts().round_trips;
    under_test.rotate_password().await;
    // Cut on the way, because Vitess keeps a session whose connection to MySQL is killed.
    under_test.proxy.strike(Fault::Reset).await;
    under_test.succeed_at_once(AT_ONCE).await;
    assert_eq!(secrets.counts().round_trips - asked, 1);
}
