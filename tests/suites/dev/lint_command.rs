//! `cargo dev lint` as its user and GitHub run it.

// The script is for GitHub's machines, and takes GNU's programs.
#[cfg(target_os = "linux")]
mod report;

use std::fs;
use std::path::{Path, PathBuf};

use crate::command::cargo_dev;

/// A folder of migrations.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        for (name, sql) in files {
            fs::write(folder.join(name), sql).unwrap();
        }
        Self(folder)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

/// Whether it was well, and what was printed.
fn lint(arguments: &[&str], github: bool) -> (bool, String) {
    let mut command = cargo_dev();
    command.arg("lint").args(arguments);
    // Tests run on GitHub too.
    command.env_remove("GITHUB_ACTIONS");
    if github {
        command.env("GITHUB_ACTIONS", "true");
    }
    let output = command.output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    (output.status.success(), printed)
}

const ORDERS: (&str, &str) = (
    "0001_orders.sql",
    "CREATE TABLE orders (id INT PRIMARY KEY, note TEXT);\n",
);

#[test]
fn the_projects_own_migrations_pass() {
    let (passed, printed) = lint(&[], false);
    assert!(passed, "{printed}");
    assert!(printed.starts_with("shared/migrations: "), "{printed}");
    assert!(printed.ends_with(", 0 errors, 0 warnings\n"), "{printed}");
}

#[test]
fn a_finding_has_its_place_and_an_error_fails() {
    for (name, sql, passes, says) in [
        (
            "lint-error",
            "-- why?\nALTER TABLE orders\n  DROP note;\n",
            false,
            &[
                "0002_next.sql:3: error[drop-column]: drops the column `note`",
                ": 2 files, 1 error, 0 warnings\n",
            ][..],
        ),
        (
            "lint-warning",
            "ALTER TABLE orders ADD UNIQUE KEY one_note (note(10));\n",
            true,
            &[
                "0002_next.sql:1: warning[unique-on-rows]: ",
                // Where rows decide, there is a query.
                "Find them: SELECT LEFT(`note`, 10), COUNT(*) FROM `orders`",
                ": 2 files, 0 errors, 1 warning\n",
            ],
        ),
        (
            "lint-refused",
            "\nALTER TABLE orders\n  ADD CHECK (age > 0);\n",
            false,
            // The server's own words.
            &["0002_next.sql:2: error[refused]: ", "olumn 'age'"],
        ),
    ] {
        let folder = Folder::new(name, &[ORDERS, ("0002_next.sql", sql)]);
        let (passed, printed) = lint(&[folder.path()], false);
        assert_eq!(passed, passes, "{printed}");
        let place = format!("{}/0002_next.sql:", folder.path());
        assert!(printed.starts_with(&place), "{printed}");
        for text in says {
            assert!(printed.contains(text), "{text}: {printed}");
        }
        // The schema is one of this run alone, whose name says nothing.
        assert!(!printed.contains("lint_"), "{printed}");
    }
}

#[test]
fn foreign_keys_are_up_to_the_database() {
    let add = (
        "0002_add.sql",
        "ALTER TABLE orders ADD parent INT, ADD FOREIGN KEY (parent) REFERENCES orders (id);\n",
    );
    let folder = Folder::new("lint-foreign-keys", &[ORDERS, add]);
    assert!(!lint(&[folder.path()], false).0);
    assert!(lint(&["--foreign-keys", folder.path()], false).0);
}

#[test]
fn github_shows_findings_at_their_lines() {
    let orders = (
        "0001_orders.sql",
        "CREATE TABLE orders (id INT PRIMARY KEY, `100%` INT);\n",
    );
    let wrong = ("0002_wrong.sql", "ALTER TABLE orders\n  DROP `100%`;\n");
    let folder = Folder::new("lint,github", &[orders, wrong]);
    let by_variable = lint(&[folder.path()], true);
    let by_option = lint(&["--github", folder.path()], false);
    assert_eq!(by_variable, by_option);
    let (passed, printed) = by_option;
    assert!(!passed);
    let place = format!(
        "file={}/0002_wrong.sql,line=2",
        folder.path().replace(',', "%2C")
    );
    assert!(
        printed.starts_with(&format!(
            "::error {place},title=drop-column::drops the column `100%25`"
        )),
        "{printed}"
    );
}

#[test]
fn what_are_no_migrations_are_named() {
    let folder = Folder::new("lint-name", &[("1_orders.sql", "")]);
    let (passed, printed) = lint(&[folder.path()], false);
    assert!(!passed);
    let named = format!("error: {}/1_orders.sql is not named like", folder.path());
    assert!(printed.starts_with(&named), "{printed}");
    let (passed, printed) = lint(&["no/such/folder"], true);
    assert!(!passed);
    assert!(
        printed.starts_with("::error::can't read no/such/folder: "),
        "{printed}"
    );
}
