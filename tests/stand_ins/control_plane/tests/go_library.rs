//! PlanetScale's Go library, unchanged. The program in `planetscale_go/` makes the calls and checks
//! the answers. This test changes and reads the schemas.
//!
//! The library comes from the Go module proxy, with the version and the checksum in `go.mod`.

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;
use tests::skipped;
use tests::stand_ins::control_plane::ServiceToken;
use tests::stand_ins::control_plane::fresh_control_plane::FreshControlPlane;

/// If this variable is set, the test fails without Go or the library. Otherwise it is skipped.
const REQUIRED: &str = "PLANETSCALE_GO_REQUIRED";

/// The branch that is changed, and the name of its table.
const BRANCH: &str = "notes";

/// Runs a program while the control plane answers on this thread.
async fn run(mut command: Command) -> std::io::Result<Output> {
    let output = tokio::task::spawn_blocking(move || command.output()).await;
    output.unwrap()
}

/// The standard error of a program.
fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).trim().to_owned()
}

/// Builds the program. The error says what is missing on this machine.
async fn build() -> Result<PathBuf, String> {
    let go = |arguments: &[&str]| {
        let mut command = Command::new("go");
        command
            .args(arguments)
            .current_dir(tests::root().join("tests/stand_ins/control_plane/tests/planetscale_go"))
            // The module is independent of any workspace around the project.
            .env("GOWORK", "off");
        command
    };
    let fetched = run(go(&["mod", "download"])).await;
    let fetched = fetched.map_err(|error| format!("Go can't be run: {error}"))?;
    if !fetched.status.success() {
        let why = errors(&fetched);
        assert!(!why.contains("SECURITY ERROR"), "{why}");
        return Err(format!("PlanetScale's Go library can't be had: {why}"));
    }
    let program = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("planetscale_go");
    let mut command = go(&["build", "-mod=readonly", "-buildvcs=false", "-o"]);
    command.arg(&program);
    let built = run(command).await.unwrap();
    assert!(built.status.success(), "{}", errors(&built));
    Ok(program)
}

/// The program and the control plane that it calls.
struct Library<'s> {
    program: PathBuf,
    api: &'s FreshControlPlane,
}

impl Library<'_> {
    /// Runs a stage with a token and returns its output.
    async fn stage_as(&self, token: &ServiceToken, stage: &str, branch: &str) -> Value {
        let mut command = Command::new(&self.program);
        command
            .args([stage, branch])
            .env("PLANETSCALE_API_URL", self.api.control_plane.url())
            .env("PLANETSCALE_SERVICE_TOKEN_ID", &token.id)
            .env("PLANETSCALE_SERVICE_TOKEN", &token.token);
        let output = run(command).await.unwrap();
        assert!(output.status.success(), "{stage}: {}", errors(&output));
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    async fn stage(&self, stage: &str, branch: &str) -> Value {
        self.stage_as(&self.api.token, stage, branch).await
    }
}

#[tokio::test]
async fn planetscales_go_library_works_unchanged() {
    let program = match build().await {
        Ok(program) => program,
        Err(missing) => {
            assert!(std::env::var_os(REQUIRED).is_none(), "{missing}");
            return skipped(&missing);
        }
    };
    let api = FreshControlPlane::start().await;
    let library = Library { program, api: &api };
    library.stage("look", BRANCH).await;

    let password = library.stage("branch", BRANCH).await;
    let change = async |statements: &[&str]| api.run_with(&password, statements).await;
    change(&[
        "CREATE TABLE notes (id INT NOT NULL PRIMARY KEY)",
        "CREATE TABLE loose (id INT NULL)",
    ])
    .await;
    library.stage("compare", BRANCH).await;
    change(&["DROP TABLE loose"]).await;

    api.control_plane.require_approval(true).await;
    library.stage("open", BRANCH).await;
    let other = api.control_plane.new_token().await;
    library.stage_as(&other, "approve", BRANCH).await;
    library.stage("deploy", BRANCH).await;
    assert_eq!(api.columns("notes").await, ["id"]);

    api.control_plane.require_approval(false).await;
    change(&["ALTER TABLE notes ADD COLUMN body TEXT NULL"]).await;
    for ending in ["revert", "cancel"] {
        library.stage(ending, BRANCH).await;
        assert_eq!(api.columns("notes").await, ["id"], "{ending}");
    }

    let ahead = "ahead";
    api.branch(ahead).await;
    let table = "CREATE TABLE ahead (id INT NOT NULL PRIMARY KEY)";
    api.run(ahead, &[table]).await;
    let first = api.open(ahead, false).await;
    api.until(&first, &["ready"]).await;
    api.act(&first, "deploy").await;
    api.until(&first, &["pending_cutover"]).await;
    library.stage("queue", BRANCH).await;

    library.stage("backups", "restored").await;
    library.stage("remove", BRANCH).await;
    assert!(api.login(&password).await.is_err());
}
