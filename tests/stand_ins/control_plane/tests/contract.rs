//! Every operation is driven, and every request and answer held against PlanetScale's document.

use serde_json::{Value, json};
use tests::stand_ins::control_plane::contract::Contract;

use crate::fresh_control_plane::{Scene, header, skipped};

#[tokio::test]
async fn every_operation_keeps_to_the_document() {
    let Some(contract) = Contract::from_env().unwrap() else {
        skipped("PLANETSCALE_OPENAPI does not name PlanetScale's API document");
        return;
    };
    let scene = Scene::new().await;
    branches(&scene).await;
    passwords(&scene).await;
    backups(&scene).await;
    insights(&scene).await;
    deploy_requests(&scene).await;
    failures(&scene).await;

    let findings = contract.check(&scene.plane.exchanges());
    assert!(
        findings.violations.is_empty(),
        "{}",
        findings.violations.join("\n")
    );
    let missing: Vec<String> = contract
        .operations()
        .difference(&findings.succeeded)
        .cloned()
        .collect();
    assert!(missing.is_empty(), "never succeeded: {missing:?}");
}

async fn branches(scene: &Scene) {
    scene.get("").await;
    scene.get("/schema-recommendations?state=open").await;
    scene.branch("dev").await;
    scene
        .run(
            "dev",
            &[
                "CREATE TABLE notes (id INT NOT NULL PRIMARY KEY)",
                "CREATE TABLE loose (id INT NULL, kind ENUM('a', 'b')) ENGINE = MyISAM",
            ],
        )
        .await;
    scene
        .get("/branches?order=desc&production=false&q=d&safe_migrations=false")
        .await;
    scene.get("/branches/dev/schema?keyspace=orders").await;
    let lint = scene.get("/branches/dev/schema/lint").await;
    assert_eq!(lint["data"].as_array().unwrap().len(), 2, "{lint}");
    scene.get("/branches/dev/diff").await;
    scene.post("/branches/dev/promote", json!({})).await;
    scene
        .refused("/branches/dev/safe-migrations", json!({}))
        .await;
    scene.run("dev", &["DROP TABLE loose"]).await;
    scene.post("/branches/dev/safe-migrations", json!({})).await;
    assert_eq!(
        scene
            .send("DELETE", "/branches/dev/safe-migrations", None)
            .await
            .0,
        200
    );
    let change = json!({"new_name": "next", "deletion_protected": true});
    assert_eq!(
        scene.send("PATCH", "/branches/dev", Some(change)).await.0,
        200
    );
    assert_eq!(scene.send("DELETE", "/branches/next", None).await.0, 422);
    let change = json!({"deletion_protected": false});
    assert_eq!(
        scene.send("PATCH", "/branches/next", Some(change)).await.0,
        200
    );
    scene.post("/branches/next/demote", json!({})).await;
    scene
        .post(
            "/branches",
            json!({"name": "child", "parent_branch": "next"}),
        )
        .await;
    let path = "/branches/next?delete_descendants=true";
    assert_eq!(scene.send("DELETE", path, None).await.0, 204);
    assert_eq!(scene.get("/branches").await["total_count"], 1);
}

async fn passwords(scene: &Scene) {
    let made = scene.password("main", "reader").await;
    let path = format!("/branches/main/passwords/{}", made["id"].as_str().unwrap());
    scene
        .get("/branches/main/passwords?status=active&q=test")
        .await;
    scene.get("/passwords?per_page=100").await;
    scene.get(&path).await;
    let change = json!({"name": "other", "cidrs": ["10.0.0.0/8"]});
    let (status, changed) = scene.send("PATCH", &path, Some(change)).await;
    assert_eq!((status, &changed["name"]), (200, &json!("other")));
    scene.post(&format!("{path}/renew"), json!({})).await;
    assert_eq!(scene.send("DELETE", &path, None).await.0, 204);
}

async fn backups(scene: &Scene) {
    scene.get("/backup-policies").await;
    let body = json!({"name": "before", "retention_unit": "day", "retention_value": 3});
    let made = scene.post("/branches/main/backups", body).await;
    let path = format!("/branches/main/backups/{}", made["id"].as_str().unwrap());
    scene.states_until(&path, "state", "success").await;
    scene
        .get("/branches/main/backups?state=success&all=true&production=true")
        .await;
    assert_eq!(
        scene
            .send("PATCH", &path, Some(json!({"protected": true})))
            .await
            .0,
        200
    );
    let body = json!({"name": "restored", "backup_id": made["id"], "cluster_size": "PS_10"});
    scene.post("/branches", body).await;
    scene.get(&path).await;
    assert_eq!(
        scene
            .send("PATCH", &path, Some(json!({"protected": false})))
            .await
            .0,
        200
    );
    assert_eq!(scene.send("DELETE", &path, None).await.0, 204);
}

async fn insights(scene: &Scene) {
    let queries = scene
        .get("/branches/main/insights?sort=totalTime&dir=desc&period=1h")
        .await;
    let fingerprint = queries["data"][0]["fingerprint"].as_str().unwrap();
    scene
        .get(&format!(
            "/branches/main/insights/{fingerprint}?keyspace=orders"
        ))
        .await;
    scene
        .get(&format!(
            "/branches/main/insights/{fingerprint}/summary?keyspace=orders"
        ))
        .await;
    let anomalies = scene
        .get("/branches/main/insights/anomalies?period=1d")
        .await;
    let id = anomalies["data"][0]["id"].as_str().unwrap();
    scene
        .get(&format!("/branches/main/insights/anomalies/{id}"))
        .await;
    scene
        .get("/branches/main/insights/errors?period=1d&sort=count")
        .await;
}

async fn deploy_requests(scene: &Scene) {
    let act = async |request: &str, action: &str, body: Value| {
        scene.post(&format!("{request}/{action}"), body).await
    };
    let other = header(&scene.plane.new_token().await);
    for (number, (name, end)) in [
        ("one", "skip-revert"),
        ("two", "revert"),
        ("three", "cancel"),
        ("four", "complete-deploy"),
    ]
    .into_iter()
    .enumerate()
    {
        scene.branch(name).await;
        scene
            .run(
                name,
                &[&format!(
                    "CREATE TABLE {name} (id INT NOT NULL PRIMARY KEY)"
                )],
            )
            .await;
        let request = scene.open(name, false).await;
        scene.until(&request, &["ready"]).await;
        if end == "complete-deploy" {
            scene.plane.fail_deployment_at(0);
        }
        let review = Some(json!({"state": "approved", "body": "<fine>"}));
        let reviews = format!("{request}/reviews");
        assert_eq!(
            scene
                .send_as(Some(other.clone()), "POST", &reviews, review)
                .await
                .0,
            201
        );
        for part in [
            "reviews",
            "operations",
            "deployment",
            "storage-check",
            "diff",
        ] {
            scene.get(&format!("{request}/{part}")).await;
        }
        act(&request, "deploy", json!({"instant_ddl": false})).await;
        scene.get("/deploy-queue").await;
        let waiting = ["pending_cutover", "complete_error"];
        scene.until(&request, &waiting).await;
        if number < 2 {
            act(&request, "apply-deploy", json!({})).await;
            scene.until(&request, &["complete_pending_revert"]).await;
        }
        act(&request, end, json!({})).await;
        let ended = [
            "complete",
            "complete_revert",
            "complete_cancel",
            "complete_error",
        ];
        scene.until(&request, &ended).await;
        let close = Some(json!({"state": "closed"}));
        assert_eq!(scene.send("PATCH", &request, close).await.0, 200);
    }
    scene
        .get("/deploy-requests?state=closed&branch=one&into_branch=main")
        .await;
}

/// What is refused has the form of an error.
async fn failures(scene: &Scene) {
    for (path, status) in [("/branches/none", 404), ("/deploy-requests/99", 404)] {
        assert_eq!(scene.send("GET", path, None).await.0, status, "{path}");
    }
    assert_eq!(scene.send_as(None, "GET", "/branches", None).await.0, 401);
    scene.refused("/branches", json!({"name": "main"})).await;
    scene.plane.revoke(&scene.token, "write_backups").await;
    assert_eq!(
        scene
            .send("POST", "/branches/main/backups", Some(json!({})))
            .await
            .0,
        403
    );
}

#[test]
fn a_violation_is_found() {
    let Some(contract) = Contract::from_env().unwrap() else {
        skipped("PLANETSCALE_OPENAPI does not name PlanetScale's API document");
        return;
    };
    let exchange = |method: &str, query: &[(&str, &str)], request, status, response| {
        tests::stand_ins::control_plane::Exchange {
            method: method.parse().unwrap(),
            path: "/v1/organizations/local/databases/orders/branches".to_owned(),
            query: query
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            request,
            status,
            response: Some(response),
        }
    };
    let error = json!({"code": "not_found", "message": "Not Found"});
    for (exchange, wrong) in [
        (
            exchange("GET", &[("page", "x")], None, 404, error.clone()),
            "parameter page",
        ),
        (
            exchange("GET", &[("pages", "1")], None, 404, error.clone()),
            "no parameter pages",
        ),
        (
            exchange("POST", &[], Some(json!({"name": 1})), 404, error.clone()),
            "request",
        ),
        (
            exchange(
                "POST",
                &[],
                Some(json!({"name": "a", "parent": "b"})),
                404,
                error.clone(),
            ),
            "no member parent",
        ),
        (
            exchange("GET", &[], None, 200, json!({"data": []})),
            "response",
        ),
        (exchange("GET", &[], None, 201, json!({})), "no such status"),
        (
            exchange("PUT", &[], None, 200, json!({})),
            "no such operation",
        ),
        (
            exchange("GET", &[], None, 404, json!({"error": "x"})),
            "no code and message",
        ),
        (
            exchange(
                "GET",
                &[],
                None,
                404,
                json!({"code": "a", "message": "b", "born_at": ""}),
            ),
            "is no time",
        ),
    ] {
        let violations = contract.check(&[exchange]).violations;
        assert!(
            violations.iter().any(|found| found.contains(wrong)),
            "{wrong}: {violations:?}"
        );
    }
}
