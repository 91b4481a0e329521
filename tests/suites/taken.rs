//! A project that `cargo lambda new` or `sam init` makes from this repository is the repository itself,
//! but for the name. `.ci/run` builds the first one and runs tests in it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use tests::stack::find_program;

/// This checkout as a repository that others clone, with what is not committed yet, and a folder for
/// their projects.
struct Repository {
    folder: PathBuf,
}

impl Repository {
    /// None in a project that was made from a template: it is no template itself.
    fn new(name: &str) -> Option<Self> {
        if !tests::root().join("CargoLambda.toml").exists() {
            tests::skipped("this project is no template");
            return None;
        }
        let is_missing = |program| tool(program).arg("--version").output().is_err();
        if ["cargo-lambda", "git", "sam"].into_iter().any(is_missing) {
            tests::skipped("git, cargo-lambda or SAM is missing (.ci/tools installs the last two)");
            return None;
        }
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let repository = Self { folder };
        repository.git(tests::root(), &["init", "--quiet"]);
        repository.git(tests::root(), &["add", "--all"]);
        repository.git(tests::root(), &["commit", "--quiet", "--message", "a"]);
        Some(repository)
    }

    /// Where git keeps it.
    fn path(&self) -> PathBuf {
        self.folder.join("repository")
    }

    fn git(&self, work_tree: &Path, arguments: &[&str]) -> String {
        let mut git = Command::new("git");
        git.current_dir(work_tree)
            .env("GIT_DIR", self.path())
            .env("GIT_WORK_TREE", work_tree)
            .env_remove("GIT_INDEX_FILE")
            .envs(["GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"].map(|name| (name, "/dev/null")));
        for who in ["AUTHOR", "COMMITTER"] {
            git.env(format!("GIT_{who}_NAME"), "a");
            git.env(format!("GIT_{who}_EMAIL"), "a@example.com");
        }
        stdout(&git.args(arguments).output().unwrap())
    }

    /// The files that `project` has not, has more, or has otherwise: in content or as programs.
    fn differences(&self, project: &str) -> Vec<String> {
        let project = self.folder.join(project);
        self.git(&project, &["add", "--all"]);
        let changes = ["diff", "--cached", "--no-renames", "--name-status", "HEAD"];
        let changes = self.git(&project, &changes);
        changes
            .lines()
            .map(|line| line.replace('\t', " "))
            .collect()
    }

    /// `cargo lambda new` with the URL of the repository.
    fn cargo_lambda_new(&self, project: &str) -> Output {
        // It stands in for ssh, which would start the same on the other machine.
        let ssh = format!("git upload-pack '{}' #", self.path().display());
        let mut new = tool("cargo-lambda");
        new.args([
            "lambda",
            "new",
            project,
            "--template",
            "ssh://example.com/team/template",
        ]);
        new.env("GIT_SSH_COMMAND", ssh).current_dir(&self.folder);
        new.output().unwrap()
    }
}

/// A program that `.ci/tools` installs, or one on the PATH. It has no terminal to ask at, and no rights in
/// AWS.
fn tool(name: &str) -> Command {
    let mut tool = Command::new(find_program(name).unwrap_or_else(|| name.into()));
    tool.stdin(Stdio::null());
    for (name, value) in [
        ("AWS_ACCESS_KEY_ID", "none"),
        ("AWS_SECRET_ACCESS_KEY", "none"),
        ("AWS_REGION", "eu-central-1"),
        ("SAM_CLI_TELEMETRY", "0"),
    ] {
        tool.env(name, value);
    }
    tool
}

/// What a program has written, which succeeded.
fn stdout(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// `samconfig.toml` as it is in a project of this name.
fn samconfig(name: &str) -> String {
    let text = fs::read_to_string(tests::root().join("samconfig.toml")).unwrap();
    let text = text.replace("orders", name);
    let lines = text.lines().map(|line| line.split("{%").next().unwrap());
    let lines: Vec<_> = lines.collect();
    lines.join("\n") + "\n"
}

#[test]
fn cargo_lambda_makes_the_same_project_with_another_name() {
    let Some(repository) = Repository::new("taken") else {
        return;
    };
    // A stack's name has no underscores.
    for (project, name) in [("my-orders", "my-orders"), ("My_2nd_shop", "My-2nd-shop")] {
        stdout(&repository.cargo_lambda_new(project));
        let changed = ["D CargoLambda.toml", "M samconfig.toml"];
        assert_eq!(repository.differences(project), changed);
        let written = repository.folder.join(project).join("samconfig.toml");
        assert_eq!(fs::read_to_string(written).unwrap(), samconfig(name));
    }
    for wrong in ["2nd-shop", "my.orders", "../my-orders", "m"] {
        let output = repository.cargo_lambda_new(wrong);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            said.contains(&format!("invalid package name: {wrong}")),
            "{said}"
        );
    }

    let project = repository.folder.join("my-orders");
    let mut metadata = Command::new(env!("CARGO"));
    metadata.args(["metadata", "--locked", "--offline", "--format-version", "1"]);
    stdout(&metadata.current_dir(&project).output().unwrap());
    let mut validate = tool("sam");
    validate.args(["validate", "--lint"]).current_dir(&project);
    stdout(&validate.output().unwrap());
}

#[test]
fn sam_makes_the_same_project() {
    let Some(repository) = Repository::new("taken-by-sam") else {
        return;
    };
    let location = format!("git+file://{}", repository.path().display());
    let mut init = tool("sam");
    // There it keeps what it has cloned, and asks before it clones again.
    init.env("HOME", &repository.folder);
    init.args(["init", "--no-input", "--name", "my-orders"]);
    init.args(["--location", &location])
        .current_dir(&repository.folder);
    stdout(&init.output().unwrap());
    assert_eq!(repository.differences("my-orders"), [""; 0]);
}
