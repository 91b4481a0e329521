//! The files `NNNN_name.sql`.

use std::{fmt, fs, io, path::Path};

use serde::{Deserialize, Serialize};

use crate::split::{Comment, Statement, split};

/// Where this project has them, as messages name it.
const FOLDER: &str = "shared/migrations";

/// `(file name, text)` of each of them, as they were when this was compiled.
const BUILT_IN: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/migrations.rs"));

/// Why the files can't be taken for migrations.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FilesError {
    /// The folder or a file of this name can't be read, or a file is not UTF-8.
    #[error("can't read {0}: {1}")]
    Unreadable(String, io::Error),
    /// A name that is not `NNNN_name.sql`.
    #[error(
        "{0} is not named like 0001_what_it_does.sql: four digits, then letters, digits, `_` and `-`"
    )]
    Name(String),
    /// Two files with the same number.
    #[error("{0} and {1} have the same number: give the newer one the next free number")]
    Twice(String, String),
}

/// What tells a migration from others, and from another text of itself. Shown, it is the file's
/// name without its ending.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MigrationId {
    /// Its number.
    pub version: u32,
    /// What follows the number in its file's name.
    pub name: String,
    /// SHA-256 of its text, in 64 lowercase hex digits.
    pub checksum: String,
}

impl fmt::Display for MigrationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}_{}", self.version, self.name)
    }
}

/// One file: a step of the schema, applied once and never changed afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// Its number, its name and its text's checksum.
    pub id: MigrationId,
    /// Its file, with the folder, to be shown.
    pub file: String,
    /// Its statements, in order. None is empty.
    pub statements: Vec<Statement>,
    /// The comments that are before none of them.
    pub(crate) stray_comments: Vec<Comment>,
}

impl Migration {
    fn parse(folder: &str, file_name: &str, text: &str) -> Result<Self, FilesError> {
        let file = match folder {
            "" => file_name.to_owned(),
            folder => format!("{folder}/{file_name}"),
        };
        let Some((version, name)) = parse_name(file_name) else {
            return Err(FilesError::Name(file));
        };
        // A checkout on Windows is the same migration.
        let sql = text.replace("\r\n", "\n");
        // Some editors on Windows begin a file with this, and no server takes it.
        let without_mark = sql.strip_prefix('\u{feff}').unwrap_or(&sql);
        let (statements, stray_comments) = split(without_mark);
        let checksum = checksum(&sql);
        Ok(Self {
            id: MigrationId {
                version,
                name,
                checksum,
            },
            file,
            statements,
            stray_comments,
        })
    }
}

/// SHA-256 in lowercase hex digits.
pub(crate) fn checksum(text: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    let digits = digest.as_ref().iter().map(|byte| format!("{byte:02x}"));
    digits.collect()
}

/// Four digits, so that the order of the names is that of the numbers.
fn parse_name(file_name: &str) -> Option<(u32, String)> {
    let (number, name) = file_name.strip_suffix(".sql")?.split_once('_')?;
    let digits = number.len() == 4 && number.bytes().all(|byte| byte.is_ascii_digit());
    let plain = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if !digits || name.is_empty() || !plain {
        return None;
    }
    Some((number.parse().ok()?, name.to_owned()))
}

/// All files, in the order of their numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrations(Vec<Migration>);

impl Migrations {
    /// Those of `shared/migrations` as they were when the program was built.
    ///
    /// # Errors
    ///
    /// [`FilesError::Name`] and [`FilesError::Twice`]; the project's own tests find both.
    pub fn built_in() -> Result<Self, FilesError> {
        Self::parse(FOLDER, BUILT_IN.iter().copied())
    }

    /// Those of a folder. Hidden files, documentation (`*.md`) and the vschema are passed over.
    ///
    /// # Errors
    ///
    /// See [`FilesError`].
    pub fn read(folder: &Path) -> Result<Self, FilesError> {
        let mut files: Vec<(String, String)> = Vec::new();
        for entry in fs::read_dir(folder).map_err(unreadable(folder))? {
            let path = entry.map_err(unreadable(folder))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if !name.starts_with('.') && !name.ends_with(".md") && name != "vschema.json" {
                let text = fs::read_to_string(&path).map_err(unreadable(&path))?;
                files.push((name.into_owned(), text));
            }
        }
        files.sort();
        let files = files
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str()));
        Self::parse(&folder.display().to_string(), files)
    }

    /// From `(file name, text)` in the order of the names; `folder` is only shown.
    pub(super) fn parse<'f>(
        folder: &str,
        files: impl IntoIterator<Item = (&'f str, &'f str)>,
    ) -> Result<Self, FilesError> {
        let mut migrations: Vec<Migration> = Vec::new();
        for (file_name, text) in files {
            let migration = Migration::parse(folder, file_name, text)?;
            if let Some(last) = migrations.last()
                && last.id.version == migration.id.version
            {
                return Err(FilesError::Twice(last.file.clone(), migration.file));
            }
            migrations.push(migration);
        }
        Ok(Self(migrations))
    }

    /// Each of them, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Migration> {
        self.0.iter()
    }

    /// The one with this number.
    pub fn get(&self, version: u32) -> Option<&Migration> {
        self.iter()
            .find(|migration| migration.id.version == version)
    }
}

fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> FilesError {
    let path = path.display().to_string();
    move |error| FilesError::Unreadable(path, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(files: &[(&str, &str)]) -> Result<Migrations, FilesError> {
        Migrations::parse("shared/migrations", files.iter().copied())
    }

    #[test]
    fn a_name_is_a_number_of_four_digits_and_what_it_does() {
        let names = |file| parse_name(file).unwrap();
        assert_eq!(names("0001_orders.sql"), (1, "orders".to_owned()));
        assert_eq!(names("0120_add-a_b.sql"), (120, "add-a_b".to_owned()));
        for wrong in [
            "1_orders.sql",
            "0001.sql",
            "0001_.sql",
            "0001_orders.txt",
            "+001_a.sql",
            "0001_a b.sql",
        ] {
            let error = parse(&[(wrong, "")]).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("shared/migrations/{wrong} is not named like")),
                "{error}"
            );
        }
    }

    #[test]
    fn a_number_is_there_once() {
        let error = parse(&[("0001_a.sql", ""), ("0001_b.sql", "")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "shared/migrations/0001_a.sql and shared/migrations/0001_b.sql have the same number: \
             give the newer one the next free number"
        );
    }

    #[test]
    fn the_checksum_is_that_of_sha256sum_whatever_the_line_ends() {
        let unix = parse(&[("0001_a.sql", "abc\n")]).unwrap();
        let windows = parse(&[("0001_a.sql", "abc\r\n")]).unwrap();
        assert_eq!(unix, windows);
        assert_eq!(
            unix.get(1).unwrap().id.checksum,
            "edeaaff3f1774ad2888673770c6d64097e391bc362d7d6fb34982ddf0efd18cb"
        );
    }

    #[test]
    fn a_byte_order_mark_is_in_the_checksum_and_in_no_statement() {
        let sql = "CREATE TABLE a (id INT PRIMARY KEY)";
        let text = format!("\u{feff}{sql};\r\n");
        let migrations = parse(&[("0001_a.sql", &text)]).unwrap();
        let migration = migrations.get(1).unwrap();
        let texts = migration.statements.iter().map(|statement| &statement.text);
        assert_eq!(texts.collect::<Vec<_>>(), [sql]);
        assert_eq!(
            migration.id.checksum,
            checksum(&format!("\u{feff}{sql};\n"))
        );
        assert_eq!(
            parse(&[("0001_a.sql", "\u{feff}")])
                .unwrap()
                .get(1)
                .unwrap()
                .statements,
            []
        );
    }

    #[test]
    fn a_checkout_can_be_renamed() {
        let list = include_str!(concat!(env!("OUT_DIR"), "/migrations.rs"));
        assert!(!list.contains(env!("CARGO_MANIFEST_DIR")), "{list}");
    }

    #[test]
    fn what_is_compiled_in_is_what_the_folder_has() {
        let read = Migrations::read(Path::new("../migrations")).unwrap();
        let built_in = Migrations::built_in().unwrap();
        let ids = |migrations: &Migrations| -> Vec<MigrationId> {
            migrations
                .iter()
                .map(|migration| migration.id.clone())
                .collect()
        };
        assert_eq!(ids(&read), ids(&built_in));
        assert_eq!(
            built_in.get(1).unwrap().file,
            "shared/migrations/0001_orders.sql"
        );
    }
}
