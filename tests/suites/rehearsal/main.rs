//! A rehearsal of the deployment: what `sam build` has built is packaged, transformed and deployed to moto,
//! and each function answers one request. It runs from its built artifact, with the environment that it has
//! in moto. What the template forgets to give a function, this finds.
//!
//! The artifacts are for arm64. On another machine qemu runs them.
//!
//! `browser` tries CORS with a browser.

mod browser;
#[path = "../template/transform.rs"]
mod transform;

use std::{
    collections::BTreeMap,
    env::consts::ARCH,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use serde::Deserialize;
use serde_json::{Value, json};
use tests::{
    stack::Stack,
    stand_ins::{
        control_plane::{DATABASE, ORGANIZATION, fresh_control_plane::FreshControlPlane},
        lambda::{Answer, Function, event::Event},
    },
};

/// Resources of the template that moto does not create: the API and what calls its functions, what watches
/// them and moves calls to a new version, and what calls the operations.
const LEFT_OUT: [&str; 12] = [
    "AWS::ApiGatewayV2::Api",
    "AWS::ApiGatewayV2::Stage",
    "AWS::CloudWatch::Alarm",
    "AWS::CodeDeploy::Application",
    "AWS::CodeDeploy::DeploymentGroup",
    "AWS::IAM::RolePolicy",
    "AWS::Lambda::Alias",
    "AWS::Lambda::Permission",
    "AWS::Lambda::Version",
    "AWS::SNS::Subscription",
    "AWS::Scheduler::Schedule",
    "AWS::SecretsManager::RotationSchedule",
];

/// What `deploy.py` has deployed.
#[derive(Deserialize)]
struct Deployed {
    /// The functions that were not called yet, by their programs.
    functions: BTreeMap<String, DeployedFunction>,
    /// What each schedule sends, by its logical id.
    inputs: BTreeMap<String, Value>,
    left_out: Vec<String>,
}

#[derive(Deserialize)]
struct DeployedFunction {
    /// Its logical id, which is also the folder of its artifact.
    name: String,
    environment: BTreeMap<String, String>,
}

/// A stack that is deployed to moto.
struct Rehearsal {
    api: FreshControlPlane,
    /// The database's secret, with a password of the production branch.
    secret_id: String,
    deployed: Deployed,
}

impl Rehearsal {
    async fn new() -> Self {
        let api = FreshControlPlane::start().await;
        let FreshControlPlane {
            stack, database, ..
        } = &api;
        let token_id = api.token_secret().await;
        let password = json!({ "name": "rehearsal", "role": "readwriter" });
        let password = api.post("/branches/main/passwords", password).await;
        // It also logs in at the server itself.
        let secret = json!({
            "engine": "mysql", "host": stack.server().ip(), "port": stack.server().port(),
            "dbname": database.name(), "username": password["username"], "password": password["plain_text"],
        });
        let secret_id = stack.new_secret(&secret.to_string()).await.unwrap();
        let parameters = json!({
            "DatabaseSecretArn": secret_id,
            "PlanetScaleTokenSecretArn": token_id,
            "RotationTokenSecretArn": token_id,
            "PlanetScaleOrganization": ORGANIZATION,
            "PlanetScaleDatabase": DATABASE,
            "AlarmEmail": "somebody@example.com",
        });
        Self {
            deployed: deploy(stack, &parameters),
            api,
            secret_id,
        }
    }

    /// The function, from its artifact and with the environment that it was deployed with. What leads it
    /// to the local stack is added.
    async fn function(&mut self, binary: &str) -> Function {
        let DeployedFunction {
            name,
            mut environment,
        } = self.deployed.functions.remove(binary).unwrap();
        let FreshControlPlane {
            stack,
            database,
            control_plane,
            ..
        } = &self.api;
        let mut setup = Function::of(stack, database, binary).unwrap();
        for variable in stack
            .template()
            .function(binary)
            .unwrap()
            .environment
            .keys()
        {
            setup = setup.without(variable);
        }
        if let Some(url) = environment.get_mut("PLANETSCALE_API_URL") {
            assert_eq!(url, "", "the default should be PlanetScale's own");
            control_plane.url().clone_into(url);
        }
        let setup = setup.program(artifact(&name)).envs(environment);
        setup.start().await.unwrap()
    }

    /// The answer to a request, from the function with this program.
    async fn answer(&mut self, binary: &str, request: Event) -> Answer {
        let answer = self.function(binary).await.invoke(request).await.unwrap();
        assert!(answer.status < 300, "{binary}: {answer:?}");
        answer
    }

    /// The answer of an operation.
    async fn operate(&mut self, binary: &str, payload: Value) -> Value {
        let function = self.function(binary).await;
        let answer = function.call(payload).await.unwrap();
        answer.unwrap_or_else(|error| panic!("{binary}: {error:?}\n{}", function.output().unwrap()))
    }
}

/// The program that `sam build` has made for the function with this logical id, or a script that runs it
/// with qemu.
fn artifact(name: &str) -> PathBuf {
    let artifact = tests::root()
        .join(".aws-sam/build")
        .join(name)
        .join("bootstrap");
    assert!(
        artifact.exists(),
        "{} is not there: run `sam build`",
        artifact.display()
    );
    if ARCH == "aarch64" {
        return artifact;
    }
    let script = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("rehearsal-{name}"));
    let run = format!(
        "#!/bin/sh\nexec /usr/bin/qemu-aarch64 -L /usr/aarch64-linux-gnu '{}'\n",
        artifact.display()
    );
    fs::write(&script, run).unwrap();
    fs::set_permissions(&script, Permissions::from_mode(0o700)).unwrap();
    script
}

/// Deploys what was built to the stack's moto. A parameter that wants the ARN of a secret gets it for the
/// secret's name.
fn deploy(stack: &Stack, parameters: &Value) -> Deployed {
    let python = transform::python().unwrap();
    let output = Command::new(python)
        .args(["-c", include_str!("deploy.py")])
        .arg(tests::root())
        .arg(parameters.to_string())
        .env("AWS_ENDPOINT_URL", stack.secrets_url())
        .envs([
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
        ])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
#[ignore = "needs what `sam build` has built"]
async fn each_function_answers_as_it_is_built_and_deployed() {
    let mut rehearsal = Rehearsal::new().await;
    assert_eq!(rehearsal.deployed.left_out, LEFT_OUT);

    let order = json!({
        "customer_id": "cust-1", "currency": "EUR",
        "items": [{ "sku": "TEA-1", "quantity": 2, "unit_price": "4.50" }],
    });
    let placed = rehearsal
        .answer("create-order", Event::post("/orders").json(&order))
        .await;
    let order = format!("/orders/{}", placed.body["id"].as_str().unwrap());
    let read = rehearsal.answer("get-order", Event::get(&order)).await;
    assert_eq!(read.body["total"], "9.00");
    let paid = Event::patch(&order)
        .header("if-match", "\"1\"")
        .json(&json!({ "status": "paid" }));
    rehearsal.answer("update-order", paid).await;
    let listed = rehearsal
        .answer("list-orders", Event::get("/customers/cust-1/orders"))
        .await;
    assert_eq!(listed.body["orders"][0]["status"], "paid");
    rehearsal
        .answer("health", Event::get("/health?ready"))
        .await;

    let inputs = std::mem::take(&mut rehearsal.deployed.inputs);
    let checked = rehearsal
        .operate("back-up-database", inputs["BackUpDatabaseCheck"].clone())
        .await;
    assert!(checked["status"].is_string(), "{checked}");
    let reviewed = rehearsal
        .operate("review-queries", inputs["ReviewQueriesSchedule"].clone())
        .await;
    assert!(reviewed["text"].is_string(), "{reviewed}");
    let start = json!({ "options": {}, "execution": "rehearsal", "poll_seconds": "5" });
    let planned = rehearsal
        .operate("migrate-schema", json!({ "step": "plan", "state": start }))
        .await;
    assert!(planned.is_object(), "{planned}");
    let version = rehearsal
        .api
        .stack
        .secrets()
        .begin_rotation(&rehearsal.secret_id)
        .await
        .unwrap();
    let event = json!({
        "Step": "createSecret", "SecretId": rehearsal.secret_id, "ClientRequestToken": version,
    });
    let rotated = rehearsal.operate("rotate-credentials", event).await;
    assert!(rotated["done"].is_string(), "{rotated}");

    let not_called: Vec<_> = rehearsal.deployed.functions.keys().collect();
    assert!(not_called.is_empty(), "{not_called:?}");
}
