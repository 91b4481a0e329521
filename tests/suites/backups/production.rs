//! A production branch with its control plane, and the function that sees to its backups.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};
use tests::stack::{FreshDatabase, Stack};
use tests::stand_ins::control_plane::contract::Contract;
use tests::stand_ins::control_plane::{ApiClient, ControlPlane, ServiceToken};
use tests::stand_ins::lambda::{Function, Reported, log_lines};

/// The policy of the template's defaults.
pub fn policy() -> Value {
    json!({ "max_age_hours": 26, "retention": "7 days" })
}

pub struct Production {
    pub database: FreshDatabase,
    pub plane: ControlPlane,
    /// The function's token.
    pub token: ServiceToken,
    /// Another person.
    client: ApiClient,
    stack: Stack,
    function: Function,
}

impl Production {
    pub async fn new() -> Self {
        let stack = Stack::from_env().unwrap();
        let database = stack.fresh_database().await.unwrap();
        let plane = ControlPlane::over(&database).await.unwrap();
        plane.record();
        let token = plane.token().await;
        let secret_id = stack.new_secret(&token.secret()).await.unwrap();
        let function = Function::of(&stack, &database, "back-up-database").unwrap();
        let function = function.envs(plane.environment(&secret_id));
        Self {
            function: function.start().await.unwrap(),
            client: plane.client(&plane.new_token().await),
            database,
            plane,
            token,
            stack,
        }
    }

    /// Calls the function as the schedule does.
    pub async fn check(&self) -> Result<Value, Reported> {
        self.call(policy()).await
    }

    pub async fn call(&self, policy: Value) -> Result<Value, Reported> {
        self.function.call(policy).await.unwrap()
    }

    /// The function's last line about a check.
    pub fn last_line(&self) -> Value {
        let mut lines = log_lines(&self.function.output().unwrap());
        lines.retain(|line| line["message"] == "checked the backups");
        lines.pop().unwrap()
    }

    /// A metric of the function's last call, if it wrote one.
    pub fn metric(&self, name: &str) -> Option<f64> {
        let mut lines = log_lines(&self.function.output().unwrap());
        lines.retain(|line| line.get("_aws").is_some());
        lines.pop().unwrap().get(name)?.as_f64()
    }

    /// A call of another person, at a path below that of the backups.
    pub async fn api(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let method: Method = method.parse().unwrap();
        let path = format!("/branches/main/backups{path}");
        let answer = self.client.send(method, &path, body.as_ref()).await;
        let (status, answer) = answer.unwrap();
        assert!(status < 300, "{path}: {status} {answer}");
        answer
    }

    /// Makes a backup of this name and waits for its end.
    pub async fn back_up(&self, name: &str) {
        let made = self.api("POST", "", Some(json!({ "name": name }))).await;
        let path = format!("/{}", made["id"].as_str().unwrap());
        while self.api("GET", &path, None).await["state"] != "success" {}
    }

    pub async fn protect(&self, name: &str) {
        let list = self.api("GET", "", None).await;
        let mut backups = list["data"].as_array().unwrap().iter();
        let backup = backups.find(|backup| backup["name"] == name).unwrap();
        let path = format!("/{}", backup["id"].as_str().unwrap());
        self.api("PATCH", &path, Some(json!({ "protected": true })))
            .await;
    }

    /// The names of all backups.
    pub async fn names(&self) -> Vec<String> {
        let list = self.api("GET", "", None).await;
        let backups = list["data"].as_array().unwrap().iter();
        backups
            .map(|backup| backup["name"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The bodies of all requests for a backup, whoever made them.
    pub fn posts(&self) -> Vec<Value> {
        let exchanges = self.plane.exchanges().into_iter();
        let posts = exchanges.filter(|exchange| {
            exchange.method == Method::POST && exchange.path.ends_with("/backups")
        });
        posts.filter_map(|exchange| exchange.request).collect()
    }

    /// What the schedule in the template sends, with the defaults of its parameters.
    pub fn scheduled(&self) -> Value {
        let template = std::fs::read_to_string(tests::root().join("template.yaml")).unwrap();
        let template = tests::stack::yaml(&template).unwrap();
        let event = &template["Resources"]["BackUpDatabase"]["Properties"]["Events"]["Check"];
        let mut input = event["Properties"]["Input"]["Fn::Sub"]
            .as_str()
            .unwrap()
            .to_owned();
        for name in ["BackupMaxAgeHours", "BackupRetention"] {
            let default = &template["Parameters"][name]["Default"];
            let default = default.as_str().map_or(default.to_string(), str::to_owned);
            input = input.replace(&format!("${{{name}}}"), &default);
        }
        serde_json::from_str(&input).unwrap()
    }

    /// The variables that `cargo dev` writes for other tools.
    pub fn environment(&self) -> BTreeMap<String, String> {
        let ca_file = self.stack.ca_file().unwrap().display().to_string();
        let variables = [
            ("DATABASE_URL", self.database.url()),
            ("DATABASE_CA_FILE", ca_file),
            ("PLANETSCALE_API_URL", self.plane.url().to_owned()),
            ("PLANETSCALE_SERVICE_TOKEN_ID", self.token.id.clone()),
            ("PLANETSCALE_SERVICE_TOKEN", self.token.token.clone()),
        ];
        variables
            .map(|(name, value)| (name.to_owned(), value))
            .into()
    }
}

impl Drop for Production {
    /// Checks every call against PlanetScale's OpenAPI document, if the test run has it.
    fn drop(&mut self) {
        if let (false, Some(contract)) = (std::thread::panicking(), Contract::from_env().unwrap()) {
            let violations = contract.check(&self.plane.exchanges()).violations;
            assert!(violations.is_empty(), "{violations:#?}");
        }
    }
}
