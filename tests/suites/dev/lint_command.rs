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
fn an_error_has_its_place_and_fails() {
    let drop = (
        "0002_drop.sql",
        "-- why?\nALTER TABLE orders\n  DROP note;\n",
    );
    let folder = Folder::new("lint-error", &[ORDERS, drop]);
    let (passed, printed) = lint(&[folder.path()], false);
    assert!(!passed);
    let path = folder.path();
    let lines: Vec<&str> = printed.lines().collect();
    assert!(
        lines[0].starts_with(&format!(
            "{path}/0002_drop.sql:3: error[drop-column]: drops the column `note`"
        )),
        "{printed}"
    );
    assert_eq!(lines[1], format!("{path}: 2 files, 1 error, 0 warnings"));
}

#[test]
fn a_warning_does_not_fail_and_has_a_query_where_rows_decide() {
    let unique = (
        "0002_unique.sql",
        "ALTER TABLE orders ADD UNIQUE KEY one_note (note(10));\n",
    );
    let folder = Folder::new("lint-warning", &[ORDERS, unique]);
    let (passed, printed) = lint(&[folder.path()], false);
    assert!(passed, "{printed}");
    assert!(
        printed.contains("0002_unique.sql:1: warning[unique-on-rows]: "),
        "{printed}"
    );
    let query = "Find them: SELECT LEFT(`note`, 10), COUNT(*) FROM `orders`";
    assert!(printed.contains(query), "{printed}");
    assert!(
        printed.ends_with(": 2 files, 0 errors, 1 warning\n"),
        "{printed}"
    );
}

#[test]
fn what_the_server_refuses_is_told_in_its_words() {
    let wrong = (
        "0002_wrong.sql",
        "\nALTER TABLE orders\n  ADD CHECK (age > 0);\n",
    );
    let folder = Folder::new("lint-refused", &[ORDERS, wrong]);
    let (passed, printed) = lint(&[folder.path()], false);
    assert!(!passed);
    assert!(
        printed.contains("0002_wrong.sql:2: error[refused]: "),
        "{printed}"
    );
    assert!(printed.contains("olumn 'age'"), "{printed}");
    // The schema is one of this run alone, whose name says nothing.
    assert!(!printed.contains("lint_"), "{printed}");
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
