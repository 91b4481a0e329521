//! The quick deployments are held against those that a real Vitess makes by online DDL: the same
//! deploy requests go through both, and what a client of the API sees is compared.

use database::without_values;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};
use serde_json::{Value, json};
use tests::eventually_holds;
use tests::stack::Stack;
use tests::stand_ins::control_plane::BRANCH;
use tests::stand_ins::control_plane::fresh_control_plane::FreshControlPlane;
use tests::vitess::cluster::Cluster;

/// A deployment, and what is done each time it rests: a call of the API, or a statement on production.
struct Case {
    /// The branch's name, and that of the table.
    name: &'static str,
    branch: &'static [&'static str],
    auto_cutover: bool,
    actions: &'static [&'static str],
}

/// What production is before. Each case has a table `NAME` of its own.
const PRODUCTION: [&str; 2] = [
    "CREATE TABLE NAME (id INT NOT NULL PRIMARY KEY, text VARCHAR(20) NOT NULL, number INT)",
    "INSERT INTO NAME VALUES (1, 'one', 1), (2, 'two', NULL), (3, 'one', 3)",
];

#[rustfmt::skip] // A row of the table is a line.
const CASES: [Case; 15] = [
    case("add_column", &["ALTER TABLE NAME ADD COLUMN more INT NOT NULL DEFAULT 7"], &["deploy", "skip-revert"]),
    case("add_index", &["ALTER TABLE NAME ADD KEY by_text (text)"], &["deploy", "revert"]),
    case("drop_column", &["ALTER TABLE NAME DROP COLUMN text"], &["deploy", "revert"]),
    case("rows_since", &["ALTER TABLE NAME DROP COLUMN number"], &["deploy", "DELETE FROM NAME WHERE id = 1", "INSERT INTO NAME VALUES (4, 'four')", "revert"]),
    case("widen", &["ALTER TABLE NAME MODIFY COLUMN text VARCHAR(200) NOT NULL"], &["deploy", "skip-revert"]),
    case("add_check", &["ALTER TABLE NAME ADD CONSTRAINT some CHECK (number > 0)"], &["deploy", "skip-revert"]),
    case("create_table", &["CREATE TABLE created (id INT NOT NULL PRIMARY KEY)"], &["deploy", "revert"]),
    case("drop_table", &["DROP TABLE NAME"], &["deploy", "revert"]),
    case("two", &["ALTER TABLE NAME ADD COLUMN more INT", "CREATE TABLE other (id INT NOT NULL PRIMARY KEY)"], &["deploy", "revert"]),
    Case { auto_cutover: false, ..case("gated", &["ALTER TABLE NAME ADD COLUMN more INT"], &["deploy", "apply-deploy", "skip-revert"]) },
    Case { auto_cutover: false, ..case("cancelled", &["ALTER TABLE NAME ADD COLUMN more INT"], &["deploy", "cancel"]) },
    case("duplicate", &["ALTER TABLE NAME ADD UNIQUE KEY by_text (text)"], &["deploy", "complete-deploy"]),
    case("no_default", &["ALTER TABLE NAME ADD COLUMN more INT NOT NULL"], &["deploy", "complete-deploy"]),
    case("not_null", &["ALTER TABLE NAME MODIFY COLUMN number INT NOT NULL"], &["deploy", "complete-deploy"]),
    Case { auto_cutover: false, ..case("too_long", &["ALTER TABLE NAME MODIFY COLUMN text VARCHAR(2) NOT NULL"], &["deploy", "complete-deploy"]) },
];

const fn case(
    name: &'static str,
    branch: &'static [&'static str],
    actions: &'static [&'static str],
) -> Case {
    Case {
        name,
        branch,
        auto_cutover: true,
        actions,
    }
}

/// The states in which a deployment waits for somebody.
const RESTS: [&str; 7] = [
    "pending_cutover",
    "complete_pending_revert",
    "complete",
    "complete_cancel",
    "complete_error",
    "complete_revert",
    "complete_revert_error",
];

#[tokio::test]
#[ignore = "takes a cluster of Vitess: cargo dev test --vitess-cluster"]
async fn quick_deployments_are_as_those_of_vitess() {
    let cluster = Cluster::start(&Stack::from_env().unwrap()).await.unwrap();
    let (quick, real) = (
        FreshControlPlane::start().await,
        FreshControlPlane::on(&cluster).await,
    );
    let mut quick_production = quick.database.connect_as_admin().await.unwrap();
    let mut real_production = cluster.connect_as_admin().await.unwrap();
    let mut wrong = Vec::new();
    for case in CASES {
        let (quick, real) = tokio::join!(
            seen(&quick, &mut quick_production, &case),
            seen(&real, &mut real_production, &case),
        );
        println!("{}: {} {}", case.name, real["states"], real["operations"]);
        if quick != real {
            wrong.push(format!("{}: quick {quick:#}\nreal {real:#}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Makes the deployment, and says what a client of the API and of production sees of it.
async fn seen(api: &FreshControlPlane, production: &mut Conn, case: &Case) -> Value {
    let own = |statement: &&str| statement.replace("NAME", case.name);
    for statement in PRODUCTION.iter().map(own) {
        production.query_drop(statement).await.unwrap();
    }
    api.branch(case.name).await;
    let statements: Vec<_> = case.branch.iter().map(own).collect();
    let statements: Vec<_> = statements.iter().map(String::as_str).collect();
    api.run(case.name, &statements).await;
    let request = api.open(case.name, case.auto_cutover).await;
    api.until(&request, &["ready"]).await;
    let mut states: Vec<Value> = Vec::new();
    for action in case.actions {
        if action.contains(' ') {
            production.query_drop(own(action)).await.unwrap();
            continue;
        }
        let answer = api.act(&request, action).await;
        states.push(answer["deployment_state"].clone());
        eventually_holds(action, async || {
            let state = api.get(&request).await["deployment_state"].clone();
            let rests = RESTS.iter().any(|rest| state == *rest);
            states.push(state);
            rests
        })
        .await;
    }
    states.dedup();
    let deployed = api.get(&request).await;
    let operations = deployed["deployment"]["deploy_operations"]
        .as_array()
        .unwrap();
    let operations: Vec<_> = operations
        .iter()
        .map(|operation| {
            let error = operation["deploy_errors"].as_str();
            let error = error.map(|error| with_plain_names(without_values(error)));
            json!([operation["table_name"], operation["state"], error])
        })
        .collect();
    let schema = api
        .list(&format!("/branches/{BRANCH}/schema"), ["name", "raw"])
        .await;
    let mut tables = schema.as_array().unwrap().clone();
    tables.retain(|table| {
        [case.name, "created", "other"]
            .iter()
            .any(|name| table[0] == *name)
    });
    let rows = production.query(format!("SELECT * FROM {} ORDER BY id", case.name));
    let rows: Result<Vec<Row>, _> = rows.await;
    let rows = rows.map(|rows| {
        rows.into_iter()
            .map(|row| format!("{:?}", row.unwrap()))
            .collect::<Vec<_>>()
    });
    json!({
        "states": states,
        "operations": operations,
        "tables": without_suffixes(&json!(tables).to_string()),
        "rows": rows.ok(),
    })
}

/// The text with the same name for all the tables that Vitess copies rows into.
fn with_plain_names(mut text: String) -> String {
    const START: &str = "_vt_vrp_";
    // An id and a time.
    const LENGTH: usize = 32 + 1 + 14;
    if let Some(at) = text.find(START) {
        let at = at + START.len();
        text.replace_range(at..at + LENGTH, "…");
    }
    text
}

/// The text without the suffixes of constraints, which are different in every deployment.
fn without_suffixes(text: &str) -> String {
    let names = text.split('`').map(|name| match name.rsplit_once('_') {
        Some((original, suffix)) if suffix.len() == 25 => original,
        _ => name,
    });
    names.collect::<Vec<_>>().join("`")
}
