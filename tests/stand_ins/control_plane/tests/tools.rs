//! PlanetScale's own tools against it: `pscale` itself where it is installed, and what it and the
//! Go library ask (planetscale/cli, planetscale-go) where it is not.

use std::path::PathBuf;
use std::process::Command;

use mysql_async::prelude::Queryable;
use serde_json::{Value, json};
use tests::stand_ins::control_plane::{DATABASE, ORGANIZATION};

use crate::fresh_control_plane::{Scene, header, skipped};

/// The program that `PSCALE` names, or the one on the PATH.
fn program() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("PSCALE").filter(|named| !named.is_empty()) {
        return Some(named.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = std::env::split_paths(&path).map(|folder| folder.join("pscale"));
    places.find(|place| place.is_file())
}

/// `pscale` as a user runs it who has taken `target/dev/environment`.
struct Pscale<'s> {
    program: PathBuf,
    scene: &'s Scene,
}

impl Pscale<'_> {
    async fn run(&self, arguments: &[&str]) -> Value {
        let scene = self.scene;
        let home = std::env::temp_dir().join(format!("pscale-{}", std::process::id()));
        std::fs::create_dir_all(&home).unwrap();
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .args(["--format", "json"])
            .env("HOME", &home)
            .env("PLANETSCALE_API_URL", scene.plane.url())
            .env("PLANETSCALE_ORG", ORGANIZATION)
            .env("PLANETSCALE_SERVICE_TOKEN_ID", &scene.token.id)
            .env("PLANETSCALE_SERVICE_TOKEN", &scene.token.token)
            .env("PSCALE_NO_UPDATE_NOTIFIER", "1");
        // The control plane answers on this thread.
        let output = tokio::task::spawn_blocking(move || command.output()).await;
        let output = output.unwrap().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {text} {errors}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }
}

#[tokio::test]
async fn pscale_changes_a_schema() {
    let Some(program) = program() else {
        skipped("there is no pscale on the PATH, and PSCALE names none");
        return;
    };
    let scene = Scene::new().await;
    let pscale = Pscale {
        program,
        scene: &scene,
    };
    pscale.run(&["org", "list"]).await;
    pscale.run(&["database", "show", DATABASE]).await;
    pscale
        .run(&["branch", "create", DATABASE, "dev", "--wait"])
        .await;
    let password = pscale
        .run(&[
            "password", "create", DATABASE, "dev", "ddl", "--role", "admin",
        ])
        .await;
    let mut conn = scene.login(&password).await.unwrap();
    conn.query_drop("CREATE TABLE notes (id INT NOT NULL PRIMARY KEY)")
        .await
        .unwrap();
    conn.disconnect().await.unwrap();
    for arguments in [
        &["branch", "list", DATABASE][..],
        &["branch", "show", DATABASE, "dev"],
        &["branch", "schema", DATABASE, "dev"],
        &["branch", "lint", DATABASE, "dev"],
        &["branch", "diff", DATABASE, "dev"],
        &["password", "list", DATABASE, "dev"],
    ] {
        pscale.run(arguments).await;
    }
    let opened = pscale
        .run(&["deploy-request", "create", DATABASE, "dev"])
        .await;
    let number = opened["number"].to_string();
    scene
        .until(&format!("/deploy-requests/{number}"), &["ready"])
        .await;
    pscale
        .run(&["deploy-request", "diff", DATABASE, &number])
        .await;
    pscale
        .run(&["deploy-request", "deploy", DATABASE, &number, "--wait"])
        .await;
    assert_eq!(scene.columns("notes").await, ["id"]);
    pscale
        .run(&["deploy-request", "skip-revert", DATABASE, &number])
        .await;
    pscale
        .run(&["deploy-request", "show", DATABASE, &number])
        .await;
    pscale.run(&["deploy-request", "list", DATABASE]).await;
    pscale.run(&["backup", "create", DATABASE, "main"]).await;
    pscale.run(&["backup", "list", DATABASE, "main"]).await;
    pscale.run(&["branch", "promote", DATABASE, "dev"]).await;
    pscale
        .run(&["branch", "safe-migrations", "enable", DATABASE, "dev"])
        .await;
    pscale
        .run(&["branch", "delete", DATABASE, "dev", "--force"])
        .await;
    assert_eq!(scene.send("GET", "/branches/dev", None).await.0, 404);
}

#[tokio::test]
async fn they_find_their_way_from_the_top() {
    let scene = Scene::new().await;
    let ask = async |path: &str| {
        let request = tests::http_client()
            .get(format!("{}/v1/{path}", scene.plane.url()))
            .header("authorization", header(&scene.token));
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
    // What is not there at all must not look like a branch that is not there.
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

#[tokio::test]
async fn what_the_tools_ask_is_answered() {
    let scene = Scene::new().await;
    // Before anything else they look at the database: any other kind would lead them astray.
    assert_eq!(scene.get("").await["kind"], "mysql");
    let new = json!({"name": "dev", "parent_branch": "", "cluster_size": "PS_DEV"});
    let branch = scene.post("/branches", new).await;
    assert_eq!(branch["parent_branch"], "main");
    scene.ready_branch("dev").await;
    scene.post("/branches/dev/promote", json!({})).await;
    // No body at all.
    let (status, _) = scene
        .send("POST", "/branches/dev/safe-migrations", None)
        .await;
    assert_eq!(status, 200);
    assert_eq!(
        scene
            .send("DELETE", "/branches/dev/safe-migrations", None)
            .await
            .0,
        200
    );
    let new = json!({"role": "admin", "name": "ddl", "ttl": 600});
    let password = scene.post("/branches/dev/passwords", new).await;
    let renew = format!(
        "/branches/dev/passwords/{}/renew",
        password["id"].as_str().unwrap()
    );
    assert_eq!(scene.send("POST", &renew, None).await.0, 200);
    let all = scene.get("/passwords?per_page=50").await;
    assert_eq!(all["data"][0]["database_branch"]["name"], "dev");
    let mut conn = scene.login(&password).await.unwrap();
    conn.query_drop("CREATE TABLE notes (id INT NOT NULL PRIMARY KEY)")
        .await
        .unwrap();

    // Without `--into` they leave the target to the database.
    let opened = scene
        .post("/deploy-requests", json!({"branch": "dev", "notes": ""}))
        .await;
    assert_eq!(
        (&opened["into_branch"], &opened["number"]),
        (&json!("main"), &json!(1))
    );
    let found = scene.get("/deploy-requests?branch=dev&state=open").await;
    assert_eq!(found["data"][0]["number"], 1);
    let request = "/deploy-requests/1";
    let (status, changed) = scene
        .send(
            "PUT",
            &format!("{request}/auto-apply"),
            Some(json!({"enable": false})),
        )
        .await;
    assert_eq!(
        (status, &changed["deployment"]["auto_cutover"]),
        (200, &json!(false))
    );
    scene.until(request, &["ready"]).await;
    scene
        .post(&format!("{request}/deploy"), json!({"instant_ddl": false}))
        .await;
    scene.until(request, &["pending_cutover"]).await;
    assert_eq!(
        scene
            .send("POST", &format!("{request}/apply-deploy"), None)
            .await
            .0,
        200
    );
    let done = scene.until(request, &["complete_pending_revert"]).await;
    assert!(done["deployed_at"].is_string() && done["deployment"]["finished_at"].is_string());
    assert_eq!(
        scene
            .send("POST", &format!("{request}/skip-revert"), Some(json!({})))
            .await
            .0,
        200
    );
    // What has happened is still to be read.
    let diff = scene.get(&format!("{request}/diff")).await;
    assert_eq!(diff["data"][0]["name"], "notes");
    assert!(
        diff["data"][0]["raw"]
            .as_str()
            .unwrap()
            .starts_with("+CREATE TABLE"),
        "{diff}"
    );
    assert_eq!(scene.send("DELETE", "/branches/dev", None).await.0, 204);
    // Past the end of a list they expect an empty page.
    assert_eq!(
        scene.get("/branches?per_page=100&page=2").await["data"],
        json!([])
    );
}
