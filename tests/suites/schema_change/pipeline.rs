//! A database with a control plane, a folder of migrations, and the state machine that deploys them.

use std::fs;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tests::eventually_holds;
use tests::stack::Stack;
use tests::stand_ins::control_plane::fresh_control_plane::FreshControlPlane;
use tests::stand_ins::control_plane::{BRANCH, ServiceToken};
use tests::stand_ins::lambda::{Function, Reported};
use tests::stand_ins::step_functions::{self, Ended, Execution, Interpreter, StateMachine, Target};

/// Everything that a schema change needs.
pub struct Pipeline {
    api: FreshControlPlane,
    token_secret_id: String,
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

impl Deref for Pipeline {
    type Target = FreshControlPlane;

    fn deref(&self) -> &FreshControlPlane {
        &self.api
    }
}

impl Pipeline {
    /// Starts with the project's migrations, all of them applied.
    pub async fn new() -> Self {
        let api = FreshControlPlane::start().await;
        let token_secret_id = api.token_secret().await;
        let name = api.database.name();
        let folder = std::env::temp_dir().join(format!("migrations-of-{name}"));
        fs::create_dir(&folder).unwrap();
        for file in fs::read_dir(tests::root().join("shared/migrations")).unwrap() {
            let path = file.unwrap().path();
            fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
        }
        let function = api.function("migrate-schema", &token_secret_id);
        let function = function
            .env("MIGRATIONS_FOLDER", folder.to_str().unwrap())
            // Two executions call it at the same time.
            .env("AWS_LAMBDA_MAX_CONCURRENCY", "2");
        let function = Arc::new(function.start().await.unwrap());

        let tasks = Arc::new(Tasks::default());
        let machine = create(&api.stack, name, &function, &tasks).await;
        Self {
            api,
            token_secret_id,
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

    /// Starts an execution.
    pub async fn start(&self, options: Value) -> Execution {
        self.tasks.dead.store(false, Ordering::SeqCst);
        let name = uuid::Uuid::new_v4().to_string();
        self.machine.start(&name, &options).await.unwrap()
    }

    /// Runs the state machine to its end, and asserts that it succeeds.
    pub async fn succeed(&self, options: Value) -> Value {
        self.succeeds(self.start(options).await).await
    }

    /// Waits until an execution has succeeded.
    pub async fn succeeds(&self, execution: Execution) -> Value {
        match execution.ended().await.unwrap() {
            Ended::Succeeded(result) => result,
            other => panic!("{other:?}\n{}", self.logs()),
        }
    }

    /// Runs the state machine to its end, and asserts that it fails. Returns the error's name and its
    /// cause.
    pub async fn fail(&self, options: Value) -> (String, String) {
        self.fails(self.start(options).await).await
    }

    /// Waits until an execution has failed.
    pub async fn fails(&self, execution: Execution) -> (String, String) {
        match execution.ended().await.unwrap() {
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

    /// Runs the state machine, and lets its execution die after this step. So nothing is cleaned
    /// up.
    pub async fn die_after(&self, step: &str) {
        *self.tasks.dies_after.lock().unwrap() = Some(step.to_owned());
        let (error, cause) = self.fail(json!({})).await;
        assert_eq!(error, "NotCleanedUp", "{cause}");
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

    /// Cleans up as if the run had failed with this error, and returns the cause.
    pub async fn clean_up_after(&self, error: &str) -> String {
        let mut state = self.tasks.payloads.lock().unwrap().last().cloned().unwrap();
        state["error"] = json!({ "Error": error, "Cause": "it has failed" });
        let payload = json!({ "step": "clean_up", "state": state });
        let answer = self.function.call(payload).await.unwrap().unwrap();
        answer["error"]["Cause"].as_str().unwrap().to_owned()
    }

    /// Carries out one step with the answer of the last step, and asserts that it fails with this error,
    /// whose message has these words.
    pub async fn step_fails(&self, step: &str, expected: &str, words: &str) {
        let Reported { name, message } = self.go_on(step).await.unwrap_err();
        assert_eq!(name, expected, "{message}");
        assert!(message.contains(words), "{message}");
    }

    /// Asserts that these migrations are recorded, and that nothing is left on PlanetScale.
    pub async fn assert_recorded(&self, versions: &[u32]) {
        assert_eq!(self.recorded().await, versions);
        self.assert_nothing_left().await;
    }

    /// Asserts that a run has left nothing behind and changed nothing.
    pub async fn assert_nothing_happened(&self) {
        self.assert_recorded(&[1]).await;
    }

    /// Asserts that there are no branches but production, and no open deploy requests.
    pub async fn assert_nothing_left(&self) {
        assert_eq!(self.branches().await, [""; 0]);
        assert_eq!(self.open_deploy_requests().await, json!([]));
    }

    /// The branches besides production.
    async fn branches(&self) -> Vec<String> {
        let branches = self.list("/branches?per_page=100", ["name"]).await;
        let names = branches.as_array().unwrap().iter();
        let names = names.map(|branch| branch[0].as_str().unwrap().to_owned());
        names.filter(|name| name != BRANCH).collect()
    }

    /// The only branch besides production.
    pub async fn own_branch(&self) -> String {
        let [branch] = self.branches().await.try_into().unwrap();
        branch
    }

    /// The numbers of the open deploy requests.
    pub async fn open_deploy_requests(&self) -> Value {
        let open = "/deploy-requests?state=open&per_page=100";
        self.list(open, ["number"]).await
    }

    /// Runs statements on the only branch besides production.
    pub async fn change_own_branch(&self, statements: &[&str]) {
        self.run(&self.own_branch().await, statements).await;
    }

    /// Approves the first deploy request, as the person with this token does.
    pub async fn approve(&self, person: &ServiceToken) {
        let approved = json!({ "state": "approved", "body": "" });
        let path = "/deploy-requests/1/reviews";
        let (status, answer) = self.send_as(person, "POST", path, Some(approved)).await;
        assert_eq!(status, 201, "{answer}");
    }

    /// Closes a deploy request, as a person does.
    pub async fn close(&self, request: &str) {
        let closed = json!({ "state": "closed" });
        assert_eq!(self.patch(request, closed).await, 200);
    }

    /// Puts another token into the function's secret. PlanetScale refuses the old one from then on.
    pub async fn rotate_token(&self, new: &ServiceToken) {
        let (id, secret) = (&self.token_secret_id, new.secret());
        self.stack.change_secret(id, &secret).await.unwrap();
        self.control_plane.forget(&self.token).await;
    }

    /// Waits until a step has been carried out this many times.
    pub async fn carried_out(&self, step: &str, times: usize) {
        eventually_holds(step, async || self.times(step) >= times).await;
    }

    /// How often a step was carried out.
    pub fn times(&self, step: &str) -> usize {
        self.steps().iter().filter(|done| *done == step).count()
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

    /// The recorded migrations' versions.
    pub async fn recorded(&self) -> Vec<u32> {
        self.rows("SELECT version FROM schema_migrations ORDER BY version")
            .await
    }

    /// Whether a table in production has this column.
    pub async fn has_column(&self, table: &str, column: &str) -> bool {
        self.columns(table).await.iter().any(|name| name == column)
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
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
