//! Files and folders, with errors that name them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::anyhow;

fn on(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> anyhow::Error {
    move |error| anyhow!("can't {action} {}: {error}", path.display())
}

/// Reads a text.
pub fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).map_err(on("read", path))
}

/// Writes a text that only the user may read, and replaces what was there.
pub fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    // A file that exists would keep its own mode.
    remove(path)?;
    create(path)?
        .write_all(text.as_bytes())
        .map_err(on("write", path))
}

/// Creates an empty file that only the user may read, or empties the one that is there.
pub fn create(path: &Path) -> anyhow::Result<File> {
    let mut options = OpenOptions::new();
    options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .map_err(on("create", path))
}

/// Opens a file to read it.
pub fn open(path: &Path) -> anyhow::Result<File> {
    File::open(path).map_err(on("open", path))
}

/// Creates a folder and its parents, if they are missing.
pub fn create_folder(path: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(path).map_err(on("create the folder", path))
}

/// Removes a file, if it is there.
pub fn remove(path: &Path) -> anyhow::Result<()> {
    missing_is_fine(fs::remove_file(path)).map_err(on("remove", path))
}

/// Removes a folder and everything in it, if it is there.
pub fn remove_folder(path: &Path) -> anyhow::Result<()> {
    missing_is_fine(fs::remove_dir_all(path)).map_err(on("remove the folder", path))
}

fn missing_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// The last lines of a log that are not blank, or nothing if it can't be read.
pub fn last_lines(log: &Path, count: usize) -> String {
    let mut text = Vec::new();
    if let Ok(mut file) = File::open(log) {
        // Lines of logs are short, so the end of a large log is enough.
        let start = file
            .metadata()
            .map_or(0, |data| data.len().saturating_sub(32 * 1024));
        let _ = file
            .seek(SeekFrom::Start(start))
            .and_then(|_| file.read_to_end(&mut text));
    }
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let start = lines.len().saturating_sub(count);
    lines.get(start..).unwrap_or_default().join("\n")
}
