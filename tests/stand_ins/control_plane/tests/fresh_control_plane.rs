//! A control plane over a schema of its own, and who uses it: by HTTP, and by MySQL.

use std::io::Write;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, OptsBuilder, SslOpts};
use serde_json::{Value, json};
use tests::stack::{FreshDatabase, Stack};
use tests::stand_ins::control_plane::{BRANCH, ControlPlane, DATABASE, ORGANIZATION, ServiceToken};

/// A control plane, and a client with its first token.
pub struct Scene {
    pub stack: Stack,
    pub database: FreshDatabase,
    pub plane: ControlPlane,
    pub token: ServiceToken,
    http: reqwest::Client,
}

impl Scene {
    pub async fn new() -> Self {
        let stack = Stack::from_env().unwrap();
        let database = stack.fresh_database().await.unwrap();
        let plane = ControlPlane::over(&database).await.unwrap();
        plane.record();
        Self {
            token: plane.token().await,
            http: tests::http_client(),
            stack,
            database,
            plane,
        }
    }

    /// Stops the control plane and starts another one over the same schema.
    pub async fn restart(self) -> Self {
        let Self {
            stack,
            database,
            plane,
            token,
            http,
        } = self;
        drop(plane);
        let plane = ControlPlane::over(&database).await.unwrap();
        plane.record();
        Self {
            stack,
            database,
            plane,
            token,
            http,
        }
    }

    /// Sends what is given under the database's path, with this `Authorization`.
    pub async fn send_as(
        &self,
        authorization: Option<String>,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> (u16, Value) {
        let root = self.plane.url();
        let url = format!("{root}/v1/organizations/{ORGANIZATION}/databases/{DATABASE}{path}");
        let mut request = self.http.request(method.parse().unwrap(), url);
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let body = response.bytes().await.unwrap();
        match body.is_empty() {
            true => (status, Value::Null),
            false => (status, serde_json::from_slice(&body).unwrap()),
        }
    }

    pub async fn send(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        self.send_as(Some(header(&self.token)), method, path, body)
            .await
    }

    pub async fn get(&self, path: &str) -> Value {
        let (status, body) = self.send("GET", path, None).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// POSTs what must be taken.
    pub async fn post(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.send("POST", path, Some(body)).await;
        assert!(status == 200 || status == 201, "{path}: {status} {answer}");
        answer
    }

    /// POSTs what must be refused, and returns the message.
    pub async fn refused(&self, path: &str, body: Value) -> String {
        let (status, answer) = self.send("POST", path, Some(body)).await;
        assert_eq!(status, 422, "{path}: {answer}");
        answer["message"].as_str().unwrap().to_owned()
    }

    /// A branch of `main` that is ready.
    pub async fn branch(&self, name: &str) -> Value {
        self.post("/branches", json!({"name": name, "parent_branch": BRANCH}))
            .await;
        self.ready_branch(name).await
    }

    /// The branch once it can be used.
    pub async fn ready_branch(&self, name: &str) -> Value {
        let path = format!("/branches/{name}");
        eventually(&path, async || {
            let branch = self.get(&path).await;
            (branch["ready"] == true).then_some(branch)
        })
        .await
    }

    /// The states that a deployment or a backup is seen in, up to the last one.
    pub async fn states_until(&self, path: &str, member: &str, last: &str) -> Vec<Value> {
        let mut states = Vec::new();
        eventually(last, async || {
            let seen = self.get(path).await;
            states.push(seen[member].clone());
            (seen[member] == last).then_some(())
        })
        .await;
        states
    }

    /// A new password, as it was told.
    pub async fn password(&self, branch: &str, role: &str) -> Value {
        let path = format!("/branches/{branch}/passwords");
        self.post(&path, json!({"name": "test", "role": role, "ttl": 600}))
            .await
    }

    /// Logs in with a password.
    pub async fn login(&self, password: &Value) -> Result<Conn, Error> {
        let address = password["access_host_url"].as_str().unwrap();
        let (host, port) = address.split_once(':').unwrap();
        let tls = SslOpts::default()
            .with_root_certs(vec![self.stack.ca_file().unwrap().to_owned().into()])
            .with_disable_built_in_roots(true);
        let options = OptsBuilder::default()
            .ip_or_hostname(host)
            .tcp_port(port.parse().unwrap())
            .user(password["username"].as_str())
            .pass(password["plain_text"].as_str())
            .db_name(Some(DATABASE))
            .prefer_socket(false)
            .ssl_opts(tls);
        Conn::new(options).await
    }

    /// Runs statements on a branch, as an administrator of it.
    pub async fn run(&self, branch: &str, statements: &[&str]) {
        let password = self.password(branch, "admin").await;
        self.run_with(&password, statements).await;
    }

    /// Runs statements as who has this password.
    pub async fn run_with(&self, password: &Value, statements: &[&str]) {
        let mut conn = self.login(password).await.unwrap();
        for statement in statements {
            conn.query_drop(*statement).await.unwrap();
        }
        conn.disconnect().await.unwrap();
    }

    /// Runs statements on production, around the control plane.
    pub async fn run_on_production(&self, statements: &[&str]) {
        let mut admin = self.stack.admin().await.unwrap();
        admin
            .query_drop(format!("USE `{}`", self.database.name()))
            .await
            .unwrap();
        for statement in statements {
            admin.query_drop(*statement).await.unwrap();
        }
        admin.disconnect().await.unwrap();
    }

    /// The schemas and users on the server that the control plane has made.
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

    /// The names of a table's columns in production; none where there is no table.
    pub async fn columns(&self, table: &str) -> Vec<String> {
        let mut admin = self.stack.admin().await.unwrap();
        let query = "SELECT column_name FROM information_schema.columns \
                     WHERE table_schema = ? AND table_name = ? ORDER BY ordinal_position";
        let columns = admin
            .exec(query, (self.database.name(), table))
            .await
            .unwrap();
        admin.disconnect().await.unwrap();
        columns
    }

    /// Opens a deploy request from a branch into `main`, and returns its path.
    pub async fn open(&self, branch: &str, auto_cutover: bool) -> String {
        let body = json!({
            "branch": branch, "into_branch": BRANCH, "notes": "", "auto_cutover": auto_cutover,
        });
        let opened = self.post("/deploy-requests", body).await;
        format!("/deploy-requests/{}", opened["number"])
    }

    /// Looks until the deployment has one of these states, and returns the deploy request.
    pub async fn until(&self, request: &str, states: &[&str]) -> Value {
        eventually(&format!("{states:?} of {request}"), async || {
            let seen = self.get(request).await;
            assert_eq!(seen["deployment"]["state"], seen["deployment_state"]);
            let state = seen["deployment_state"].as_str().unwrap();
            states.contains(&state).then_some(seen)
        })
        .await
    }

    /// A deploy request that could be deployed now.
    pub async fn ready(&self, branch: &str) -> String {
        let request = self.open(branch, true).await;
        self.until(&request, &["ready"]).await;
        request
    }

    /// Deploys a branch, up to the time in which it can be reverted.
    pub async fn deploy(&self, branch: &str) -> String {
        let request = self.ready(branch).await;
        self.post(&format!("{request}/deploy"), json!({})).await;
        self.until(&request, &["complete_pending_revert"]).await;
        request
    }
}

/// How long to wait for what is sure to come, and how often to look: far longer than any machine
/// stalls, so that only what never comes fails a test.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(10);

/// Looks until there is something, and fails where it never comes.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(seen) = look().await {
                return seen;
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    let seen = tokio::time::timeout(PATIENCE, looking).await;
    seen.unwrap_or_else(|_| panic!("{what} does not come"))
}

/// The header that proves a token.
pub fn header(token: &ServiceToken) -> String {
    format!("{}:{}", token.id, token.token)
}

/// The number and the message of a server's error.
pub fn server_error<T: std::fmt::Debug>(result: Result<T, Error>) -> (u16, String) {
    match result.unwrap_err() {
        Error::Server(error) => (error.code, error.message),
        other => panic!("not an error of the server: {other:?}"),
    }
}

/// Says that a test is skipped, and why, past the runner, which shows only what failed tests print.
pub fn skipped(why: &str) {
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}
