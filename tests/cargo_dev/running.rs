//! The stack that `cargo dev` runs in another terminal.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{anyhow, ensure};
use serde_json::Value;

use crate::cargo_dev::{self, environment};
use crate::stand_ins::step_functions::lambda;

/// A running stack, as its environment file describes it.
pub struct RunningStack {
    /// The environment file.
    pub file: PathBuf,
    /// Its variables.
    pub variables: BTreeMap<String, String>,
}

impl RunningStack {
    /// The one of this folder, or else of `target/dev`.
    pub fn find(folder: Option<&Path>) -> anyhow::Result<Self> {
        let folder = folder.map_or_else(cargo_dev::default_folder, Path::to_owned);
        let file = cargo_dev::environment_path(&folder);
        ensure!(
            file.exists(),
            "cargo dev is not running: start it in another terminal, then try again"
        );
        let variables = environment::read(&file)?;
        Ok(Self { file, variables })
    }

    /// A variable, or an empty text if it is not there.
    pub fn value(&self, name: &str) -> &str {
        self.variables.get(name).map_or("", String::as_str)
    }

    /// Calls a function, and returns what it answers.
    pub async fn call(&self, function: &str, input: Value) -> anyhow::Result<Value> {
        let called = lambda::behind_watch(self.value("API_URL"), function)(input).await;
        called.map_err(|error| anyhow!("{}: {}", error.name, error.message))
    }
}
