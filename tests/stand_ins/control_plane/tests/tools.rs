//! PlanetScale's tools: `pscale` itself if it is installed, and the requests that it and the Go
//! library make (planetscale/cli, planetscale-go).

use std::path::PathBuf;
use std::process::Command;

use mysql_async::prelude::Queryable;
use serde_json::{Value, json};
use tests::skipped;
use tests::stack::find_program;
use tests::stand_ins::control_plane::fresh_control_plane::FreshControlPlane;
use tests::stand_ins::control_plane::{DATABASE, ORGANIZATION, ServiceToken};

/// The program that the variable `PSCALE` names, or the one that [`find_program`] finds.
fn program() -> Option<PathBuf> {
    let named = std::env::var_os("PSCALE").filter(|named| !named.is_empty());
    named.map(PathBuf::from).or_else(|| find_program("pscale"))
}

/// `pscale` with the variables of `target/dev/environment`.
struct Pscale<'s> {
    program: PathBuf,
    api: &'s FreshControlPlane,
}

impl Pscale<'_> {
    async fn run(&self, arguments: &str) -> Value {
        let api = self.api;
        let home = std::env::temp_dir().join(format!("pscale-{}", std::process::id()));
        std::fs::create_dir_all(&home).unwrap();
        let mut command = Command::new(&self.program);
        command
            .args(arguments.split(' '))
            .args(["--format", "json"])
            .env("HOME", &home)
            .env("PLANETSCALE_API_URL", api.control_plane.url())
            .env("PLANETSCALE_ORG", ORGANIZATION)
            .env("PLANETSCALE_SERVICE_TOKEN_ID", &api.token.id)
            .env("PLANETSCALE_SERVICE_TOKEN", &api.token.token)
            .env("PSCALE_NO_UPDATE_NOTIFIER", "1");
        // The control plane answers on this thread.
        let output = tokio::task::spawn_blocking(move || command.output()).await;
        let output = output.unwrap().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments}: {text} {errors}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }
}

#[tokio::test]
async fn pscale_changes_a_schema() {
    let Some(program) = program() else {
        skipped("there is no pscale on the PATH, and PSCALE names none");
        return;
    };
    let api = FreshControlPlane::start().await;
    // It has habits that the document does not allow.
    api.control_plane.stop_recording();
    let pscale = Pscale { program, api: &api };
    for words in [
        "org list",
        "database show orders",
        "branch create orders dev --wait",
    ] {
        pscale.run(words).await;
    }
    let password = pscale.run("password create orders dev ddl --role admin");
    let mut conn = api.login(&password.await).await.unwrap();
    let table = "CREATE TABLE notes (id INT NOT NULL PRIMARY KEY)";
    conn.query_drop(table).await.unwrap();
    for words in [
        "branch list orders",
        "branch show orders dev",
        "branch schema orders dev",
        "branch lint orders dev",
        "branch diff orders dev",
        "password list orders dev",
        "deploy-request create orders dev",
    ] {
        pscale.run(words).await;
    }
    api.until("/deploy-requests/1", &["ready"]).await;
    for words in [
        "deploy-request diff orders 1",
        "deploy-request deploy orders 1 --wait",
    ] {
        pscale.run(words).await;
    }
    assert_eq!(api.columns("notes").await, ["id"]);
    for words in [
        "deploy-request skip-revert orders 1",
        "deploy-request show orders 1",
        "deploy-request list orders",
        "backup create orders main",
        "backup list orders main",
        "branch promote orders dev",
        "branch safe-migrations enable orders dev",
        "branch delete orders dev --force",
    ] {
        pscale.run(words).await;
    }
    assert_eq!(api.status("GET", "/branches/dev").await, 404);
}

#[tokio::test]
async fn organizations_and_databases_are_listed() {
    let api = FreshControlPlane::start().await;
    let ask = async |path: &str| {
        let ServiceToken { id, token } = &api.token;
        let request = tests::http_client()
            .get(format!("{}/v1/{path}", api.control_plane.url()))
            .header("authorization", format!("{id}:{token}"));
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.json::<Value>().await.unwrap())
    };
    let (status, organizations) = ask("organizations").await;
    assert_eq!(status, 200);
    assert_eq!(organizations["data"][0]["name"], ORGANIZATION);
    assert_eq!(ask("organizations/local").await.1["name"], ORGANIZATION);
    let databases = ask("organizations/local/databases?per_page=100").await.1;
    assert_eq!(databases["data"][0]["name"], DATABASE);
    for nowhere in [
        "organizations/other",
        "organizations/other/databases/orders",
        "organizations/local/databases/other/branches",
        "",
    ] {
        let (status, refusal) = ask(nowhere).await;
        assert_eq!((status, &refusal["code"]), (404, &json!("not_found")));
    }
    // A missing operation must not look like a missing branch.
    for absent in [
        "keyspaces",
        "branches/main/keyspaces",
        "deploy-requests/1/throttler",
    ] {
        let (status, refusal) =
            ask(&format!("organizations/local/databases/orders/{absent}")).await;
        assert_eq!((status, &refusal["code"]), (501, &json!("not_implemented")));
    }
}

/// What `pscale` sends and the document does not require or mention.
#[tokio::test]
async fn the_habits_of_pscale_are_accepted() {
    let api = FreshControlPlane::start().await;
    // It takes any other kind for Postgres.
    assert_eq!(api.get("").await["kind"], "mysql");
    let new = json!({"name": "dev", "parent_branch": "", "cluster_size": "PS_DEV"});
    let branch = api.post("/branches", new).await;
    assert_eq!(branch["parent_branch"], "main");
    api.ready_branch("dev").await;
    let password = api.password("dev", "admin").await;
    let table = "CREATE TABLE notes (id INT NOT NULL PRIMARY KEY)";
    api.run_with(&password, &[table]).await;
    // It sends no body with these.
    let id = password["id"].as_str().unwrap();
    for (method, path, status) in [
        ("POST", format!("/branches/dev/passwords/{id}/renew"), 200),
        ("POST", "/branches/dev/promote".to_owned(), 200),
        ("POST", "/branches/dev/safe-migrations".to_owned(), 200),
        ("DELETE", "/branches/dev/safe-migrations".to_owned(), 200),
    ] {
        assert_eq!(api.send(method, &path, None).await.0, status, "{path}");
    }
    // Without `--into` it does not name the target, which the document demands.
    api.control_plane.stop_recording();
    let new = json!({"branch": "dev", "notes": ""});
    let opened = api.post("/deploy-requests", new).await;
    api.control_plane.record();
    assert_eq!(opened["into_branch"], "main");
    let request = "/deploy-requests/1";
    api.until(request, &["ready"]).await;
    api.act(request, "deploy").await;
    let done = api.until(request, &["complete_pending_revert"]).await;
    assert!(done["deployed_at"].is_string() && done["deployment"]["finished_at"].is_string());
    // It shows the difference after the deployment too.
    let diff = api.get(&format!("{request}/diff")).await;
    let raw = diff["data"][0]["raw"].as_str().unwrap();
    assert!(raw.starts_with("+CREATE TABLE `notes`"), "{diff}");
}
