//! PlanetScale's document. Each test holds what was recorded against it: at its end, and before it stops
//! recording because it leaves the document on purpose. Here are a call of every operation, the calls
//! that no other test makes, and exchanges that the comparison must find wrong.

use serde_json::json;
use tests::skipped;
use tests::stand_ins::control_plane::BRANCH;
use tests::stand_ins::control_plane::contract::Contract;
use tests::stand_ins::control_plane::fresh_control_plane::FreshControlPlane;

const DATABASE_PATH: &str = "/organizations/{organization}/databases/{database}";

/// The control plane has every operation of the document: it answers none with 501. Most of these calls
/// name what does not exist or lack a body, so that they are refused. Whether the operations work is for
/// other tests.
#[tokio::test]
async fn every_operation_is_there() {
    let Some(contract) = Contract::from_env().unwrap() else {
        skipped("PLANETSCALE_OPENAPI does not name PlanetScale's API document");
        return;
    };
    let api = FreshControlPlane::start().await;
    for (path, method, _) in contract.operations() {
        let mut path = path.strip_prefix(DATABASE_PATH).expect(path).to_owned();
        for (parameter, value) in [
            ("{branch}", BRANCH),
            ("{number}", "1"),
            ("{id}", "none"),
            ("{fingerprint}", "none"),
        ] {
            path = path.replace(parameter, value);
        }
        let status = api.status(&method.to_uppercase(), &path).await;
        assert_ne!(status, 501, "{method} {path}");
    }
}

#[tokio::test]
async fn what_no_other_test_calls_is_as_in_the_document() {
    let api = FreshControlPlane::start().await;
    let password = api.password("main", "reader").await;
    let path = format!(
        "/branches/main/passwords/{}",
        password["id"].as_str().unwrap()
    );
    let change = json!({"name": "other", "cidrs": ["10.0.0.0/8"]});
    let (status, changed) = api.send("PATCH", &path, Some(change)).await;
    assert_eq!((status, &changed["name"]), (200, &json!("other")));

    let insights = "/branches/main/insights";
    let queries = api.list(insights, ["fingerprint"]).await;
    let fingerprint = queries[0][0].as_str().unwrap();
    api.get(&format!("{insights}/{fingerprint}?keyspace=orders"))
        .await;
    api.get(&format!("{insights}/{fingerprint}/summary?keyspace=orders"))
        .await;
    let anomalies = api.list(&format!("{insights}/anomalies"), ["id"]).await;
    let id = anomalies[0][0].as_str().unwrap();
    api.get(&format!("{insights}/anomalies/{id}")).await;

    let table = "CREATE TABLE notes (id INT NOT NULL PRIMARY KEY)";
    api.branch_with("dev", &[table]).await;
    let request = api.ready("dev").await;
    let other = api.control_plane.new_token().await;
    let review = Some(json!({"state": "approved", "body": "<fine>"}));
    let reviews = format!("{request}/reviews");
    assert_eq!(api.send_as(&other, "POST", &reviews, review).await.0, 201);
    for part in ["reviews", "deployment", "storage-check"] {
        api.get(&format!("{request}/{part}")).await;
    }

    let kept = json!({"name": "kept", "retention_unit": "day", "retention_value": 3});
    api.post("/branches/main/backups", kept).await;
    for list in [
        "/schema-recommendations?state=open",
        "/branches?order=desc&production=false&q=d&safe_migrations=false",
        "/branches/dev/schema?keyspace=orders",
        "/branches/main/passwords?status=active&q=other",
        "/branches/main/backups?state=pending&all=true&production=true",
        "/branches/main/insights?sort=totalTime&dir=desc&period=1h",
        "/branches/main/insights/anomalies?period=1d",
        "/branches/main/insights/errors?period=1d&sort=count",
        "/deploy-requests?state=open&branch=dev&into_branch=main",
    ] {
        let list = api.get(list).await;
        assert!(!list["data"].as_array().unwrap().is_empty(), "{list}");
    }
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
        (
            "GET",
            "page=x",
            None,
            404,
            error.clone(),
            "parameter page is not allowed",
        ),
        (
            "GET",
            "pages=1",
            None,
            404,
            error.clone(),
            "no parameter pages",
        ),
        ("POST", "", Some(name), 404, error.clone(), "request"),
        ("POST", "", Some(unknown), 404, error, "'parent'"),
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
        let violations = contract.violations(&[exchange]);
        assert!(
            violations.iter().any(|found| found.contains(wrong)),
            "{wrong}: {violations:?}"
        );
    }
}
