//! Every call: tokens, access, pages, faults and restarts.

use mysql_async::Row;
use mysql_async::prelude::Queryable;
use reqwest::Method;
use serde_json::{Value, json};
use tests::eventually_holds;
use tests::stand_ins::control_plane::fresh_control_plane::FreshControlPlane;
use tests::stand_ins::control_plane::{ApiClient, ApiFailure};

#[tokio::test]
async fn a_call_without_a_valid_token_is_refused() {
    let api = FreshControlPlane::start().await;
    let (id, token) = (&api.token.id, &api.token.token);
    for (authorization, status, code) in [
        (String::new(), 401, "unauthorized"),
        (format!("{id}:wrong"), 401, "unauthorized"),
        (format!("nobody:{token}"), 401, "unauthorized"),
        // Any other form counts as no token at all.
        (format!("Bearer {token}"), 404, "not_found"),
    ] {
        let client = ApiClient::with_authorization(api.control_plane.url(), authorization);
        let answer = client.send(Method::GET, "/branches", None).await.unwrap();
        assert_eq!((answer.0, &answer.1["code"]), (status, &json!(code)));
        assert!(answer.1["message"].is_string());
    }
}

#[tokio::test]
async fn a_token_without_access_reads_nothing_and_changes_nothing() {
    let api = FreshControlPlane::start().await;
    for grant in [
        "create_branch",
        "restore_backup",
        "restore_production_branch_backup",
    ] {
        api.control_plane.revoke(&api.token, grant).await;
    }
    api.control_plane
        .revoke(&api.token, "read_deploy_request")
        .await;
    let (status, refusal) = api
        .send("POST", "/branches", Some(json!({"name": "dev"})))
        .await;
    assert_eq!((status, &refusal["code"]), (403, &json!("forbidden")));
    let (status, refusal) = api.send("GET", "/deploy-requests", None).await;
    assert_eq!((status, &refusal["code"]), (404, &json!("not_found")));
    // Another access allows reading branches. Another token has all accesses.
    api.get("/branches").await;
    let other = api.control_plane.new_token().await;
    let new = Some(json!({"name": "dev"}));
    let made = api.send_as(&other, "POST", "/branches", new).await;
    assert_eq!(made.0, 201);
}

#[tokio::test]
async fn lists_are_paged_and_filtered() {
    let api = FreshControlPlane::start().await;
    for name in ["a", "b", "c", "d"] {
        api.post("/branches", json!({"name": name})).await;
    }
    let numbers = [
        "current_page",
        "per_page",
        "next_page",
        "prev_page",
        "total_count",
        "total_pages",
    ];
    let first = api.get("/branches?per_page=2").await;
    let first = json!(numbers.map(|name| &first[name]));
    assert_eq!(first, json!([1, 2, 2, null, 5, 3]));
    for (path, names, next) in [
        (
            "?per_page=2",
            json!([["main"], ["a"]]),
            Some(json!([["b"], ["c"]])),
        ),
        // The next page has the same filter.
        (
            "?order=desc&per_page=2&production=false",
            json!([["d"], ["c"]]),
            Some(json!([["b"], ["a"]])),
        ),
        ("?per_page=2&page=3", json!([["d"]]), None),
        ("?per_page=2&page=4", json!([]), None),
        ("?page=9223372036854775807", json!([]), None),
        ("?q=c", json!([["c"]]), None),
        ("?production=true", json!([["main"]]), None),
    ] {
        let path = format!("/branches{path}");
        assert_eq!(api.list(&path, ["name"]).await, names, "{path}");
        let page = api.get(&path).await;
        let url = page["next_page_url"].as_str();
        let found = match url.and_then(|url| url.split_once("/databases/orders")) {
            Some((_, next)) => Some(api.list(next, ["name"]).await),
            None => None,
        };
        assert_eq!(found, next, "{path}");
    }
    assert_eq!(api.status("GET", "/branches?page=x").await, 400);
}

#[tokio::test]
async fn each_requested_failure_hits_a_call_of_its_own() {
    let api = FreshControlPlane::start().await;
    let failure = |status| ApiFailure::with(status).on("POST", "/branches");
    api.control_plane.fail(failure(500).after_doing());
    api.control_plane.fail(failure(429));
    assert!(!api.control_plane.has_failed_all());
    // The second call creates the branch.
    for expected in [429, 500, 422] {
        let new = Some(json!({"name": "dev"}));
        let (status, answer) = api.send("POST", "/branches", new).await;
        assert_eq!(status, expected, "{answer}");
    }
    assert!(api.control_plane.has_failed_all());
}

#[tokio::test]
async fn everything_survives_a_restart() {
    let api = FreshControlPlane::start().await;
    api.branch_with("dev", &["CREATE TABLE notes (id INT NOT NULL PRIMARY KEY)"])
        .await;
    let mut password = api.password("dev", "admin").await;
    let request = api.deploy("dev").await;
    let backup = api.post("/branches/main/backups", json!({})).await;
    let branches = api.get("/branches").await;
    let before = api.derived().await;
    // A branch and a password that an interrupted call has left.
    let production = api.database.name();
    let mut admin = api.stack.admin().await.unwrap();
    for half in [
        format!("CREATE DATABASE `{production}_half`"),
        format!("CREATE USER '{production}_half'@'%'"),
    ] {
        admin.query_drop(half).await.unwrap();
    }

    let api = api.restart().await;
    assert_eq!(api.derived().await, before);
    let backup = format!("/branches/main/backups/{}", backup["id"].as_str().unwrap());
    api.states_until(&backup, "state", "success").await;
    let ids = |list: &Value| -> Vec<Value> {
        list["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["id"].clone())
            .collect()
    };
    assert_eq!(ids(&api.get("/branches").await), ids(&branches));
    let path = format!(
        "/branches/dev/passwords/{}",
        password["id"].as_str().unwrap()
    );
    // The port changes, but the login does not.
    password["access_host_url"] = api.get(&path).await["access_host_url"].clone();
    let mut conn = api.login(&password).await.unwrap();
    conn.query_drop("INSERT INTO notes VALUES (1)")
        .await
        .unwrap();
    assert!(
        api.login_as("main", "admin")
            .await
            .query_drop("DROP TABLE notes")
            .await
            .is_err()
    );
    api.act(&request, "revert").await;
    api.until(&request, &["complete_revert"]).await;
    assert_eq!(api.columns("notes").await, [] as [&str; 0]);
}

#[tokio::test]
async fn unreadable_records_are_replaced() {
    let api = FreshControlPlane::start().await;
    api.branch("dev").await;
    let production = api.database.name().to_owned();
    let mut admin = api.stack.admin().await.unwrap();
    let forget = format!("UPDATE `{production}_control_plane`.records SET document = '{{}}'");
    admin.query_drop(forget).await.unwrap();
    let mut api = api.restart().await;
    api.token = api.control_plane.token().await;
    assert_eq!(api.get("/branches").await["total_count"], 1);
    assert_eq!(api.derived().await, [format!("{production}_control_plane")]);
}

#[tokio::test]
async fn a_call_is_finished_if_its_client_hangs_up() {
    let api = FreshControlPlane::start().await;
    let notes = "CREATE TABLE notes (id INT NOT NULL PRIMARY KEY)";
    api.run_on_production(&[notes]).await;
    let schema = api.get("/branches/main/schema").await;
    let mut admin = api.stack.admin().await.unwrap();
    let table = format!("`{}`.`notes`", api.database.name());
    admin
        .query_drop(format!("LOCK TABLES {table} WRITE"))
        .await
        .unwrap();
    // The copy of the rows waits for the table.
    let copying = eventually_holds("the copy of the rows", async || {
        let all: Vec<Row> = admin.query("SHOW FULL PROCESSLIST").await.unwrap();
        let mut statements = all
            .iter()
            .filter_map(|row| row.get::<Option<String>, _>("Info").flatten());
        let wanted = format!("FROM {table}");
        statements.any(|statement| statement.contains(&wanted))
    });
    tokio::select! {
        answer = api.send("POST", "/branches/main/backups", Some(json!({}))) => {
            panic!("answered before the end: {answer:?}");
        }
        () = copying => {}
    }
    let unlock = async { admin.query_drop("UNLOCK TABLES").await.unwrap() };
    let (read, ()) = tokio::join!(api.get("/branches/main/schema"), unlock);
    assert_eq!(read, schema);
    let backups = api.get("/branches/main/backups").await;
    assert_eq!(backups["total_count"], 1);
}

#[tokio::test]
async fn concurrent_calls_do_not_create_a_branch_twice() {
    let api = FreshControlPlane::start().await;
    let make = |name: &'static str| api.send("POST", "/branches", Some(json!({"name": name})));
    let (a, b, c, d) = tokio::join!(make("same"), make("same"), make("same"), make("other"));
    let mut statuses = [a.0, b.0, c.0, d.0];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 201, 422, 422]);
    assert_eq!(api.get("/branches").await["total_count"], 3);
}
