//! Secrets Manager away, slow to follow or wrong: who holds a login goes on with it, and one asks for
//! all.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tests::proxy::{Fault, Proxy, Reception};
use tests::stack::Stack;
use tests::stand_ins::lambda::Answer;

use crate::errand::Call;
use crate::function_under_test::{Backend, Scene};

const AT_ONCE: usize = 16;

/// Old as soon as it is there.
const MAX_AGE: Duration = Duration::from_millis(1);

/// A function whose way to Secrets Manager leads through a proxy of its own.
async fn scene(max_age: Option<Duration>) -> (Arc<Scene>, Proxy) {
    let stack = Stack::from_env().unwrap();
    let address = stack.secrets_url().strip_prefix("http://").unwrap();
    let address: SocketAddr = address.parse().unwrap();
    let secrets = Proxy::start(address).await.unwrap();
    let url = format!("http://{}", secrets.address());
    let scene = Scene::on(&stack, Call::Get, Backend::one(), |setup| {
        let setup = setup
            .env("AWS_ENDPOINT_URL_SECRETS_MANAGER", url)
            .env("AWS_LAMBDA_MAX_CONCURRENCY", AT_ONCE.to_string())
            .env("DATABASE_POOL_MAX", "5");
        match max_age {
            Some(age) => setup.env("DATABASE_SECRET_MAX_AGE_MS", age.as_millis().to_string()),
            None => setup,
        }
    });
    (Arc::new(scene.await), secrets)
}

/// How often these invocations have gone on with the login at hand, for want of a newer one.
fn went_on(answers: &[Answer]) -> usize {
    let lines = answers.iter().flat_map(|answer| &answer.logs);
    let went_on = lines.filter(|line| {
        let message = line["message"].as_str().unwrap_or_default();
        message.contains("the one at hand is used on")
    });
    went_on.count()
}

/// Invocations one after the other, each with a login that is too old.
async fn succeed_with_old_logins(scene: &Scene) -> Vec<Answer> {
    let mut answers = Vec::new();
    for _ in 0..5 {
        tokio::time::sleep(2 * MAX_AGE).await;
        answers.push(scene.succeed().await);
    }
    answers
}

#[tokio::test]
async fn an_outage_of_secrets_manager_fails_no_invocation_and_is_met_once() {
    let (scene, secrets) = scene(Some(MAX_AGE)).await;
    let answers = succeed_with_old_logins(&scene).await;
    assert_eq!(went_on(&answers), 0);
    secrets.receive(Reception::Refuse).await.unwrap();
    secrets.strike(Fault::Reset).await;
    let answers = succeed_with_old_logins(&scene).await;
    assert_eq!(went_on(&answers), 1, "{answers:#?}");
    // A new connection needs no newer login either.
    scene.kill_once().await;
    scene.succeed_at_once(AT_ONCE).await;
}

#[tokio::test]
async fn a_secret_that_becomes_unreadable_leaves_the_login_that_is_known() {
    let (scene, _secrets) = scene(Some(MAX_AGE)).await;
    for text in ["hunter2", r#"{"host": "hunter2"}"#] {
        scene.change_secret(text).await;
        let answers = succeed_with_old_logins(&scene).await;
        assert!(!format!("{answers:?}").contains("hunter2"));
    }
    let output = scene.function.output().unwrap();
    assert!(output.contains("not a JSON object"), "{output}");
}

#[tokio::test]
async fn many_refused_logins_ask_for_one_newer_secret() {
    let (scene, secrets) = scene(None).await;
    while scene.proxy.counts().open < 5 {
        scene.succeed_at_once(AT_ONCE).await;
    }
    let asked = secrets.counts().round_trips;
    scene.rotate_password().await;
    scene.kill_once().await;
    scene.succeed_at_once(AT_ONCE).await;
    assert_eq!(secrets.counts().round_trips - asked, 1);
}
