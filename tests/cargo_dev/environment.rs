//! The file with the variables that other tools need to use the running stack. Each line is
//! `NAME=value`, as shells, dotenv libraries and `cargo lambda watch --env-file` read it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::stack::file;

/// The file. It is removed when the value is dropped.
pub struct EnvironmentFile {
    path: PathBuf,
}

impl EnvironmentFile {
    /// Writes the file, readable by the user alone.
    pub fn write<'a>(
        path: PathBuf,
        variables: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> anyhow::Result<Self> {
        let mut text = String::new();
        for (name, value) in variables {
            let _ = writeln!(text, "{name}={}", quote(value));
        }
        file::write(&path, &text)?;
        Ok(Self { path })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Reads such a file back.
pub fn read(path: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let text = file::read(path)?;
    let lines = text.lines().filter_map(|line| line.split_once('='));
    Ok(lines
        .map(|(name, value)| (name.to_owned(), unquote(value)))
        .collect())
}

impl Drop for EnvironmentFile {
    fn drop(&mut self) {
        // The next start removes it if this can't.
        let _ = file::remove(&self.path);
    }
}

/// Quotes a value so that all readers agree on it: not at all if nothing in it is special, otherwise
/// with single quotes, which allow everything but themselves.
fn quote(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@%+,=".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        value.to_owned()
    } else if value.contains('\'') {
        let mut quoted = String::from("\"");
        for c in value.chars() {
            if "\\\"$`".contains(c) {
                quoted.push('\\');
            }
            quoted.push(c);
        }
        quoted + "\""
    } else {
        format!("'{value}'")
    }
}

fn unquote(text: &str) -> String {
    let between = |quote| text.strip_prefix(quote)?.strip_suffix(quote);
    if let Some(plain) = between('\'') {
        return plain.to_owned();
    }
    let Some(escaped) = between('"') else {
        return text.to_owned();
    };
    let mut plain = String::new();
    let mut letters = escaped.chars();
    while let Some(letter) = letters.next() {
        plain.push(match letter {
            '\\' => letters.next().unwrap_or(letter),
            letter => letter,
        });
    }
    plain
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn urls_and_paths_stay_bare() {
        assert_eq!(
            quote("mysql://orders:ab12@127.0.0.1:3306/orders"),
            "mysql://orders:ab12@127.0.0.1:3306/orders"
        );
    }

    #[test]
    fn a_shell_reads_every_value_back() {
        let values = [
            "",
            "a b",
            "it's",
            "$HOME `id` \"x\" \\",
            "it's $HOME `id` \"x\" \\",
            "#no comment",
            "ä&b;c",
        ];
        for value in values {
            let script = format!("V={}\nprintf %s \"$V\"", quote(value));
            let output = Command::new("sh").arg("-c").arg(&script).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), value, "{script}");
            assert_eq!(unquote(&quote(value)), value);
        }
    }

    #[test]
    fn the_file_is_private_and_goes_away() {
        use std::os::unix::fs::PermissionsExt;
        let path = std::env::temp_dir().join(format!("environment-{}", std::process::id()));
        let file = EnvironmentFile::write(path.clone(), [("A", "1"), ("B", "x y")]).unwrap();
        assert_eq!(
            std::fs::read_to_string(file.path()).unwrap(),
            "A=1\nB='x y'\n"
        );
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        drop(file);
        assert!(!path.exists());
    }
}
