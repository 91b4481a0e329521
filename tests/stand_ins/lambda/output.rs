//! The output of a function's process.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::process::Stdio;

use serde_json::Value;

/// The lines of a function's output that are JSON.
pub fn log_lines(output: &str) -> Vec<Value> {
    output
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

/// The output of a process in a file without a name. Unlike a pipe, it needs no reader, and what
/// the process has written can be read at once.
pub(super) struct Output {
    file: File,
}

impl Output {
    pub(super) fn new() -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("function-{}", uuid::Uuid::now_v7()));
        let file = File::options()
            .read(true)
            .append(true)
            .create_new(true)
            .open(&path)?;
        std::fs::remove_file(&path)?;
        Ok(Self { file })
    }

    /// The end that the process writes to.
    pub(super) fn stdio(&self) -> io::Result<Stdio> {
        Ok(self.file.try_clone()?.into())
    }

    /// Everything that was written so far.
    pub(super) fn read(&self) -> io::Result<String> {
        let length = usize::try_from(self.file.metadata()?.len()).map_err(io::Error::other)?;
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, 0)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}
