//! A control plane for one test, called over HTTP and MySQL. What goes wrong ends the test.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "it fails as the tests do: with a panic that says why"
)]

use mysql_async::prelude::{FromRow, Queryable};
use mysql_async::{Conn, Error};
use serde_json::{Value, json};

use super::contract::Contract;
use super::{BRANCH, ControlPlane, DATABASE, Exchange, ServiceToken};
use crate::stack::{FreshDatabase, Stack};
use crate::stand_ins::lambda::{Function, Setup};
use crate::vitess::cluster::Cluster;
use crate::{eventually, eventually_holds};

/// A control plane over a database of its own, and a client of its API.
pub struct FreshControlPlane {
    /// The stack of the test run.
    pub stack: Stack,
    /// The database.
    pub database: FreshDatabase,
    /// The control plane, which records all exchanges.
    pub control_plane: ControlPlane,
    /// The token that calls are made with.
    pub token: ServiceToken,
}

impl FreshControlPlane {
    /// Starts it over a fresh database.
    pub async fn start() -> Self {
        let stack = Stack::from_env().unwrap();
        let database = stack.fresh_database().await.unwrap();
        Self::over(stack, database).await
    }

    /// Starts one whose deployments the cluster makes.
    pub async fn on(cluster: &Cluster) -> Self {
        let stack = cluster.primary_stack().unwrap().clone();
        let api = Self::over(stack, cluster.primary_database().unwrap()).await;
        api.control_plane.deploy_through(cluster).await.unwrap();
        api
    }

    /// Starts it over this database.
    pub async fn over(stack: Stack, database: FreshDatabase) -> Self {
        let control_plane = ControlPlane::over(&database).await.unwrap();
        control_plane.record();
        Self {
            token: control_plane.token().await,
            stack,
            database,
            control_plane,
        }
    }

    /// Stops the control plane and starts another one over the same schema.
    pub async fn restart(self) -> Self {
        drop(self.control_plane);
        Self::over(self.stack, self.database).await
    }

    /// Stores the token as a secret for functions, and returns the secret's id.
    pub async fn token_secret(&self) -> String {
        let secret = self.token.secret();
        self.stack.new_secret(&secret).await.unwrap()
    }

    /// A function on this database that makes its calls with the token in this secret. It is not started
    /// yet.
    pub fn function(&self, name: &str, token_secret_id: &str) -> Setup {
        let function = Function::of(&self.stack, &self.database, name).unwrap();
        function.envs(self.control_plane.environment(token_secret_id))
    }

    /// The exchanges of every POST to a path with this end.
    pub fn posted(&self, end: &str) -> Vec<Exchange> {
        let mut exchanges = self.control_plane.exchanges();
        exchanges.retain(|exchange| exchange.method == "POST" && exchange.path.ends_with(end));
        exchanges
    }

    /// Sends a request with another token.
    pub async fn send_as(
        &self,
        token: &ServiceToken,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> (u16, Value) {
        let client = self.control_plane.client(token);
        let answer = client.send(method.parse().unwrap(), path, body.as_ref());
        answer.await.unwrap()
    }

    /// Sends a request.
    pub async fn send(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        self.send_as(&self.token, method, path, body).await
    }

    /// Sends a GET that must succeed.
    pub async fn get(&self, path: &str) -> Value {
        let (status, body) = self.send("GET", path, None).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// The status of a request without a body.
    pub async fn status(&self, method: &str, path: &str) -> u16 {
        self.send(method, path, None).await.0
    }

    /// The status of a PATCH.
    pub async fn patch(&self, path: &str, body: Value) -> u16 {
        self.send("PATCH", path, Some(body)).await.0
    }

    /// These members of each object of a list.
    pub async fn list<const N: usize>(&self, path: &str, members: [&str; N]) -> Value {
        let list = self.get(path).await;
        let all = list["data"].as_array().unwrap().iter();
        all.map(|one| json!(members.map(|name| &one[name]).as_slice()))
            .collect()
    }

    /// Sends a POST that must succeed.
    pub async fn post(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.send("POST", path, Some(body)).await;
        assert!(status == 200 || status == 201, "{path}: {status} {answer}");
        answer
    }

    /// Sends a POST without a body to the end of a path. It must succeed.
    pub async fn act(&self, path: &str, action: &str) -> Value {
        self.post(&format!("{path}/{action}"), json!({})).await
    }

    /// Sends a POST that must be refused, and returns the message.
    pub async fn refused(&self, path: &str, body: Value) -> String {
        let (status, answer) = self.send("POST", path, Some(body)).await;
        assert_eq!(status, 422, "{path}: {answer}");
        answer["message"].as_str().unwrap().to_owned()
    }

    /// Creates a branch of `main` and waits until it is ready.
    pub async fn branch(&self, name: &str) -> Value {
        self.post("/branches", json!({"name": name, "parent_branch": BRANCH}))
            .await;
        self.ready_branch(name).await
    }

    /// Creates a branch of `main` and runs statements on it.
    pub async fn branch_with(&self, name: &str, statements: &[&str]) {
        self.branch(name).await;
        self.run(name, statements).await;
    }

    /// Makes a branch a production branch with safe migrations.
    pub async fn protect(&self, name: &str) {
        self.act(&format!("/branches/{name}"), "promote").await;
        self.act(&format!("/branches/{name}"), "safe-migrations")
            .await;
    }

    /// Waits until a branch is ready.
    pub async fn ready_branch(&self, name: &str) -> Value {
        let path = format!("/branches/{name}");
        eventually(&path, async || {
            let branch = self.get(&path).await;
            (branch["ready"] == true).then_some(branch)
        })
        .await
    }

    /// Reads a deployment or a backup again and again, and returns its states up to the last one.
    pub async fn states_until(&self, path: &str, member: &str, last: &str) -> Vec<Value> {
        let mut states = Vec::new();
        eventually_holds(last, async || {
            let seen = self.get(path).await;
            states.push(seen[member].clone());
            seen[member] == last
        })
        .await;
        states
    }

    /// Creates a password.
    pub async fn password(&self, branch: &str, role: &str) -> Value {
        let path = format!("/branches/{branch}/passwords");
        self.post(&path, json!({"name": "test", "role": role, "ttl": 600}))
            .await
    }

    /// Logs in with a password.
    pub async fn login(&self, password: &Value) -> Result<Conn, Error> {
        let text = |name: &str| password[name].as_str().unwrap();
        let [address, user, secret] = ["access_host_url", "username", "plain_text"].map(text);
        self.stack.connect_to(address, user, secret, DATABASE).await
    }

    /// Logs in to a branch with a new password of this role.
    pub async fn login_as(&self, branch: &str, role: &str) -> Conn {
        let password = self.password(branch, role).await;
        self.login(&password).await.unwrap()
    }

    /// Runs statements on a branch, with a new admin password.
    pub async fn run(&self, branch: &str, statements: &[&str]) {
        let password = self.password(branch, "admin").await;
        self.run_with(&password, statements).await;
    }

    /// Runs statements with this password.
    pub async fn run_with(&self, password: &Value, statements: &[&str]) {
        let mut conn = self.login(password).await.unwrap();
        for statement in statements {
            conn.query_drop(*statement).await.unwrap();
        }
        conn.disconnect().await.unwrap();
    }

    /// Runs statements on production, past the control plane.
    pub async fn run_on_production(&self, statements: &[&str]) {
        let mut admin = self.database.connect_as_admin().await.unwrap();
        for statement in statements {
            admin.query_drop(*statement).await.unwrap();
        }
        admin.disconnect().await.unwrap();
    }

    /// The schemas and users that the control plane has created on the server.
    pub async fn derived(&self) -> Vec<String> {
        let mut admin = self.stack.admin().await.unwrap();
        let mut names: Vec<String> = admin.query("SHOW DATABASES").await.unwrap();
        let users = "SELECT user FROM mysql.user";
        names.extend(admin.query::<String, _>(users).await.unwrap());
        admin.disconnect().await.unwrap();
        let prefix = format!("{}_", self.database.name());
        names.retain(|name| name.starts_with(&prefix));
        names.sort_unstable();
        names
    }

    /// Rows of production.
    pub async fn rows<T: FromRow + Send + 'static>(&self, query: &str) -> Vec<T> {
        let mut direct = self.database.connect().await.unwrap();
        let rows = direct.query(query).await.unwrap();
        direct.disconnect().await.unwrap();
        rows
    }

    /// The names of a table's columns in production. None if there is no table.
    pub async fn columns(&self, table: &str) -> Vec<String> {
        self.rows(&format!(
            "SELECT column_name FROM information_schema.columns \
             WHERE table_schema = DATABASE() AND table_name = '{table}' ORDER BY ordinal_position"
        ))
        .await
    }

    /// Opens a deploy request from a branch into `main`, and returns its path.
    pub async fn open(&self, branch: &str, auto_cutover: bool) -> String {
        let body = json!({
            "branch": branch, "into_branch": BRANCH, "notes": "", "auto_cutover": auto_cutover,
        });
        let opened = self.post("/deploy-requests", body).await;
        format!("/deploy-requests/{}", opened["number"])
    }

    /// Waits until the deployment has one of these states, and returns the deploy request.
    pub async fn until(&self, request: &str, states: &[&str]) -> Value {
        eventually(&format!("{states:?} of {request}"), async || {
            let seen = self.get(request).await;
            assert_eq!(seen["deployment"]["state"], seen["deployment_state"]);
            let state = seen["deployment_state"].as_str().unwrap();
            states.contains(&state).then_some(seen)
        })
        .await
    }

    /// Opens a deploy request and waits until it can be deployed.
    pub async fn ready(&self, branch: &str) -> String {
        let request = self.open(branch, true).await;
        self.until(&request, &["ready"]).await;
        request
    }

    /// Deploys a branch and waits until the deployment can be reverted.
    pub async fn deploy(&self, branch: &str) -> String {
        let request = self.ready(branch).await;
        self.post(&format!("{request}/deploy"), json!({})).await;
        self.until(&request, &["complete_pending_revert"]).await;
        request
    }
}

impl ControlPlane {
    /// Asserts that every exchange keeps to PlanetScale's document, if the test run has it. A test that
    /// has failed already is left alone.
    pub(super) fn assert_documented(&self) {
        let exchanges = self.exchanges();
        if exchanges.is_empty() || std::thread::panicking() {
            return;
        }
        if let Some(contract) = Contract::from_env().unwrap() {
            let violations = contract.violations(&exchanges);
            assert!(violations.is_empty(), "{}", violations.join("\n"));
        }
    }
}

/// The number and the message of an error of the server.
pub fn server_error<T: std::fmt::Debug>(result: Result<T, Error>) -> (u16, String) {
    match result.unwrap_err() {
        Error::Server(error) => (error.code, error.message),
        other => panic!("not an error of the server: {other:?}"),
    }
}
