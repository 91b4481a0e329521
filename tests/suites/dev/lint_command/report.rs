//! `.ci/schema-report` as the workflow runs it, on a checkout with a stand-in of cargo.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Notes with which files the local stack begins, and says what the linter was asked.
const CARGO: &str = r#"#!/bin/sh
case "$2" in
    lint) echo "asked: $*" ;;
    migrate) echo "$MIGRATES"; [ -z "$REFUSES" ] ;;
    *) ls "$MIGRATIONS_FOLDER" >"$NOTES"; mkdir -p "$3"; touch "$3/environment"; exec sleep 600 ;;
esac
"#;

const ONE: &str = "CREATE TABLE one (id INT PRIMARY KEY);\n";
const TWO: &str = "CREATE TABLE two (id INT PRIMARY KEY);\n";
const THREE: &str = "CREATE TABLE three (id INT PRIMARY KEY);\n";

/// A checkout whose last commit is the pull request.
struct Checkout(PathBuf);

/// What the script has come to.
struct Report {
    passed: bool,
    text: String,
    annotations: String,
    /// The files that the local stack begins with.
    before: String,
}

impl Checkout {
    /// `main` has the first and the second migration.
    fn new(name: &str) -> Self {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("report-{name}"));
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(root.join("shared/migrations")).unwrap();
        fs::create_dir_all(root.join(".ci")).unwrap();
        fs::create_dir_all(root.join("bin")).unwrap();
        let script = ".ci/schema-report";
        fs::copy(tests::root().join(script), root.join(script)).unwrap();
        let cargo = root.join("bin/cargo");
        fs::write(&cargo, CARGO).unwrap();
        fs::set_permissions(cargo, fs::Permissions::from_mode(0o755)).unwrap();
        let checkout = Self(root);
        checkout.git(&["init", "--quiet"]);
        checkout.write("0001_one.sql", ONE);
        checkout.write("0002_two.sql", TWO);
        checkout.commit();
        checkout
    }

    fn git(&self, arguments: &[&str]) {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=a", "-c", "user.email=a@example.com"]);
        git.args(["-c", "commit.gpgsign=false"]).args(arguments);
        // Tests may run in a hook of git, which says where its own checkout is.
        for name in ["GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE"] {
            git.env_remove(name);
        }
        assert!(git.current_dir(&self.0).status().unwrap().success());
    }

    fn write(&self, file: &str, sql: &str) {
        fs::write(self.0.join("shared/migrations").join(file), sql).unwrap();
    }

    fn commit(&self) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", "a"]);
    }

    fn report(&self, variables: &[(&str, &str)]) -> Report {
        let path = std::env::var("PATH").unwrap();
        let path = format!("{}:{path}", self.0.join("bin").display());
        let notes = self.0.join("notes");
        let mut script = Command::new(self.0.join(".ci/schema-report"));
        script.arg("HEAD~1").env("PATH", path).env("NOTES", &notes);
        script.env("GITHUB_ACTIONS", "true");
        script.env("MIGRATES", "    +a difference");
        for name in ["GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE"] {
            script.env_remove(name);
        }
        script.envs(variables.iter().copied());
        let output = script.output().unwrap();
        Report {
            passed: output.status.success(),
            text: String::from_utf8(output.stdout).unwrap(),
            annotations: String::from_utf8(output.stderr).unwrap(),
            before: fs::read_to_string(notes).unwrap_or_default(),
        }
    }
}

#[test]
fn a_new_migration_is_shown_with_what_it_does() {
    let checkout = Checkout::new("new");
    checkout.write("0003_three.sql", THREE);
    checkout.commit();
    let report = checkout.report(&[]);
    assert!(report.passed, "{}", report.text);
    assert!(report.text.contains(THREE), "{}", report.text);
    assert!(report.text.contains("\n+a difference"), "{}", report.text);
    assert!(report.text.contains("asked: dev lint\n"), "{}", report.text);
    assert_eq!(report.annotations, "");
    assert_eq!(report.before, "0001_one.sql\n0002_two.sql\n");

    let report = checkout.report(&[("REFUSES", "true")]);
    assert!(!report.passed, "{}", report.text);
}

#[test]
fn a_migration_that_was_not_deployed_may_be_corrected() {
    let checkout = Checkout::new("corrected");
    checkout.write("0002_two.sql", THREE);
    checkout.commit();
    let report = checkout.report(&[]);
    assert!(report.passed, "{}", report.text);
    let warned = "**`shared/migrations/0002_two.sql` was there before and is not the same.**";
    assert!(report.text.contains(warned), "{}", report.text);
    assert!(report.text.contains(THREE), "{}", report.text);
    assert!(
        report
            .annotations
            .starts_with("::warning file=shared/migrations/0002_two.sql::"),
        "{}",
        report.annotations
    );
    // What it was is not in the local stack's database.
    assert_eq!(report.before, "0001_one.sql\n");
}

#[test]
fn foreign_keys_pass_where_the_repository_says_so() {
    let checkout = Checkout::new("foreign-keys");
    checkout.write("0003_three.sql", THREE);
    checkout.commit();
    let refused = [
        ("MIGRATES", "0003_three.sql:1: error[foreign-key]: no"),
        ("REFUSES", "true"),
    ];
    assert!(!checkout.report(&refused).passed);
    let allowed = [refused.as_slice(), &[("FOREIGN_KEYS", "true")]].concat();
    let report = checkout.report(&allowed);
    assert!(report.passed, "{}", report.text);
    let asked = "asked: dev lint --foreign-keys\n";
    assert!(report.text.contains(asked), "{}", report.text);
}
