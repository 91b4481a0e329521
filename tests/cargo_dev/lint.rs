//! `cargo dev lint`: the migrations under PlanetScale's rules, without any server.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use schema::lint::{Finding, Options, Severity, lint};
use schema::{FilesError, Migrations};

/// What the command line asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// The migrations, in place of `shared/migrations`.
    pub folder: Option<PathBuf>,
    /// Foreign keys are allowed.
    pub foreign_keys: bool,
    /// For a workflow of GitHub, which shows each finding at its line. So it is also where
    /// GitHub sets its variable.
    pub github: bool,
}

/// Prints every finding and a summary to standard output. Fails when there is an error among
/// them, or no migrations to read.
pub fn run(request: &Request) -> ExitCode {
    let folder = request.folder.clone().unwrap_or_else(own_folder);
    let of_github = std::env::var("GITHUB_ACTIONS").is_ok_and(|value| value == "true");
    let github = request.github || of_github;
    let options = Options {
        foreign_keys: request.foreign_keys,
    };
    let (text, passed) = match Migrations::read(&folder) {
        Ok(migrations) => report(&folder, &migrations, options, github),
        Err(error) => (unreadable(&error, github), false),
    };
    // Who closed the output wants no more of it.
    let _ = std::io::stdout().write_all(text.as_bytes());
    if passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// As it is seen from where the user is.
fn own_folder() -> PathBuf {
    let folder = crate::root().join("shared/migrations");
    let here = std::env::current_dir().unwrap_or_default();
    folder
        .strip_prefix(here)
        .map_or_else(|_| folder.clone(), Path::to_owned)
}

fn report(
    folder: &Path,
    migrations: &Migrations,
    options: Options,
    github: bool,
) -> (String, bool) {
    let findings = lint(migrations, options);
    let mut text = String::new();
    for finding in &findings {
        text += &if github {
            annotation(finding)
        } else {
            finding.to_string()
        };
        text += "\n";
    }
    let of = |severity| {
        let findings = findings.iter();
        findings
            .filter(|finding| finding.rule.severity() == severity)
            .count()
    };
    let (errors, warnings) = (of(Severity::Error), of(Severity::Warning));
    text += &format!(
        "{}: {}, {}, {}\n",
        folder.display(),
        counted(migrations.iter().count(), "file"),
        counted(errors, "error"),
        counted(warnings, "warning"),
    );
    (text, errors == 0)
}

fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

fn unreadable(error: &FilesError, github: bool) -> String {
    if github {
        format!("::error::{}\n", escaped(&error.to_string()))
    } else {
        format!("error: {error}\n")
    }
}

/// GitHub's docs, "Workflow commands".
fn annotation(finding: &Finding) -> String {
    let property = |text: &str| escaped(text).replace(':', "%3A").replace(',', "%2C");
    format!(
        "::{severity} file={file},line={line},title={title}::{message}",
        severity = finding.rule.severity(),
        file = property(&finding.file),
        line = finding.line,
        title = property(finding.rule.code()),
        message = escaped(&finding.message()),
    )
}

fn escaped(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}
