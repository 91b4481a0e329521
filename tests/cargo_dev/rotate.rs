//! `cargo dev rotate`: the functions get another password, on the stack that `cargo dev` runs, step
//! by step as Secrets Manager calls the function that does it.

use std::path::Path;

use anyhow::anyhow;
use serde_json::{Value, json};

use crate::cargo_dev::running::RunningStack;
use crate::stack::progress::Progress;
use crate::stack::secrets::Secrets;

/// Its steps in order, each with what it does.
const STEPS: [(&str, &str); 4] = [
    ("createSecret", "making a new password"),
    ("setSecret", "waiting until it works"),
    (
        "testSecret",
        "doing with it what it should be allowed to do",
    ),
    ("finishSecret", "making it the current one"),
];

/// Rotates the login of the stack in this folder, or else in `target/dev`, and shows what each step has
/// done.
pub async fn run(folder: Option<&Path>) -> anyhow::Result<()> {
    let stack = RunningStack::find(folder)?;
    let secret = stack.value("DATABASE_SECRET_ID");
    let secrets = Secrets::at(stack.value("AWS_ENDPOINT_URL_SECRETS_MANAGER"));
    // A rotation that failed is not repeated here.
    secrets.take_pending_away(secret).await?;
    let version = secrets.begin_rotation(secret).await?;
    let progress = Progress::new();
    for (step, doing) in STEPS {
        let shown = progress.step(&format!("{step}: {doing}"));
        let event = json!({ "Step": step, "SecretId": secret, "ClientRequestToken": version });
        let answer = stack.call("rotate-credentials", event).await;
        let answer = answer.map_err(|error| anyhow!("{step}: {error}"))?;
        let done = answer.get("done").and_then(Value::as_str);
        shown.done(&format!("{step}: {}", done.unwrap_or_default()));
    }
    progress.say(&format!(
        "\n  The functions get version {version} of the secret within minutes."
    ));
    Ok(())
}
