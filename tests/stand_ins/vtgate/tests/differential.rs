//! The stand-in against real vtgate. Both hear the same conversations, and have to answer the same: each
//! number, SQLSTATE and text, and what becomes of the session and its transaction. Where they may
//! differ, [`differences`] and the titles that begin with `DIFFER` say why. These tests only run with
//! `cargo dev test --vitess`.

mod conversation;
pub mod differences;
mod random;
mod side;

use std::collections::BTreeSet;
use std::env;

use mysql_async::prelude::Queryable;
use tests::stack::{PrivateServer, Stack};

use conversation::Conversation;
use differences::{DIFFERENCES, Difference};
use side::{Answer, Side};

/// What makes the conversations short.
const FLAGS: [&str; 6] = [
    "--queryserver-config-max-result-size=20",
    "--queryserver-config-transaction-timeout=4s",
    "--queryserver-config-transaction-cap=2",
    "--queryserver-config-txpool-timeout=100ms",
    "--queryserver-config-pool-size=1",
    "--queryserver-config-query-pool-timeout=200ms",
];

/// The default of `VTGATE_SEED`.
const SEED: u64 = 20_260_310;

/// The stack, if the test run has Vitess with one shard.
fn stack() -> Option<Stack> {
    let stack = Stack::from_env().unwrap();
    (stack.is_vitess() && !stack.is_sharded()).then_some(stack)
}

struct Comparison {
    stand_in: Side,
    vitess: Side,
    /// The names of the differences that occurred.
    occurred: BTreeSet<&'static str>,
}

impl Comparison {
    fn of(stand_in: Side, vitess: Side) -> Self {
        Self {
            stand_in,
            vitess,
            occurred: BTreeSet::new(),
        }
    }

    /// Says every line to both, and returns the first that they disagree on.
    async fn disagreement(&mut self, conversation: &Conversation) -> Option<String> {
        let mut said = String::new();
        let (mut ours, mut theirs) = (self.stand_in.session().await, self.vitess.session().await);
        for line in &conversation.lines {
            let (ours, theirs) = tokio::join!(ours.say(line), theirs.say(line));
            said += &format!("{line}\n");
            if !agree(&ours, &theirs, &mut self.occurred) {
                let title = &conversation.title;
                return Some(format!(
                    "# {title}\n{said}\nthe stand-in: {ours:#?}\nVitess: {theirs:#?}"
                ));
            }
        }
        None
    }
}

fn agree(ours: &Answer, theirs: &Answer, occurred: &mut BTreeSet<&'static str>) -> bool {
    if (ours.session, &ours.committed) != (theirs.session, &theirs.committed) {
        return false;
    }
    let (ours, theirs) = (&ours.results, &theirs.results);
    ours.len() == theirs.len()
        && ours.iter().zip(theirs).all(|(ours, theirs)| {
            ours == theirs
                || differences::between(ours, theirs).is_some_and(|difference| {
                    occurred.insert(difference.name);
                    true
                })
        })
}

#[tokio::test]
async fn fixed_conversations() {
    let Some(stack) = stack() else { return };
    let server = PrivateServer::start(&stack).await.unwrap();
    let mut admin = server.stack().admin().await.unwrap();
    let lock_wait = "SET GLOBAL innodb_lock_wait_timeout = 2";
    admin.query_drop(lock_wait).await.unwrap();
    let (stand_in, vitess) = (Side::stand_in(&stack), Side::vitess(server.stack(), &FLAGS));
    let (stand_in, vitess) = tokio::join!(stand_in, vitess);
    assert_eq!(stand_in.refusals().await, vitess.refusals().await);
    let mut comparison = Comparison::of(stand_in, vitess);
    for conversation in Conversation::all(include_str!("differential/conversations.txt")) {
        let disagreement = comparison.disagreement(&conversation).await;
        match conversation.title.strip_prefix("DIFFER: ") {
            Some(why) => assert!(disagreement.is_some(), "no difference: {why}"),
            None => assert!(disagreement.is_none(), "{}", disagreement.unwrap()),
        }
    }
    for Difference { name, why, .. } in &DIFFERENCES {
        let occurred = comparison.occurred.contains(name);
        assert!(occurred, "{name} does not occur ({why})");
    }
}

/// `VTGATE_SEED` sets the random seed. With `random`, each run has another one.
#[tokio::test]
async fn random_conversations() {
    let Some(stack) = stack() else { return };
    let seed: u64 = match env::var("VTGATE_SEED").as_deref() {
        Ok("random") => fastrand::u64(..),
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => SEED,
    };
    println!("VTGATE_SEED={seed}");
    let vitess = Side::vitess(&stack, &FLAGS[..1]).await;
    let mut comparison = Comparison::of(Side::stand_in(&stack).await, vitess);
    let mut seeds = fastrand::Rng::with_seed(seed);
    for _ in 0..100 {
        let conversation = Conversation::random(seeds.u64(..));
        let disagreement = comparison.disagreement(&conversation).await;
        assert!(disagreement.is_none(), "{}", disagreement.unwrap());
    }
}
