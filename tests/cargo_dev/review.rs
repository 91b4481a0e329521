//! `cargo dev review`: the function reviews the stack that `cargo dev` runs, and its report is shown.

use std::path::Path;

use serde_json::{Value, json};

use crate::cargo_dev::running::RunningStack;
use crate::stack::progress::print;

/// Calls the function of the stack in this folder, or else in `target/dev`, and prints its report.
pub async fn run(folder: Option<&Path>) -> anyhow::Result<()> {
    let stack = RunningStack::find(folder)?;
    let answer = stack.call("review-queries", json!({})).await?;
    let text = answer.get("text").and_then(Value::as_str);
    print(text.unwrap_or_default());
    Ok(())
}
