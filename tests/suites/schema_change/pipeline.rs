//! A database with a control plane, a folder of migrations, and the state machine that deploys them.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use lambda::Deadline;
use lambda::clock::SystemClock;
use mysql_async::prelude::{FromRow, Queryable};
use planetscale::settings::PlanetScaleSettings;
use planetscale::{
    Calls, Connecting, DeployRequest, Filter, NewPassword, Openness, PlanetScale, Role,
};
use reqwest::Method;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tests::stack::{FreshDatabase, Stack};
use tests::stand_ins::control_plane::contract::Contract;
use tests::stand_ins::control_plane::{
    ApiClient, BRANCH, ControlPlane, DATABASE, ORGANIZATION, ServiceToken,
};
use tests::stand_ins::lambda::{Function, Reported};
use tests::stand_ins::step_functions::{self, Ended, Execution, Interpreter, StateMachine, Target};

/// Everything that a schema change needs.
pub struct Pipeline {
    pub stack: Stack,
    pub database: FreshDatabase,
    pub plane: ControlPlane,
    pub token: ServiceToken,
    secret_id: String,
    folder: PathBuf,
    function: Arc<Function>,
    machine: StateMachine,
    tasks: Arc<Tasks>,
}

/// The calls from the state machine to the function.
#[derive(Default)]
struct Tasks {
    /// The steps, in order.
    steps: Mutex<Vec<String>>,
    /// Everything that the function was sent and has answered.
    payloads: Mutex<Vec<Value>>,
    /// The step after which the run dies.
    dies_after: Mutex<Option<String>>,
    dead: AtomicBool,
}

impl Pipeline {
    /// Starts with the project's migrations, all of them applied.
    pub async fn new() -> Self {
        let stack = Stack::from_env().unwrap();
        let database = stack.fresh_database().await.unwrap();
        let plane = ControlPlane::over(&database).await.unwrap();
        plane.record();
        let token = plane.token().await;
        let secret_id = stack.new_secret(&token.secret()).await.unwrap();

        let folder = std::env::temp_dir().join(format!("migrations-of-{}", database.name()));
        fs::create_dir(&folder).unwrap();
        for file in fs::read_dir(tests::root().join("shared/migrations")).unwrap() {
            let path = file.unwrap().path();
            fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
        }
        let function = Function::of(&stack, &database, "migrate-schema").unwrap();
        let function = function.envs(plane.environment(&secret_id));
        let function = function
            .env("MIGRATIONS_FOLDER", folder.to_str().unwrap())
            // Two executions call it at the same time.
            .env("AWS_LAMBDA_MAX_CONCURRENCY", "2");
        let function = Arc::new(function.start().await.unwrap());

        let tasks = Arc::new(Tasks::default());
        let machine = create(&stack, database.name(), &function, &tasks).await;
        Self {
            stack,
            database,
            plane,
            token,
            secret_id,
            folder,
            function,
            machine,
            tasks,
        }
    }

    /// Starts with one more migration.
    pub async fn with(file: &str, sql: &str) -> Self {
        let pipeline = Self::new().await;
        pipeline.add(file, sql);
        pipeline
    }

    /// Adds a migration.
    pub fn add(&self, file: &str, sql: &str) {
        fs::write(self.folder.join(file), sql).unwrap();
    }

    /// Runs the state machine to its end.
    pub async fn run(&self, options: Value) -> Ended {
        self.start(options).await.ended().await.unwrap()
    }

    /// Starts an execution.
    pub async fn start(&self, options: Value) -> Execution {
        self.tasks.dead.store(false, Ordering::SeqCst);
        let name = uuid::Uuid::new_v4().to_string();
        self.machine.start(&name, &options).await.unwrap()
    }

    /// Runs the state machine, and lets its execution die after this step. So nothing is cleaned
    /// up.
    pub async fn die_after(&self, step: &str) {
        *self.tasks.dies_after.lock().unwrap() = Some(step.to_owned());
        let ended = self.run(json!({})).await;
        assert!(
            matches!(&ended, Ended::Failed { error, .. } if error == "NotCleanedUp"),
            "{ended:?}"
        );
        assert_eq!(self.steps().last().unwrap(), step);
        *self.tasks.dies_after.lock().unwrap() = None;
        self.tasks.steps.lock().unwrap().clear();
    }

    /// Carries out one step with the answer of the last step.
    pub async fn go_on(&self, step: &str) -> Result<Value, Reported> {
        let state = self.tasks.payloads.lock().unwrap().last().cloned();
        let payload = json!({ "step": step, "state": state });
        self.function.call(payload).await.unwrap()
    }

    /// Runs the state machine to its end, and asserts that it succeeds.
    pub async fn succeed(&self, options: Value) -> Value {
        match self.run(options).await {
            Ended::Succeeded(result) => result,
            other => panic!("{other:?}\n{}", self.logs()),
        }
    }

    /// Runs the state machine to its end, and asserts that it fails. Returns the error's name and its
    /// cause.
    pub async fn fail(&self, options: Value) -> (String, String) {
        match self.run(options).await {
            Ended::Failed { error, cause } => (error, cause),
            other => panic!("{other:?}\n{}", self.logs()),
        }
    }

    /// Runs the state machine to its end, and asserts that it fails with this error, whose cause has
    /// these words, and that the failure is counted.
    pub async fn refused(&self, expected: &str, words: &[&str]) {
        let (error, cause) = self.fail(json!({})).await;
        assert_eq!(error, expected, "{cause}");
        for words in words {
            assert!(cause.contains(words), "{words}: {cause}");
        }
        assert!(self.logs().contains("\"SchemaChangeFailed\":1"));
    }

    /// Waits until an execution has succeeded.
    pub async fn succeeds(&self, execution: Execution) {
        let ended = execution.ended().await.unwrap();
        let succeeded = matches!(ended, Ended::Succeeded(_));
        assert!(succeeded, "{ended:?}\n{}", self.logs());
    }

    /// Asserts that these migrations are recorded, and that nothing is left on PlanetScale.
    pub async fn assert_recorded(&self, versions: &[u32]) {
        assert_eq!(self.recorded().await, versions);
        assert_eq!(self.left().await, (vec![], vec![]));
    }

    /// Asserts that a run has left nothing behind and changed nothing.
    pub async fn assert_nothing_happened(&self) {
        self.assert_recorded(&[1]).await;
    }

    /// Puts another token into the function's secret. PlanetScale refuses the old one from then on.
    pub async fn rotate_token(&self, new: &ServiceToken) {
        self.stack
            .change_secret(&self.secret_id, &new.secret())
            .await
            .unwrap();
        self.plane.forget(&self.token).await;
    }

    /// Waits until a step has been carried out this many times.
    pub async fn carried_out(&self, step: &str, times: usize) {
        let limit = Instant::now() + Duration::from_secs(60);
        while self.steps().iter().filter(|done| *done == step).count() < times {
            assert!(
                Instant::now() < limit,
                "{:?}\n{}",
                self.steps(),
                self.logs()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The API, called with a token.
    pub async fn api(&self, token: &ServiceToken) -> Api {
        let settings = PlanetScaleSettings {
            api_url: self.plane.url().parse().unwrap(),
            organization: ORGANIZATION.to_owned(),
            database: DATABASE.to_owned(),
            keyspace: DATABASE.to_owned(),
            branch: BRANCH.to_owned(),
            token_secret_id: self.stack.new_secret(&token.secret()).await.unwrap(),
            token_max_age: Duration::from_secs(60),
        };
        Api {
            planetscale: PlanetScale::new(settings, Arc::new(SystemClock)),
            http: self.plane.client(token),
        }
    }

    /// What is left on PlanetScale: the branches other than production, and the open deploy requests.
    pub async fn left(&self) -> (Vec<String>, Vec<u64>) {
        let api = self.api(&self.token).await;
        let mut branches = api.branches().await;
        branches.retain(|name| name != BRANCH);
        let requests = api.deploy_requests().await.into_iter();
        (
            branches,
            requests
                .filter(|request| request.state == Openness::Open)
                .map(|request| request.number)
                .collect(),
        )
    }

    /// Runs statements on production without the control plane.
    pub async fn change_production(&self, statements: &[&str]) {
        let mut admin = self.database.connect_as_admin().await.unwrap();
        for statement in statements {
            admin.query_drop(*statement).await.unwrap();
        }
        admin.disconnect().await.unwrap();
    }

    /// Runs statements on a branch, with a password of its own.
    pub async fn change_branch(&self, branch: &str, statements: &[&str]) {
        let api = self.api(&self.token).await;
        let new = NewPassword {
            name: "somebody".to_owned(),
            role: Role::Admin,
            ttl: None,
            connecting: Connecting::default(),
        };
        let password = api.calls().create_password(branch, &new).await.unwrap();
        let secret = password.plain_text.unwrap();
        let (address, user) = (&password.access_host_url, &password.username);
        let conn = self
            .stack
            .connect_to(address, user, secret.expose_secret(), DATABASE);
        let mut conn = conn.await.unwrap();
        for statement in statements {
            conn.query_drop(*statement).await.unwrap();
        }
        conn.disconnect().await.unwrap();
    }

    /// Runs statements on the only branch besides production.
    pub async fn change_own_branch(&self, statements: &[&str]) {
        let branch = self.left().await.0.remove(0);
        self.change_branch(&branch, statements).await;
    }

    /// The steps that were carried out.
    pub fn steps(&self) -> Vec<String> {
        self.tasks.steps.lock().unwrap().clone()
    }

    /// Everything in the histories of the executions.
    pub fn history(&self) -> String {
        format!("{:?}", self.tasks.payloads.lock().unwrap())
    }

    /// The function's log.
    pub fn logs(&self) -> String {
        self.function.output().unwrap()
    }

    /// Rows of production.
    pub async fn rows<T: FromRow + Send + 'static>(&self, query: &str) -> Vec<T> {
        let mut conn = self.database.connect().await.unwrap();
        let rows = conn.query(query).await.unwrap();
        conn.disconnect().await.unwrap();
        rows
    }

    /// The recorded migrations' versions.
    pub async fn recorded(&self) -> Vec<u32> {
        self.rows("SELECT version FROM schema_migrations ORDER BY version")
            .await
    }

    /// Whether a table in production has this column.
    pub async fn has_column(&self, table: &str, column: &str) -> bool {
        self.columns(table).await.iter().any(|name| name == column)
    }

    /// The names of a table's columns in production; none if there is no such table.
    pub async fn columns(&self, table: &str) -> Vec<String> {
        self.rows(&format!(
            "SELECT column_name FROM information_schema.columns \
             WHERE table_schema = DATABASE() AND table_name = '{table}' ORDER BY ordinal_position"
        ))
        .await
    }
}

/// A client of PlanetScale's API.
pub struct Api {
    planetscale: PlanetScale,
    http: ApiClient,
}

impl Api {
    /// The calls that the function makes too.
    pub fn calls(&self) -> Calls<'_> {
        let deadline = Deadline::after(Duration::from_secs(30));
        self.planetscale.until(deadline)
    }

    /// Approves a deploy request, as a person does.
    pub async fn approve(&self, number: u64) {
        let body = json!({ "state": "approved", "body": "" });
        self.post(number, "reviews", body).await;
    }

    /// Reverts a deployment, as a person does.
    pub async fn revert(&self, number: u64) {
        self.post(number, "revert", json!({})).await;
    }

    async fn post(&self, number: u64, action: &str, body: Value) {
        let path = format!("/deploy-requests/{number}/{action}");
        let answer = self.http.send(Method::POST, &path, Some(&body)).await;
        let (status, body) = answer.unwrap();
        assert!(status < 300, "{path}: {status} {body}");
    }

    /// The names of all branches.
    pub async fn branches(&self) -> Vec<String> {
        let answer = self.http.send(Method::GET, "/branches?per_page=100", None);
        let (_, list) = answer.await.unwrap();
        let branches = list["data"].as_array().unwrap().iter();
        branches
            .map(|branch| branch["name"].as_str().unwrap().to_owned())
            .collect()
    }

    /// All deploy requests, by number.
    pub async fn deploy_requests(&self) -> Vec<DeployRequest> {
        let listed = self.calls().deploy_requests(Filter::default()).await;
        let mut requests = listed.unwrap();
        requests.sort_by_key(|request| request.number);
        requests
    }
}

impl Drop for Pipeline {
    /// Checks every call against PlanetScale's OpenAPI document, if the test run has it.
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
        if let (false, Some(contract)) = (std::thread::panicking(), Contract::from_env().unwrap()) {
            let violations = contract.check(&self.plane.exchanges()).violations;
            assert!(violations.is_empty(), "{violations:#?}");
        }
    }
}

/// The state machine, as the template deploys it.
async fn create(
    stack: &Stack,
    name: &str,
    function: &Arc<Function>,
    tasks: &Arc<Tasks>,
) -> StateMachine {
    let definition = step_functions::schema_change(name, 0).unwrap();
    // The interpreter outlives the test, but the function must not.
    let (function, tasks) = (Arc::downgrade(function), Arc::clone(tasks));
    let target: Target = Arc::new(move |payload| {
        let (function, tasks) = (function.upgrade(), Arc::clone(&tasks));
        Box::pin(async move {
            match function {
                Some(function) => tasks.pass(payload, &function).await,
                None => Err(Reported {
                    name: "Gone".to_owned(),
                    message: "the test is over".to_owned(),
                }),
            }
        })
    });
    let interpreter = Interpreter::shared(stack).await.unwrap();
    interpreter.create(name, &definition, target).await.unwrap()
}

impl Tasks {
    async fn pass(&self, payload: Value, function: &Function) -> Result<Value, Reported> {
        if self.dead.load(Ordering::SeqCst) {
            return Err(Reported {
                name: "Dead".to_owned(),
                message: "the run has died".to_owned(),
            });
        }
        let step = payload["step"].as_str().unwrap().to_owned();
        self.payloads.lock().unwrap().push(payload.clone());
        self.steps.lock().unwrap().push(step.clone());
        let reply = function.call(payload).await.unwrap();
        if let Ok(answer) = &reply {
            self.payloads.lock().unwrap().push(answer.clone());
        }
        let waits = matches!(&reply, Ok(answer) if answer["outcome"] == "wait");
        if !waits && self.dies_after.lock().unwrap().as_ref() == Some(&step) {
            self.dead.store(true, Ordering::SeqCst);
        }
        reply
    }
}
