//! Every operation is called, and all requests and answers are compared with PlanetScale's document.

use serde_json::{Value, json};
use tests::skipped;
use tests::stand_ins::control_plane::ServiceToken;
use tests::stand_ins::control_plane::contract::Contract;
use tests::stand_ins::control_plane::fresh_control_plane::FreshControlPlane;

#[tokio::test]
async fn every_operation_matches_the_document() {
    let Some(contract) = Contract::from_env().unwrap() else {
        skipped("PLANETSCALE_OPENAPI does not name PlanetScale's API document");
        return;
    };
    let api = FreshControlPlane::start().await;
    branches(&api).await;
    passwords(&api).await;
    backups(&api).await;
    insights(&api).await;
    deploy_requests(&api).await;
    failures(&api).await;

    let findings = contract.check(&api.control_plane.exchanges());
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

async fn branches(api: &FreshControlPlane) {
    api.get("").await;
    api.get("/schema-recommendations?state=open").await;
    api.branch_with(
        "dev",
        &[
            "CREATE TABLE notes (id INT NOT NULL PRIMARY KEY)",
            "CREATE TABLE loose (id INT NULL, kind ENUM('a', 'b')) ENGINE = MyISAM",
        ],
    )
    .await;
    api.get("/branches?order=desc&production=false&q=d&safe_migrations=false")
        .await;
    api.get("/branches/dev/schema?keyspace=orders").await;
    let lint = api.get("/branches/dev/schema/lint").await;
    assert_eq!(lint["data"].as_array().unwrap().len(), 2, "{lint}");
    api.get("/branches/dev/diff").await;
    api.post("/branches/dev/promote", json!({})).await;
    api.refused("/branches/dev/safe-migrations", json!({}))
        .await;
    api.run("dev", &["DROP TABLE loose"]).await;
    api.post("/branches/dev/safe-migrations", json!({})).await;
    assert_eq!(
        api.status("DELETE", "/branches/dev/safe-migrations").await,
        200
    );
    let change = json!({"new_name": "next", "deletion_protected": true});
    assert_eq!(api.patch("/branches/dev", change).await, 200);
    assert_eq!(api.status("DELETE", "/branches/next").await, 422);
    let change = json!({"deletion_protected": false});
    assert_eq!(api.patch("/branches/next", change).await, 200);
    api.post("/branches/next/demote", json!({})).await;
    api.post(
        "/branches",
        json!({"name": "child", "parent_branch": "next"}),
    )
    .await;
    let path = "/branches/next?delete_descendants=true";
    assert_eq!(api.status("DELETE", path).await, 204);
    assert_eq!(api.get("/branches").await["total_count"], 1);
}

async fn passwords(api: &FreshControlPlane) {
    let made = api.password("main", "reader").await;
    let path = format!("/branches/main/passwords/{}", made["id"].as_str().unwrap());
    api.get("/branches/main/passwords?status=active&q=test")
        .await;
    api.get("/passwords?per_page=100").await;
    api.get(&path).await;
    let change = json!({"name": "other", "cidrs": ["10.0.0.0/8"]});
    let (status, changed) = api.send("PATCH", &path, Some(change)).await;
    assert_eq!((status, &changed["name"]), (200, &json!("other")));
    api.act(&path, "renew").await;
    assert_eq!(api.status("DELETE", &path).await, 204);
}

async fn backups(api: &FreshControlPlane) {
    api.get("/backup-policies").await;
    let body = json!({"name": "before", "retention_unit": "day", "retention_value": 3});
    let made = api.post("/branches/main/backups", body).await;
    let path = format!("/branches/main/backups/{}", made["id"].as_str().unwrap());
    api.states_until(&path, "state", "success").await;
    api.get("/branches/main/backups?state=success&all=true&production=true")
        .await;
    assert_eq!(api.patch(&path, json!({"protected": true})).await, 200);
    let body = json!({"name": "restored", "backup_id": made["id"], "cluster_size": "PS_10"});
    api.post("/branches", body).await;
    api.get(&path).await;
    assert_eq!(api.patch(&path, json!({"protected": false})).await, 200);
    assert_eq!(api.status("DELETE", &path).await, 204);
}

async fn insights(api: &FreshControlPlane) {
    let queries = api
        .get("/branches/main/insights?sort=totalTime&dir=desc&period=1h")
        .await;
    let fingerprint = queries["data"][0]["fingerprint"].as_str().unwrap();
    api.get(&format!(
        "/branches/main/insights/{fingerprint}?keyspace=orders"
    ))
    .await;
    api.get(&format!(
        "/branches/main/insights/{fingerprint}/summary?keyspace=orders"
    ))
    .await;
    let anomalies = api.get("/branches/main/insights/anomalies?period=1d").await;
    let id = anomalies["data"][0]["id"].as_str().unwrap();
    api.get(&format!("/branches/main/insights/anomalies/{id}"))
        .await;
    api.get("/branches/main/insights/errors?period=1d&sort=count")
        .await;
}

async fn deploy_requests(api: &FreshControlPlane) {
    let act = async |request: &str, action: &str, body: Value| {
        api.post(&format!("{request}/{action}"), body).await
    };
    let other = api.control_plane.new_token().await;
    for (number, (name, end)) in [
        ("one", "skip-revert"),
        ("two", "revert"),
        ("three", "cancel"),
        ("four", "complete-deploy"),
    ]
    .into_iter()
    .enumerate()
    {
        let table = format!("CREATE TABLE {name} (id INT NOT NULL PRIMARY KEY)");
        api.branch_with(name, &[&table]).await;
        let request = api.open(name, false).await;
        api.until(&request, &["ready"]).await;
        if end == "complete-deploy" {
            api.control_plane.fail_deployment_at(0);
        }
        let review = Some(json!({"state": "approved", "body": "<fine>"}));
        let reviews = format!("{request}/reviews");
        assert_eq!(api.send_as(&other, "POST", &reviews, review).await.0, 201);
        for part in [
            "reviews",
            "operations",
            "deployment",
            "storage-check",
            "diff",
        ] {
            api.get(&format!("{request}/{part}")).await;
        }
        act(&request, "deploy", json!({"instant_ddl": false})).await;
        api.get("/deploy-queue").await;
        let waiting = ["pending_cutover", "complete_error"];
        api.until(&request, &waiting).await;
        if number < 2 {
            act(&request, "apply-deploy", json!({})).await;
            api.until(&request, &["complete_pending_revert"]).await;
        }
        act(&request, end, json!({})).await;
        let ended = [
            "complete",
            "complete_revert",
            "complete_cancel",
            "complete_error",
        ];
        api.until(&request, &ended).await;
        let close = Some(json!({"state": "closed"}));
        assert_eq!(api.send("PATCH", &request, close).await.0, 200);
    }
    api.get("/deploy-requests?state=closed&branch=one&into_branch=main")
        .await;
}

/// Refusals have the shape of errors.
async fn failures(api: &FreshControlPlane) {
    for (path, status) in [("/branches/none", 404), ("/deploy-requests/99", 404)] {
        assert_eq!(api.status("GET", path).await, status, "{path}");
    }
    let nobody = ServiceToken {
        id: "nobody".to_owned(),
        token: String::new(),
    };
    let refused = api.send_as(&nobody, "GET", "/branches", None).await;
    assert_eq!(refused.0, 401);
    api.refused("/branches", json!({"name": "main"})).await;
    api.control_plane.revoke(&api.token, "write_backups").await;
    assert_eq!(
        api.send("POST", "/branches/main/backups", Some(json!({})))
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
    let error = json!({"code": "not_found", "message": "Not Found"});
    let (name, unknown) = (json!({"name": 1}), json!({"name": "a", "parent": "b"}));
    let untimely = json!({"code": "a", "message": "b", "born_at": ""});
    for (method, query, request, status, response, wrong) in [
        ("GET", "page=x", None, 404, error.clone(), "parameter page"),
        (
            "GET",
            "pages=1",
            None,
            404,
            error.clone(),
            "no parameter pages",
        ),
        ("POST", "", Some(name), 404, error.clone(), "request"),
        ("POST", "", Some(unknown), 404, error, "no member parent"),
        ("GET", "", None, 200, json!({"data": []}), "response"),
        ("GET", "", None, 201, json!({}), "no such status"),
        ("PUT", "", None, 200, json!({}), "no such operation"),
        (
            "GET",
            "",
            None,
            404,
            json!({"error": "x"}),
            "no code and message",
        ),
        ("GET", "", None, 404, untimely, "is not a time"),
    ] {
        let parameters = query.split_once('=').into_iter();
        let exchange = tests::stand_ins::control_plane::Exchange {
            method: method.parse().unwrap(),
            path: "/v1/organizations/local/databases/orders/branches".to_owned(),
            query: parameters
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            request,
            status,
            response: Some(response),
        };
        let violations = contract.check(&[exchange]).violations;
        assert!(
            violations.iter().any(|found| found.contains(wrong)),
            "{wrong}: {violations:?}"
        );
    }
}
