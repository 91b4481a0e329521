//! `cargo dev rotate`: the functions get another password, on the stack that `cargo dev` runs, step
//! by step as Secrets Manager calls the function that does it.

use std::path::PathBuf;

use anyhow::bail;
use serde_json::{Value, json};

use crate::cargo_dev::migrate::NOT_RUNNING;
use crate::cargo_dev::{self, environment};
use crate::stack::progress::Progress;
use crate::stack::secrets::Secrets;
use crate::stand_ins::step_functions::lambda;

/// The function.
const FUNCTION: &str = "rotate-credentials";

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

/// What the command line asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// The folder of the running stack, in place of `target/dev`.
    pub folder: Option<PathBuf>,
}

/// Rotates the login, and shows what each step has done.
pub async fn run(request: &Request) -> anyhow::Result<()> {
    let folder = request.folder.clone();
    let file = cargo_dev::environment_path(&folder.unwrap_or_else(cargo_dev::default_folder));
    if !file.exists() {
        bail!(NOT_RUNNING);
    }
    let environment = environment::read(&file)?;
    let value = |name: &str| environment.get(name).cloned().unwrap_or_default();
    let secret = value("DATABASE_SECRET_ID");
    let secrets = Secrets::at(&value("AWS_ENDPOINT_URL_SECRETS_MANAGER"));
    let version = secrets.begin_rotation(&secret).await?;
    let function = lambda::behind_watch(&value("API_URL"), FUNCTION);
    let progress = Progress::new();
    for (step, doing) in STEPS {
        let shown = progress.step(&format!("{step}: {doing}"));
        let event = json!({ "Step": step, "SecretId": secret, "ClientRequestToken": version });
        match function(event).await {
            Ok(answer) => {
                let done = answer.get("done").and_then(Value::as_str);
                shown.done(&format!("{step}: {}", done.unwrap_or_default()));
            }
            Err(error) => {
                drop(shown);
                progress.say(&format!("  ✗ {step}"));
                bail!("{}: {}", error.name, error.message);
            }
        }
    }
    progress.say(&format!(
        "\n  The functions get version {version} of the secret within minutes."
    ));
    Ok(())
}
