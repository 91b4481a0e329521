//! PlanetScale's own Go library against it, unchanged: the program in `planetscale_go/` makes the
//! calls and judges the answers; the schemas are changed and looked at here.
//!
//! The library comes from the Go module proxy, by the version and the checksum that the program's
//! module pins.

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::{Value, json};
use tests::stand_ins::control_plane::ServiceToken;
use tests::stand_ins::control_plane::contract::Contract;

use crate::fresh_control_plane::{Scene, skipped};

/// Set where it must be tested: without Go, or without the library, the test fails then.
const REQUIRED: &str = "PLANETSCALE_GO_REQUIRED";

/// The branch that is changed. Its table is called the same.
const BRANCH: &str = "notes";

/// Runs a program to its end while the control plane answers on this thread.
async fn run(mut command: Command) -> std::io::Result<Output> {
    let output = tokio::task::spawn_blocking(move || command.output()).await;
    output.unwrap()
}

/// What a program has written to its standard error.
fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).trim().to_owned()
}

/// Builds the program, or says what is missing for it on this machine.
async fn build() -> Result<PathBuf, String> {
    let go = |arguments: &[&str]| {
        let mut command = Command::new("go");
        command
            .args(arguments)
            .current_dir(tests::root().join("tests/stand_ins/control_plane/tests/planetscale_go"))
            // The module stands for itself, whatever folder the project lies in.
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

/// The program, and where its calls go.
struct Library<'s> {
    program: PathBuf,
    scene: &'s Scene,
}

impl Library<'_> {
    /// Runs a stage with a token, and returns what it has printed.
    async fn stage_as(&self, token: &ServiceToken, stage: &str, branch: &str) -> Value {
        let mut command = Command::new(&self.program);
        command
            .args([stage, branch])
            .env("PLANETSCALE_API_URL", self.scene.plane.url())
            .env("PLANETSCALE_SERVICE_TOKEN_ID", &token.id)
            .env("PLANETSCALE_SERVICE_TOKEN", &token.token);
        let output = run(command).await.unwrap();
        assert!(output.status.success(), "{stage}: {}", errors(&output));
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    async fn stage(&self, stage: &str, branch: &str) -> Value {
        self.stage_as(&self.scene.token, stage, branch).await
    }
}

#[tokio::test]
async fn the_go_library_works_unchanged() {
    let program = match build().await {
        Ok(program) => program,
        Err(missing) => {
            assert!(std::env::var_os(REQUIRED).is_none(), "{missing}");
            return skipped(&missing);
        }
    };
    let scene = Scene::new().await;
    let library = Library {
        program,
        scene: &scene,
    };
    library.stage("look", BRANCH).await;

    let password = library.stage("branch", BRANCH).await;
    let change = async |statements: &[&str]| scene.run_with(&password, statements).await;
    change(&[
        "CREATE TABLE notes (id INT NOT NULL PRIMARY KEY)",
        "CREATE TABLE loose (id INT NULL)",
    ])
    .await;
    library.stage("compare", BRANCH).await;
    change(&["DROP TABLE loose"]).await;

    scene.plane.require_approval(true).await;
    library.stage("open", BRANCH).await;
    let other = scene.plane.new_token().await;
    library.stage_as(&other, "approve", BRANCH).await;
    library.stage("deploy", BRANCH).await;
    assert_eq!(scene.columns("notes").await, ["id"]);

    scene.plane.require_approval(false).await;
    change(&["ALTER TABLE notes ADD COLUMN body TEXT NULL"]).await;
    for ending in ["revert", "cancel"] {
        library.stage(ending, BRANCH).await;
        assert_eq!(scene.columns("notes").await, ["id"], "{ending}");
    }

    let ahead = "ahead";
    scene.branch(ahead).await;
    let table = "CREATE TABLE ahead (id INT NOT NULL PRIMARY KEY)";
    scene.run(ahead, &[table]).await;
    let first = scene.open(ahead, false).await;
    scene.until(&first, &["ready"]).await;
    scene.post(&format!("{first}/deploy"), json!({})).await;
    scene.until(&first, &["pending_cutover"]).await;
    library.stage("queue", BRANCH).await;

    library.stage("backups", "restored").await;
    library.stage("remove", BRANCH).await;
    assert!(scene.login(&password).await.is_err());

    if let Some(contract) = Contract::from_env().unwrap() {
        let violations = contract.check(&scene.plane.exchanges()).violations;
        assert!(violations.is_empty(), "{}", violations.join("\n"));
    }
}
