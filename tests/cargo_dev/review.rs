//! `cargo dev review`: the function reviews the stack that `cargo dev` runs, and its report is shown.

use std::path::Path;

use anyhow::{anyhow, bail};
use serde_json::{Value, json};

use crate::cargo_dev;
use crate::cargo_dev::environment;
use crate::cargo_dev::migrate::NOT_RUNNING;
use crate::stack::progress::print;
use crate::stand_ins::step_functions::lambda::behind_watch;

/// Calls the function of the stack in this folder, or else in `target/dev`, and prints its report.
pub async fn run(folder: Option<&Path>) -> anyhow::Result<()> {
    let folder = folder.map_or_else(cargo_dev::default_folder, Path::to_owned);
    let variables = cargo_dev::environment_path(&folder);
    if !variables.exists() {
        bail!(NOT_RUNNING);
    }
    let environment = environment::read(&variables)?;
    let url = environment.get("API_URL").cloned().unwrap_or_default();
    let review = behind_watch(&url, "review-queries");
    let answer = review(json!({})).await;
    let answer = answer.map_err(|error| anyhow!("{}: {}", error.name, error.message))?;
    let text = answer.get("text").and_then(Value::as_str);
    print(text.unwrap_or_default());
    Ok(())
}
