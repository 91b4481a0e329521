//! A production branch with its control plane, and the function that sees to its backups.

use std::collections::BTreeMap;
use std::ops::Deref;

use serde_json::{Value, json};
use tests::stand_ins::control_plane::fresh_control_plane::FreshControlPlane;
use tests::stand_ins::lambda::{Function, Reported, log_lines};

/// The policy of the template's defaults.
pub fn policy() -> Value {
    json!({ "max_age_hours": 26, "retention": "7 days" })
}

/// Where its backups are in the API.
const BACKUPS: &str = "/branches/main/backups";

pub struct Production {
    api: FreshControlPlane,
    function: Function,
}

impl Deref for Production {
    type Target = FreshControlPlane;

    fn deref(&self) -> &FreshControlPlane {
        &self.api
    }
}

impl Production {
    pub async fn new() -> Self {
        let api = FreshControlPlane::start().await;
        let function = api.function("back-up-database", &api.token_secret().await);
        Self {
            function: function.start().await.unwrap(),
            api,
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

    /// Begins a backup of this name with a token of a person's own. Returns its path.
    pub async fn begin(&self, name: &str) -> String {
        let person = self.control_plane.new_token().await;
        let body = json!({ "name": name });
        let (status, made) = self.send_as(&person, "POST", BACKUPS, Some(body)).await;
        assert!(status < 300, "{status} {made}");
        format!("{BACKUPS}/{}", made["id"].as_str().unwrap())
    }

    /// Makes a backup of this name and waits for its end. Returns its path.
    pub async fn back_up(&self, name: &str) -> String {
        let path = self.begin(name).await;
        self.states_until(&path, "state", "success").await;
        path
    }

    /// The names of all backups.
    pub async fn names(&self) -> Vec<Value> {
        let backups = self.list(BACKUPS, ["name"]).await;
        let backups = backups.as_array().unwrap().iter();
        backups.map(|backup| backup[0].clone()).collect()
    }

    /// The bodies of all requests for a backup, whoever made them.
    pub fn requests(&self) -> Vec<Value> {
        let posts = self.posted("/backups").into_iter();
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
            ("PLANETSCALE_API_URL", self.control_plane.url().to_owned()),
            ("PLANETSCALE_SERVICE_TOKEN_ID", self.token.id.clone()),
            ("PLANETSCALE_SERVICE_TOKEN", self.token.token.clone()),
        ];
        variables
            .map(|(name, value)| (name.to_owned(), value))
            .into()
    }
}
