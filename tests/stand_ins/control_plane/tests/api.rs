//! What holds for every call: tokens, grants, pages, faults, and that nothing is forgotten.

use mysql_async::Row;
use mysql_async::prelude::Queryable;
use serde_json::{Value, json};
use tests::stand_ins::control_plane::ApiFailure;

use crate::fresh_control_plane::{Scene, eventually, header};

#[tokio::test]
async fn a_call_needs_a_right_token() {
    let scene = Scene::new().await;
    let (id, token) = (&scene.token.id, &scene.token.token);
    for (authorization, status, code) in [
        (None, 401, "unauthorized"),
        (Some(format!("{id}:wrong")), 401, "unauthorized"),
        (Some(format!("nobody:{token}")), 401, "unauthorized"),
        // What has not the form of a token finds nothing.
        (Some(format!("Bearer {token}")), 404, "not_found"),
    ] {
        let answer = scene.send_as(authorization, "GET", "/branches", None).await;
        assert_eq!((answer.0, &answer.1["code"]), (status, &json!(code)));
        assert!(answer.1["message"].is_string());
    }
}

#[tokio::test]
async fn a_token_without_a_grant_finds_nothing_and_changes_nothing() {
    let scene = Scene::new().await;
    for grant in [
        "create_branch",
        "restore_backup",
        "restore_production_branch_backup",
    ] {
        scene.plane.revoke(&scene.token, grant).await;
    }
    scene
        .plane
        .revoke(&scene.token, "read_deploy_request")
        .await;
    let (status, refusal) = scene
        .send("POST", "/branches", Some(json!({"name": "dev"})))
        .await;
    assert_eq!((status, &refusal["code"]), (403, &json!("forbidden")));
    let (status, refusal) = scene.send("GET", "/deploy-requests", None).await;
    assert_eq!((status, &refusal["code"]), (404, &json!("not_found")));
    // Another grant is enough to read branches; another token has all of them.
    scene.get("/branches").await;
    let other = header(&scene.plane.new_token().await);
    let made = scene
        .send_as(
            Some(other),
            "POST",
            "/branches",
            Some(json!({"name": "dev"})),
        )
        .await;
    assert_eq!(made.0, 201);
}

#[tokio::test]
async fn lists_come_in_pages() {
    let scene = Scene::new().await;
    for name in ["a", "b", "c", "d"] {
        scene.post("/branches", json!({"name": name})).await;
    }
    let names = |page: &Value| -> Vec<String> {
        let data = page["data"].as_array().unwrap();
        data.iter()
            .map(|branch| branch["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let first = scene.get("/branches?per_page=2").await;
    assert_eq!(names(&first), ["main", "a"]);
    let numbers = [
        "current_page",
        "per_page",
        "next_page",
        "prev_page",
        "total_count",
        "total_pages",
    ];
    assert_eq!(
        json!(numbers.map(|name| &first[name])),
        json!([1, 2, 2, null, 5, 3])
    );
    let next = first["next_page_url"].as_str().unwrap();
    let next = next.split_once("/databases/orders").unwrap().1;
    assert_eq!(names(&scene.get(next).await), ["b", "c"]);
    // The next page is one of the same list.
    let filtered = scene
        .get("/branches?order=desc&per_page=2&production=false")
        .await;
    let next = filtered["next_page_url"].as_str().unwrap();
    let next = next.split_once("/databases/orders").unwrap().1;
    let second = scene.get(next).await;
    assert_eq!(
        (names(&second), &second["next_page"]),
        (vec!["b".to_owned(), "a".to_owned()], &json!(null))
    );
    let last = scene.get("/branches?per_page=2&page=3").await;
    assert_eq!(
        (names(&last), &last["next_page"]),
        (vec!["d".to_owned()], &json!(null))
    );
    for past in [4, usize::MAX] {
        let past = scene
            .get(&format!("/branches?per_page=2&page={past}"))
            .await;
        assert_eq!(
            (&past["data"], &past["next_page"]),
            (&json!([]), &json!(null))
        );
    }
    assert_eq!(names(&scene.get("/branches?q=c").await), ["c"]);
    assert_eq!(
        names(&scene.get("/branches?production=true").await),
        ["main"]
    );
    assert_eq!(scene.send("GET", "/branches?page=x", None).await.0, 400);
}

#[tokio::test]
async fn failures_come_where_they_were_asked_for() {
    let scene = Scene::new().await;
    scene.plane.fail(
        ApiFailure::with(429)
            .on("GET", "/branches")
            .times(2)
            .retry_after(3),
    );
    scene
        .plane
        .fail(ApiFailure::with(500).on("POST", "/branches").after_doing());
    for _ in 0..2 {
        let (status, body) = scene.send("GET", "/branches", None).await;
        assert_eq!((status, &body["code"]), (429, &json!("rate_limited")));
        scene.get("/branches/main").await;
    }
    assert!(!scene.plane.has_failed_all());
    assert_eq!(scene.get("/branches").await["total_count"], 1);
    assert_eq!(
        scene
            .send("POST", "/branches", Some(json!({"name": "dev"})))
            .await
            .0,
        500
    );
    // It was made all the same.
    assert_eq!(scene.get("/branches").await["total_count"], 2);
    assert!(scene.plane.has_failed_all());
}

#[tokio::test]
async fn a_restart_forgets_nothing() {
    let scene = Scene::new().await;
    scene.branch("dev").await;
    scene
        .run("dev", &["CREATE TABLE notes (id INT NOT NULL PRIMARY KEY)"])
        .await;
    let mut password = scene.password("dev", "admin").await;
    let request = scene.deploy("dev").await;
    let backup = scene.post("/branches/main/backups", json!({})).await;
    let branches = scene.get("/branches").await;
    let before = scene.derived().await;
    // A branch and a password that were being made when it was killed.
    let production = scene.database.name();
    let mut admin = scene.stack.admin().await.unwrap();
    for half in [
        format!("CREATE DATABASE `{production}_half`"),
        format!("CREATE USER '{production}_half'@'%'"),
    ] {
        admin.query_drop(half).await.unwrap();
    }

    let scene = scene.restart().await;
    assert_eq!(scene.derived().await, before);
    let backup = format!("/branches/main/backups/{}", backup["id"].as_str().unwrap());
    scene.states_until(&backup, "state", "success").await;
    let ids = |list: &Value| -> Vec<Value> {
        list["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["id"].clone())
            .collect()
    };
    assert_eq!(ids(&scene.get("/branches").await), ids(&branches));
    let path = format!(
        "/branches/dev/passwords/{}",
        password["id"].as_str().unwrap()
    );
    // The port is another one, the login the same.
    password["access_host_url"] = scene.get(&path).await["access_host_url"].clone();
    let mut conn = scene.login(&password).await.unwrap();
    conn.query_drop("INSERT INTO notes VALUES (1)")
        .await
        .unwrap();
    assert!(
        scene
            .login(&scene.password("main", "admin").await)
            .await
            .unwrap()
            .query_drop("DROP TABLE notes")
            .await
            .is_err()
    );
    scene.post(&format!("{request}/revert"), json!({})).await;
    scene.until(&request, &["complete_revert"]).await;
    assert_eq!(scene.columns("notes").await, [] as [&str; 0]);
}

#[tokio::test]
async fn what_it_can_t_read_it_begins_anew() {
    let scene = Scene::new().await;
    scene.branch("dev").await;
    let production = scene.database.name().to_owned();
    let mut admin = scene.stack.admin().await.unwrap();
    let forget = format!("UPDATE `{production}_control_plane`.state SET document = '{{}}'");
    admin.query_drop(forget).await.unwrap();
    let mut scene = scene.restart().await;
    scene.token = scene.plane.token().await;
    assert_eq!(scene.get("/branches").await["total_count"], 1);
    assert_eq!(
        scene.derived().await,
        [format!("{production}_control_plane")]
    );
}

#[tokio::test]
async fn a_call_is_finished_though_its_client_hangs_up() {
    let scene = Scene::new().await;
    let notes = "CREATE TABLE notes (id INT NOT NULL PRIMARY KEY)";
    scene.run_on_production(&[notes]).await;
    let schema = scene.get("/branches/main/schema").await;
    let mut admin = scene.stack.admin().await.unwrap();
    let table = format!("`{}`.`notes`", scene.database.name());
    admin
        .query_drop(format!("LOCK TABLES {table} WRITE"))
        .await
        .unwrap();
    // The copy of the rows waits for the table.
    let copying = eventually("the copy of the rows", async || {
        let all: Vec<Row> = admin.query("SHOW FULL PROCESSLIST").await.unwrap();
        let mut statements = all
            .iter()
            .filter_map(|row| row.get::<Option<String>, _>("Info").flatten());
        let wanted = format!("FROM {table}");
        statements
            .find(|statement| statement.contains(&wanted))
            .map(drop)
    });
    tokio::select! {
        answer = scene.send("POST", "/branches/main/backups", Some(json!({}))) => {
            panic!("answered before the end: {answer:?}");
        }
        () = copying => {}
    }
    let unlock = async { admin.query_drop("UNLOCK TABLES").await.unwrap() };
    let (read, ()) = tokio::join!(scene.get("/branches/main/schema"), unlock);
    assert_eq!(read, schema);
    let backups = scene.get("/branches/main/backups").await;
    assert_eq!(backups["total_count"], 1);
}

#[tokio::test]
async fn two_clients_at_once_see_one_state() {
    let scene = Scene::new().await;
    let make = |name: &'static str| scene.send("POST", "/branches", Some(json!({"name": name})));
    let (a, b, c, d) = tokio::join!(make("same"), make("same"), make("same"), make("other"));
    let mut statuses = [a.0, b.0, c.0, d.0];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 201, 422, 422]);
    assert_eq!(scene.get("/branches").await["total_count"], 3);
}
